/* SPDX-License-Identifier: Apache-2.0 */
/* Flash in memory whose power a test can cut. No state outside struct flash_ram. */
#include "firmware/port/host/flash_ram.h"

#include "firmware/port/nor.h"

#include <stdlib.h>
#include <string.h>

/* Well spread: the finalizer of MurmurHash3. */
static uint32_t hash(uint32_t x)
{
	x = (x ^ x >> 16) * 0x85ebca6b;
	x = (x ^ x >> 13) * 0xc2b2ae35;
	return x ^ x >> 16;
}

/* A byte in the midst of becoming another: some of the bits that change have. */
static uint8_t between(uint8_t from, uint8_t to, uint32_t seed)
{
	uint8_t done = (uint8_t)hash(seed);

	return (uint8_t)((from & ~done) | (to & done));
}

static bool ram_read(void *ctx, uint32_t at, void *to, size_t n)
{
	struct flash_ram *ram = ctx;

	if (ram->dark)
		return false;
	if (!nor_within(&ram->flash, at, n)) {
		ram->wrong++;
		return false;
	}
	if (n > 0)
		memcpy(to, ram->bytes + at, n);
	return true;
}

/* What is to become of the next operation. */
enum fate { DONE, FAILED, CUT };

static enum fate next(struct flash_ram *ram)
{
	uint32_t operation = ram->operations++;

	if (operation == ram->cut) {
		ram->dark = true;
		return CUT;
	}
	return operation == ram->fail ? FAILED : DONE;
}

static bool program_word(struct flash_ram *ram, uint32_t at, const uint8_t *from)
{
	enum fate fate = next(ram);
	uint8_t *now = ram->bytes + at;

	if (fate == DONE || (fate == CUT && ram->torn == FLASH_RAM_DONE))
		memcpy(now, from, ram->flash.word);
	else if (fate == CUT && ram->torn >= FLASH_RAM_TORN)
		for (uint32_t i = 0; i < ram->flash.word; i++)
			now[i] = between(0xff, from[i], ram->torn + i);
	return fate == DONE;
}

static bool ram_program(void *ctx, uint32_t at, const void *from, size_t n)
{
	struct flash_ram *ram = ctx;
	const uint8_t *bytes = from;

	if (ram->dark)
		return false;
	if (!nor_within(&ram->flash, at, n) || !nor_can_program(&ram->flash, at, ram->bytes + at, n)) {
		ram->wrong++;
		return false;
	}
	for (size_t i = 0; i < n; i += ram->flash.word)
		if (!program_word(ram, at + (uint32_t)i, bytes + i))
			return false;
	return true;
}

/* Half erased: a part of the unit is, or all of its bits are on the way. */
static void tear_unit(struct flash_ram *ram, uint8_t *unit)
{
	uint32_t size = ram->flash.erase;

	if (ram->torn % 2 == 0)
		memset(unit, 0xff, hash(ram->torn) % size);
	else
		for (uint32_t i = 0; i < size; i++)
			unit[i] = between(unit[i], 0xff, ram->torn + i);
}

static bool ram_erase(void *ctx, uint32_t at)
{
	struct flash_ram *ram = ctx;
	enum fate fate;

	if (ram->dark)
		return false;
	if (!nor_can_erase(&ram->flash, at)) {
		ram->wrong++;
		return false;
	}
	fate = next(ram);
	if (fate == DONE || (fate == CUT && ram->torn == FLASH_RAM_DONE))
		memset(ram->bytes + at, 0xff, ram->flash.erase);
	else if (fate == CUT && ram->torn >= FLASH_RAM_TORN)
		tear_unit(ram, ram->bytes + at);
	return fate == DONE;
}

static bool power_of_two(uint32_t x)
{
	return x > 0 && (x & (x - 1)) == 0;
}

bool flash_ram_make(struct flash_ram *ram, uint32_t size, uint32_t erase, uint32_t word)
{
	memset(ram, 0, sizeof(*ram));
	if (word > 32 || !power_of_two(word) || erase < 512 || erase % word || size == 0 || size % erase)
		return false;
	ram->bytes = malloc(size);
	if (!ram->bytes)
		return false;
	memset(ram->bytes, 0xff, size);
	ram->flash = (struct board_flash){
		.size = size,
		.erase = erase,
		.word = word,
		.read = ram_read,
		.program = ram_program,
		.erase_unit = ram_erase,
		.ctx = ram,
	};
	flash_ram_power(ram);
	return true;
}

void flash_ram_free(struct flash_ram *ram)
{
	free(ram->bytes);
	memset(ram, 0, sizeof(*ram));
}

void flash_ram_power(struct flash_ram *ram)
{
	ram->operations = 0;
	ram->cut = ram->fail = FLASH_RAM_NEVER;
	ram->torn = FLASH_RAM_NOT_BEGUN;
	ram->dark = false;
}

void flash_ram_corrupt(struct flash_ram *ram, uint32_t at, uint32_t n, uint32_t seed)
{
	uint32_t bits = 1 + hash(seed) % 8;

	if (!nor_within(&ram->flash, at, n) || n == 0)
		return;
	for (uint32_t i = 1; i <= bits; i++)
		ram->bytes[at + hash(seed + i) % n] ^= (uint8_t)(1U << hash(~seed + i) % 8);
}
