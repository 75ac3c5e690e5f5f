/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flash in memory, for tests: NOR rules, counted operations, a power cut in the k-th of them, errors on demand.
 *
 * An operation is one word programmed or one unit erased: the power can fail within each. Then the operation is done as
 * torn says, all that follow fail, reads too, until flash_ram_power. Bits that read differently each time are not
 * simulated.
 */
#ifndef MTLS_FIRMWARE_HOST_FLASH_RAM_H
#define MTLS_FIRMWARE_HOST_FLASH_RAM_H

#include "firmware/board.h"

#define FLASH_RAM_NEVER UINT32_MAX

/* torn, for the operation that was cut: not begun, or done but never reported. Any other number: some of its bits. */
enum { FLASH_RAM_NOT_BEGUN, FLASH_RAM_DONE, FLASH_RAM_TORN };

struct flash_ram {
	struct board_flash flash; /* for the board; its ctx is this struct, which is not to be moved */
	uint8_t *bytes;           /* a test may read and change them */
	uint32_t operations;      /* since the power came, the one that was cut included */
	uint32_t cut;             /* the operation, from 0, in which the power fails; FLASH_RAM_NEVER */
	uint32_t torn;            /* how that one is left */
	uint32_t fail;            /* the operation, from 0, that is not done and reported as failed; FLASH_RAM_NEVER */
	uint32_t wrong;           /* times that a rule of the flash was broken: a mistake of its user */
	bool dark;                /* the power has failed */
};

/* An erased flash; false: no memory, or a geometry that board.h does not allow. */
bool flash_ram_make(struct flash_ram *, uint32_t size, uint32_t erase, uint32_t word);
void flash_ram_free(struct flash_ram *);
/* The power is back: counts from 0, neither cut nor fail. */
void flash_ram_power(struct flash_ram *);
/* Changes 1 to 8 bits of the n bytes from at, which ones depends on the seed alone. */
void flash_ram_corrupt(struct flash_ram *, uint32_t at, uint32_t n, uint32_t seed);

#endif
