/* SPDX-License-Identifier: Apache-2.0 */
/* The signer of vault.h in this process: whose key it is. */
#ifndef MTLS_FIRMWARE_VAULT_SIGNER_H
#define MTLS_FIRMWARE_VAULT_SIGNER_H

#include "core/signature.h"

#include <mbedtls/pk.h>

/* Takes the key, which is initialised, and leaves an empty one. type: what vault_key_type says of it. */
void vault_signer_take(mbedtls_pk_context *key, enum mtls_key_type type);
/* Wipes the key and counts from 0. */
void vault_signer_clear(void);

#endif
