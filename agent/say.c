/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for a person, and how many of them: somebody who may connect, and be it to be turned away, must neither fill a
 * journal nor stop the agent by not reading its standard error.
 */
#include "agent/say.h"

#include "agent/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_ 1024
#define WINDOW_MS 10000

static struct count {
	long long since;
	unsigned said, held;
} counts[AGENT_SAYS_KINDS];

/* Of each kind in a window. Signatures are only said when asked for (--verbose), and then a person wants to see them.
 */
static unsigned burst(enum agent_often kind)
{
	return kind == AGENT_SAYS_SIGNED ? 1000 : 5;
}

static const char *kind_name(enum agent_often kind)
{
	static const char *const names[AGENT_SAYS_KINDS] = {
		[AGENT_SAYS_DENIED] = "users turned away",   [AGENT_SAYS_NONSENSE] = "packets that are no question",
		[AGENT_SAYS_REFUSED] = "questions refused",  [AGENT_SAYS_FAILED] = "signatures that failed",
		[AGENT_SAYS_CROWD] = "connections given up", [AGENT_SAYS_SIGNED] = "signatures",
	};

	return names[kind];
}

/* A pipe that is writable takes a line as a whole. */
static void write_line(const char *line, size_t n)
{
	struct pollfd poller = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t done;

	if (poll(&poller, 1, 0) != 1 || !(poller.revents & POLLOUT))
		return;
	do
		done = write(STDERR_FILENO, line, n);
	while (done < 0 && errno == EINTR);
}

static void say_v(const char *format, va_list arguments)
{
	static const char name[] = "mtls-agent: ";
	char line[LINE_MAX_];
	size_t n = sizeof(name) - 1;
	int saved = errno, length;

	memcpy(line, name, sizeof(name));
	length = vsnprintf(line + n, sizeof(line) - n, format, arguments);
	if (length > 0)
		n += (size_t)length < sizeof(line) - n ? (size_t)length : sizeof(line) - n - 1;
	for (size_t i = 0; i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[n] = '\n';
	write_line(line, n + 1);
	errno = saved;
}

void agent_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_v(format, arguments);
	va_end(arguments);
}

void agent_say_often(enum agent_often kind, const char *format, ...)
{
	struct count *count = &counts[kind];
	va_list arguments;

	agent_say_counts(0);
	if (count->said == 0)
		count->since = agent_now_ms();
	if (count->said >= burst(kind)) {
		count->held++;
		return;
	}
	count->said++;
	va_start(arguments, format);
	say_v(format, arguments);
	va_end(arguments);
}

void agent_say_counts(int all)
{
	long long now = agent_now_ms();

	for (int kind = 0; kind < AGENT_SAYS_KINDS; kind++) {
		struct count *count = &counts[kind];

		if (count->said == 0 || (!all && now - count->since < WINDOW_MS))
			continue;
		if (count->held)
			agent_say("%u more like it were not said: %s", count->held, kind_name((enum agent_often)kind));
		*count = (struct count){0, 0, 0};
	}
}
