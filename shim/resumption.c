/* SPDX-License-Identifier: Apache-2.0 */
/* Which sessions may be offered: see resumption.h. A value is a generation's serial with the decision's word below it.
 */
#include "shim/resumption.h"

#include <stdatomic.h>

#define WORD_BITS 8
_Static_assert(MTLS_REASONS <= 1 << WORD_BITS, "a word fits");

static resumption join(resumption before, resumption now)
{
	bool same = before >> WORD_BITS == now >> WORD_BITS;

	return before == RESUMPTION_NOT_ASKED || (same && before != RESUMPTION_UNKNOWN) ? now : RESUMPTION_UNKNOWN;
}

static resumption rests_on(const struct credential *credential)
{
	return (resumption)generation_serial(credential) << WORD_BITS;
}

resumption resumption_after(resumption before, const struct credential *credential, enum mtls_reason decision)
{
	resumption now = rests_on(credential);

	return join(before, now ? now | (resumption)decision : RESUMPTION_UNKNOWN);
}

resumption resumption_after_own(resumption before)
{
	return join(before, RESUMPTION_OWN);
}

/* An agent that was away then may be there now: that is no part of a generation. */
static bool is_still(const struct generation_parser *parser, resumption r)
{
	struct credential credential;
	bool still;

	if ((r & ((1 << WORD_BITS) - 1)) == MTLS_AGENT_UNAVAILABLE)
		return false;
	generation_acquire(parser, &credential);
	still = rests_on(&credential) == r >> WORD_BITS << WORD_BITS;
	generation_release(&credential);
	return still;
}

bool resumption_allowed(const struct generation_parser *parser, resumption r, bool own)
{
	switch (r) {
	case RESUMPTION_NOT_ASKED:
	case RESUMPTION_OWN:
		return true;
	case RESUMPTION_UNKNOWN: /* where there was never a credential, it is as if we were not there */
		return !generation_any();
	default:
		return !own && is_still(parser, r);
	}
}

/* --- serialised ones -------------------------------------------------------------- */

#define LISTS 1024
#define WAYS  4

/*
 * rests is the value plus the fingerprint's second half: what is read while another thread writes gives a number that
 * is no value of ours, and 0 only by a chance of 2^-64.
 */
static struct noted {
	_Atomic(uint64_t) fingerprint, rests;
} notes[LISTS][WAYS];

struct fingerprint {
	uint64_t first, second;
};

/* FNV-1a, and the same with another prime and a rotation: against chance, not against an enemy, who is the program. */
static struct fingerprint fingerprint_of(const void *bytes, size_t n)
{
	struct fingerprint f = {0xcbf29ce484222325, n};
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		f.first = (f.first ^ p[i]) * 0x100000001b3;
		f.second = ((f.second << 23 | f.second >> 41) + p[i]) * 0x9e3779b97f4a7c15;
	}
	f.first |= f.first == 0; /* an empty place */
	return f;
}

static struct noted *find(struct noted list[WAYS], uint64_t fingerprint)
{
	for (int i = 0; i < WAYS; i++)
		if (atomic_load(&list[i].fingerprint) == fingerprint)
			return &list[i];
	return NULL;
}

void resumption_note(const void *bytes, size_t n, resumption r)
{
	static atomic_uint turn;
	struct fingerprint f = fingerprint_of(bytes, n);
	struct noted *list = notes[f.second % LISTS], *place = find(list, f.first);

	if (!place)
		place = find(list, 0);
	if (!place)
		place = &list[atomic_fetch_add(&turn, 1) % WAYS];
	atomic_store(&place->fingerprint, f.first);
	atomic_store(&place->rests, (uint64_t)r + f.second);
}

resumption resumption_noted(const void *bytes, size_t n)
{
	struct fingerprint f = fingerprint_of(bytes, n);
	struct noted *place = find(notes[f.second % LISTS], f.first);

	return place ? (resumption)(atomic_load(&place->rests) - f.second) : RESUMPTION_UNKNOWN;
}
