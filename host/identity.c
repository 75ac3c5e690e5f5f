/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser for libcrypto: reads the chain, compares the pair, and notes what
 * the log and the policy want to know of the leaf. Keys are opened in key.c.
 */
#include "host/identity.h"
#include "host/block.h"
#include "host/errors.h"
#include "host/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct load {
	const struct mtls_crypto *c;
	const struct mtls_blocks *blocks;
	struct mtls_identity *id;
	struct mtls_error *error;
};

static enum mtls_reason fail(struct load *l, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(l->error, reason, part, mtls_bytes_of(detail));
}

static X509 *read_certificate(const struct mtls_crypto *c, struct mtls_bytes block)
{
	struct mtls_buffer der = {0};
	const unsigned char *p;
	struct mtls_pem pem;
	X509 *x = NULL;

	if (!mtls_block_decode(c, block, &pem, &der))
		goto out;
	p = der.p;
	x = mtls_bytes_start(pem.label, "TRUSTED") ? c->d2i_X509_AUX(NULL, &p, (long)der.n)
						   : c->d2i_X509(NULL, &p, (long)der.n);
	if (x && p != der.p + der.n) {
		c->X509_free(x);
		x = NULL;
	}
out:
	mtls_buffer_wipe(c, &der);
	return x;
}

static enum mtls_reason read_chain(struct load *l)
{
	OPENSSL_STACK *chain = l->c->OPENSSL_sk_new_null();
	char detail[32];
	size_t i;
	X509 *x;

	l->id->chain = (STACK_OF(X509) *)chain;
	for (i = 0; chain && i < l->blocks->n_certs; i++) {
		x = read_certificate(l->c, l->blocks->cert[i]);
		if (!x)
			break;
		if (i == 0) {
			l->id->leaf = x;
		} else if (!l->c->OPENSSL_sk_push(chain, x)) {
			l->c->X509_free(x);
			break;
		}
	}
	if (l->id->leaf && i == l->blocks->n_certs)
		return MTLS_USABLE;
	(void)snprintf(detail, sizeof(detail), "certificate %zu", i + 1);
	return fail(l, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, detail);
}

static X509_ALGOR *leaf_algorithm(const struct load *l)
{
	X509_ALGOR *algorithm = NULL;

	l->c->X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, l->c->X509_get_X509_PUBKEY(l->id->leaf));
	return algorithm;
}

static enum mtls_reason check_pair(struct load *l)
{
	char name[MTLS_ALGORITHM_NAME] = "";

	if (!l->c->X509_get0_pubkey(l->id->leaf))
		return mtls_algorithm_unknown(l->c, leaf_algorithm(l), name)
			       ? fail(l, MTLS_KEY_UNSUPPORTED, MTLS_CERT, name)
			       : fail(l, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, "public key of certificate 1");
	if (l->id->key && !l->c->X509_check_private_key(l->id->leaf, l->id->key))
		return fail(l, MTLS_PAIR_MISMATCH, MTLS_KEY, NULL);
	return MTLS_USABLE;
}

static enum mtls_key_type key_type(const struct load *l)
{
	const ASN1_OBJECT *object = NULL;
	const void *value = NULL;
	int type = 0;

	l->c->X509_ALGOR_get0(&object, &type, &value, leaf_algorithm(l));
	switch (l->c->OBJ_obj2nid(object)) {
	case NID_rsaEncryption:
		return MTLS_KEY_RSA;
	case NID_rsassaPss:
		return MTLS_KEY_RSA_PSS;
	case NID_ED25519:
		return MTLS_KEY_ED25519;
	case NID_ED448:
		return MTLS_KEY_ED448;
	case NID_X9_62_id_ecPublicKey:
		break;
	default:
		return MTLS_KEY_OTHER;
	}
	switch (type == V_ASN1_OBJECT ? l->c->OBJ_obj2nid(value) : NID_undef) {
	case NID_X9_62_prime256v1:
		return MTLS_KEY_P256;
	case NID_secp384r1:
		return MTLS_KEY_P384;
	case NID_secp521r1:
		return MTLS_KEY_P521;
	default:
		return MTLS_KEY_EC_OTHER;
	}
}

static bool key_id(struct load *l)
{
	unsigned char *der = NULL;
	int n = l->c->i2d_X509_PUBKEY(l->c->X509_get_X509_PUBKEY(l->id->leaf), &der);
	bool ok = n > 0 && l->c->EVP_Digest(der, (size_t)n, l->id->key_id, NULL, l->c->EVP_sha256(), NULL);

	l->c->CRYPTO_free(der, "", 0);
	return ok;
}

static void describe(struct load *l)
{
	struct mtls_identity *id = l->id;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	int n = 0;
	BIO *text;

	id->type = key_type(l);
	text = l->c->BIO_new(l->c->BIO_s_mem());
	if (text && l->c->X509_NAME_print_ex(text, l->c->X509_get_subject_name(id->leaf), 0, XN_FLAG_RFC2253) >= 0)
		n = l->c->BIO_read(text, id->subject, MTLS_SUBJECT_MAX);
	l->c->BIO_free(text);
	if (n >= MTLS_SUBJECT_MAX)
		memcpy(id->subject + MTLS_SUBJECT_MAX - 4, "...", 4);
	for (char *s = id->subject; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
	if (l->c->X509_digest(id->leaf, l->c->EVP_sha256(), hash, &size) && size == 32)
		mtls_bytes_hex(hash, size, id->sha256);
}

enum mtls_reason mtls_identity_load(const struct mtls_crypto *c, const struct mtls_blocks *blocks,
				    struct mtls_identity **out, struct mtls_error *error)
{
	struct load l = {c, blocks, calloc(1, sizeof(struct mtls_identity)), error};
	enum mtls_reason r;

	*out = NULL;
	if (!l.id)
		return fail(&l, MTLS_UNREADABLE, MTLS_CERT, "out of memory");
	mtls_errors_keep(c);
	r = read_chain(&l);
	if (r == MTLS_USABLE && blocks->key_form != MTLS_KEY_NONE)
		r = mtls_key_read(c, blocks, &l.id->key, error);
	if (r == MTLS_USABLE)
		r = check_pair(&l);
	if (r == MTLS_USABLE && !key_id(&l))
		r = fail(&l, MTLS_UNREADABLE, MTLS_CERT, "out of memory");
	if (r == MTLS_USABLE) {
		describe(&l);
		fail(&l, MTLS_USABLE, MTLS_NOTHING, NULL);
		*out = l.id;
		l.id = NULL;
	}
	mtls_identity_free(c, l.id);
	mtls_errors_restore(c);
	return r;
}

void mtls_identity_free(const struct mtls_crypto *c, struct mtls_identity *id)
{
	void *x;

	if (!id)
		return;
	while (id->chain && (x = c->OPENSSL_sk_pop((OPENSSL_STACK *)id->chain)))
		c->X509_free(x);
	c->OPENSSL_sk_free((OPENSSL_STACK *)id->chain);
	c->X509_free(id->leaf);
	c->EVP_PKEY_free(id->key);
	free(id);
}
