/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PSA cryptography has (-DMBEDTLS_PSA_CRYPTO_CONFIG_FILE): only what mbedTLS's TLS 1.3 calls it for. All else,
 * RSA and the reading of keys above all, goes through the older interface and would be linked twice.
 */
#ifndef MTLS_FIRMWARE_PSA_CONFIG_H
#define MTLS_FIRMWARE_PSA_CONFIG_H

#define PSA_WANT_ALG_ECDH         1
#define PSA_WANT_ALG_GCM          1
#define PSA_WANT_ALG_HMAC         1
#define PSA_WANT_ALG_HKDF_EXTRACT 1
#define PSA_WANT_ALG_HKDF_EXPAND  1
#define PSA_WANT_ALG_SHA_256      1
#define PSA_WANT_ALG_SHA_384      1

#define PSA_WANT_KEY_TYPE_AES                   1
#define PSA_WANT_KEY_TYPE_HMAC                  1
#define PSA_WANT_KEY_TYPE_DERIVE                1
#define PSA_WANT_KEY_TYPE_RAW_DATA              1
#define PSA_WANT_KEY_TYPE_ECC_PUBLIC_KEY        1
#define PSA_WANT_KEY_TYPE_ECC_KEY_PAIR_BASIC    1
#define PSA_WANT_KEY_TYPE_ECC_KEY_PAIR_GENERATE 1
#define PSA_WANT_ECC_SECP_R1_256                1

#ifndef FIRMWARE_SMALL
#define PSA_WANT_ECC_SECP_R1_384       1
#define PSA_WANT_ECC_SECP_R1_521       1
#define PSA_WANT_ALG_CHACHA20_POLY1305 1
#define PSA_WANT_KEY_TYPE_CHACHA20     1
#endif
#endif
