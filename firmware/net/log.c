/* SPDX-License-Identifier: Apache-2.0 */
/* A device has one program, and one place for what it says. */
#include "firmware/net/log.h"

#include <mbedtls/version.h>

#define PROCESS 1 /* what stands for the process number */

static log_to *out;
static enum mtls_log wanted;

void log_open(log_to *to, enum mtls_log level)
{
	out = to;
	wanted = level;
}

void log_event(enum mtls_log level, struct mtls_event *event)
{
	static char line[MTLS_LINE_MAX];

	if (!out || level > wanted)
		return;
	event->library = "mbedtls/" MBEDTLS_VERSION_STRING;
	out(line, mtls_line(line, PROCESS, event));
}
