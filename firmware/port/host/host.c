/* SPDX-License-Identifier: Apache-2.0 */
/* The host's board, put together from its parts. */
#include "firmware/port/host/host.h"

#include "firmware/port/host/eth_slirp.h"
#include "firmware/port/host/flash_file.h"
#include "firmware/port/host/system.h"
#include "firmware/port/host/uart_fd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct board board = {.name = "host"};

const struct board *host_open(const struct host_wiring *wiring, const char **why)
{
	static char sentence[256];

	*why = sentence;
	signal(SIGPIPE, SIG_IGN); /* slirp's connections, and a console that nobody reads */
	memset(&board.flash, 0, sizeof(board.flash));
	if (wiring->flash && !flash_file_open(&board.flash, wiring->flash)) {
		snprintf(sentence, sizeof(sentence), "the flash, %.180s: %s", wiring->flash,
			 errno == EINVAL ? "it is no flash of this board" : strerror(errno));
		return NULL;
	}
	if (!eth_slirp_open(&board.eth, wiring->port)) {
		snprintf(sentence, sizeof(sentence), "libslirp does not start");
		return NULL;
	}
	uart_fd_open(&board.uart, wiring->in, wiring->out);
	system_host_open(&board.system, wiring->otp);
	return &board;
}

void host_close(void)
{
	uart_fd_flush();
	eth_slirp_close();
	flash_file_close();
}
