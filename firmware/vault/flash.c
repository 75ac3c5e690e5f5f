/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of flash: see flash.h. Buffers are small, since they are on the stack. */
#include "firmware/vault/flash.h"

#include <string.h>

#include <mbedtls/platform_util.h>

#define PIECE 64 /* bytes looked at at once */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t whole_units(const struct board_flash *f, uint32_t bytes)
{
	return (bytes / f->erase + (bytes % f->erase != 0)) * f->erase;
}

bool vault_flash_layout(const struct board_flash *f, uint32_t inbox_bytes, uint32_t slot_bytes, struct vault_layout *l)
{
	bool word = f->word && f->word <= VAULT_ALIGN && (f->word & (f->word - 1)) == 0;

	if (!word || f->erase < 512 || f->erase % VAULT_ALIGN || f->size % f->erase || f->erase > f->size ||
	    inbox_bytes > f->size || slot_bytes > f->size)
		return false;
	l->inbox = 0;
	l->inbox_size = whole_units(f, inbox_bytes);
	l->slot_size = whole_units(f, slot_bytes);
	l->slot[0] = l->inbox_size;
	l->slot[1] = l->slot[0] + l->slot_size;
	return l->inbox_size <= f->size && l->slot_size <= (f->size - l->inbox_size) / 2;
}

bool vault_flash_read(const struct board_flash *f, uint32_t at, void *to, size_t n)
{
	return n == 0 || f->read(f->ctx, at, to, n);
}

/* Each boot looks at all of the flash so: memcmp is quicker than a loop. */
static bool all_ones(const unsigned char *p, size_t n)
{
	return n == 0 || (p[0] == 0xff && memcmp(p, p + 1, n - 1) == 0);
}

bool vault_flash_blank(const struct board_flash *f, uint32_t at, uint32_t n, bool *blank)
{
	unsigned char piece[PIECE];
	bool ok = true;

	*blank = true;
	for (uint32_t size; ok && *blank && n; at += size, n -= size) {
		size = least(n, PIECE);
		ok = vault_flash_read(f, at, piece, size);
		*blank = ok && all_ones(piece, size);
	}
	mbedtls_platform_zeroize(piece, sizeof(piece));
	return ok;
}

bool vault_flash_erase(const struct board_flash *f, uint32_t at, uint32_t n)
{
	bool blank;

	for (uint32_t end = at + n; at < end; at += f->erase) {
		if (!vault_flash_blank(f, at, f->erase, &blank))
			return false;
		if (blank)
			continue;
		if (!f->erase_unit(f->ctx, at) || !vault_flash_blank(f, at, f->erase, &blank) || !blank)
			return false;
	}
	return true;
}

bool vault_flash_program(const struct board_flash *f, uint32_t at, const void *from, size_t n)
{
	size_t whole = n / f->word * f->word, rest = n - whole;
	unsigned char last[VAULT_ALIGN];
	bool ok;

	if (whole && !f->program(f->ctx, at, from, whole))
		return false;
	if (rest == 0)
		return true;
	memset(last, 0xff, sizeof(last));
	memcpy(last, (const unsigned char *)from + whole, rest);
	ok = f->program(f->ctx, at + (uint32_t)whole, last, f->word);
	mbedtls_platform_zeroize(last, sizeof(last));
	return ok;
}

static bool same(const struct board_flash *f, uint32_t at, const unsigned char *as, size_t n)
{
	unsigned char piece[PIECE];
	bool ok = true;

	for (uint32_t size; ok && n; at += size, as += size, n -= size) {
		size = n < PIECE ? (uint32_t)n : PIECE;
		ok = vault_flash_read(f, at, piece, size) && memcmp(piece, as, size) == 0;
	}
	mbedtls_platform_zeroize(piece, sizeof(piece));
	return ok;
}

bool vault_flash_write(const struct board_flash *f, uint32_t at, const void *from, size_t n)
{
	return vault_flash_program(f, at, from, n) && same(f, at, from, n);
}

/* As many ones as zeros in each byte, and no two bytes in a row alike. */
static const unsigned char MARK[VAULT_ALIGN] = {
	0x4d, 0x93, 0x35, 0xca, 0x56, 0xa9, 0x2e, 0xd1, 0x63, 0x9c, 0x1b, 0xe4, 0x78, 0x87, 0x39, 0xc6,
	0x55, 0xaa, 0x69, 0x96, 0x5a, 0xa5, 0x3c, 0xc3, 0x6a, 0x95, 0x27, 0xd8, 0x71, 0x8e, 0x0f, 0xf0,
};

bool vault_flash_mark_read(const struct board_flash *f, uint32_t at, enum vault_mark *mark)
{
	unsigned char found[VAULT_ALIGN];

	if (!vault_flash_read(f, at, found, sizeof(found)))
		return false;
	if (memcmp(found, MARK, sizeof(MARK)) == 0)
		*mark = VAULT_MARK_SET;
	else
		*mark = all_ones(found, sizeof(found)) ? VAULT_MARK_NONE : VAULT_MARK_TORN;
	return true;
}

bool vault_flash_mark_set(const struct board_flash *f, uint32_t at)
{
	return vault_flash_write(f, at, MARK, sizeof(MARK));
}

void vault_put32(unsigned char *to, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(number >> 8 * i);
}

uint32_t vault_get32(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}
