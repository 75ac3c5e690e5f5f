/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files made on first use: written beside their name, then linked to it, which fails where somebody was faster. What
 * the flash and the fuses start with is here too, for the host's board and for mtls-device.
 */
#include "firmware/port/host/fresh.h"

#include "firmware/port/host/flash_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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

bool fresh_flash(int fd)
{
	static unsigned char erased[1 << 16];

	memset(erased, 0xff, sizeof(erased));
	for (uint32_t at = 0; at < FLASH_FILE_SIZE; at += sizeof(erased))
		if (!fresh_write(fd, erased, sizeof(erased)))
			return false;
	return true;
}

/* getrandom: so few bytes come whole, or not at all. */
bool fresh_fuses(int fd)
{
	unsigned char key[BOARD_KEY];
	bool done = getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key) && fresh_write(fd, key, sizeof(key));

	explicit_bzero(key, sizeof(key));
	return done;
}

/*
 * For a file system without hard links. Somebody who is as fast sees a file that is not whole yet, and refuses it for
 * its size.
 */
static bool make_there(const char *path, bool (*fill)(int fd))
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error;
	bool made;

	if (fd < 0)
		return errno == EEXIST;
	made = fill(fd) && fsync(fd) == 0;
	error = errno;
	close(fd);
	if (!made)
		unlink(path);
	errno = error;
	return made;
}

/* temporary has what it needs: from now on it is path. */
static bool give_name(const char *temporary, const char *path, bool (*fill)(int fd))
{
	if (link(temporary, path) == 0 || errno == EEXIST)
		return true;
	return (errno == EPERM || errno == ENOTSUP) && make_there(path, fill);
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
	made = fill(fd) && fsync(fd) == 0 && give_name(temporary, path, fill);
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
