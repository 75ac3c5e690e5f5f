/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of the console's protocol (firmware/app/console.h). */
#include "firmware/app/console.h"
#include "firmware/tool/tool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SILENCE_MS 120000 /* a key with very many rounds of PBKDF2 keeps a device busy for long */
#define LINE       65536  /* status as JSON is one; all names of a chain that a device can send fit into it */

static bool lost(struct device *d, const char *what)
{
	board_off(d);
	return !tool_fail("the device %s", what);
}

/* More of its bytes; false: there are none, and it has been said. */
static bool fill(struct device *d)
{
	struct pollfd one = {.fd = d->from, .events = POLLIN};
	ssize_t n = -1;

	if (d->first == d->n)
		d->first = d->n = 0;
	if (poll(&one, 1, SILENCE_MS) == 0)
		return lost(d, "says nothing");
	do {
		n = read(d->from, d->in + d->n, sizeof(d->in) - d->n);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return lost(d, "has ended");
	d->n += (size_t)n;
	return true;
}

/* A line without its end. Cut, it would be another one: what is too long is an error. */
static bool get_line(struct device *d, char line[LINE])
{
	size_t n = 0;

	for (;;) {
		if (d->first == d->n && !fill(d))
			return false;
		while (d->first < d->n) {
			char c = d->in[d->first++];

			if (c == '\n') {
				line[n] = '\0';
				return true;
			}
			if (c == '\r')
				continue;
			if (n == LINE - 1)
				return lost(d, "sends a line that is too long");
			line[n++] = c;
		}
	}
}

static bool put_bytes(struct device *d, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(d->to, data, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return lost(d, "does not listen any more");
		data += done;
		n -= (size_t)done;
	}
	return true;
}

bool session_begin(struct device *d, const struct tool *tool, const struct image *image, uint16_t port)
{
	static char line[LINE];

	if (!board_on(d, tool, image, port))
		return false;
	do {
		if (!get_line(d, line))
			return false;
		if (strncmp(line, "ready ", 6) != 0)
			tool_print(STDERR_FILENO, line);
	} while (strncmp(line, "ready ", 6) != 0);
	return true;
}

void session_end(struct device *d)
{
	const char end = CONSOLE_END;

	if (d->to >= 0 && write(d->to, &end, 1) < 0)
		errno = 0; /* it has ended already */
	board_off(d);
}

static bool take_body(struct device *d, size_t n, const struct listener *to)
{
	while (n > 0) {
		size_t here = d->n - d->first;

		if (here == 0 && !fill(d))
			return false;
		here = d->n - d->first;
		if (here > n)
			here = n;
		if (to && to->body)
			to->body(to->ctx, d->in + d->first, here);
		d->first += here;
		n -= here;
	}
	return true;
}

static bool give_piece(struct device *d, size_t n, struct listener *to)
{
	const char *from;

	if (!to || n > to->left)
		return lost(d, "wants more than there is");
	from = to->file;
	to->file = from + n;
	to->left -= n;
	return put_bytes(d, from, n);
}

/* One line of an answer; false: it is lost. */
static bool take_line(struct device *d, const char *line, struct listener *to)
{
	size_t n = strtoul(line + (strlen(line) > 3 ? 3 : 0), NULL, 10);

	if (strncmp(line, "ok+", 3) == 0)
		return take_body(d, n, to);
	if (strncmp(line, "ok?", 3) == 0)
		return give_piece(d, n, to);
	if (strncmp(line, "ok-", 3) != 0)
		tool_print(STDERR_FILENO, line); /* a log line */
	else if (to && to->line)
		to->line(to->ctx, line + 3);
	return true;
}

enum answer session_ask(struct device *d, const char *command, struct listener *to, char *why, size_t size)
{
	static char line[LINE];

	if (!put_bytes(d, command, strlen(command)) || !put_bytes(d, "\n", 1))
		return ANSWER_LOST;
	for (;;) {
		if (!get_line(d, line))
			return ANSWER_LOST;
		if (strcmp(line, "ok") == 0)
			return ANSWER_OK;
		if (strncmp(line, "error ", 6) == 0) {
			snprintf(why, size, "%s", line + 6);
			return ANSWER_ERROR;
		}
		if (!take_line(d, line, to))
			return ANSWER_LOST;
	}
}

/* The end may have come while the device waited for the bytes of a file: once it has given up it has to hear it again.
 */
static bool put_end(struct device *d)
{
	const char end[] = {'\n', CONSOLE_END};

	return put_bytes(d, end, sizeof(end));
}

static bool take_input(struct device *d, struct pollfd *input)
{
	char data[4096];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n > 0)
		return put_bytes(d, data, (size_t)n);
	input->fd = -1;
	return put_end(d);
}

/* Bytes as they are, both ways. */
int session_relay(struct device *d)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = d->from, .events = POLLIN}};
	ssize_t n;

	while (fds[1].fd >= 0) {
		int ready = poll(fds, 2, fds[0].fd < 0 ? 2 * CONSOLE_STALLED : -1);

		if ((ready == 0 && !put_end(d)) || (ready > 0 && fds[0].revents && !take_input(d, &fds[0])))
			return TOOL_FAILED;
		if (ready > 0 && fds[1].revents) {
			n = read(d->from, d->in, sizeof(d->in));
			if (n <= 0 || write(STDOUT_FILENO, d->in, (size_t)n) != n)
				fds[1].fd = -1;
		}
	}
	board_off(d);
	return TOOL_DONE;
}
