/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's 16 MB of PSRAM as flash: QEMU backs it by a file, so that it outlives the run, and this driver keeps the
 * rules of NOR. MPS2 has no flash of its own that QEMU emulates. The geometry is that of firmware/port/host/, so that
 * an image works in both. (Arm application note 500, memory map: PSRAM.)
 */
#include "firmware/port/mps2/drivers.h"
#include "firmware/port/nor.h"

#include <string.h>

static const struct board_flash geometry;
static volatile uint8_t *psram;

static bool psram_read(void *ctx, uint32_t at, void *to, size_t n)
{
	uint8_t *bytes = to;

	(void)ctx;
	if (!nor_within(&geometry, at, n))
		return false;
	for (size_t i = 0; i < n; i++)
		bytes[i] = psram[at + i];
	return true;
}

/* Stores of 32 bits, in order: between any two of them QEMU can be killed. */
static bool psram_program(void *ctx, uint32_t at, const void *from, size_t n)
{
	const uint8_t *bytes = from;

	(void)ctx;
	if (!nor_within(&geometry, at, n) || !nor_can_program(&geometry, at, psram + at, n))
		return false;
	for (size_t i = 0; i < n; i += 4) {
		uint32_t word;

		memcpy(&word, bytes + i, 4);
		*(volatile uint32_t *)(psram + at + i) = word;
	}
	return true;
}

static bool psram_erase(void *ctx, uint32_t at)
{
	(void)ctx;
	if (!nor_can_erase(&geometry, at))
		return false;
	for (uint32_t i = 0; i < MPS2_FLASH_ERASE; i += 4)
		*(volatile uint32_t *)(psram + at + i) = UINT32_MAX;
	return true;
}

static const struct board_flash geometry = {
	.size = MPS2_FLASH_SIZE,
	.erase = MPS2_FLASH_ERASE,
	.word = MPS2_FLASH_WORD,
	.read = psram_read,
	.program = psram_program,
	.erase_unit = psram_erase,
};

void psram_open(struct board_flash *flash, uintptr_t base)
{
	psram = (volatile uint8_t *)base;
	*flash = geometry;
}
