/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secure image of MPS2 with FPGA image AN505, a Cortex-M33 at 20 MHz: the vault with its flash, the device's key
 * and entropy, and the processor's faults. Words of the command line: otp=FILE, as for an500.
 */
#include "firmware/port/an505/memory.h"
#include "firmware/port/an505/secure.h"
#include "firmware/port/mps2/drivers.h"
#include "firmware/port/port.h"

#include <stdio.h>

#define SHCSR       ((uintptr_t)0xe000ed24)
#define SECUREFAULT (UINT32_C(1) << 19)
#define CFSR        ((uintptr_t)0xe000ed28)
#define HFSR        ((uintptr_t)0xe000ed2c)
#define SFSR        ((uintptr_t)0xe000ede4)
#define FAULT       70 /* exit status */

extern char __stack[], __heap_end[]; /* picolibc.ld: the stack lies between them */
void _start(void), arm_systick_isr(void);

static struct board board = {.name = "an505"};

const struct board *board_start(int argc, char **argv)
{
	ticks_start(HZ);
	psram_open(&board.flash, PSRAM);
	semihost_open(&board.system, board_word(argc, argv, "otp"), UART0_RX | ETH_ANY);
	return &board;
}

/* --- figures: with -DFIRMWARE_MEASURE what was used of heap and stack is said at the end ----- */

#ifdef FIRMWARE_MEASURE

#include <mbedtls/memory_buffer_alloc.h>

#define PAINT 0xa5a5a5a5
#define OURS  64 /* bytes that painting needs itself */

static void measure_begin(void)
{
	uint32_t *here = (uint32_t *)__builtin_frame_address(0) - OURS / sizeof(uint32_t);

	for (volatile uint32_t *at = (uint32_t *)__heap_end; at < here; at++)
		*at = PAINT;
}

static void measure_end(void)
{
	const volatile uint32_t *lowest = (const uint32_t *)__heap_end;
	size_t most, blocks;
	char line[80];

	while (*lowest == PAINT)
		lowest++;
	mbedtls_memory_buffer_alloc_max_get(&most, &blocks);
	snprintf(line, sizeof(line), "an505, secure: heap %lu bytes at most, stack %lu", (unsigned long)most,
		 (unsigned long)((uintptr_t)__stack - (uintptr_t)lowest));
	semihost_say(line);
}

#else

static void measure_begin(void)
{
}

static void measure_end(void)
{
}

#endif

_Noreturn void board_exit(int status)
{
	measure_end();
	semihost_exit(status);
}

/* --- faults --------------------------------------------------------------------------------- */

/* A device that is sold would start anew here. QEMU does not tell the address (SFAR). DDI 0553, SFSR. */
static _Noreturn void stop(void)
{
	static const char *const bits[] = {"INVEP",   "INVIS",  "INVER",     "AUVIOL",
					   "INVTRAN", "LSPERR", "SFARVALID", "LSERR"};
	uint32_t why = *mps2_register(SFSR, 0);
	char line[160];
	int n;

	n = snprintf(line, sizeof(line), "an505: %s, HFSR %08lx, CFSR %08lx", why ? "SecureFault" : "fault",
		     (unsigned long)*mps2_register(HFSR, 0), (unsigned long)*mps2_register(CFSR, 0));
	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (why >> i & 1)
			n += snprintf(line + n, sizeof(line) - (size_t)n, " %s", bits[i]);
	semihost_say(line);
	semihost_exit(FAULT);
}

/* In the place of picolibc's, which leaves out SecureFault. No interrupt but the tick's is ever taken. */
const void *const __interrupt_vector[16] __attribute__((section(".data.init.enter"), used, aligned(128))) = {
	__stack,      (void *)_start, (void *)stop, (void *)stop,
	(void *)stop, (void *)stop,   (void *)stop, (void *)stop,
	NULL,         NULL,           NULL,         (void *)stop,
	(void *)stop, NULL,           (void *)stop, (void *)arm_systick_isr,
};

int main(int argc, char **argv)
{
	measure_begin();
	*mps2_register(SHCSR, 0) |= SECUREFAULT;
	__asm__ volatile("msr msplim, %0" ::"r"(__heap_end));
	board_bind(board_start(argc, argv));
	partition_board();
	partition_enter();
	board_exit(0);
}
