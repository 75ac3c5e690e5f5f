/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libcrypto functions that our parser uses, as a table: the tools fill it
 * from the library that they link, the shim from the one that the program has loaded.
 */
#ifndef MTLS_HOST_CRYPTO_H
#define MTLS_HOST_CRYPTO_H

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

struct mtls_crypto {
#define MTLS_CRYPTO(name) __typeof__(&name) name;
#include "host/crypto.def"
#undef MTLS_CRYPTO
};

#endif
