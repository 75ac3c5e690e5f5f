/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's own walls. The filters are in filter.c.
 */
#include "agent/sandbox.h"

#include "agent/filter.h"
#include "agent/say.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static enum { OPEN, WIDE, NARROW } filter;
static bool missing; /* said once */

void agent_sandbox_begin(void)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		agent_say("cannot forbid to be looked into: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		agent_say("cannot give up new privileges: %s", strerror(errno));
}

void agent_sandbox_filter(bool narrow)
{
	int error;

	if (filter == NARROW || (filter == WIDE && !narrow))
		return;
	error = narrow ? agent_filter_narrow() : agent_filter_wide();
	if (error && !missing)
		agent_say("goes on without a system call filter: %s", strerror(error));
	missing = missing || error;
	if (!error)
		filter = narrow ? NARROW : WIDE;
}

bool agent_sandbox_is_narrow(void)
{
	return filter == NARROW;
}
