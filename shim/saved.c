/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed table: SETS lists of WAYS places each, a list used as a ring. 1,024 sessions are many more than programs
 * keep (libcurl 8, browsers 100 for all their servers), and 24 kB, of which only what is used takes memory. Places
 * are read and written without a lock: each word of a key is kept combined with the value, so that a place that is
 * just changing, or was written by two threads at once, fits no key at all.
 */
#include "shim/saved.h"

#include <stdatomic.h>

#define SETS 128
#define WAYS 8

struct place {
	atomic_uintptr_t word[SAVED_WORDS], value;
};

static struct {
	struct place place[WAYS];
	atomic_uint next;
} sets[SETS];

/*
 * Two plain hashes of 64 bits, FNV-1a and a multiplicative one. Who could make two fingerprints equal knows the
 * secrets in both sessions, and so is the server of both.
 */
struct saved_key saved_key(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t a = 0xcbf29ce484222325, b = n;
	struct saved_key key;

	for (size_t i = 0; i < n; i++) {
		a = (a ^ p[i]) * 0x100000001b3;
		b = (b + p[i] + 1) * 0x9e3779b97f4a7c15;
		b ^= b >> 32;
	}
	for (size_t i = 0; i < SAVED_WORDS; i++) {
		uint64_t from = i < SAVED_WORDS / 2 ? a : b;

		key.word[i] = (uintptr_t)(i % 2 && SAVED_WORDS > 2 ? from >> 32 : from);
	}
	return key;
}

static bool holds(const struct place *place, const struct saved_key *key, resumption *value)
{
	bool same = true;

	*value = atomic_load(&place->value);
	for (size_t i = 0; i < SAVED_WORDS; i++)
		same = (atomic_load(&place->word[i]) ^ *value) == key->word[i] && same;
	return same;
}

void saved_note(const struct saved_key *key, resumption value)
{
	size_t set = key->word[0] % SETS;
	struct place *place = NULL;
	resumption before;

	for (size_t i = 0; i < WAYS && !place; i++)
		if (holds(&sets[set].place[i], key, &before))
			place = &sets[set].place[i];
	if (!place)
		place = &sets[set].place[atomic_fetch_add(&sets[set].next, 1) % WAYS];
	atomic_store(&place->value, value);
	for (size_t i = 0; i < SAVED_WORDS; i++)
		atomic_store(&place->word[i], key->word[i] ^ value);
}

resumption saved_find(const struct saved_key *key)
{
	size_t set = key->word[0] % SETS;
	resumption value;

	for (size_t i = 0; i < WAYS; i++)
		if (holds(&sets[set].place[i], key, &value))
			return value;
	return RESUMPTION_UNKNOWN;
}
