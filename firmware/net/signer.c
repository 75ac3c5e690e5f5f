/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedTLS's TLS signs through mbedtls_pk_info_t, a table of functions: one of ours sends ECDSA (both versions of TLS)
 * and RSA with PKCS #1 v1.5 (TLS 1.2) to the vault. RSA-PSS (TLS 1.3) does not go through that table:
 * mbedtls_pk_sign_ext takes the context for an mbedtls_rsa_context and computes at once. So that function is replaced
 * by the linker (--wrap=mbedtls_pk_sign_ext).
 */
#include "firmware/net/signer.h"

#include "core/signature.h"
#include "firmware/vault/vault.h"

#include <pk_wrap.h>

#include <string.h>

typedef int sign_ext(mbedtls_pk_type_t, mbedtls_pk_context *, mbedtls_md_type_t, const unsigned char *, size_t,
		     unsigned char *, size_t, size_t *, int (*)(void *, unsigned char *, size_t), void *);
sign_ext __wrap_mbedtls_pk_sign_ext, __real_mbedtls_pk_sign_ext;

/* HashAlgorithm, RFC 5246 7.4.1.4.1; 0: none that TLS uses. */
static unsigned hash_of(mbedtls_md_type_t md)
{
	switch (md) {
	case MBEDTLS_MD_SHA256:
		return 4;
	case MBEDTLS_MD_SHA384:
		return 5;
	case MBEDTLS_MD_SHA512:
		return 6;
	default:
		return 0;
	}
}

enum kind { PKCS1 = 1, ECDSA = 3, PSS = 8 };

/* SignatureScheme, RFC 8446 4.2.3: the hash is the high byte of the first two kinds, and the low byte of the last. */
static uint16_t scheme_of(enum kind kind, unsigned hash)
{
	return (uint16_t)(kind == PSS ? PSS << 8 | hash : hash << 8 | kind);
}

static int sign(enum kind kind, mbedtls_md_type_t md, const unsigned char *hash, size_t n, unsigned char *signature,
		size_t size, size_t *length)
{
	static uint8_t made[VAULT_SIGNATURE]; /* TLS's buffer may be shorter than the longest */

	if (!hash_of(md) || !vault_signer()->sign(scheme_of(kind, hash_of(md)), hash, n, made, length))
		return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
	if (*length > size)
		return MBEDTLS_ERR_PK_BUFFER_TOO_SMALL;
	memcpy(signature, made, *length);
	return 0;
}

static int sign_ec(mbedtls_pk_context *pk, mbedtls_md_type_t md, const unsigned char *hash, size_t n,
		   unsigned char *signature, size_t size, size_t *length,
		   int (*random)(void *, unsigned char *, size_t), void *random_ctx)
{
	(void)pk, (void)random, (void)random_ctx;
	return sign(ECDSA, md, hash, n, signature, size, length);
}

static int sign_rsa(mbedtls_pk_context *pk, mbedtls_md_type_t md, const unsigned char *hash, size_t n,
		    unsigned char *signature, size_t size, size_t *length,
		    int (*random)(void *, unsigned char *, size_t), void *random_ctx)
{
	(void)pk, (void)random, (void)random_ctx;
	return sign(PKCS1, md, hash, n, signature, size, length);
}

static size_t bits(mbedtls_pk_context *pk)
{
	(void)pk;
	return vault_signer()->bits();
}

static int ec_can_do(mbedtls_pk_type_t type)
{
	return type == MBEDTLS_PK_ECKEY || type == MBEDTLS_PK_ECDSA;
}

static int rsa_can_do(mbedtls_pk_type_t type)
{
	return type == MBEDTLS_PK_RSA || type == MBEDTLS_PK_RSASSA_PSS;
}

static const mbedtls_pk_info_t ec = {
	.type = MBEDTLS_PK_ECKEY,
	.name = "vault EC",
	.get_bitlen = bits,
	.can_do = ec_can_do,
	.sign_func = sign_ec,
};

static const mbedtls_pk_info_t rsa = {
	.type = MBEDTLS_PK_RSA,
	.name = "vault RSA",
	.get_bitlen = bits,
	.can_do = rsa_can_do,
	.sign_func = sign_rsa,
};

int __wrap_mbedtls_pk_sign_ext(mbedtls_pk_type_t type, mbedtls_pk_context *pk, mbedtls_md_type_t md,
			       const unsigned char *hash, size_t n, unsigned char *signature, size_t size,
			       size_t *length, int (*random)(void *, unsigned char *, size_t), void *random_ctx)
{
	if (pk->MBEDTLS_PRIVATE(pk_info) != &rsa || type != MBEDTLS_PK_RSASSA_PSS)
		return __real_mbedtls_pk_sign_ext(type, pk, md, hash, n, signature, size, length, random, random_ctx);
	return sign(PSS, md, hash, n, signature, size, length);
}

bool signer_setup(mbedtls_pk_context *key)
{
	switch (vault_signer()->type()) {
	case MTLS_KEY_P256:
	case MTLS_KEY_P384:
	case MTLS_KEY_P521:
	case MTLS_KEY_EC_OTHER:
		return mbedtls_pk_setup(key, &ec) == 0;
	case MTLS_KEY_RSA:
		return mbedtls_pk_setup(key, &rsa) == 0;
	default:
		return false;
	}
}
