/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MPS2 with FPGA image AN505 as the non-secure image has it: Ethernet and console are its own, time and entropy come
 * from the secure one, flash and the device's key do not come at all. It takes no words: they go to the secure image.
 */
#include "firmware/port/an505/entries.h"
#include "firmware/port/an505/memory.h"
#include "firmware/port/mps2/drivers.h"
#include "firmware/port/port.h"

#ifdef FIRMWARE_MEASURE

#include <stdio.h>

/* For what mbedTLS's allocator says of a damaged heap where it counts: there is nobody to say it to. */
FILE *const stderr = NULL;

#endif

static uint64_t system_now(void *ctx)
{
	(void)ctx;
	return secure_now();
}

static bool system_wall(void *ctx, int64_t *seconds)
{
	(void)ctx;
	*seconds = secure_wall();
	return *seconds >= 0;
}

static bool system_entropy(void *ctx, void *to, size_t n)
{
	(void)ctx;
	return secure_entropy(to, n);
}

static bool system_key(void *ctx, uint8_t key[BOARD_KEY])
{
	(void)ctx;
	(void)key;
	return false;
}

static void system_idle(void *ctx, uint32_t ms)
{
	(void)ctx;
	secure_idle(ms);
}

/* size 0: there is no flash, and nobody may call what is not there. */
static struct board board = {
	.name = "an505",
	.system = {.now = system_now,
		   .wall = system_wall,
		   .entropy = system_entropy,
		   .key = system_key,
		   .idle = system_idle},
};

static void say(const char *text)
{
	while (*text)
		board.uart.put(board.uart.ctx, (uint8_t)*text++);
}

const struct board *board_start(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	uart_open(&board.uart, NS_UART);
	if (!lan9118_open(&board.eth, NS_ETH)) {
		say("an505: no Ethernet controller answers\n");
		return NULL;
	}
	return &board;
}

_Noreturn void board_exit(int status)
{
	for (;;)
		secure_exit(status);
}
