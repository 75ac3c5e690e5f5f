/* SPDX-License-Identifier: Apache-2.0 */
/* Files made on first use: written beside their name, then linked to it, which fails where somebody was faster. */
#include "firmware/port/host/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool fresh_write(int fd, const void *data, unsigned long n)
{
	const char *from = data;

	while (n > 0) {
		ssize_t done = write(fd, from, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		from += done;
		n -= (unsigned long)done;
	}
	return true;
}

static bool make(const char *path, bool (*fill)(int fd))
{
	char *temporary = NULL;
	bool made = false;
	int fd = -1, error;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return false;
	fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		goto out;
	made = fill(fd) && fsync(fd) == 0 && (link(temporary, path) == 0 || errno == EEXIST);
	error = errno;
	close(fd);
	unlink(temporary);
	errno = error;
out:
	free(temporary);
	return made;
}

int fresh_open(const char *path, int flags, bool (*fill)(int fd))
{
	int fd = open(path, flags);

	if (fd >= 0 || errno != ENOENT || !make(path, fill))
		return fd;
	return open(path, flags);
}
