/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a private key for GnuTLS. Its outer structure is looked at here, since GnuTLS tries one form after the other
 * and its error tells of the last. Decryption is done in gnutls_decrypt.c, that of older PKCS#8 by GnuTLS.
 */
#include "shim/gnutls_key.h"

#include "shim/gnutls_decrypt.h"

#include <stdio.h>
#include <string.h>

static const char OID_EC[] = "1.2.840.10045.2.1";
static const char OID_PBES2[] = "1.2.840.113549.1.5.13";

struct load {
	const struct gtls *g;
	const struct mtls_blocks *blocks;
	gnutls_privkey_t *key;
	struct mtls_error *error;
};

static enum mtls_reason fail(struct load *l, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(l->error, reason, part, mtls_bytes_of(detail));
}

static gnutls_datum_t datum(struct mtls_bytes b)
{
	return (gnutls_datum_t){(unsigned char *)b.p, (unsigned)b.n};
}

/* --- what kind of key it is ----------------------------------------------- */

/* parameters: the element that names the curve. */
static bool curve_unknown(const struct gtls *g, struct mtls_bytes parameters, char name[GTLS_ALGORITHM_NAME])
{
	struct mtls_bytes content;
	unsigned tag;

	if (!gtls_der_next(&parameters, &tag, &content))
		return false;
	if (tag == DER_SEQUENCE) {
		(void)snprintf(name, GTLS_ALGORITHM_NAME, "explicit curve parameters");
		return true;
	}
	return tag == DER_OID && gtls_der_oid(content, name, GTLS_ALGORITHM_NAME) &&
	       g->f.gnutls_oid_to_ecc_curve(name) == GNUTLS_ECC_CURVE_INVALID;
}

bool gtls_algorithm_unknown(const struct gtls *g, struct mtls_bytes algorithm, char name[GTLS_ALGORITHM_NAME])
{
	struct mtls_bytes oid;

	if (!gtls_der_take(&algorithm, DER_OID, &oid) || !gtls_der_oid(oid, name, GTLS_ALGORITHM_NAME))
		return false;
	if (strcmp(name, OID_EC) == 0)
		return curve_unknown(g, algorithm, name);
	return g->f.gnutls_oid_to_pk(name) == GNUTLS_PK_UNKNOWN;
}

/* A SEQUENCE that fills der to the byte and begins with a version; *inside: what comes behind that. */
static bool begins_as_key(struct mtls_bytes der, struct mtls_bytes *inside)
{
	struct mtls_bytes version;

	return gtls_der_take(&der, DER_SEQUENCE, inside) && der.n == 0 &&
	       gtls_der_take(inside, DER_INTEGER, &version) && version.n == 1;
}

/* What a wrong passphrase decrypts to, with good padding by chance, does not look like this. */
static bool looks_like_key(struct mtls_bytes der)
{
	struct mtls_bytes inside, content;
	unsigned tag;

	if (!begins_as_key(der, &inside))
		return false;
	while (inside.n)
		if (!gtls_der_next(&inside, &tag, &content))
			return false;
	return true;
}

/* PKCS#1 has a number where SEC 1 has octets and PKCS#8 an AlgorithmIdentifier. */
static bool has_form(struct mtls_bytes inside, enum mtls_key_form form)
{
	struct mtls_bytes content;
	unsigned tag;

	if (!gtls_der_next(&inside, &tag, &content))
		return false;
	if (form == MTLS_KEY_PKCS1)
		return tag == DER_INTEGER;
	return tag == (form == MTLS_KEY_SEC1 ? DER_OCTETS : DER_SEQUENCE);
}

static bool key_unknown(const struct load *l, struct mtls_bytes inside, char name[GTLS_ALGORITHM_NAME])
{
	struct mtls_bytes content;

	switch (l->blocks->key_form) {
	case MTLS_KEY_PKCS1:
		return false;
	case MTLS_KEY_SEC1: /* RFC 5915: version, privateKey, [0] parameters */
		return gtls_der_take(&inside, DER_OCTETS, &content) &&
		       gtls_der_take(&inside, DER_CONTEXT_0, &content) && curve_unknown(l->g, content, name);
	default:
		return gtls_der_take(&inside, DER_SEQUENCE, &content) && gtls_algorithm_unknown(l->g, content, name);
	}
}

