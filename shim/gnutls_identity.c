/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser for GnuTLS: reads the chain, compares the pair, and notes what the log and the policy want to know of the
 * leaf, in host/identity.c's words. Keys are opened in gnutls_key.c. Only functions that change no state of the
 * library.
 */
#include "shim/gnutls.h"
#include "shim/gnutls_block.h"
#include "shim/gnutls_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_SIZE 32

struct load {
	const struct gtls *g;
	const struct mtls_blocks *blocks;
	struct gtls_identity *id;
	struct mtls_error *error;
	enum mtls_reason leaf; /* what is wrong with its public key: told after the private one was read */
	char leaf_name[GTLS_ALGORITHM_NAME]; /* of its algorithm */
};

static enum mtls_reason fail(struct load *l, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(l->error, reason, part, mtls_bytes_of(detail));
}

/* --- certificates --------------------------------------------------------- */

/* The certificate alone, cut off what OpenSSL writes behind a trusted one. */
static bool certificate_part(struct mtls_bytes label, struct mtls_bytes *der)
{
	struct mtls_bytes rest = *der, content;

	if (!gtls_der_take(&rest, DER_SEQUENCE, &content))
		return false;
	der->n -= rest.n;
	if (rest.n == 0)
		return true;
	return mtls_bytes_start(label, "TRUSTED") && gtls_der_take(&rest, DER_SEQUENCE, &content) && rest.n == 0;
}

/* RFC 5280 4.1: the subject's public key, with its tag and length. */
static bool public_key(struct mtls_bytes der, struct mtls_bytes *key)
{
	struct mtls_bytes certificate, tbs, content;

	if (!gtls_der_take(&der, DER_SEQUENCE, &certificate) || !gtls_der_take(&certificate, DER_SEQUENCE, &tbs))
		return false;
	gtls_der_take(&tbs, DER_CONTEXT_0, &content);
	if (!gtls_der_take(&tbs, DER_INTEGER, &content))
		return false;
	for (int i = 0; i < 4; i++) /* signature, issuer, validity, subject */
		if (!gtls_der_take(&tbs, DER_SEQUENCE, &content))
			return false;
	key->p = tbs.p;
	if (!gtls_der_take(&tbs, DER_SEQUENCE, &content))
		return false;
	key->n = (size_t)(tbs.p - key->p);
	return true;
}

static bool public_algorithm(struct mtls_bytes der, struct mtls_bytes *algorithm)
{
	struct mtls_bytes key, content;

	return public_key(der, &key) && gtls_der_take(&key, DER_SEQUENCE, &content) &&
	       gtls_der_take(&content, DER_SEQUENCE, algorithm);
}

/* A certificate that GnuTLS can read, but not its key: good enough for an intermediate, which is only sent. */
static bool keep_certificate(struct load *l, gnutls_x509_crt_t x, struct mtls_bytes der, gnutls_pcert_st *cert)
{
	struct mtls_bytes algorithm;

	memset(cert, 0, sizeof(*cert));
	if (cert == &l->id->cert[0])
		l->leaf = public_algorithm(der, &algorithm) && gtls_algorithm_unknown(l->g, algorithm, l->leaf_name)
				  ? MTLS_KEY_UNSUPPORTED
				  : MTLS_CERTIFICATE_MALFORMED;
	cert->type = GNUTLS_CRT_X509;
	return l->g->f.gnutls_x509_crt_export2(x, GNUTLS_X509_FMT_DER, &cert->cert) >= 0;
}

static bool read_certificate(struct load *l, unsigned i)
{
	struct gtls_buffer buffer = {0};
	gnutls_x509_crt_t x = NULL;
	struct mtls_bytes der;
	gnutls_datum_t data;
	struct mtls_pem pem;
	bool ok = false;

	if (!gtls_block_decode(l->blocks->cert[i], &pem, &buffer))
		goto out;
	der = (struct mtls_bytes){buffer.p, buffer.n};
	if (!certificate_part(pem.label, &der) || l->g->f.gnutls_x509_crt_init(&x) < 0)
		goto out;
	data = (gnutls_datum_t){buffer.p, (unsigned)der.n};
	if (l->g->f.gnutls_x509_crt_import(x, &data, GNUTLS_X509_FMT_DER) < 0 ||
	    l->g->f.gnutls_x509_crt_get_raw_issuer_dn(x, &l->id->issuer[i]) < 0)
		goto out;
	ok = l->g->f.gnutls_pcert_import_x509(&l->id->cert[i], x, 0) >= 0 ||
	     keep_certificate(l, x, der, &l->id->cert[i]);
out:
	if (x)
		l->g->f.gnutls_x509_crt_deinit(x);
	gtls_buffer_wipe(&buffer);
	return ok;
}

