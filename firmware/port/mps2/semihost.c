/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an emulated board has not, from the machine that emulates it, by Arm semihosting (2.0, section 6: SYS_OPEN,
 * SYS_READ, SYS_TIME, SYS_WRITE0, SYS_EXIT_EXTENDED): the time of day, entropy from /dev/urandom, and a file in the
 * place of fuses. Everything fails closed. No board that is sold should be like this.
 */
#include "firmware/port/mps2/drivers.h"

#include <semihost.h>

static const char *fuses;
static uint64_t wakes;

/* n bytes from the start of a file; ends: and it has no more. */
static bool take(const char *path, void *to, size_t n, bool ends)
{
	int file = sys_semihost_open(path, SH_OPEN_R_B);
	uint8_t more;
	bool whole;

	if (file < 0)
		return false;
	whole = sys_semihost_read(file, to, n) == 0; /* it returns how many are missing */
	if (whole && ends)
		whole = sys_semihost_read(file, &more, 1) == 1;
	sys_semihost_close(file);
	return whole;
}

static uint64_t system_now(void *ctx)
{
	(void)ctx;
	return ticks_ms();
}

static bool system_wall(void *ctx, int64_t *seconds)
{
	uintptr_t now = sys_semihost_time();

	(void)ctx;
	*seconds = (int64_t)now;
	return now != 0 && now != UINTPTR_MAX;
}

static bool system_entropy(void *ctx, void *to, size_t n)
{
	(void)ctx;
	return take("/dev/urandom", to, n, false);
}

static bool system_key(void *ctx, uint8_t key[BOARD_KEY])
{
	(void)ctx;
	return fuses && take(fuses, key, BOARD_KEY, true);
}

/* A millisecond at most, the next tick. */
static void system_idle(void *ctx, uint32_t ms)
{
	(void)ctx;
	if (ms > 0)
		ticks_wait(wakes);
}

void semihost_open(struct board_system *system, const char *otp, uint64_t interrupts)
{
	fuses = otp;
	wakes = interrupts;
	*system = (struct board_system){
		.now = system_now,
		.wall = system_wall,
		.entropy = system_entropy,
		.key = system_key,
		.idle = system_idle,
	};
}

void semihost_say(const char *text)
{
	sys_semihost_write0(text);
	sys_semihost_write0("\n");
}

_Noreturn void semihost_exit(int status)
{
	sys_semihost_exit_extended((uintptr_t)status);
}
