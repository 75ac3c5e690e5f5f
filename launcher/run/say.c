/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages and text; see say.h. No stdio stream is used: nothing is buffered when
 * the program takes over.
 */
#include "launcher/run/say.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Without SIGPIPE: a warning that nobody reads must not end the program that it is about. */
static void write_line(const char *line, size_t n)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	ssize_t done;

	sigaction(SIGPIPE, &ignore, &before);
	do
		done = write(STDERR_FILENO, line, n);
	while (done < 0 && errno == EINTR);
	sigaction(SIGPIPE, &before, NULL);
}

static char *text_v(const char *format, va_list arguments)
{
	static const char no_memory[] = "mtls-run: out of memory\n";
	char *s;

	if (vasprintf(&s, format, arguments) < 0) {
		write_line(no_memory, sizeof(no_memory) - 1);
		_exit(RUN_FAILED);
	}
	return s;
}

char *text(const char *format, ...)
{
	va_list arguments;
	char *s;

	va_start(arguments, format);
	s = text_v(format, arguments);
	va_end(arguments);
	return s;
}

void say(const char *format, ...)
{
	int error = errno;
	va_list arguments;
	char *message, *line;

	va_start(arguments, format);
	message = text_v(format, arguments);
	va_end(arguments);
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	line = text("mtls-run: %s\n", message);
	write_line(line, strlen(line));
	free(line);
	free(message);
	errno = error;
}
