/* SPDX-License-Identifier: Apache-2.0 */
/* The device: its vault first, then its network and its console. */
#include "firmware/app/console.h"
#include "firmware/app/status.h"
#include "firmware/net/socket.h"
#include "firmware/port/port.h"
#include "firmware/vault/vault.h"

#include <stdio.h>
#include <string.h>

static void say_ready(const struct board *board)
{
	struct vault_status status;
	char line[100];

	vault_status(&status);
	snprintf(line, sizeof(line), "ready %s %s %s\n", board->name, status_state(status.reason),
		 mtls_reason_word(status.reason));
	console_put(line, strlen(line));
}

int main(int argc, char **argv)
{
	const struct board *board = board_start(argc, argv);

	if (!board)
		board_exit(1);
	board_bind(board);
	console_open(board);
	vault_boot(board); /* the status tells how it went */
	if (!mtls_sockets_start(board, console_put))
		board_exit(1);
	say_ready(board);
	console_run(board);
	board_exit(0);
}
