/* SPDX-License-Identifier: Apache-2.0 */
/* The time that mtls-agent goes by: it never jumps, and stands still while the machine sleeps. */
#ifndef MTLS_AGENT_CLOCK_H
#define MTLS_AGENT_CLOCK_H

#include <time.h>

static inline long long agent_now_ms(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

#endif
