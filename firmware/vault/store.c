/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: see store.h. A slot, numbers little-endian:
 *
 *     0  "mtls", version
 *     8  generation, bytes of the payload
 *    16  salt
 *    48  the first 16 bytes of SHA-256 of all before it: a header that was not written whole is none
 *    64  the commit mark
 *    96  the sealed payload, its tag
 */
#include "firmware/vault/store.h"
#include "firmware/vault/seal.h"

#include <string.h>

#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

#define MAGIC         "mtls"
#define VERSION       1
#define AT_VERSION    4
#define AT_GENERATION 8
#define AT_LENGTH     12
#define AT_SALT       16
#define AT_CHECK      (AT_SALT + VAULT_SALT)
#define CHECK_SIZE    16
#define HEADER        (AT_CHECK + CHECK_SIZE)
#define AT_MARK       HEADER
#define AT_PAYLOAD    (AT_MARK + VAULT_ALIGN)
#define PAYLOAD_MAX   (VAULT_RECORD_MAX - AT_PAYLOAD - VAULT_TAG)

_Static_assert(AT_MARK % VAULT_ALIGN == 0, "the mark has words of its own");
_Static_assert(VAULT_RECORD_MAX % VAULT_ALIGN == 0 && VAULT_RECORD_MAX >= 1024, "a whole number of the longest words");

/* Payload and tag. What is sealed is read into it, and opened there. */
static unsigned char buffer[PAYLOAD_MAX + VAULT_TAG];

struct header {
	unsigned char bytes[HEADER];
	enum { NO_MAGIC, BAD, GOOD } state;
	uint32_t generation, length; /* where it is GOOD */
};

void vault_store_buffer(struct vault_payload *payload)
{
	*payload = (struct vault_payload){buffer, 0, PAYLOAD_MAX};
	mbedtls_platform_zeroize(buffer, sizeof(buffer));
}

uint32_t vault_store_bytes(void)
{
	return VAULT_RECORD_MAX;
}

/* --- headers ------------------------------------------------------------------------------- */

static bool checksum(const unsigned char bytes[HEADER], unsigned char check[CHECK_SIZE])
{
	unsigned char hash[32];

	if (mbedtls_sha256(bytes, AT_CHECK, hash, 0) != 0)
		return false;
	memcpy(check, hash, CHECK_SIZE);
	return true;
}

static bool read_header(const struct vault_store *s, int slot, struct header *h)
{
	unsigned char check[CHECK_SIZE];

	if (!vault_flash_read(&s->board->flash, s->slot[slot], h->bytes, HEADER))
		return false;
	h->generation = vault_get32(h->bytes + AT_GENERATION);
	h->length = vault_get32(h->bytes + AT_LENGTH);
	h->state = memcmp(h->bytes, MAGIC, AT_VERSION) == 0 ? BAD : NO_MAGIC;
	if (h->state == BAD && vault_get32(h->bytes + AT_VERSION) == VERSION && h->length <= PAYLOAD_MAX &&
	    h->generation && checksum(h->bytes, check) && memcmp(h->bytes + AT_CHECK, check, CHECK_SIZE) == 0)
		h->state = GOOD;
	return true;
}

static void make_header(struct header *h, uint32_t generation, size_t length)
{
	*h = (struct header){.state = GOOD, .generation = generation, .length = (uint32_t)length};
	memcpy(h->bytes, MAGIC, AT_VERSION);
	vault_put32(h->bytes + AT_VERSION, VERSION);
	vault_put32(h->bytes + AT_GENERATION, h->generation);
	vault_put32(h->bytes + AT_LENGTH, h->length);
}

static struct vault_seal seal_of(const struct vault_store *s, const struct header *h)
{
	return (struct vault_seal){s->board, h->bytes + AT_SALT, h->generation, h->bytes, HEADER};
}

/* --- opening -------------------------------------------------------------------------------- */

/* VAULT_DAMAGED where the record is not what was sealed. */
static enum vault_result open_record(const struct vault_store *s, int slot, const struct header *h,
				     struct vault_payload *payload)
{
	struct vault_seal seal = seal_of(s, h);
	enum vault_result r = VAULT_FLASH;

