/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A board that can do nothing, to copy for a port: every function is there and fails closed, so that what has not been
 * written yet cannot be forgotten. Split it where a driver grows. firmware/port/selftest.c tells how far it is, and
 * docs/FIRMWARE.md what else a port decides (memory map, stack, heap). board.h is the contract.
 */
#include "firmware/port/port.h"

/* --- flash ------------------------------------------------------------------------------------ */

/*
 * Give the vault units of one size that nothing else uses and that code does not run from: two records and the inbox.
 * Program and erase stall the bank that they are in. These are an STM32F777's with two banks (option nDBANK = 0): each
 * has four sectors of 16 KiB, one of 64 and seven of 128; the vault has the seven of the second bank.
 */
#define FLASH_ADDRESS 0x08120000
#define FLASH_ERASE   (UINT32_C(128) << 10)
#define FLASH_SIZE    (7 * FLASH_ERASE)
#define FLASH_WORD    4 /* what the hardware programs at once; with ECC 8, 16 or 32 */

/* A memcpy from FLASH_ADDRESS + at, after checking the range. With ECC, a double error is false, not a fault. */
static bool flash_read(void *ctx, uint32_t at, void *to, size_t n)
{
	(void)ctx;
	(void)at;
	(void)to;
	(void)n;
	return false;
}

/*
 * Check the range and that all of it is erased (nor_can_program of firmware/port/nor.h does); unlock; program word by
 * word in order of address; check the error flags after each; lock; clean and invalidate the data cache's lines.
 */
static bool flash_program(void *ctx, uint32_t at, const void *from, size_t n)
{
	(void)ctx;
	(void)at;
	(void)from;
	(void)n;
	return false;
}

/* nor_can_erase; unlock; erase; wait; check the error flags; lock; invalidate the data cache's lines. */
static bool flash_erase_unit(void *ctx, uint32_t at)
{
	(void)ctx;
	(void)at;
	return false;
}

/* --- Ethernet ----------------------------------------------------------------------------------- */

/* Put the frame into a free descriptor of the DMA, or copy it into the controller. Clean the data cache before. */
static bool eth_send(void *ctx, const void *frame, size_t n)
{
	(void)ctx;
	(void)frame;
	(void)n;
	return false;
}

/*
 * The next descriptor that the DMA has given back: drop frames with errors and longer ones, copy without the check sum,
 * hand the descriptor back. Invalidate the data cache before.
 */
static size_t eth_receive(void *ctx, void *frame)
{
	(void)ctx;
	(void)frame;
	return 0;
}

/* --- console -------------------------------------------------------------------------------------- */

/* Wait until the transmitter is free, and write. */
static void uart_put(void *ctx, uint8_t byte)
{
	(void)ctx;
	(void)byte;
}

/*
 * The next byte that was received. Above some 10 kB/s let an interrupt or the DMA fill a ring: between two calls a
 * signature can take a second.
 */
static int uart_get(void *ctx)
{
	(void)ctx;
	return -2;
}

/* --- system ----------------------------------------------------------------------------------------- */

/* A counter of milliseconds that 32 bits do not end: SysTick as in firmware/port/mps2/systick.c, or a timer. */
static uint64_t system_now(void *ctx)
{
	(void)ctx;
	return 0;
}

/*
 * A clock that runs on a battery, or that was set since the boot from a source that is authenticated. Not the time of
 * the build, nor what a stranger on the network says: it decides which certificates are valid.
 */
static bool system_wall(void *ctx, int64_t *seconds)
{
	(void)ctx;
	(void)seconds;
	return false;
}

/*
 * The hardware's generator of true random numbers, with its health tests: on an STM32 wait for DRDY, look at SECS and
 * CECS, read DR, discard repeats, and give up after a bounded number of errors. A seed that is the same at each boot,
 * or a device's number, is no entropy.
 */
static bool system_entropy(void *ctx, void *to, size_t n)
{
	(void)ctx;
	(void)to;
	(void)n;
	return false;
}

/*
 * 32 bytes that only this device has, made at random in the factory: fuses or OTP that debuggers cannot read (with
 * their access closed), a PUF, a secure element. False where they are blank: all zeros or all ones is no key.
 */
static bool system_key(void *ctx, uint8_t key[BOARD_KEY])
{
	(void)ctx;
	(void)key;
	return false;
}

/* WFI, with interrupts of UART, Ethernet and a timer that wake it; or nothing at all. */
static void system_idle(void *ctx, uint32_t ms)
{
	(void)ctx;
	(void)ms;
}

/* --- the board ----------------------------------------------------------------------------------------- */

static struct board board = {
	.name = "template",
	.flash =
		{
			.size = FLASH_SIZE,
			.erase = FLASH_ERASE,
			.word = FLASH_WORD,
			.read = flash_read,
			.program = flash_program,
			.erase_unit = flash_erase_unit,
			.ctx = (void *)FLASH_ADDRESS,
		},
	.eth =
		{
			.mac = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01}, /* the board's own: from fuses, or an EEPROM */
			.send = eth_send,
			.receive = eth_receive,
		},
	.uart = {.put = uart_put, .get = uart_get},
	.system =
		{
			.now = system_now,
			.wall = system_wall,
			.entropy = system_entropy,
			.key = system_key,
			.idle = system_idle,
		},
};

/*
 * Clocks and caches; the pins of UART and Ethernet; the controllers; the clock of milliseconds. The MPU: the DMA's
 * descriptors must not be cached. There is no command line on a board: argc is what the start-up code leaves.
 */
const struct board *board_start(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return &board;
}

/* Reset: write SYSRESETREQ to AIRCR (Armv7-M Architecture Reference Manual, B3.2.6) after a barrier. */
_Noreturn void board_exit(int status)
{
	(void)status;
	for (;;)
		;
}
