/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the board under a fuzz target: flash in memory, a key, and always the same random numbers. */
#ifndef MTLS_TESTS_FUZZ_BOARD_H
#define MTLS_TESTS_FUZZ_BOARD_H

#include <stdlib.h>
#include <string.h>

#include "firmware/port/host/flash_ram.h"
#include "firmware/port/port.h"
#include "firmware/vault/flash.h"
#include "firmware/vault/inbox.h"
#include "firmware/vault/store.h"
#include "tests/fuzz/fuzz.h"

static struct flash_ram ram;
static struct board board;
static struct vault_layout layout;
static unsigned random_state;

static bool fuzz_entropy(void *ctx, void *to, size_t n)
{
	(void)ctx;
	for (unsigned char *p = to; n; n--) {
		random_state = random_state * 1664525 + 1013904223;
		*p++ = (unsigned char)(random_state >> 24);
	}
	return true;
}

static bool fuzz_key(void *ctx, uint8_t to[BOARD_KEY])
{
	(void)ctx;
	memset(to, 0x42, BOARD_KEY);
	return true;
}

/* As from the factory: for each input. What else the board has, the target adds to board at its first. */
static inline bool board_new(void)
{
	bool first = !ram.bytes;

	if (first) {
		CHECK(flash_ram_make(&ram, 512 << 10, 4096, 8));
		board = (struct board){.flash = ram.flash, .system = {.entropy = fuzz_entropy, .key = fuzz_key}};
		CHECK(vault_flash_layout(&board.flash, vault_inbox_bytes(), vault_store_bytes(), &layout));
	}
	memset(ram.bytes, 0xff, ram.flash.size);
	random_state = 1;
	return first;
}

/* Whatever became of an upload, after a boot nothing of it is in its place. */
static inline enum vault_result board_boot(void)
{
	enum vault_result r;
	bool blank;

	flash_ram_power(&ram);
	r = vault_boot(&board);
	CHECK(r == VAULT_OK || r == VAULT_DAMAGED);
	CHECK(vault_flash_blank(&board.flash, layout.inbox, layout.inbox_size, &blank) && blank);
	CHECK(ram.wrong == 0);
	return r;
}

#endif
