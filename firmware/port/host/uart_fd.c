/* SPDX-License-Identifier: Apache-2.0 */
/* The serial console as a pair of descriptors, with a buffer each way: one system call a byte would be slow. */
#include "firmware/port/host/uart_fd.h"

#include "firmware/port/host/fresh.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static struct {
	int in, out;
	bool ended;
	size_t first, n_in, n_out;
	uint8_t coming[4096], going[4096];
} line = {.in = -1, .out = -1};

void uart_fd_flush(void)
{
	if (line.out >= 0 && line.n_out > 0)
		(void)fresh_write(line.out, line.going, line.n_out); /* nobody listens: as on a wire */
	line.n_out = 0;
}

static void uart_put(void *ctx, uint8_t byte)
{
	(void)ctx;
	line.going[line.n_out++] = byte;
	if (byte == '\n' || line.n_out == sizeof(line.going))
		uart_fd_flush();
}

static bool readable(void)
{
	struct pollfd one = {.fd = line.in, .events = POLLIN};

	return poll(&one, 1, 0) > 0;
}

static int uart_get(void *ctx)
{
	ssize_t n;

	(void)ctx;
	if (line.first < line.n_in)
		return line.coming[line.first++];
	uart_fd_flush();
	if (line.ended)
		return -2;
	if (!readable())
		return -1;
	n = read(line.in, line.coming, sizeof(line.coming));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return -1;
	if (n <= 0) {
		line.ended = true;
		return -2;
	}
	line.n_in = (size_t)n;
	line.first = 1;
	return line.coming[0];
}

int uart_fd_waits(bool *ready)
{
	*ready = line.first < line.n_in;
	return line.ended ? -1 : line.in;
}

void uart_fd_open(struct board_uart *uart, int in, int out)
{
	line.in = in;
	line.out = out;
	line.ended = in < 0;
	line.first = line.n_in = line.n_out = 0;
	*uart = (struct board_uart){.put = uart_put, .get = uart_get};
}
