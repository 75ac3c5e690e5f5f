/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a board gives: the whole of what a port has to write. Each operation is called from one thread, never from an
 * interrupt handler, and none keeps what it is given after it has returned. docs/FIRMWARE.md is the porting guide.
 */
#ifndef MTLS_FIRMWARE_BOARD_H
#define MTLS_FIRMWARE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_FRAME_MAX 1514 /* bytes of an Ethernet frame, without its check sum */
#define BOARD_MAC       6
#define BOARD_KEY       32 /* bytes of the device's key */

/*
 * NOR flash (or what behaves as it does), from address 0. The driver keeps its rules: an erased byte is 0xff, to
 * program can only clear bits, and setting them takes the erasure of a whole unit. A power cut in program leaves any
 * prefix of it done, and any bits of the word after that; in erase, anything in that unit.
 */
struct board_flash {
	uint32_t size;  /* bytes; a multiple of erase */
	uint32_t erase; /* bytes of one erase unit; at least 512 */
	uint32_t word;  /* bytes that are programmed at once, 1 to 32, a power of two; addresses are multiples of it */
	/* false: the hardware reports an error, or the range is not within the flash. */
	bool (*read)(void *ctx, uint32_t at, void *to, size_t n);
	/* at and n are multiples of word, and what is there is erased. false as above, or where a bit would have to be
	 * set. */
	bool (*program)(void *ctx, uint32_t at, const void *from, size_t n);
	/* at is the first address of a unit. */
	bool (*erase_unit)(void *ctx, uint32_t at);
	void *ctx;
};

/* Ethernet. */
struct board_eth {
	uint8_t mac[BOARD_MAC];
	/* n <= BOARD_FRAME_MAX. false: there is no room; the frame is lost. */
	bool (*send)(void *ctx, const void *frame, size_t n);
	/* Bytes of the next frame that has come, at most BOARD_FRAME_MAX; 0: none. Never waits. */
	size_t (*receive)(void *ctx, void *frame);
	void *ctx;
};

/* A serial console. */
struct board_uart {
	/* Waits until it can. */
	void (*put)(void *ctx, uint8_t byte);
	/* -1: none has come. -2: none will come any more. Never waits. */
	int (*get)(void *ctx);
	void *ctx;
};

struct board_system {
	/* Milliseconds since some moment before the boot; never goes back. */
	uint64_t (*now)(void *ctx);
	/* Seconds since 1970, UTC; false: the time is not known. Then no certificate can be valid. */
	bool (*wall)(void *ctx, int64_t *seconds);
	/* n true random bytes; false: it cannot. Then nothing that needs them is done. */
	bool (*entropy)(void *ctx, void *to, size_t n);
	/* The device's own key, the same at each boot and never in the flash: from fuses, a PUF, a secure element. */
	bool (*key)(void *ctx, uint8_t key[BOARD_KEY]);
	/* There is nothing to do until something comes from outside, or for this many milliseconds. May return at once.
	 */
	void (*idle)(void *ctx, uint32_t ms);
	void *ctx;
};

struct board {
	const char *name;
	struct board_flash flash;
	struct board_eth eth;
	struct board_uart uart;
	struct board_system system;
};

#endif
