/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of looked-up names, under a lock that is waited for only briefly: a
 * fork may have left it with a thread that the child does not have. The lock holds its owner's process id.
 */
#include "shim/names.h"

#include "shim/cancel.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define ADDRESSES_MAX 4096
#define LOCK_TRIES    50
#define LOCK_PAUSE_NS 400000L /* 20 ms in all; not sched_yield, which on a busy machine costs a time slice each */

struct entry {
	unsigned char key[17]; /* family, address */
	bool lost;             /* a name could not be kept */
	size_t n;
	const char *name[NAMES_MAX];
	UT_hash_handle hh;
};

static struct entry *table;
static atomic_int owner;
static atomic_bool lost_any;

/* false: not to be had; whoever wanted to write must say that something was lost. */
static bool lock(void)
{
	static const struct timespec pause = {0, LOCK_PAUSE_NS};
	int me = getpid();

	for (int i = 0; i < LOCK_TRIES; i++) {
		int nobody = 0;

		if (atomic_compare_exchange_strong(&owner, &nobody, me))
			return true;
		if (nobody != me)
			return false;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void unlock(void)
{
	atomic_store(&owner, 0);
}

static void make_key(unsigned char key[17], const struct mtls_addr *address)
{
	memset(key, 0, 17);
	key[0] = address->family;
	memcpy(key + 1, address->ip, address->family == 4 ? 4 : 16);
}

static struct entry *find(const struct mtls_addr *address)
{
	unsigned char key[17];
	struct entry *entry;

	make_key(key, address);
	HASH_FIND(hh, table, key, sizeof(key), entry);
	return entry;
}

/*
 * NULL: full, and the address stays without a name for good, which is unknown; or no memory,
 * where a later name of this address must not pass for its only one.
 */
static struct entry *insert(const struct mtls_addr *address)
{
	struct entry *entry;

	if (HASH_COUNT(table) >= ADDRESSES_MAX)
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (entry) {
		make_key(entry->key, address);
		HASH_ADD(hh, table, key, sizeof(entry->key), entry);
	}
	if (entry && entry->hh.tbl) /* NULL is how uthash reports that it had no memory */
		return entry;
	free(entry);
	atomic_store(&lost_any, true);
	return NULL;
}

static void add_name(struct entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->n; i++)
		if (strcmp(entry->name[i], name) == 0)
			return;
	if (entry->n < NAMES_MAX && (entry->name[entry->n] = strdup(name)) != NULL)
		entry->n++;
	else
		entry->lost = true;
}

void names_add(const struct mtls_addr *address, const char *name)
{
	struct mtls_addr figures;
	struct entry *entry;
	int saved = errno, cancel;

	if (!address->family || !name || !*name || mtls_addr_parse(mtls_bytes_of(name), &figures))
		return;
	cancel = shim_hold_cancel();
	if (lock()) {
		entry = find(address);
		if (!entry)
			entry = insert(address);
		if (entry)
			add_name(entry, name);
		unlock();
	} else {
		atomic_store(&lost_any, true);
	}
	shim_restore_cancel(cancel);
	errno = saved;
}

size_t names_of(const struct mtls_addr *address, const char *out[NAMES_MAX])
{
	int saved = errno, cancel = shim_hold_cancel();
	struct entry *entry;
	size_t n = 0;

	if (address->family && !atomic_load(&lost_any) && lock()) {
		entry = find(address);
		if (entry && !entry->lost)
			for (; n < entry->n; n++)
				out[n] = entry->name[n];
		unlock();
	}
	shim_restore_cancel(cancel);
	errno = saved;
	return n;
}
