/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that has the device's key: seals and opens a record's payload. See store.h for how. */
#ifndef MTLS_FIRMWARE_VAULT_SEAL_H
#define MTLS_FIRMWARE_VAULT_SEAL_H

#include "firmware/vault/vault.h"

#define VAULT_SALT 32
#define VAULT_TAG  16 /* bytes that a sealed payload is longer */

struct vault_seal {
	const struct board *board;
	const unsigned char *salt;   /* VAULT_SALT bytes, random */
	uint32_t generation;         /* goes into the key: see store.h */
	const unsigned char *header; /* additional data */
	size_t header_size;
};

/* In place; the tag goes behind the n bytes. VAULT_OK, VAULT_NO_KEY or VAULT_NO_MEMORY. */
enum vault_result vault_seal(const struct vault_seal *, unsigned char *payload, size_t n);
/* The same way back. VAULT_DAMAGED: then the n bytes are wiped. */
enum vault_result vault_unseal(const struct vault_seal *, unsigned char *payload, size_t n);

#endif
