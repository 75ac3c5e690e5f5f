/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of host/crypto.h for programs that link libcrypto themselves: the
 * tools and the tests. Never linked into the shim.
 */
#include "host/crypto_linked.h"

const struct mtls_crypto mtls_crypto_linked = {
#define MTLS_CRYPTO(name) .name = name,
#include "host/crypto.def"
#undef MTLS_CRYPTO
};
