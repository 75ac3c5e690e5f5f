/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is uploaded, and whatever is in the inbox or in the store: up to STEPS of it one after the other, each with
 * two boots. A step is a letter, the number of its bytes in two of them (the high one first, as everywhere here), and:
 *
 *   U  an upload: pieces, each a file's number, its length in two bytes and its bytes
 *   I  an image of the inbox, committed: for each file its size in four bytes and a byte that its hash is changed by;
 *      then pieces, which are put where their file is
 *   R  the payload of a record that the store seals and commits
 *   S  an image of the store: for each slot what is wrong with it, the generation (4 bytes), the version, what the
 *      payload's length is changed by (4 bytes), the length (2 bytes), and the payload
 *
 * In U and I, 0xff ends the pieces: what follows are changes of the image, each an address in three bytes and a byte.
 * seeds.sh writes some. The formats' numbers are in inbox.c and store.c, and here once more: they are never to change.
 */
#include "board.h"

#include "firmware/vault/seal.h"

#include <mbedtls/sha256.h>

#define STEPS 3

enum { INBOX_FILES = 24, INBOX_ENTRY = 36, INBOX_CHECK = 204, INBOX_MARK = 256, INBOX_DATA = 512 };
enum { SLOT_GENERATION = 8, SLOT_CHECK = 48, SLOT_MARK = 64, SLOT_PAYLOAD = 96 };
enum { WRONG_CHECK = 1, WRONG_SEAL = 2, NO_MARK = 4, TORN_MARK = 8 };

#define NOT_THERE UINT32_MAX /* a file's size */

struct bytes {
	const uint8_t *p;
	size_t n;
};

/* Of the next n; what is not there is zero. */
static uint32_t number(struct bytes *b, unsigned n)
{
	uint32_t value = 0;

	for (; n; n--) {
		value = value << 8 | (b->n ? *b->p : 0);
		b->p += b->n > 0;
		b->n -= b->n > 0;
	}
	return value;
}

static struct bytes piece(struct bytes *b, size_t n)
{
	struct bytes first = {b->p, n < b->n ? n : b->n};

	b->p += first.n;
	b->n -= first.n;
	return first;
}

static bool more_pieces(struct bytes *b)
{
	if (b->n && *b->p != 0xff)
		return true;
	piece(b, 1);
	return false;
}

static void change(struct bytes b)
{
	while (b.n >= 4) {
		uint32_t at = number(&b, 3) % ram.flash.size;

		ram.bytes[at] = (uint8_t)number(&b, 1);
	}
}

static void upload(struct bytes b)
{
	bool ok = vault_begin() == VAULT_OK;

	while (more_pieces(&b)) {
		enum vault_file file = (enum vault_file)(number(&b, 1) % VAULT_FILES);
		struct bytes some = piece(&b, number(&b, 2));

		ok = ok && vault_put(file, some.p, some.n) == VAULT_OK;
	}
	if (ok)
		CHECK(vault_commit() == VAULT_OK);
	change(b);
}

/* --- images -------------------------------------------------------------------------------- */

static uint32_t place(unsigned file)
{
	uint32_t at = layout.inbox + INBOX_DATA;

	for (unsigned i = 0; i < file; i++)
		at += (uint32_t)VAULT_ALIGNED(vault_file_max((enum vault_file)i));
	return at;
}

/* The record's entry of a file whose bytes are in their place. false: of another file's bytes. */
static bool hash_file(unsigned file, uint8_t *entry, uint8_t wrong)
{
	size_t n = vault_get32(entry);

	if (n > vault_file_max((enum vault_file)file))
		return true;
	CHECK(mbedtls_sha256(ram.bytes + place(file), n, entry + 4, 0) == 0);
	entry[4] ^= wrong;
	return wrong == 0;
}

static bool is_possible(unsigned file, const uint8_t *entry)
{
	uint32_t n = vault_get32(entry);

	return n <= vault_file_max((enum vault_file)file) || n == NOT_THERE;
}

/* true: it has to be refused. */
static bool inbox_image(struct bytes b)
{
	uint8_t *inbox = ram.bytes + layout.inbox, *entry = inbox + INBOX_FILES, wrong[VAULT_FILES];
	bool intact = true, possible = true;

	memcpy(inbox, "mtlsIN01", 8);
	CHECK(fuzz_entropy(NULL, inbox + 8, VAULT_ID));
	for (unsigned i = 0; i < VAULT_FILES; i++) {
		vault_put32(entry + INBOX_ENTRY * i, number(&b, 4));
		wrong[i] = (uint8_t)number(&b, 1);
	}
	while (more_pieces(&b)) {
		unsigned file = number(&b, 1) % VAULT_FILES;
		struct bytes some = piece(&b, number(&b, 2));

		memcpy(ram.bytes + place(file), some.p,
		       some.n < vault_file_max((enum vault_file)file) ? some.n : vault_file_max((enum vault_file)file));
	}
	for (unsigned i = 0; i < VAULT_FILES; i++, entry += INBOX_ENTRY) {
		possible = possible && is_possible(i, entry);
		intact = hash_file(i, entry, wrong[i]) && intact;
	}
	CHECK(mbedtls_sha256(inbox, INBOX_CHECK, inbox + INBOX_CHECK, 0) == 0);
	CHECK(vault_flash_mark_set(&board.flash, layout.inbox + INBOX_MARK));
	change(b);
	return possible && !intact && b.n < 4;
}

