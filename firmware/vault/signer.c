/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private key at work, in the vault's own image: see vault.h. mbedTLS's RSA and ECDSA are called by their own
 * names: what mbedtls_pk_sign would add is a guess of the padding. Blinding, salts and ECDSA's nonces come from
 * vault_random.
 */
#include "firmware/vault/signer.h"
#include "firmware/vault/random.h"
#include "firmware/vault/vault.h"

#include <string.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>

static struct {
	mbedtls_pk_context key;
	enum mtls_key_type type; /* MTLS_KEY_OTHER: key is not initialised */
	unsigned made;
} signer;

/* RFC 8446 4.2.3; in TLS 1.2 an ECDSA scheme says nothing of the curve. */
static const struct scheme {
	uint16_t number;
	enum { PKCS1, PSS, ECDSA } how;
	mbedtls_md_type_t md;
	size_t size; /* bytes of the hash */
} SCHEMES[] = {
	{0x0401, PKCS1, MBEDTLS_MD_SHA256, 32}, {0x0501, PKCS1, MBEDTLS_MD_SHA384, 48},
	{0x0601, PKCS1, MBEDTLS_MD_SHA512, 64}, {0x0804, PSS, MBEDTLS_MD_SHA256, 32},
	{0x0805, PSS, MBEDTLS_MD_SHA384, 48},   {0x0806, PSS, MBEDTLS_MD_SHA512, 64},
	{0x0403, ECDSA, MBEDTLS_MD_SHA256, 32}, {0x0503, ECDSA, MBEDTLS_MD_SHA384, 48},
	{0x0603, ECDSA, MBEDTLS_MD_SHA512, 64},
};

static const struct scheme *find(uint16_t number, size_t size)
{
	bool rsa = signer.type == MTLS_KEY_RSA;

	for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++)
		if (SCHEMES[i].number == number && SCHEMES[i].size == size && (SCHEMES[i].how != ECDSA) == rsa)
			return &SCHEMES[i];
	return NULL;
}

#ifdef MBEDTLS_RSA_C

/* A PSS salt is as long as the hash (RFC 8446 4.2.3): a short key has no room for it. */
static int compute_rsa(const struct scheme *s, const unsigned char *hash, unsigned char *signature, size_t *length)
{
	mbedtls_rsa_context *rsa = mbedtls_pk_rsa(signer.key);
	int ret;

	*length = mbedtls_rsa_get_len(rsa);
	if (s->how == PSS) {
		ret = mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, s->md);
		return ret ? ret
			   : mbedtls_rsa_rsassa_pss_sign_ext(rsa, vault_random, NULL, s->md, (unsigned)s->size, hash,
							     (int)s->size, signature);
	}
	ret = mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V15, MBEDTLS_MD_NONE);
	return ret ? ret
		   : mbedtls_rsa_rsassa_pkcs1_v15_sign(rsa, vault_random, NULL, s->md, (unsigned)s->size, hash,
						       signature);
}

/*
 * mbedTLS keeps two numbers that blind and unblind, and changes one after the other: where it failed between them (no
 * memory) each signature from then on would be wrong. Without them it makes new ones.
 */
static void forget_blinding(mbedtls_rsa_context *rsa)
{
	mbedtls_mpi_free(&rsa->MBEDTLS_PRIVATE(Vi));
	mbedtls_mpi_free(&rsa->MBEDTLS_PRIVATE(Vf));
}

static int sign_rsa(const struct scheme *s, const unsigned char *hash, unsigned char *signature, size_t *length)
{
	int ret = compute_rsa(s, hash, signature, length);

	if (ret != 0)
		forget_blinding(mbedtls_pk_rsa(signer.key));
	return ret;
}

#else

static int sign_rsa(const struct scheme *s, const unsigned char *hash, unsigned char *signature, size_t *length)
{
	(void)s, (void)hash, (void)signature, (void)length;
	return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
}

#endif

static bool sign(uint16_t number, const void *hash, size_t n, uint8_t signature[VAULT_SIGNATURE], size_t *length)
{
	const struct scheme *s = signer.type == MTLS_KEY_OTHER ? NULL : find(number, n);
	int ret = -1;

	*length = 0;
	if (s && s->how == ECDSA)
		ret = mbedtls_ecdsa_write_signature(mbedtls_pk_ec(signer.key), s->md, hash, n, signature,
						    VAULT_SIGNATURE, length, vault_random, NULL);
	else if (s)
		ret = sign_rsa(s, hash, signature, length);
	if (ret == 0) {
		signer.made++;
		return true;
	}
	/* A signature that went wrong half way can tell the key (Boneh, DeMillo, Lipton 1997). */
	mbedtls_platform_zeroize(signature, VAULT_SIGNATURE);
	*length = 0;
	return false;
}

static enum mtls_key_type type(void)
{
	return signer.type;
}

static unsigned bits(void)
{
	return (unsigned)mbedtls_pk_get_bitlen(&signer.key);
}

void vault_signer_clear(void)
{
	if (signer.type != MTLS_KEY_OTHER)
		mbedtls_pk_free(&signer.key);
	mbedtls_platform_zeroize(&signer, sizeof(signer));
}

void vault_signer_take(mbedtls_pk_context *key, enum mtls_key_type its_type)
{
	vault_signer_clear();
	signer.key = *key;
	signer.type = its_type;
	mbedtls_pk_init(key);
}

const struct vault_signer *vault_signer(void)
{
	static const struct vault_signer here = {type, bits, sign};

	return &here;
}

unsigned vault_signatures(void)
{
	return signer.made;
}
