/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MPS2 with FPGA image AN500: a Cortex-M7 at 25 MHz. Addresses: Arm application note 500, memory map. Words of the
 * command line: otp=FILE, the device's key, 32 bytes; without it nothing can be stored. The line is cut at blanks: pass
 * /proc/self/fd/N where the name may have some.
 */
#include "firmware/port/mps2/drivers.h"
#include "firmware/port/port.h"

#define HZ    25000000
#define PSRAM 0x60000000
#define UART0 0x40004000
#define ETH   0xa0000000

/* The same note, interrupts. */
#define UART0_RX (UINT32_C(1) << 0)
#define ETH_ANY  (UINT32_C(1) << 13)

static struct board board = {.name = "an500"};

const struct board *board_start(int argc, char **argv)
{
	ticks_start(HZ);
	uart_open(&board.uart, UART0);
	psram_open(&board.flash, PSRAM);
	semihost_open(&board.system, board_word(argc, argv, "otp"), UART0_RX | ETH_ANY);
	if (!lan9118_open(&board.eth, ETH)) {
		semihost_say("an500: no Ethernet controller answers");
		return NULL;
	}
	return &board;
}

_Noreturn void board_exit(int status)
{
	semihost_exit(status);
}
