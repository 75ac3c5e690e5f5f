/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's own walls. The filters are in filter.c.
 */
#include "agent/sandbox.h"

#include "agent/filter.h"
#include "agent/say.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SECURE_HEAP ((size_t)256 << 10) /* the private numbers of two RSA keys of 16384 bits, and what they need */
#define SECURE_MIN  32
#define ROOM        ((size_t)256 << 20) /* what later mappings may come to: a token's modules start threads */

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

static enum { OPEN, WIDE, NARROW } filter;
static bool missing; /* said once */

/*
 * Everything that there is and will be, but only where there is room for more under the limit: else a later mapping
 * would fail in the middle of something.
 */
static bool lock_all(void)
{
	void *room;

	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		return false;
	room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED) {
		munlockall();
		return false;
	}
	munmap(room, ROOM);
	return true;
}

void agent_sandbox_begin(bool verbose)
{
	const struct rlimit none = {0, 0};
	struct rlimit memory;
	bool all, heap;

	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		agent_say("cannot forbid to be looked into: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		agent_say("cannot give up new privileges: %s", strerror(errno));
	if (getrlimit(RLIMIT_MEMLOCK, &memory) == 0) {
		memory.rlim_cur = memory.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &memory);
	}
	all = lock_all();
	heap = CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_MIN) == 1;
	if (verbose)
		agent_say("memory: %s",
			  all    ? "all of it is locked"
			  : heap ? "private numbers are locked, the rest is not: raise the limit (memlock)"
				 : "not locked, it could be swapped out: raise the limit (memlock)");
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
