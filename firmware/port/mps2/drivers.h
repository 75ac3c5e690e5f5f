/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers of Arm's MPS2 boards as QEMU emulates them. Addresses differ from one FPGA image to the next: each board's
 * file has its own.
 */
#ifndef MTLS_FIRMWARE_MPS2_DRIVERS_H
#define MTLS_FIRMWARE_MPS2_DRIVERS_H

#include "firmware/board.h"

#define MPS2_FLASH_SIZE  (UINT32_C(16) << 20)
#define MPS2_FLASH_ERASE 4096
#define MPS2_FLASH_WORD  16

static inline volatile uint32_t *mps2_register(uintptr_t base, uintptr_t offset)
{
	return (volatile uint32_t *)(base + offset);
}

/* false: no LAN9118 answers there. lan9118.c */
bool lan9118_open(struct board_eth *, uintptr_t base);
/* uart.c */
void uart_open(struct board_uart *, uintptr_t base);
/* The board's PSRAM, kept as if it were flash. psram.c */
void psram_open(struct board_flash *, uintptr_t base);
/* hz: of the processor. From here on ticks_ms counts. systick.c */
void ticks_start(uint32_t hz);
uint64_t ticks_ms(void);
/* Sleeps until the next tick, or until one of these interrupts (bit n: number n, 0 to 63) is pending; none is taken. */
void ticks_wait(uint64_t interrupts);
/*
 * Time of day, entropy and the device's key come from the emulator's host. otp: file of the key. interrupts: what ends
 * idling, as in ticks_wait. semihost.c
 */
void semihost_open(struct board_system *, const char *otp, uint64_t interrupts);
/* A line on the emulator's console, and the end. */
void semihost_say(const char *text);
_Noreturn void semihost_exit(int status);

#endif
