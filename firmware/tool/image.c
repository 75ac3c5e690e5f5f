/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's flash and fuses as files. A new one is made beside its name and linked to it when it is whole. Both are
 * for their owner only: the flash has what was uploaded until the next boot, and the fuses open the store.
 */
#include "firmware/tool/tool.h"

#include "firmware/port/host/flash_file.h"
#include "firmware/port/host/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Inherited: the device gets them as /proc/self/fd/N. */
static int open_one(const char *path, int flags, off_t size, bool (*fill)(int fd))
{
	int fd = fresh_open(path, flags, fill);
	struct stat st;

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

	image->flash = open_one(path, O_RDWR, (off_t)FLASH_FILE_SIZE, fresh_flash);
	if (image->flash < 0)
		return false;
	if (flock(image->flash, LOCK_EX | LOCK_NB) != 0) {
		tool_fail("%s: another mtls-device has it; wait for its end", path);
		return false;
	}
	if (asprintf(&otp, "%s.otp", path) < 0)
		return false;
	image->otp = open_one(otp, O_RDONLY, BOARD_KEY, fresh_fuses);
	free(otp);
	snprintf(image->flash_path, sizeof(image->flash_path), "/proc/self/fd/%d", image->flash);
	snprintf(image->otp_path, sizeof(image->otp_path), "/proc/self/fd/%d", image->otp);
	return image->otp >= 0;
}
