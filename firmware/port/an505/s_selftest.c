/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MPS2 with FPGA image AN505 for selftest.elf: one image, which nothing has been taken from, so that all parts of the
 * board are secure. Words of the command line: otp=FILE. s_main.c has the board of secure.elf.
 */
#include "firmware/port/an505/memory.h"
#include "firmware/port/mps2/drivers.h"
#include "firmware/port/port.h"

#define SECURE 0x10000000 /* bit 28: see memory.h */

static struct board board = {.name = "an505, secure"};

const struct board *board_start(int argc, char **argv)
{
	ticks_start(HZ);
	uart_open(&board.uart, NS_UART | SECURE);
	psram_open(&board.flash, PSRAM);
	semihost_open(&board.system, board_word(argc, argv, "otp"), UART0_RX | ETH_ANY);
	if (!lan9118_open(&board.eth, NS_ETH | SECURE)) {
		semihost_say("an505: no Ethernet controller answers");
		return NULL;
	}
	return &board;
}

_Noreturn void board_exit(int status)
{
	semihost_exit(status);
}
