/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a private key: see key.h. mbedTLS reads it from a block that is made anew, with one label and no encryption:
 * told what it is to be, it says what is wrong. What it cannot do gets its name from the key's own DER.
 */
#include "firmware/vault/key.h"
#include "firmware/vault/der.h"
#include "firmware/vault/name.h"
#include "firmware/vault/random.h"
#include "core/text.h"
#include "firmware/vault/unlock.h"
#include "firmware/vault/vault.h"

#include <mbedtls/cipher.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/pem.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509.h>

#if defined(MBEDTLS_USE_PSA_CRYPTO)
#error "The vault's keys are mbedTLS's own: with MBEDTLS_USE_PSA_CRYPTO each use would copy them into PSA's slots."
#endif

#ifdef MBEDTLS_RSA_C
#define SIGNS " key; this device signs with RSA and ECDSA"
#else
#define SIGNS " key; this device signs with ECDSA"
#endif

struct load {
	const struct mtls_blocks *blocks;
	struct mtls_error *error;
};

static const struct {
	const char *label, *name;
} FORMS[] = {
	[MTLS_KEY_PKCS8] = {"PRIVATE KEY", "PKCS#8"},
	[MTLS_KEY_PKCS8_ENCRYPTED] = {"PRIVATE KEY", "PKCS#8"},
	[MTLS_KEY_PKCS1] = {"RSA PRIVATE KEY", "PKCS#1"},
	[MTLS_KEY_SEC1] = {"EC PRIVATE KEY", "SEC 1"},
};

static enum mtls_reason fail(const struct load *l, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(l->error, reason, part, mtls_bytes_of(detail));
}

static enum mtls_reason unsupported(const struct load *l, const char *what, const char *why)
{
	struct mtls_text t = {.n = 0};

	mtls_text_put(&t, what);
	mtls_text_put(&t, why);
	return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, t.s);
}

bool vault_no_memory(int ret)
{
	switch (ret) {
	case MBEDTLS_ERR_ASN1_ALLOC_FAILED:
	case MBEDTLS_ERR_CIPHER_ALLOC_FAILED:
	case MBEDTLS_ERR_ECP_ALLOC_FAILED:
	case MBEDTLS_ERR_MD_ALLOC_FAILED:
	case MBEDTLS_ERR_MPI_ALLOC_FAILED:
	case MBEDTLS_ERR_PEM_ALLOC_FAILED:
	case MBEDTLS_ERR_PK_ALLOC_FAILED:
	case MBEDTLS_ERR_X509_ALLOC_FAILED:
		return true;
	default: /* the low-level error in the sum of two */
		return -ret % 0x80 == -MBEDTLS_ERR_MPI_ALLOC_FAILED || -ret % 0x80 == -MBEDTLS_ERR_ASN1_ALLOC_FAILED;
	}
}

/* --- what a key says of itself ------------------------------------------------------------------ */

struct outline {
	struct mtls_bytes algorithm, curve; /* object identifiers; n == 0: not told */
	bool explicit_curve, attributes;
	unsigned char version;
	size_t rsa; /* bytes of the modulus; 0: not told */
};

/*
 * A SEQUENCE that fills der to the byte, begins with a version and has whole elements: what each form of key is, and
 * what a wrong passphrase gives with good padding by chance is not.
 */
static bool looks_like_key(struct mtls_bytes der, struct mtls_bytes *inside, unsigned char *version)
{
	struct mtls_bytes rest, content;
	int tag;

	if (!der_take(&der, DER_SEQUENCE, inside) || der.n || !der_take(inside, DER_INTEGER, &content) ||
	    content.n != 1)
		return false;
	*version = content.p[0];
	for (rest = *inside; rest.n;)
		if (!der_next(&rest, &tag, &content))
			return false;
	return true;
}

static void outline_curve(struct mtls_bytes parameters, struct outline *o)
{
	o->explicit_curve = parameters.n && parameters.p[0] == DER_SEQUENCE;
	if (!der_take(&parameters, DER_OID, &o->curve))
		o->curve.n = 0;
}

/* inside: behind the version. */
static void outline_rsa(struct mtls_bytes inside, struct outline *o)
{
	struct mtls_bytes modulus;

	if (!der_take(&inside, DER_INTEGER, &modulus))
		return;
	while (modulus.n && modulus.p[0] == 0) {
		modulus.p++;
		modulus.n--;
	}
	o->rsa = modulus.n;
}

static void outline(struct mtls_bytes inside, enum mtls_key_form form, struct outline *o)
{
	struct mtls_bytes content, parameters;
	unsigned char version;

	switch (form) {
	case MTLS_KEY_PKCS1:
		outline_rsa(inside, o);
		return;
	case MTLS_KEY_SEC1: /* RFC 5915: privateKey, [0] parameters */
		if (der_take(&inside, DER_OCTETS, &content) && der_take(&inside, DER_CONTEXT_0, &parameters))
			outline_curve(parameters, o);
		return;
	default: /* RFC 5958: algorithm, privateKey, [0] attributes */
		if (!der_algorithm(&inside, &o->algorithm, &parameters) || !der_take(&inside, DER_OCTETS, &content))
			return;
		outline_curve(parameters, o);
		o->attributes = inside.n > 0;
		if (looks_like_key(content, &inside, &version))
			outline_rsa(inside, o);
	}
}

