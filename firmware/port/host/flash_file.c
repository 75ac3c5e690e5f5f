/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flash in a file mapped MAP_SHARED: what was stored is in the file however the process dies, as in QEMU's
 * memory-backend-file. NOR rules are kept here.
 */
#include "firmware/port/host/flash_file.h"

#include "firmware/port/host/fresh.h"
#include "firmware/port/nor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct board_flash geometry;
static uint8_t *image;

static bool file_read(void *ctx, uint32_t at, void *to, size_t n)
{
	(void)ctx;
	if (!image || !nor_within(&geometry, at, n))
		return false;
	if (n > 0)
		memcpy(to, image + at, n);
	return true;
}

static bool file_program(void *ctx, uint32_t at, const void *from, size_t n)
{
	const uint8_t *bytes = from;
	volatile uint8_t *to;

	(void)ctx;
	if (!image || !nor_within(&geometry, at, n) || !nor_can_program(&geometry, at, image + at, n))
		return false;
	to = image + at;
	for (size_t i = 0; i < n; i++) /* in order, for a process that is killed in between */
		to[i] = bytes[i];
	return true;
}

static bool file_erase(void *ctx, uint32_t at)
{
	(void)ctx;
	if (!image || !nor_can_erase(&geometry, at))
		return false;
	memset(image + at, 0xff, FLASH_FILE_ERASE);
	return true;
}

static const struct board_flash geometry = {
	.size = FLASH_FILE_SIZE,
	.erase = FLASH_FILE_ERASE,
	.word = FLASH_FILE_WORD,
	.read = file_read,
	.program = file_program,
	.erase_unit = file_erase,
};

bool flash_file_open(struct board_flash *flash, const char *path)
{
	int fd = fresh_open(path, O_RDWR | O_CLOEXEC, fresh_flash), error;
	void *map = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return false;
	flash_file_close();
	if (fstat(fd, &st) == 0) {
		errno = EINVAL;
		if (st.st_size == FLASH_FILE_SIZE)
			map = mmap(NULL, FLASH_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	error = errno;
	close(fd);
	errno = error;
	if (map == MAP_FAILED)
		return false;
	image = map;
	*flash = geometry;
	return true;
}

void flash_file_close(void)
{
	if (image)
		munmap(image, FLASH_FILE_SIZE);
	image = NULL;
}
