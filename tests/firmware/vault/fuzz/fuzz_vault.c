/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is uploaded, whatever a sealed record holds, and whatever becomes of the image: two boots. An input is a
 * letter and
 *   U  an upload: pieces, each a file's number, its length in two bytes and its bytes; 0xff: what follows are changes
 *      of the image, each an address in three bytes and a byte, made before the boot
 *   R  the payload of a record, to be sealed and committed
 * as seeds.sh writes them.
 */
#include <stdlib.h>
#include <string.h>

#include "firmware/port/host/flash_ram.h"
#include "firmware/port/port.h"
#include "firmware/vault/flash.h"
#include "firmware/vault/inbox.h"
#include "firmware/vault/store.h"

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct flash_ram ram;
static struct board board;
static unsigned random_state;

static bool entropy(void *ctx, void *to, size_t n)
{
	(void)ctx;
	for (unsigned char *p = to; n; n--) {
		random_state = random_state * 1664525 + 1013904223;
		*p++ = (unsigned char)(random_state >> 24);
	}
	return true;
}

static bool key(void *ctx, uint8_t to[BOARD_KEY])
{
	(void)ctx;
	memset(to, 0x42, BOARD_KEY);
	return true;
}

static void upload(const uint8_t *p, size_t n)
{
	bool ok = vault_begin() == VAULT_OK;
	size_t piece;

	while (n >= 3 && p[0] != 0xff) {
		piece = (size_t)p[1] << 8 | p[2];
		if (piece > n - 3)
			piece = n - 3;
		ok = ok && vault_put((enum vault_file)(p[0] % VAULT_FILES), p + 3, piece) == VAULT_OK;
		p += 3 + piece;
		n -= 3 + piece;
	}
	if (ok)
		CHECK(vault_commit() == VAULT_OK);
	for (; n >= 5; p += 4, n -= 4)
		ram.bytes[((unsigned)p[1] << 16 | (unsigned)p[2] << 8 | p[3]) % ram.flash.size] = p[4];
}

static void put_record(const uint8_t *p, size_t n)
{
	struct vault_payload payload;
	struct vault_layout l;
	struct vault_store s = {.board = &board, .open = -1};

	CHECK(vault_flash_layout(&board.flash, vault_inbox_bytes(), vault_store_bytes(), &l));
	memcpy(s.slot, l.slot, sizeof(s.slot));
	s.slot_size = l.slot_size;
	vault_store_buffer(&payload);
	if (n > payload.max)
		return;
	memcpy(payload.p, p, n);
	payload.n = n;
	/* What is no list is found by the read-back, and not committed. */
	CHECK((vault_store_write(&s, &payload) == VAULT_OK) ==
	      vault_payload_valid(&(struct vault_payload){(unsigned char *)p, n, n}));
}

static void check_boot(bool whole)
{
	unsigned char hash[32] = {0}, signature[VAULT_SIGNATURE];
	const struct vault_signer *s = vault_signer();
	enum vault_result r;
	struct vault_status status;
	size_t length;

	flash_ram_power(&ram);
	r = vault_boot(&board);
	CHECK(r == VAULT_OK || r == VAULT_DAMAGED);
	vault_status(&status);
	CHECK(status.result == r);
	CHECK((status.reason == MTLS_USABLE) == (s->type() != MTLS_KEY_OTHER));
	CHECK(r == VAULT_OK || status.reason == MTLS_UNREADABLE);
	if (status.reason == MTLS_USABLE)
		CHECK(s->sign(s->type() == MTLS_KEY_RSA ? 0x0401 : 0x0403, hash, 32, signature, &length));
	CHECK(strlen(mtls_reason_word(status.upload.reason)) && strlen(status.upload.detail) < 96);
	CHECK(!whole || !memmem(ram.bytes, ram.flash.size, "-----BEGIN", 10));
	CHECK(ram.wrong == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || (data[0] != 'U' && data[0] != 'R'))
		return 0;
	if (!ram.bytes) {
		CHECK(flash_ram_make(&ram, 512 << 10, 4096, 8));
		board = (struct board){.flash = ram.flash, .system = {.entropy = entropy, .key = key}};
		board_bind(&board);
	}
	memset(ram.bytes, 0xff, ram.flash.size);
	random_state = 1;
	check_boot(true);
	if (data[0] == 'U')
		upload(data + 1, size - 1);
	else
		put_record(data + 1, size - 1);
	/* A change may have put it where nobody looks. */
	check_boot(false);
	check_boot(false);
	CHECK(ram.operations == 0);
	return 0;
}