static enum mtls_reason read_chain(struct load *l)
{
	char detail[32];

	for (; l->id->n_certs < l->blocks->n_certs; l->id->n_certs++) {
		if (read_certificate(l, l->id->n_certs))
			continue;
		(void)snprintf(detail, sizeof(detail), "certificate %u", l->id->n_certs + 1);
		return fail(l, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, detail);
	}
	return MTLS_USABLE;
}

/* --- the pair ------------------------------------------------------------- */

static bool key_id(const struct gtls *g, gnutls_pubkey_t key, unsigned char id[SHA256_SIZE])
{
	size_t size = SHA256_SIZE;

	return g->f.gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &size) >= 0 && size == SHA256_SIZE;
}

static bool is_pair(const struct load *l)
{
	unsigned char ours[SHA256_SIZE], theirs[SHA256_SIZE];
	gnutls_pubkey_t public = NULL;
	bool equal;

	if (l->g->f.gnutls_pubkey_init(&public) < 0)
		return false;
	equal = l->g->f.gnutls_pubkey_import_privkey(public, l->id->key, 0, 0) >= 0 && key_id(l->g, public, ours) &&
		key_id(l->g, l->id->cert[0].pubkey, theirs) && memcmp(ours, theirs, SHA256_SIZE) == 0;
	l->g->f.gnutls_pubkey_deinit(public);
	return equal;
}

static enum mtls_reason check_pair(struct load *l)
{
	if (l->leaf != MTLS_USABLE)
		return fail(l, l->leaf, MTLS_CERT,
			    l->leaf == MTLS_KEY_UNSUPPORTED ? l->leaf_name : "public key of certificate 1");
	if (l->id->key && !is_pair(l))
		return fail(l, MTLS_PAIR_MISMATCH, MTLS_KEY, NULL);
	return MTLS_USABLE;
}

/* --- what is noted of the leaf -------------------------------------------- */

static enum mtls_key_type key_type(const struct load *l)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_pubkey_t key = l->id->cert[0].pubkey;

	switch (l->g->f.gnutls_pubkey_get_pk_algorithm(key, NULL)) {
	case GNUTLS_PK_RSA:
		return MTLS_KEY_RSA;
	case GNUTLS_PK_RSA_PSS:
		return MTLS_KEY_RSA_PSS;
	case GNUTLS_PK_EDDSA_ED25519:
		return MTLS_KEY_ED25519;
	case GNUTLS_PK_EDDSA_ED448:
		return MTLS_KEY_ED448;
	case GNUTLS_PK_ECDSA:
		break;
	default:
		return MTLS_KEY_OTHER;
	}
	if (l->g->f.gnutls_pubkey_export_ecc_raw(key, &curve, NULL, NULL) < 0)
		return MTLS_KEY_EC_OTHER;
	switch (curve) {
	case GNUTLS_ECC_CURVE_SECP256R1:
		return MTLS_KEY_P256;
	case GNUTLS_ECC_CURVE_SECP384R1:
		return MTLS_KEY_P384;
	case GNUTLS_ECC_CURVE_SECP521R1:
		return MTLS_KEY_P521;
	default:
		return MTLS_KEY_EC_OTHER;
	}
}

/* A name of GnuTLS's at the begin of an attribute, for which OpenSSL has another. */
static const char *renamed(const char *at, size_t *size)
{
	static const struct {
		const char *theirs, *ours;
	} NAMES[] = {
		{"EMAIL=", "emailAddress="},
		{"surName=", "SN="},
		{"givenName=", "GN="},
		{"jurisdictionOfIncorporationCountryName=", "jurisdictionC="},
		{"jurisdictionOfIncorporationLocalityName=", "jurisdictionL="},
		{"jurisdictionOfIncorporationStateOrProvinceName=", "jurisdictionST="},
	};

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		*size = strlen(NAMES[i].theirs);
		if (strncmp(at, NAMES[i].theirs, *size) == 0)
			return NAMES[i].ours;
	}
	return NULL;
}

/* As X509_NAME_print_ex writes it with XN_FLAG_RFC2253: other names, "#0C…" in capitals, not printable ASCII as "\XX".
 */
