/* SPDX-License-Identifier: Apache-2.0 */
/* What NOR flash refuses. Pure. */
#include "firmware/port/nor.h"

bool nor_within(const struct board_flash *flash, uint32_t at, size_t n)
{
	return at <= flash->size && n <= flash->size - at;
}

bool nor_can_program(const struct board_flash *flash, uint32_t at, const volatile uint8_t *now, size_t n)
{
	if (!nor_within(flash, at, n) || at % flash->word || n % flash->word)
		return false;
	for (size_t i = 0; i < n; i++)
		if (now[i] != 0xff)
			return false;
	return true;
}

bool nor_can_erase(const struct board_flash *flash, uint32_t at)
{
	return nor_within(flash, at, flash->erase) && at % flash->erase == 0;
}
