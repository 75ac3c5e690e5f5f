/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's flash and fuses as files. A new one is made beside its name and linked to it when it is whole. Both are
 * for their owner only: the flash has what was uploaded until the next boot, and the fuses open the store.
 */
#include "firmware/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLASH_SIZE ((off_t)16 << 20) /* firmware/port/: all boards have the same */
#define OTP_SIZE   32                /* BOARD_KEY */

static bool write_all(int fd, const void *data, size_t n)
{
	const char *at = data;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

static bool fill_flash(int fd)
{
	static unsigned char erased[1 << 16];

	memset(erased, 0xff, sizeof(erased));
	for (off_t at = 0; at < FLASH_SIZE; at += (off_t)sizeof(erased))
		if (!write_all(fd, erased, sizeof(erased)))
			return false;
	return true;
}

static bool fill_otp(int fd)
{
	unsigned char key[OTP_SIZE];
	bool done = getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key) && write_all(fd, key, sizeof(key));

	explicit_bzero(key, sizeof(key));
	return done;
}

static bool make(const char *path, bool (*fill)(int fd))
{
	char *temporary = NULL;
	bool made;
	int fd;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return false;
	fd = mkostemp(temporary, O_CLOEXEC);
	made = fd >= 0 && fill(fd) && fsync(fd) == 0 && (link(temporary, path) == 0 || errno == EEXIST);
	if (fd >= 0) {
		int error = errno;

		close(fd);
		unlink(temporary);
		errno = error;
	}
	free(temporary);
	return made;
}

/* Inherited: the device gets them as /proc/self/fd/N. */
static int open_one(const char *path, int flags, off_t size, bool (*fill)(int fd))
{
	int fd = open(path, flags);
	struct stat st;

	if (fd < 0 && errno == ENOENT && make(path, fill))
		fd = open(path, flags);
	if (fd < 0) {
		tool_fail("%s: %s; name another file with --image", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size)
		return fd;
	tool_fail("%s: this is not a device's, which has %lld bytes; name another file with --image", path,
		  (long long)size);
	close(fd);
	return -1;
}

bool image_open(struct image *image, const char *path)
{
	char *otp = NULL;

	image->flash = open_one(path, O_RDWR, FLASH_SIZE, fill_flash);
	if (image->flash < 0)
		return false;
	if (flock(image->flash, LOCK_EX | LOCK_NB) != 0) {
		tool_fail("%s: another mtls-device has it; wait for its end", path);
		return false;
	}
	if (asprintf(&otp, "%s.otp", path) < 0)
		return false;
	image->otp = open_one(otp, O_RDONLY, OTP_SIZE, fill_otp);
	free(otp);
	snprintf(image->flash_path, sizeof(image->flash_path), "/proc/self/fd/%d", image->flash);
	snprintf(image->otp_path, sizeof(image->otp_path), "/proc/self/fd/%d", image->otp);
	return image->otp >= 0;
}