/* --- reading --------------------------------------------------------------------------------------- */

static enum mtls_reason refused(const struct load *l, int ret, const struct outline *o)
{
	bool pkcs8 = o->algorithm.n > 0;
	char name[VAULT_NAME];

	if (vault_no_memory(ret))
		return fail(l, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	if (ret == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG) {
		vault_name(o->algorithm, name);
		return unsupported(l, name, SIGNS);
	}
#ifndef MBEDTLS_RSA_C
	if (l->blocks->key_form == MTLS_KEY_PKCS1)
		return unsupported(l, "RSA", SIGNS);
#endif
	if (ret == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE) {
		vault_name(o->curve, name);
		return unsupported(l, name, " is a curve that this device does not have");
	}
	if (o->explicit_curve)
		return unsupported(l, "explicit curve parameters", " of a curve that this device does not have");
	if (pkcs8 && o->version == 1)
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, "PKCS#8, version 2");
	if (pkcs8 && o->attributes)
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, "PKCS#8 with attributes");
	if (o->rsa > VAULT_SIGNATURE)
		return unsupported(l, "RSA with more than 4096 bits", "");
	return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, FORMS[l->blocks->key_form].name);
}

enum mtls_key_type vault_key_type(const mbedtls_pk_context *key)
{
	mbedtls_ecp_group_id curve;

	switch (mbedtls_pk_get_type(key)) {
	case MBEDTLS_PK_RSA:
		return mbedtls_pk_get_len(key) <= VAULT_SIGNATURE ? MTLS_KEY_RSA : MTLS_KEY_OTHER;
	case MBEDTLS_PK_ECKEY:
		break;
	default:
		return MTLS_KEY_OTHER;
	}
	curve = mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*key));
	switch (curve) {
	case MBEDTLS_ECP_DP_SECP256R1:
		return MTLS_KEY_P256;
	case MBEDTLS_ECP_DP_SECP384R1:
		return MTLS_KEY_P384;
	case MBEDTLS_ECP_DP_SECP521R1:
		return MTLS_KEY_P521;
	default:
		return mbedtls_ecdsa_can_do(curve) ? MTLS_KEY_EC_OTHER : MTLS_KEY_OTHER;
	}
}

static enum mtls_reason parse(const struct load *l, struct mtls_bytes der, mbedtls_pk_context *key,
			      struct vault_heap *plain)
{
	enum mtls_key_form form = l->blocks->key_form;
	struct mtls_bytes inside;
	struct outline o = {.rsa = 0};
	int ret;

	if (!looks_like_key(der, &inside, &o.version))
		return l->blocks->key_encrypted ? fail(l, MTLS_PASSPHRASE_WRONG, MTLS_PASS, NULL)
						: fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, FORMS[form].name);
	if (vault_heap_reserve(plain, VAULT_BASE64(der.n) + 80) != 0)
		return fail(l, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	plain->n = vault_block_encode(FORMS[form].label, der, plain->p, plain->size - 1);
	ret = mbedtls_pk_parse_key(key, plain->p, plain->n + 1, NULL, 0, vault_random, NULL);
	if (ret == 0 && vault_key_type(key) != MTLS_KEY_OTHER)
		return MTLS_USABLE;
	outline(inside, form, &o);
	return refused(l, ret == 0 ? MBEDTLS_ERR_PK_UNKNOWN_PK_ALG : ret, &o);
}

enum mtls_reason vault_key_read(const struct mtls_blocks *blocks, mbedtls_pk_context *key, struct vault_heap *plain,
				struct mtls_error *error)
{
	struct load l = {blocks, error};
	struct vault_heap der;
	enum mtls_reason r = MTLS_USABLE;
	struct mtls_pem pem;
	int ret;

	mbedtls_pk_init(key);
	*plain = (struct vault_heap){0};
	ret = vault_block_decode(blocks->key, &pem, &der);
	if (ret != 0)
		return vault_no_memory(ret) ? fail(&l, MTLS_UNREADABLE, MTLS_KEY, "out of memory")
					    : fail(&l, MTLS_KEY_MALFORMED, MTLS_KEY, "base64");
	if (blocks->key_encrypted)
		r = vault_unlock(blocks, &pem, &der, error);
	if (r == MTLS_USABLE)
		r = parse(&l, (struct mtls_bytes){der.p, der.n}, key, plain);
	if (r == MTLS_USABLE)
		r = mtls_blocks_passphrase(blocks, error); /* also without encryption: a named file may be lost */
	vault_heap_free(&der);
	if (r != MTLS_USABLE) {
		mbedtls_pk_free(key);
		vault_heap_free(plain);
	}
	return r;
}
