/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the non-secure side may touch, and its start. Three gates, each closed after a reset: the processor's SAU
 * (Armv8-M Architecture Reference Manual, DDI 0553, B8), the memories' MPC and the devices' PPC (Arm IoT Kit,
 * ECM0601256; SIE-200, DDI 0571; application note 505 for what is behind them).
 *
 * The non-secure side runs without privilege and has no exception: its vectors are where it cannot read, so that
 * whatever would take one ends in a secure fault. So it cannot call the emulator's host either: QEMU takes semihosting
 * from privileged code only.
 */
#include "firmware/port/an505/memory.h"
#include "firmware/port/an505/secure.h"
#include "firmware/port/mps2/drivers.h"

#include <arm_cmse.h>

#define SAU      ((uintptr_t)0xe000edd0)
#define SAU_CTRL 0x0
#define SAU_RNR  0x8
#define SAU_RBAR 0xc
#define SAU_RLAR 0x10
#define ENABLE   (UINT32_C(1) << 0)
#define NSC      (UINT32_C(1) << 1)

/* Secure and non-secure privilege control blocks */
#define SPC         ((uintptr_t)0x50080000)
#define NSCCFG      0x14
#define CODE_NSC    (UINT32_C(1) << 0)
#define NSPC        ((uintptr_t)0x40080000)
#define AHB_EXP0    0x60 /* of SPC: non-secure */
#define APB_EXP1    0x84
#define AHB_EXP0_NP 0xa0 /* of NSPC: without privilege too */
#define APB_EXP1_NP 0xc4
#define ETH         (UINT32_C(1) << 5)
#define UART0       (UINT32_C(1) << 5)

#define MPC_SSRAM1 ((uintptr_t)0x58007000)
#define MPC_SSRAM3 ((uintptr_t)0x58009000)
#define MPC_CTRL   0x00
#define BUS_ERROR  (UINT32_C(1) << 4)
#define MPC_MAX    0x10
#define MPC_CFG    0x14
#define MPC_INDEX  0x18
#define MPC_LUT    0x1c

#define VTOR_NS ((uintptr_t)0xe002ed08)

extern char __sg_start[], __sg_end[]; /* sg.ld */

typedef __attribute__((cmse_nonsecure_call)) void enter(void);

static void set(uintptr_t base, uintptr_t offset, uint32_t value)
{
	*mps2_register(base, offset) = value;
}

static uint32_t get(uintptr_t base, uintptr_t offset)
{
	return *mps2_register(base, offset);
}

static void barrier(void)
{
	__asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* Both addresses are multiples of 32. */
static void sau(uint32_t region, uintptr_t from, uintptr_t end, uint32_t kind)
{
	set(SAU, SAU_RNR, region);
	set(SAU, SAU_RBAR, (uint32_t)from);
	set(SAU, SAU_RLAR, (uint32_t)(end - 32) | kind);
}

/* From an offset to the memory's end. A bit of a word of the table is a block of 2^(CFG + 5) bytes. */
static void open_memory(uintptr_t mpc, uint32_t from)
{
	uint32_t bytes = UINT32_C(32) << ((get(mpc, MPC_CFG) & 0xf) + 5);

	set(mpc, MPC_CTRL, BUS_ERROR);
	for (uint32_t i = from / bytes; i <= get(mpc, MPC_MAX); i++) {
		set(mpc, MPC_INDEX, i);
		set(mpc, MPC_LUT, UINT32_MAX);
	}
}

/* The block for access without privilege is itself non-secure: only for as long as that takes. */
static void open_devices(void)
{
	set(SPC, AHB_EXP0, ETH);
	set(SPC, APB_EXP1, UART0);
	sau(5, NSPC, NSPC + 0x1000, ENABLE);
	barrier();
	set(NSPC, AHB_EXP0_NP, ETH);
	set(NSPC, APB_EXP1_NP, UART0);
	sau(5, 0, 32, 0);
}

void partition_board(void)
{
	sau(0, (uintptr_t)__sg_start, (uintptr_t)__sg_end, NSC | ENABLE);
	sau(1, NS_CODE, NS_CODE + NS_CODE_SIZE, ENABLE);
	sau(2, NS_RAM, NS_RAM + NS_RAM_SIZE, ENABLE);
	sau(3, NS_UART, NS_UART + 0x1000, ENABLE);
	sau(4, NS_ETH, NS_ETH + 0x100000, ENABLE);
	set(SAU, SAU_CTRL, ENABLE);
	set(SPC, NSCCFG, CODE_NSC);
	barrier();
	open_memory(MPC_SSRAM1, NS_CODE);
	open_memory(MPC_SSRAM3, 0);
	open_devices();
	barrier();
}

void partition_enter(void)
{
	const volatile uint32_t *vectors = (const volatile uint32_t *)NS_CODE;
	uint32_t stack = vectors[0];
	enter *start = (enter *)cmse_nsfptr_create((uintptr_t)vectors[1]);

	set(VTOR_NS, 0, 0);
	__asm__ volatile("msr msp_ns, %0\n\t"
			 "msr control_ns, %1\n\t"
			 "isb" ::"r"(stack),
			 "r"(1)
			 : "memory");
	start();
}
