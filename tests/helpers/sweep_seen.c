/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of mtls-server's log that belong to one run of a client, and what they say. */
#include "tests/helpers/sweep.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <stdio.h>

static size_t lines_before; /* bytes of the log */

static size_t log_size(void)
{
	struct stat st;

	return stat(o.log, &st) == 0 ? (size_t)st.st_size : 0;
}

void seen_begin(void)
{
	lines_before = log_size();
}

unsigned seen_lines(const struct text *text)
{
	unsigned n = 0;

	for (size_t i = 0; i < text->n; i++)
		n += text->at[i] == '\n';
	return n;
}

void seen_read(struct text *seen, unsigned wanted)
{
	const struct timespec pause = {0, 1000000};
	int64_t end = now_ms() + SEEN_MS;
	int fd;

	do {
		seen->n = 0;
		fd = open(o.log, O_RDONLY);
		if (fd < 0 || lseek(fd, (off_t)lines_before, SEEK_SET) < 0)
			die(o.log);
		while (take(seen, fd))
			;
		close(fd);
		if (seen_lines(seen) < wanted)
			nanosleep(&pause, NULL);
	} while (seen_lines(seen) < wanted && now_ms() < end);
	lines_before = log_size();
}

static bool may_be(const char *line)
{
	const char *at = strstr(line, " subject=\"");
	char names[512], *rest = names, *name;

	snprintf(names, sizeof(names), "%s", o.subjects);
	while (at && (name = strsep(&rest, ",")) != NULL)
		if (*name && strncmp(at + 10, name, strlen(name)) == 0 && at[10 + strlen(name)] == '"')
			return true;
	return false;
}

static enum kind kind_of_line(const char *line)
{
	if (!strstr(line, " result=ok "))
		return WRONG;
	if (strstr(line, " subject=\"\" ") && strstr(line, " chain=0 "))
		return NONE;
	return may_be(line) && strstr(line, " verify=ok ") &&
			       (strstr(line, " chain=2 ") || strstr(line, " resumed=yes "))
		       ? PRESENTED
		       : WRONG;
}

static bool same(const char *a, const char *b)
{
	const char *x = strstr(a, " subject="), *y = strstr(b, " subject=");

	return x && y && strncmp(x, y, (size_t)(strstr(x, " issuer=") - x)) == 0;
}

enum kind seen_kind(const struct text *seen)
{
	char copy[TEXT_MAX + 1], *rest = copy, *line, *before = NULL;
	enum kind all = KINDS, one;

	memcpy(copy, seen->at, seen->n + 1);
	while ((line = strsep(&rest, "\n")) != NULL && *line) {
		one = kind_of_line(line);
		if (one == WRONG || (o.same_subject && before && strstr(line, " resumed=yes ") && !same(before, line)))
			return WRONG;
		before = line;
		all = all == KINDS || all == one ? one : SOME;
	}
	return all;
}

void seen_wait(void)
{
	const struct timespec pause = {0, 60000000};
	int64_t end = now_ms() + SEEN_MS;
	size_t before;

	do {
		before = log_size();
		nanosleep(&pause, NULL);
	} while ((before == lines_before || before != log_size()) && now_ms() < end);
}
