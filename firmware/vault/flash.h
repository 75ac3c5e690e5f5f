/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What inbox and store need of a flash, over the board's four functions: ranges instead of units and words, and a look
 * at what was really done. Where in the flash the vault's parts are is here too; what they hold is not.
 */
#ifndef MTLS_FIRMWARE_VAULT_FLASH_H
#define MTLS_FIRMWARE_VAULT_FLASH_H

#include "firmware/vault/vault.h"

/* Places of records and files are multiples of it: of the longest word that a board may have. */
#define VAULT_ALIGN         32
#define VAULT_ALIGNED(size) (((uint32_t)(size) + VAULT_ALIGN - 1) / VAULT_ALIGN * VAULT_ALIGN)

/* Whole erase units. The inbox is at the start of the flash, the two slots of the store follow. */
struct vault_layout {
	uint32_t inbox, inbox_size;
	uint32_t slot[2], slot_size;
};

/* false: the flash is too small, or its geometry is none. */
bool vault_flash_layout(const struct board_flash *, uint32_t inbox_bytes, uint32_t slot_bytes, struct vault_layout *);

bool vault_flash_read(const struct board_flash *, uint32_t at, void *to, size_t n);
/* false: the flash cannot be read. */
bool vault_flash_blank(const struct board_flash *, uint32_t at, uint32_t n, bool *blank);
/* Whole units; those that are blank are left alone. true: all of it is blank now. */
bool vault_flash_erase(const struct board_flash *, uint32_t at, uint32_t n);
/* at is a multiple of VAULT_ALIGN, n need not be one: the rest of the last word stays erased. Does not look at it. */
bool vault_flash_program(const struct board_flash *, uint32_t at, const void *from, size_t n);
/* As program, and true only if it can be read back. */
bool vault_flash_write(const struct board_flash *, uint32_t at, const void *from, size_t n);

/*
 * A commit mark: VAULT_ALIGN bytes that are programmed last. A cut leaves some of its bits; only the whole mark counts.
 */
enum vault_mark { VAULT_MARK_NONE, VAULT_MARK_TORN, VAULT_MARK_SET };
bool vault_flash_mark_read(const struct board_flash *, uint32_t at, enum vault_mark *);
bool vault_flash_mark_set(const struct board_flash *, uint32_t at);

/* Numbers in what is written are little-endian. */
void vault_put32(unsigned char *to, uint32_t number);
uint32_t vault_get32(const unsigned char *from);

#endif
