/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's board from a command line. Words: flash=FILE and otp=FILE, both needed and made on first use; port=N, the
 * loopback port that the device reaches. The console is standard input and output.
 */
#include "firmware/port/host/host.h"
#include "firmware/port/port.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool port_number(const char *text, uint16_t *port)
{
	char *end;
	long number = strtol(text, &end, 10);

	*port = (uint16_t)number;
	return *end == '\0' && end != text && number >= 0 && number <= UINT16_MAX;
}

const struct board *board_start(int argc, char **argv)
{
	const char *port = board_word(argc, argv, "port"), *why = "usage: flash=FILE otp=FILE [port=N]";
	const struct board *board = NULL;
	struct host_wiring wiring = {
		.flash = board_word(argc, argv, "flash"),
		.otp = board_word(argc, argv, "otp"),
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
	};

	if (wiring.flash && wiring.otp && port_number(port ? port : "0", &wiring.port))
		board = host_open(&wiring, &why);
	if (!board)
		fprintf(stderr, "host: %s\n", why);
	return board;
}

_Noreturn void board_exit(int status)
{
	host_close();
	exit(status);
}
