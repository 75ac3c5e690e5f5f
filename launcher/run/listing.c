/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's list; see listing.h. Sources: glibc elf/rtld.c (print_map_info …),
 * musl ldso/dynlink.c.
 */
#include "launcher/run/listing.h"

#include <string.h>

static struct mtls_bytes slice(const char *p, size_t n)
{
	return (struct mtls_bytes){(const unsigned char *)p, n};
}

static const char *find(const char *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what));
}

/* The last one: a path may have a parenthesis itself. */
static size_t without_address(const char *p, size_t n)
{
	size_t end = 0;

	for (const char *hit = p; (hit = find(hit, n - (size_t)(hit - p), " (0x")); hit++)
		end = (size_t)(hit - p);
	return end;
}

static bool read_line(const char *p, size_t n, struct listing_line *out)
{
	const char *arrow, *slash;

	if (n == 0 || *p != '\t')
		return false;
	p++;
	n--;
	arrow = find(p, n, " => ");
	if (arrow) {
		out->name = slice(p, (size_t)(arrow - p));
		n -= (size_t)(arrow + 4 - p);
		p = arrow + 4;
		out->path = slice(p, without_address(p, n));
	} else {
		out->path = slice(p, without_address(p, n));
		slash = memrchr(p, '/', out->path.n);
		out->name = slash ? slice(slash + 1, out->path.n - (size_t)(slash + 1 - p)) : out->path;
	}
	if (out->path.n == 0 || out->path.p[0] != '/')
		out->path.n = 0;
	return out->name.n > 0;
}

bool listing_next(const char **at, struct listing_line *out)
{
	while (**at) {
		const char *line = *at;
		size_t n = strcspn(line, "\n");

		*at = line + n + (line[n] == '\n');
		if (read_line(line, n, out))
			return true;
	}
	return false;
}
