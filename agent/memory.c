/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for libcrypto. Private numbers are in its secure heap; but on the way there it copies a key in its encoded
 * form (EVP_PKCS82PKEY and the decoders do), and frees the copies as they are. So everything that it frees is wiped.
 */
#include "agent/memory.h"

#include "agent/say.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define SECURE_HEAP ((size_t)256 << 10) /* the private numbers of two RSA keys of 16384 bits, and what they need */
#define SECURE_MIN  32
#define ROOM        ((size_t)256 << 20) /* what later mappings may come to: a token's modules start threads */

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

static void *take(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return n ? malloc(n) : NULL;
}

static void give_back(void *p, const char *file, int line)
{
	(void)file, (void)line;
	if (p)
		OPENSSL_cleanse(p, malloc_usable_size(p));
	free(p);
}

/* realloc(3) would leave the old place as it is. */
static void *take_more(void *p, size_t n, const char *file, int line)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *more = take(n, file, line);

	if (more && p)
		memcpy(more, p, had < n ? had : n);
	if (more || n == 0)
		give_back(p, file, line);
	return more;
}

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

void agent_memory_begin(bool verbose)
{
	bool wiped = CRYPTO_set_mem_functions(take, take_more, give_back) == 1, all, heap;
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &limit);
	}
	all = lock_all();
	heap = CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_MIN) == 1;
	if (!wiped)
		agent_say("memory that libcrypto frees is not wiped");
	if (verbose)
		agent_say("memory: %s",
			  all    ? "all of it is locked"
			  : heap ? "private numbers are locked, the rest is not: raise the limit (memlock)"
				 : "not locked, it could be swapped out: raise the limit (memlock)");
}
