/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock of milliseconds, the processor's SysTick timer, and sleep. Armv7-M Architecture Reference Manual (DDI 0403):
 * SysTick B3.3, NVIC B3.4, WFI B1.5.19; the Armv8-M one (DDI 0553) has them at the same addresses.
 */
#include "firmware/port/mps2/drivers.h"

#define SYSTICK   ((uintptr_t)0xe000e010)
#define CSR       0x0
#define ENABLE    (UINT32_C(1) << 0)
#define TICKINT   (UINT32_C(1) << 1)
#define CLKSOURCE (UINT32_C(1) << 2)
#define RVR       0x4
#define CVR       0x8

#define NVIC ((uintptr_t)0xe000e100)
#define ISER 0x000
#define ICER 0x080
#define ICPR 0x180

static volatile uint32_t low, high;

/* picolibc's vectors have it under this name. */
void arm_systick_isr(void);

void arm_systick_isr(void)
{
	if (++low == 0)
		high++;
}

uint64_t ticks_ms(void)
{
	uint32_t h, l;

	do {
		h = high;
		l = low;
	} while (h != high || l != low); /* a tick came in between */
	return (uint64_t)h << 32 | l;
}

static void nvic(uintptr_t offset, uint64_t interrupts)
{
	*mps2_register(NVIC, offset) = (uint32_t)interrupts;
	*mps2_register(NVIC, offset + 4) = (uint32_t)(interrupts >> 32);
}

/* A masked interrupt ends WFI and is not taken: nothing but the tick needs a handler, or a vector. */
void ticks_wait(uint64_t interrupts)
{
	__asm__ volatile("cpsid i" ::: "memory");
	nvic(ISER, interrupts);
	__asm__ volatile("dsb\n\twfi" ::: "memory");
	nvic(ICER, interrupts);
	nvic(ICPR, interrupts);
	__asm__ volatile("dsb\n\tisb\n\tcpsie i" ::: "memory");
}

void ticks_start(uint32_t hz)
{
	*mps2_register(SYSTICK, RVR) = hz / 1000 - 1;
	*mps2_register(SYSTICK, CVR) = 0;
	*mps2_register(SYSTICK, CSR) = ENABLE | TICKINT | CLKSOURCE;
}
