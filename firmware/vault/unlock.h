/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decrypts a key: PKCS#8 with PBES2 (RFC 8018), with PKCS#12's own scheme where mbedTLS is built for it, and
 * traditional PEM (RFC 1421 4.6.1). What the plain key means is not known here.
 */
#ifndef MTLS_FIRMWARE_VAULT_UNLOCK_H
#define MTLS_FIRMWARE_VAULT_UNLOCK_H

#include "core/credential.h"
#include "firmware/vault/block.h"

/*
 * For a key that is encrypted. der: of the block, whose outline pem is; then of the plain key, in the same memory: what
 * decrypts to good padding, which one wrong passphrase in about 256 does too. MTLS_USABLE; MTLS_KEY_MALFORMED or
 * MTLS_KEY_UNSUPPORTED (of MTLS_KEY_FORM), whatever the passphrase; MTLS_PASSPHRASE_MISSING or _WRONG; MTLS_UNREADABLE:
 * no memory.
 */
enum mtls_reason vault_unlock(const struct mtls_blocks *, const struct mtls_pem *, struct vault_heap *der,
			      struct mtls_error *);

#endif