	if (vault_flash_read(&s->board->flash, s->slot[slot] + AT_PAYLOAD, buffer, h->length + VAULT_TAG))
		r = vault_unseal(&seal, buffer, h->length);
	payload->n = r == VAULT_OK ? h->length : 0;
	if (r == VAULT_OK && !vault_payload_valid(payload))
		r = VAULT_DAMAGED;
	if (r != VAULT_OK)
		vault_payload_wipe(payload);
	return r;
}

enum vault_result vault_store_open(struct vault_store *s, struct vault_payload *payload)
{
	enum vault_result r;
	enum vault_mark mark[2];
	struct header h[2];
	int slot;

	s->open = -1;
	s->generation = 0;
	s->damaged = s->torn = false;
	payload->n = 0;
	for (slot = 0; slot < 2; slot++) {
		if (!vault_flash_mark_read(&s->board->flash, s->slot[slot] + AT_MARK, &mark[slot]) ||
		    !read_header(s, slot, &h[slot]))
			return VAULT_FLASH;
		s->damaged = s->damaged || mark[slot] == VAULT_MARK_SET;
		s->torn = s->torn || (mark[slot] == VAULT_MARK_TORN && h[slot].state != NO_MAGIC);
	}
	slot = h[1].state == GOOD && (h[0].state != GOOD || h[1].generation > h[0].generation);
	for (int tries = 0; tries < 2 && s->open < 0; tries++, slot = 1 - slot) {
		if (mark[slot] != VAULT_MARK_SET || h[slot].state != GOOD)
			continue;
		r = open_record(s, slot, &h[slot], payload);
		if (r == VAULT_DAMAGED)
			continue;
		if (r != VAULT_OK)
			return r;
		s->open = slot;
		s->generation = h[slot].generation;
		s->damaged = s->torn = false;
	}
	return VAULT_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* A record whose mark is set is the last to be written over. */
static int other_slot(const struct vault_store *s)
{
	enum vault_mark mark;

	if (s->open >= 0)
		return 1 - s->open;
	return vault_flash_mark_read(&s->board->flash, s->slot[0] + AT_MARK, &mark) && mark == VAULT_MARK_SET;
}

/* Read back and opened: what is committed then is what a boot will find. */
static enum vault_result verify(const struct vault_store *s, int slot, const struct header *written,
				struct vault_payload *payload)
{
	struct header h;
	enum vault_result r;

	if (!read_header(s, slot, &h) || h.state != GOOD || memcmp(h.bytes, written->bytes, HEADER) != 0)
		return VAULT_FLASH;
	r = open_record(s, slot, &h, payload);
	return r == VAULT_DAMAGED ? VAULT_FLASH : r;
}

enum vault_result vault_store_write(struct vault_store *s, struct vault_payload *payload)
{
	const struct board_flash *f = &s->board->flash;
	enum vault_result r = VAULT_NO_RANDOM;
	int slot = other_slot(s);
	struct vault_seal seal;
	struct header h;

	make_header(&h, s->generation + 1, payload->n);
	if (!s->board->system.entropy(s->board->system.ctx, h.bytes + AT_SALT, VAULT_SALT) ||
	    !checksum(h.bytes, h.bytes + AT_CHECK))
		goto out;
	seal = seal_of(s, &h);
	r = vault_seal(&seal, buffer, payload->n);
	if (r != VAULT_OK)
		goto out;
	r = VAULT_FLASH;
	if (!vault_flash_erase(f, s->slot[slot], s->slot_size) ||
	    !vault_flash_program(f, s->slot[slot], h.bytes, HEADER) ||
	    !vault_flash_program(f, s->slot[slot] + AT_PAYLOAD, buffer, payload->n + VAULT_TAG))
		goto out;
	r = verify(s, slot, &h, payload);
	if (r == VAULT_OK && !vault_flash_mark_set(f, s->slot[slot] + AT_MARK))
		r = VAULT_FLASH;
out:
	if (r != VAULT_OK) {
		vault_payload_wipe(payload);
		return r;
	}
	s->open = slot;
	s->generation = h.generation;
	s->damaged = s->torn = false;
	return VAULT_OK;
}

enum vault_result vault_store_tidy(struct vault_store *s)
{
	for (int slot = 0; slot < 2; slot++)
		if (slot != s->open && !s->damaged && !vault_flash_erase(&s->board->flash, s->slot[slot], s->slot_size))
			return VAULT_FLASH;
	return VAULT_OK;
}
