/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of host/crypto.h for programs that link libcrypto themselves: the
 * tools and the tests. Never linked into the shim.
 */
#ifndef MTLS_HOST_CRYPTO_LINKED_H
#define MTLS_HOST_CRYPTO_LINKED_H

#include "host/crypto.h"

extern const struct mtls_crypto mtls_crypto_linked;

#endif
