/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CMSDK APB UART, polled; its interrupt is on for ticks_wait alone: Arm Cortex-M System Design Kit Technical Reference
 * Manual (DDI 0479), section 4.3, whose programmer's model has the registers.
 */
#include "firmware/port/mps2/drivers.h"

#define DATA      0x00
#define STATE     0x04
#define TX_FULL   (UINT32_C(1) << 0)
#define RX_FULL   (UINT32_C(1) << 1)
#define CTRL      0x08
#define TX_ENABLE (UINT32_C(1) << 0)
#define RX_ENABLE (UINT32_C(1) << 1)
#define RX_WAKES  (UINT32_C(1) << 3)
#define INTCLEAR  0x0c
#define RX_CAME   (UINT32_C(1) << 1)
#define BAUDDIV   0x10
#define DIVIDER   217 /* 115200 baud from 25 MHz */

static uintptr_t uart;

static void uart_put(void *ctx, uint8_t byte)
{
	(void)ctx;
	while (*mps2_register(uart, STATE) & TX_FULL)
		;
	*mps2_register(uart, DATA) = byte;
}

static int uart_get(void *ctx)
{
	(void)ctx;
	if (!(*mps2_register(uart, STATE) & RX_FULL))
		return -1;
	*mps2_register(uart, INTCLEAR) = RX_CAME;
	return (int)(*mps2_register(uart, DATA) & 0xff);
}

void uart_open(struct board_uart *to, uintptr_t base)
{
	uart = base;
	*mps2_register(uart, BAUDDIV) = DIVIDER;
	*mps2_register(uart, CTRL) = TX_ENABLE | RX_ENABLE | RX_WAKES;
	*to = (struct board_uart){.put = uart_put, .get = uart_get};
}
