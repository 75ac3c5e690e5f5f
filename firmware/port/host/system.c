/* SPDX-License-Identifier: Apache-2.0 */
/* Time, entropy and the device's key from this machine's kernel and a file that stands for the chip's fuses. */
#include "firmware/port/host/system.h"

#include "firmware/port/host/eth_slirp.h"
#include "firmware/port/host/fresh.h"
#include "firmware/port/host/uart_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static const char *fuses;

static uint64_t system_now(void *ctx)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool system_wall(void *ctx, int64_t *seconds)
{
	struct timespec now;

	(void)ctx;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return false;
	*seconds = now.tv_sec;
	return true;
}

static bool system_entropy(void *ctx, void *to, size_t n)
{
	uint8_t *at = to;

	(void)ctx;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static bool system_key(void *ctx, uint8_t key[BOARD_KEY])
{
	uint8_t more;
	bool whole;
	int fd;

	(void)ctx;
	fd = fuses ? fresh_open(fuses, O_RDONLY | O_CLOEXEC, fresh_fuses) : -1;
	if (fd < 0)
		return false;
	whole = read(fd, key, BOARD_KEY) == BOARD_KEY && read(fd, &more, 1) == 0;
	close(fd);
	return whole;
}

static void system_idle(void *ctx, uint32_t ms)
{
	bool ready;
	int fd;

	(void)ctx;
	uart_fd_flush();
	fd = uart_fd_waits(&ready);
	if (!ready)
		eth_slirp_wait(fd, ms);
}

void system_host_open(struct board_system *system, const char *otp)
{
	fuses = otp;
	*system = (struct board_system){
		.now = system_now,
		.wall = system_wall,
		.entropy = system_entropy,
		.key = system_key,
		.idle = system_idle,
	};
}
