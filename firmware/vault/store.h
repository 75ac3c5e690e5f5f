/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: one sealed record, in one of two slots. A new record goes into the other slot and counts from its commit
 * mark on; until then the old one does. What the payload means is not known here.
 *
 * Sealed: AES-256-GCM (NIST SP 800-38D) with the header as additional data. Key and nonce: HKDF-SHA256 (RFC 5869) of
 * the device's key and a salt of 32 random bytes that no other record has. That somebody puts back an old image of the
 * whole flash is not prevented.
 */
#ifndef MTLS_FIRMWARE_VAULT_STORE_H
#define MTLS_FIRMWARE_VAULT_STORE_H

#include "firmware/vault/flash.h"
#include "firmware/vault/payload.h"

struct vault_store {
	const struct board *board;
	uint32_t slot[2], slot_size;
	int open;            /* the slot whose record was opened; -1: none */
	uint32_t generation; /* of that record; 0: none */
	bool damaged;        /* none was opened, but one was committed */
	bool torn; /* none was opened, but one was nearly committed: a cut, if an upload waits to be run again */
};

/* The one buffer for a record, empty. */
void vault_store_buffer(struct vault_payload *);
/* Bytes of flash that a slot needs. */
uint32_t vault_store_bytes(void);

/*
 * The committed record of the highest generation that can be opened into the buffer, or none: the payload is empty
 * then. store: slots and board are filled in. VAULT_OK, VAULT_FLASH, VAULT_NO_KEY or VAULT_NO_MEMORY.
 */
enum vault_result vault_store_open(struct vault_store *, struct vault_payload *);
/*
 * Commits a new record. The payload is then what was read back and opened. After a failure the buffer is wiped, and the
 * old record is as it was. VAULT_OK, VAULT_FLASH, VAULT_NO_KEY, VAULT_NO_MEMORY or VAULT_NO_RANDOM.
 */
enum vault_result vault_store_write(struct vault_store *, struct vault_payload *);
/* Erases what the record that was opened has replaced, and what was never committed; nothing in a damaged store. */
enum vault_result vault_store_tidy(struct vault_store *);

#endif
