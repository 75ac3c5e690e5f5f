/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two encryptions of a key that are opened in their steps, with GnuTLS's ciphers and hashes: a traditional block
 * (RFC 1421 4.6.1) and PBES2 with PBKDF2 (RFC 8018). GnuTLS's own functions for them call whatever goes wrong a wrong
 * passphrase, also a key inside that it cannot use, and change passphrases that are no ASCII.
 */
#ifndef MTLS_SHIM_GNUTLS_DECRYPT_H
#define MTLS_SHIM_GNUTLS_DECRYPT_H

#include "shim/gnutls.h"
#include "shim/gnutls_block.h"

#define GTLS_ALGORITHM_NAME 40 /* bytes of a name for mtls_error.detail, with its NUL */

/* How a key is encrypted. */
struct gtls_lock {
	gnutls_cipher_algorithm_t cipher;
	size_t key_size, block; /* block: also the size of the IV */
	unsigned char iv[16];
	gnutls_mac_algorithm_t prf; /* of PBKDF2; GNUTLS_MAC_UNKNOWN: a traditional block */
	struct mtls_bytes salt;     /* of PBKDF2; borrowed */
	unsigned iterations;
};

/* The headers of a traditional block. MTLS_USABLE, or what is wrong with the key, and name then tells more. */
enum mtls_reason gtls_lock_traditional(struct mtls_bytes headers, struct gtls_lock *, char name[GTLS_ALGORITHM_NAME]);
/* The parameters of PBES2, likewise; size of name at least 2 * GTLS_ALGORITHM_NAME + 1. */
enum mtls_reason gtls_lock_pbes2(const struct gtls *, struct mtls_bytes parameters, struct gtls_lock *, char *name,
				 size_t size);

/* secret: whole blocks, not empty. False where GnuTLS refuses; padding is still on then. plain is to be wiped. */
bool gtls_unlock(const struct gtls *, const struct gtls_lock *, struct mtls_bytes pass, struct mtls_bytes secret,
		 struct gtls_buffer *plain);
/* Takes off the padding, if it is one. */
bool gtls_padding_off(const struct gtls_lock *, struct gtls_buffer *plain);

#endif
