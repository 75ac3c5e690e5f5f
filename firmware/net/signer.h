/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's key as mbedTLS wants one. The number itself never comes here. */
#ifndef MTLS_FIRMWARE_NET_SIGNER_H
#define MTLS_FIRMWARE_NET_SIGNER_H

#include <mbedtls/pk.h>
#include <stdbool.h>

/* Makes *key stand for vault_signer(). false: there is no key, or of a kind that mbedTLS's TLS cannot use. */
bool signer_setup(mbedtls_pk_context *key);

#endif
