/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a private key for GnuTLS, with or without a passphrase, and tells apart a malformed one, one that the library
 * cannot do, and a wrong passphrase: host/key.h's twin. Reading certificates is not done here.
 */
#ifndef MTLS_SHIM_GNUTLS_KEY_H
#define MTLS_SHIM_GNUTLS_KEY_H

#include "shim/gnutls_decrypt.h"

/* MTLS_USABLE and *out, owned by the caller, else a broken word and NULL. Never prompts. */
enum mtls_reason gtls_key_read(const struct gtls *, const struct mtls_blocks *, gnutls_privkey_t *out,
			       struct mtls_error *);

/* The content of an AlgorithmIdentifier of a key, public or private, that could not be read: is its algorithm or curve
 * unknown to this GnuTLS? Then name tells it. */
bool gtls_algorithm_unknown(const struct gtls *, struct mtls_bytes algorithm, char name[GTLS_ALGORITHM_NAME]);

#endif
