/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into mtls-device and the host's board: a machine that lacks something. BROKEN names it: random (there are
 * no 32 bytes at once, as a record of the store needs them), clock (nobody knows the time of day), link (the file
 * system has no hard links).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static bool lacks(const char *what)
{
	const char *broken = getenv("BROKEN");

	return broken && strcmp(broken, what) == 0;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

ssize_t getrandom(void *to, size_t n, unsigned flags)
{
	return n == 32 && lacks("random") ? fail(EIO) : syscall(SYS_getrandom, to, n, flags);
}

int clock_gettime(clockid_t clock, struct timespec *to)
{
	return clock == CLOCK_REALTIME && lacks("clock") ? fail(EINVAL) : (int)syscall(SYS_clock_gettime, clock, to);
}

int link(const char *from, const char *to)
{
	return lacks("link") ? fail(EPERM) : (int)syscall(SYS_link, from, to);
}
