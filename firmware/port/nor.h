/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of NOR flash, for drivers whose flash is really memory: what a board's hardware would refuse, they refuse.
 * Stricter than the bits: a word is programmed once between two erasures, as flash with ECC wants it (STM32H7, L4).
 */
#ifndef MTLS_FIRMWARE_PORT_NOR_H
#define MTLS_FIRMWARE_PORT_NOR_H

#include "firmware/board.h"

/* Within the flash? For all three operations. */
bool nor_within(const struct board_flash *, uint32_t at, size_t n);
/* now: the n bytes that are there. Whole words, and all erased? */
bool nor_can_program(const struct board_flash *, uint32_t at, const volatile uint8_t *now, size_t n);
/* The first address of a unit? */
bool nor_can_erase(const struct board_flash *, uint32_t at);

#endif