static void slot_image(uint8_t *slot, struct bytes *b)
{
	static unsigned char sealed[(1 << 16) + VAULT_TAG];
	struct vault_seal seal = {&board, slot + 16, 0, slot, SLOT_MARK};
	unsigned how = number(b, 1);
	struct bytes payload;
	uint32_t changed;
	unsigned char check[32];

	/* The 4,294,967,296th record cannot be written. */
	seal.generation = number(b, 4) & INT32_MAX;
	memcpy(slot, "mtls", 4);
	vault_put32(slot + 4, number(b, 1));
	changed = number(b, 4);
	payload = piece(b, number(b, 2));
	vault_put32(slot + SLOT_GENERATION, seal.generation);
	vault_put32(slot + SLOT_GENERATION + 4, (uint32_t)payload.n ^ changed);
	memset(slot + 16, 7, VAULT_SALT);
	CHECK(mbedtls_sha256(slot, SLOT_CHECK, check, 0) == 0);
	memcpy(slot + SLOT_CHECK, check, SLOT_MARK - SLOT_CHECK);
	slot[SLOT_CHECK] ^= how & WRONG_CHECK;
	memcpy(sealed, payload.p, payload.n);
	if (!(how & WRONG_SEAL))
		CHECK(vault_seal(&seal, sealed, payload.n) == VAULT_OK);
	memcpy(slot + SLOT_PAYLOAD, sealed, payload.n + VAULT_TAG);
	if (!(how & NO_MARK))
		CHECK(vault_flash_mark_set(&board.flash, (uint32_t)(slot - ram.bytes) + SLOT_MARK));
	if (how & TORN_MARK)
		slot[SLOT_MARK] &= 0x0f;
}

static void store_image(struct bytes b)
{
	for (int i = 0; i < 2; i++) {
		memset(ram.bytes + layout.slot[i], 0xff, layout.slot_size);
		if (b.n)
			slot_image(ram.bytes + layout.slot[i], &b);
	}
}

static void put_record(struct bytes b)
{
	struct vault_payload payload;
	struct vault_store s = {.board = &board, .slot_size = layout.slot_size, .open = -1};

	memcpy(s.slot, layout.slot, sizeof(s.slot));
	vault_store_buffer(&payload);
	CHECK(vault_store_open(&s, &payload) == VAULT_OK);
	memcpy(payload.p, b.p, b.n);
	payload.n = b.n;
	/* What is no list is found by the read-back, and not committed. */
	CHECK((vault_store_write(&s, &payload) == VAULT_OK) ==
	      vault_payload_valid(&(struct vault_payload){(unsigned char *)b.p, b.n, b.n}));
}

/* --- boots ------------------------------------------------------------------------------------ */

static void check_boot(bool refused)
{
	unsigned char hash[32] = {0}, signature[VAULT_SIGNATURE];
	const struct vault_signer *s = vault_signer();
	enum vault_result r = board_boot();
	struct vault_status status;
	size_t length;

	vault_status(&status);
	CHECK(status.result == r);
	CHECK(!refused || status.refused);
	CHECK((status.reason == MTLS_USABLE) == (s->type() != MTLS_KEY_OTHER));
	CHECK(r == VAULT_OK || status.reason == MTLS_UNREADABLE);
	if (status.reason == MTLS_USABLE)
		CHECK(s->sign(s->type() == MTLS_KEY_RSA ? 0x0401 : 0x0403, hash, 32, signature, &length));
	CHECK(strlen(mtls_reason_word(status.upload.reason)) && strlen(status.upload.detail) < 96);
}

/* false: there is no such letter. */
static bool step(uint8_t letter, struct bytes b, bool *refused)
{
	*refused = false;
	switch (letter) {
	case 'U':
		upload(b);
		return true;
	case 'I':
		*refused = inbox_image(b);
		return true;
	case 'R':
		put_record(b);
		return true;
	case 'S':
		store_image(b);
		return true;
	default:
		return false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = {data, size};
	bool refused;

	if (board_new())
		board_bind(&board);
	check_boot(false);
	for (int i = 0; i < STEPS && b.n; i++) {
		uint8_t letter = (uint8_t)number(&b, 1);

		if (!step(letter, piece(&b, number(&b, 2)), &refused))
			break;
		check_boot(refused);
		check_boot(false);
		CHECK(ram.operations == 0);
	}
	return 0;
}
