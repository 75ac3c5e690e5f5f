/* SPDX-License-Identifier: Apache-2.0 */
/* What lwIP asks of the platform, from the bound board: a clock, numbers for ports and identifiers, a last word. */
#include "firmware/port/port.h"

#include <arch/cc.h>
#include <lwip/sys.h>

u32_t sys_now(void)
{
	const struct board *board = board_bound();

	return board ? (u32_t)board->system.now(board->system.ctx) : 0;
}

/*
 * Ports, DNS identifiers, first sequence numbers: they make it hard to guess, no secret depends on them, and lwIP takes
 * no for no answer. Without entropy they count on from the clock; TLS does not start then.
 */
uint32_t board_random(void)
{
	static uint32_t last;
	const struct board *board = board_bound();
	uint32_t random;

	if (board && board->system.entropy(board->system.ctx, &random, sizeof(random)))
		last = random;
	else
		last = last * 1664525 + 1013904223 + sys_now();
	return last;
}

static void say(const struct board *board, const char *text)
{
	while (*text)
		board->uart.put(board->uart.ctx, (uint8_t)*text++);
}

/* A state that lwIP holds impossible: memory cannot be trusted any more. */
void board_assert(const char *what)
{
	const struct board *board = board_bound();

	if (board) {
		say(board, "lwip: impossible: ");
		say(board, what);
		say(board, "\r\n");
	}
	board_exit(70);
}