/* --- a key in the clear --------------------------------------------------- */

/* Takes x, whatever comes of it. */
static enum mtls_reason wrap(struct load *l, gnutls_x509_privkey_t x)
{
	if (l->g->f.gnutls_privkey_init(l->key) >= 0) {
		if (l->g->f.gnutls_privkey_import_x509(*l->key, x, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) >= 0)
			return MTLS_USABLE;
		l->g->f.gnutls_privkey_deinit(*l->key);
	}
	*l->key = NULL;
	l->g->f.gnutls_x509_privkey_deinit(x);
	return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "kind of key");
}

static enum mtls_reason parse_key(struct load *l, struct mtls_bytes der)
{
	static const char *const FORMS[] = {
		[MTLS_KEY_PKCS8] = "PKCS#8",
		[MTLS_KEY_PKCS8_ENCRYPTED] = "PKCS#8",
		[MTLS_KEY_PKCS1] = "PKCS#1",
		[MTLS_KEY_SEC1] = "SEC 1",
	};
	enum mtls_key_form form = l->blocks->key_form;
	char name[GTLS_ALGORITHM_NAME] = "";
	const gnutls_datum_t data = datum(der);
	gnutls_x509_privkey_t x = NULL;
	struct mtls_bytes inside;
	int ret;

	if (!begins_as_key(der, &inside) || !has_form(inside, form))
		return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, FORMS[form]);
	if (key_unknown(l, inside, name))
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, name);
	if (l->g->f.gnutls_x509_privkey_init(&x) < 0)
		return fail(l, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	if (form == MTLS_KEY_PKCS8 || form == MTLS_KEY_PKCS8_ENCRYPTED)
		ret = l->g->f.gnutls_x509_privkey_import_pkcs8(x, &data, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN);
	else
		ret = l->g->f.gnutls_x509_privkey_import(x, &data, GNUTLS_X509_FMT_DER);
	if (ret >= 0)
		return wrap(l, x);
	l->g->f.gnutls_x509_privkey_deinit(x);
	return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, FORMS[form]);
}

/* --- an encrypted key ----------------------------------------------------- */

static enum mtls_reason check_length(struct load *l, struct mtls_bytes secret, size_t block)
{
	if (secret.n == 0 || (block && secret.n % block))
		return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, "length of the encrypted data");
	return mtls_blocks_passphrase(l->blocks, l->error);
}

static enum mtls_reason unlock(struct load *l, const struct gtls_lock *lock, struct mtls_bytes secret)
{
	enum mtls_reason r = check_length(l, secret, lock->block);
	struct gtls_buffer plain = {0};
	struct mtls_bytes der;

	if (r != MTLS_USABLE)
		return r;
	if (!gtls_unlock(l->g, lock, l->blocks->pass, secret, &plain)) {
		r = fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "cipher");
		goto out;
	}
	r = gtls_padding_off(lock, &plain) ? MTLS_USABLE : MTLS_PASSPHRASE_WRONG;
	der = (struct mtls_bytes){plain.p, plain.n};
	if (r == MTLS_USABLE && looks_like_key(der))
		r = parse_key(l, der);
	else
		r = fail(l, MTLS_PASSPHRASE_WRONG, MTLS_PASS, NULL);
out:
	gtls_buffer_wipe(&plain);
	return r;
}

static enum mtls_reason open_traditional(struct load *l, struct mtls_bytes der, struct mtls_bytes headers)
{
	char name[GTLS_ALGORITHM_NAME];
	struct gtls_lock lock;
	enum mtls_reason r = gtls_lock_traditional(headers, &lock, name);

	return r == MTLS_USABLE ? unlock(l, &lock, der) : fail(l, r, MTLS_KEY, name);
}

/* What GnuTLS said of PBES1 or PKCS#12 encryption. What does not decode is garbage, as a wrong passphrase gives it. */
static enum mtls_reason opened(struct load *l, int ret)
{
	switch (ret) {
	case GNUTLS_E_MEMORY_ERROR:
		return fail(l, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	case GNUTLS_E_ECC_UNSUPPORTED_CURVE:
	case GNUTLS_E_UNKNOWN_PK_ALGORITHM:
	case GNUTLS_E_UNKNOWN_CIPHER_TYPE:
	case GNUTLS_E_UNKNOWN_HASH_ALGORITHM:
	case GNUTLS_E_UNIMPLEMENTED_FEATURE:
	case GNUTLS_E_UNWANTED_ALGORITHM:
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "inside the encryption");
	default:
		return fail(l, MTLS_PASSPHRASE_WRONG, MTLS_PASS, NULL);
	}
}

