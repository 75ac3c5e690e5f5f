/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a private key for libcrypto, with or without a passphrase, and tells
 * apart a malformed one, one that the library cannot do, and a wrong passphrase.
 * Errors of libcrypto stay in the thread's queue: see errors.h.
 */
#ifndef MTLS_HOST_KEY_H
#define MTLS_HOST_KEY_H

#include "core/credential.h"
#include "host/crypto.h"

#define MTLS_ALGORITHM_NAME 40 /* bytes of a name for mtls_error.detail, with its NUL */

/* MTLS_USABLE and *out, owned by the caller, else a broken word and NULL. Never prompts. */
enum mtls_reason mtls_key_read(const struct mtls_crypto *, const struct mtls_blocks *, EVP_PKEY **out,
			       struct mtls_error *);

/* For a key, public or private, that could not be read: is its algorithm or curve unknown to libcrypto? Then name tells
 * it. */
bool mtls_algorithm_unknown(const struct mtls_crypto *, const X509_ALGOR *, char name[MTLS_ALGORITHM_NAME]);

#endif
