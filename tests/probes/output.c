/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output full|closed|bad COMMAND...: runs it with a standard error that is a pipe
 * which nobody reads and which is full, one whose reader is gone, or a descriptor that is not open. SIGPIPE and
 * SIGXFSZ have their default, deadly meaning; a command that waits for the pipe is ended after 20 s.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	char page[4096] = {0};
	int end[2];

	if (argc < 3 || pipe(end) != 0)
		return 64;
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	alarm(20);
	if (strcmp(argv[1], "full") == 0) {
		fcntl(end[1], F_SETFL, O_NONBLOCK);
		while (write(end[1], page, sizeof(page)) > 0)
			;
		while (write(end[1], page, 1) > 0)
			;
		fcntl(end[1], F_SETFL, 0);
	} else {
		close(end[0]);
	}
	if (strcmp(argv[1], "bad") == 0)
		close(STDERR_FILENO);
	else
		dup2(end[1], STDERR_FILENO);
	close(end[1]);
	execvp(argv[2], argv + 2);
	return 127;
}