static void write_subject(struct gtls_identity *id, const char *text)
{
	bool begins = true, dump = false; /* an attribute; its value's DER in hex */
	char piece[4] = "";
	const char *say;
	size_t size, n = 0;

	for (const char *p = text; *p && n < GTLS_SUBJECT_MAX; p += size) {
		say = begins ? renamed(p, &size) : NULL;
		begins = *p == ',' || *p == '+';
		dump = !begins && (dump || (*p == '=' && p[1] == '#'));
		if (!say) {
			size = *p == '\\' && p[1] > ' ' && p[1] <= '~' ? 2 : 1; /* an escape begins nothing */
			if (*p < ' ' || *p > '~')
				(void)snprintf(piece, sizeof(piece), "\\%02X", (unsigned)(unsigned char)*p);
			else
				(void)snprintf(piece, sizeof(piece), "%.*s", (int)size, p);
			if (dump && *p >= 'a' && *p <= 'f')
				piece[0] = (char)(*p - 'a' + 'A');
			say = piece;
		}
		for (; *say; say++, n++)
			if (n < GTLS_SUBJECT_MAX)
				id->subject[n] = *say;
	}
	if (n >= GTLS_SUBJECT_MAX)
		memcpy(id->subject + GTLS_SUBJECT_MAX - 4, "...", 4);
}

static void describe_subject(struct load *l)
{
	gnutls_datum_t text = {NULL, 0};
	gnutls_x509_crt_t x = NULL;

	if (l->g->f.gnutls_x509_crt_init(&x) < 0)
		return;
	if (l->g->f.gnutls_x509_crt_import(x, &l->id->cert[0].cert, GNUTLS_X509_FMT_DER) >= 0 &&
	    l->g->f.gnutls_x509_crt_get_dn3(x, &text, 0) >= 0 && text.data)
		write_subject(l->id, (const char *)text.data);
	(*l->g->f.gnutls_free)(text.data);
	l->g->f.gnutls_x509_crt_deinit(x);
}

static void describe(struct load *l)
{
	unsigned char hash[SHA256_SIZE];
	size_t size = sizeof(hash);
	struct mtls_bytes leaf, key;

	l->id->type = key_type(l);
	describe_subject(l);
	if (l->g->f.gnutls_fingerprint(GNUTLS_DIG_SHA256, &l->id->cert[0].cert, hash, &size) >= 0 &&
	    size == sizeof(hash))
		mtls_bytes_hex(hash, size, l->id->sha256);
	leaf = (struct mtls_bytes){l->id->cert[0].cert.data, l->id->cert[0].cert.size};
	if (public_key(leaf, &key))
		l->g->f.gnutls_hash_fast(GNUTLS_DIG_SHA256, key.p, key.n, l->id->key_id);
}

/* --- the whole ------------------------------------------------------------ */

enum mtls_reason gtls_identity_load(const struct gtls *g, const struct mtls_blocks *blocks, struct gtls_identity **out,
				    struct mtls_error *error)
{
	struct load l = {.g = g, .blocks = blocks, .error = error, .leaf = MTLS_USABLE};
	enum mtls_reason r;

	*out = NULL;
	l.id = calloc(1, sizeof(*l.id));
	if (!l.id)
		return fail(&l, MTLS_UNREADABLE, MTLS_CERT, "out of memory");
	atomic_init(&l.id->references, 1);
	r = read_chain(&l);
	if (r == MTLS_USABLE && blocks->key_form != MTLS_KEY_NONE)
		r = gtls_key_read(g, blocks, &l.id->key, error);
	if (r == MTLS_USABLE)
		r = check_pair(&l);
	if (r != MTLS_USABLE) {
		gtls_identity_drop(g, l.id);
		return r;
	}
	describe(&l);
	*out = l.id;
	return fail(&l, MTLS_USABLE, MTLS_NOTHING, NULL);
}

void gtls_identity_keep(struct gtls_identity *id)
{
	atomic_fetch_add_explicit(&id->references, 1, memory_order_relaxed);
}

void gtls_identity_drop(const struct gtls *g, struct gtls_identity *id)
{
	if (!id || atomic_fetch_sub_explicit(&id->references, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < MTLS_CHAIN_MAX; i++) { /* also the one that was given up */
		g->f.gnutls_pcert_deinit(&id->cert[i]);
		(*g->f.gnutls_free)(id->issuer[i].data);
	}
	if (id->key)
		g->f.gnutls_privkey_deinit(id->key); /* wipes */
	gtls_wipe(id, sizeof(*id));
	free(id);
}
