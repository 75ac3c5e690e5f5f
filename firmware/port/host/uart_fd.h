/* SPDX-License-Identifier: Apache-2.0 */
/* The serial console as a pair of descriptors, which stay the caller's. */
#ifndef MTLS_FIRMWARE_HOST_UART_FD_H
#define MTLS_FIRMWARE_HOST_UART_FD_H

#include "firmware/board.h"

/* in, out: -1: nothing comes, what goes is lost. One at a time. */
void uart_fd_open(struct board_uart *, int in, int out);
/* What was put and is not on its way yet. put does it at each line's end, get before it looks. */
void uart_fd_flush(void);
/* A descriptor to wait for; -1: do not wait for it. *ready: something is there already. */
int uart_fd_waits(bool *ready);

#endif
