/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mbedTLS asks of the platform, from the bound board: entropy, time, memory. Each fails closed: without a board,
 * entropy or time there are no random numbers and no valid certificate.
 */
#include "firmware/port/bind.h"
#include "firmware/port/port.h"

#include <entropy_poll.h>
#include <mbedtls/entropy.h>
#include <mbedtls/memory_buffer_alloc.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>

#include <limits.h>
#include <time.h>

#define UNKNOWN LLONG_MIN

#ifdef FIRMWARE_HEAP

static _Alignas(8) unsigned char heap[FIRMWARE_HEAP];

void board_bind_memory(void)
{
	mbedtls_memory_buffer_alloc_init(heap, sizeof(heap));
}

void *board_no_memory(size_t count, size_t size)
{
	(void)count;
	(void)size;
	return NULL;
}

void board_no_free(void *block)
{
	(void)block;
}

#else

void board_bind_memory(void)
{
}

#endif

int mbedtls_hardware_poll(void *ctx, unsigned char *to, size_t n, size_t *got)
{
	const struct board *board = board_bound();

	(void)ctx;
	if (!board || !board->system.entropy(board->system.ctx, to, n))
		return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
	*got = n;
	return 0;
}

mbedtls_ms_time_t mbedtls_ms_time(void)
{
	const struct board *board = board_bound();

	return board ? (mbedtls_ms_time_t)board->system.now(board->system.ctx) : 0;
}

long long board_time(long long *to)
{
	const struct board *board = board_bound();
	int64_t seconds;
	long long now = UNKNOWN;

	if (board && board->system.wall(board->system.ctx, &seconds))
		now = seconds;
	if (to)
		*to = now;
	return now;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *when, struct tm *to)
{
	time_t seconds = (time_t)*when;

	return *when < 0 || seconds != *when ? NULL : gmtime_r(&seconds, to);
}
