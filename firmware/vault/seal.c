/* SPDX-License-Identifier: Apache-2.0 */
/* Seals and opens: see seal.h. Keys are on the stack for the length of one call, and wiped. */
#include "firmware/vault/seal.h"
#include "firmware/vault/flash.h"

#include <string.h>

#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

#define KEY_SIZE   32
#define NONCE_SIZE 12

struct material {
	unsigned char key[KEY_SIZE], nonce[NONCE_SIZE];
};

_Static_assert(sizeof(struct material) == KEY_SIZE + NONCE_SIZE, "HKDF fills it in one piece");

/* The nonce may as well come from HKDF: the key is used for one record only. */
static enum vault_result derive(const struct vault_seal *s, struct material *out)
{
	static const char label[] = "mtls-run store v1";
	unsigned char info[sizeof(label) - 1 + 4], key[BOARD_KEY];
	enum vault_result r = VAULT_NO_KEY;

	memcpy(info, label, sizeof(label) - 1);
	vault_put32(info + sizeof(label) - 1, s->generation);
	if (s->board->system.key(s->board->system.ctx, key))
		r = mbedtls_hkdf(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), s->salt, VAULT_SALT, key, sizeof(key),
				 info, sizeof(info), (unsigned char *)out, sizeof(*out)) == 0
			    ? VAULT_OK
			    : VAULT_NO_MEMORY;
	mbedtls_platform_zeroize(key, sizeof(key));
	return r;
}

static enum vault_result run(const struct vault_seal *s, unsigned char *payload, size_t n, bool seal)
{
	mbedtls_gcm_context gcm;
	struct material m;
	enum vault_result r = derive(s, &m);
	int ret;

	mbedtls_gcm_init(&gcm);
	if (r == VAULT_OK && mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, m.key, 8 * KEY_SIZE) != 0)
		r = VAULT_NO_MEMORY;
	if (r != VAULT_OK)
		goto out;
	if (seal)
		ret = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, n, m.nonce, NONCE_SIZE, s->header,
						s->header_size, payload, payload, VAULT_TAG, payload + n);
	else
		ret = mbedtls_gcm_auth_decrypt(&gcm, n, m.nonce, NONCE_SIZE, s->header, s->header_size, payload + n,
					       VAULT_TAG, payload, payload);
	if (ret != 0)
		r = ret == MBEDTLS_ERR_GCM_AUTH_FAILED ? VAULT_DAMAGED : VAULT_NO_MEMORY;
out:
	if (r != VAULT_OK)
		mbedtls_platform_zeroize(payload, n);
	mbedtls_gcm_free(&gcm);
	mbedtls_platform_zeroize(&m, sizeof(m));
	return r;
}

enum vault_result vault_seal(const struct vault_seal *s, unsigned char *payload, size_t n)
{
	return run(s, payload, n, true);
}

enum vault_result vault_unseal(const struct vault_seal *s, unsigned char *payload, size_t n)
{
	return run(s, payload, n, false);
}
