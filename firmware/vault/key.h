/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a private key for mbedTLS, with or without a passphrase, and tells apart a malformed one, one that mbedTLS
 * cannot do, and a wrong passphrase. Decryption is in unlock.c.
 */
#ifndef MTLS_FIRMWARE_VAULT_KEY_H
#define MTLS_FIRMWARE_VAULT_KEY_H

#include "core/credential.h"
#include "core/signature.h"
#include "firmware/vault/block.h"

#include <mbedtls/pk.h>

/*
 * MTLS_USABLE with *key and *plain, else a broken word and nothing. key: not initialised before. plain: the key as a
 * PEM block without encryption, and a NUL behind its n bytes.
 */
enum mtls_reason vault_key_read(const struct mtls_blocks *, mbedtls_pk_context *key, struct vault_heap *plain,
				struct mtls_error *);

/* MTLS_KEY_OTHER: it cannot sign for TLS. */
enum mtls_key_type vault_key_type(const mbedtls_pk_context *);

/* Is it an error of mbedTLS that there was no memory? */
bool vault_no_memory(int ret);

#endif
