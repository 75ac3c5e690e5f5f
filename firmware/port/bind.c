/* SPDX-License-Identifier: Apache-2.0 */
/* The one board of an image, for libraries whose callbacks carry no context; and the words of its command line. */
#include "firmware/port/port.h"

#include "firmware/port/bind.h"

#include <string.h>

static const struct board *bound;

void board_bind(const struct board *board)
{
	bound = board;
	board_bind_memory();
}

const struct board *board_bound(void)
{
	return bound;
}

const char *board_word(int argc, char **argv, const char *name)
{
	size_t n = strlen(name);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return NULL;
}