static enum mtls_reason open_older(struct load *l, struct mtls_bytes der, struct mtls_bytes secret, const char *name)
{
	const gnutls_datum_t data = datum(der);
	gnutls_x509_privkey_t x = NULL;
	char pass[MTLS_PASS_MAX + 1], *oid = NULL;
	unsigned schema = 0, cipher = 0;
	enum mtls_reason r;
	int ret;

	ret = l->g->f.gnutls_pkcs8_info(&data, GNUTLS_X509_FMT_DER, &schema, &cipher, NULL, NULL, NULL, &oid);
	(*l->g->f.gnutls_free)(oid);
	if (ret < 0)
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, name);
	r = check_length(l, secret, l->g->f.gnutls_cipher_get_block_size((gnutls_cipher_algorithm_t)cipher));
	if (r != MTLS_USABLE)
		return r;
	if (l->blocks->pass.n >= sizeof(pass) || memchr(l->blocks->pass.p, '\0', l->blocks->pass.n))
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_PASS, "a passphrase with a NUL byte");
	if (l->g->f.gnutls_x509_privkey_init(&x) < 0)
		return fail(l, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	memcpy(pass, l->blocks->pass.p, l->blocks->pass.n);
	pass[l->blocks->pass.n] = '\0';
	ret = l->g->f.gnutls_x509_privkey_import_pkcs8(x, &data, GNUTLS_X509_FMT_DER, pass, 0);
	gtls_wipe(pass, sizeof(pass));
	if (ret >= 0)
		return wrap(l, x);
	l->g->f.gnutls_x509_privkey_deinit(x);
	return opened(l, ret);
}

/* EncryptedPrivateKeyInfo, RFC 5958. */
static enum mtls_reason open_pkcs8(struct load *l, struct mtls_bytes der)
{
	struct mtls_bytes rest = der, inside, algorithm, secret, oid;
	char name[2 * GTLS_ALGORITHM_NAME + 1];
	struct gtls_lock lock;
	enum mtls_reason r;

	if (!gtls_der_take(&rest, DER_SEQUENCE, &inside) || rest.n ||
	    !gtls_der_take(&inside, DER_SEQUENCE, &algorithm) || !gtls_der_take(&inside, DER_OCTETS, &secret) ||
	    inside.n || !gtls_der_take(&algorithm, DER_OID, &oid) || !gtls_der_oid(oid, name, GTLS_ALGORITHM_NAME))
		return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, "encrypted PKCS#8");
	if (strcmp(name, OID_PBES2) != 0)
		return open_older(l, der, secret, name);
	r = gtls_lock_pbes2(l->g, algorithm, &lock, name, sizeof(name));
	return r == MTLS_USABLE ? unlock(l, &lock, secret) : fail(l, r, MTLS_KEY, name);
}

enum mtls_reason gtls_key_read(const struct gtls *g, const struct mtls_blocks *blocks, gnutls_privkey_t *out,
			       struct mtls_error *error)
{
	struct load l = {g, blocks, out, error};
	struct gtls_buffer buffer = {0};
	struct mtls_bytes der;
	struct mtls_pem pem;
	enum mtls_reason r;

	*out = NULL;
	if (!gtls_block_decode(blocks->key, &pem, &buffer)) {
		r = fail(&l, MTLS_KEY_MALFORMED, MTLS_KEY, "base64");
		goto out;
	}
	der = (struct mtls_bytes){buffer.p, buffer.n};
	if (!blocks->key_encrypted)
		r = parse_key(&l, der);
	else if (blocks->key_form == MTLS_KEY_PKCS8_ENCRYPTED)
		r = open_pkcs8(&l, der);
	else
		r = open_traditional(&l, der, pem.headers);
	if (r == MTLS_USABLE)
		r = mtls_blocks_passphrase(blocks, error); /* also without encryption: a named file may be lost */
	if (r != MTLS_USABLE && *out) {
		g->f.gnutls_privkey_deinit(*out);
		*out = NULL;
	}
out:
	gtls_buffer_wipe(&buffer);
	return r;
}
