/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing_next on any text: each line at most once, names without their ends
 * reached over, paths absolute, and all of it inside of the text.
 */
#include <stdlib.h>
#include <string.h>

#include "launcher/run/listing.c"
#include "tests/fuzz/fuzz.h"

static bool inside(const char *copy, size_t size, struct mtls_bytes b)
{
	const char *p = (const char *)b.p;

	return b.n == 0 || (p >= copy && p + b.n <= copy + size && !memchr(p, '\n', b.n) && !memchr(p, '\0', b.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	struct listing_line line;
	const char *at = copy;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	for (const char *before = at; listing_next(&at, &line); before = at) {
		CHECK(at > before && at <= copy + size);
		CHECK(line.name.n > 0 && inside(copy, size, line.name) && inside(copy, size, line.path));
		CHECK(line.path.n == 0 || line.path.p[0] == '/');
	}
	free(copy);
	return 0;
}
