/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of generations. A slot is claimed, filled while nobody sees it, published with one reference for the publisher,
 * and reclaimed (bytes wiped) by whoever drops the last one. What a library makes of the bytes is its parser's
 * business.
 */
#include "shim/generation.h"

#include "shim/cancel.h"
#include "shim/log.h"
#include "shim/outcome.h"
#include "shim/shim.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define SLOTS         32
#define NONE          (-1)
#define TORN_WAITS    20 /* times TORN_PAUSE_NS: the contract's 100 ms */
#define TORN_PAUSE_NS 5000000L
#define TURNS         50 /* times TURN_PAUSE_NS: for a slot, where many threads read at once */
#define TURN_PAUSE_NS 1000000L
#define LOOK_MS       1000 /* for an offer, while there is a credential */

struct generation {
	atomic_uint references; /* 0: not published, or being reclaimed */
	unsigned serial;
	atomic_bool claimed;
	atomic_bool young; /* when last read, the files were too new to be told apart by their times */
	atomic_bool told;  /* a broken generation is logged once */
	struct mtls_reading reading;
	_Atomic(struct outcome *) outcome[GENERATION_LIBRARIES];
};

static struct generation slots[SLOTS];
static atomic_int current = NONE;                                                                  /* newest reading */
static atomic_int usable[GENERATION_LIBRARIES] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE}; /* last good one */
static atomic_int sound = NONE; /* newest that only a parser can refuse; perhaps none has been asked yet */
static atomic_uint serials;
static atomic_llong looked; /* when the files were, by milliseconds() */
static atomic_bool any;     /* one was not absent */
static atomic_uint removed; /* then the credential was last seen removed: older serials are not to be used again */

static void release(struct generation *g)
{
	if (atomic_fetch_sub(&g->references, 1) != 1)
		return;
	for (int i = 0; i < GENERATION_LIBRARIES; i++)
		outcome_free(atomic_exchange(&g->outcome[i], NULL));
	mtls_reading_free(&g->reading);
	atomic_store(&g->claimed, false);
}

/* One more reference to what *which names; NULL where it names nothing. */
static struct generation *acquire(atomic_int *which)
{
	for (;;) {
		int i = atomic_load(which);
		struct generation *g = &slots[i < 0 ? 0 : i];
		unsigned n = i < 0 ? 0 : atomic_load(&g->references);

		if (i < 0)
			return NULL;
		while (n && !atomic_compare_exchange_weak(&g->references, &n, n + 1))
			;
		if (n && atomic_load(which) == i)
			return g;
		if (n)
			release(g);
	}
}

static struct generation *claim(void)
{
	for (int i = 0; i < SLOTS; i++)
		if (!atomic_exchange(&slots[i].claimed, true))
			return &slots[i];
	return NULL;
}

static int index_of(const struct generation *g)
{
	return g ? (int)(g - slots) : NONE;
}

/* *which names g from now on, with a reference; the one before loses its own. false: *which had changed. */
static bool replace(atomic_int *which, struct generation *before, struct generation *g)
{
	int expected = index_of(before);

	if (g)
		atomic_fetch_add(&g->references, 1);
	if (!atomic_compare_exchange_strong(which, &expected, index_of(g))) {
		if (g)
			release(g);
		return false;
	}
	if (before)
		release(before);
	return true;
}

/* Was a made before b? */
static bool older(unsigned a, unsigned b)
{
	return (int)(a - b) < 0;
}

/* From now on *which names g, or where g is not good, nothing; unless it names a newer one. */
static void remember(atomic_int *which, struct generation *g, bool good)
{
	for (;;) {
		struct generation *before = acquire(which), *after = good ? g : NULL;
		bool done = before == after || (before && older(g->serial, before->serial)) ||
			    replace(which, before, after);

		if (before)
			release(before);
		if (done)
			return;
	}
}

/* Reads the files anew. NULL: no slot (EBUSY), memory or descriptor; the caller keeps what it has. One reference. */
static struct generation *read_new(void)
{
	struct generation *g = claim();

	if (!g) {
		errno = EBUSY;
		return NULL;
	}
	if (!mtls_reading_make(shim_environment(), &g->reading)) {
		atomic_store(&g->claimed, false);
		return NULL;
	}
	g->serial = atomic_fetch_add(&serials, 1);
	atomic_store(&g->young, g->reading.young);
	atomic_store(&g->told, false);
	atomic_store(&g->references, 1);
	return g;
}

static bool unchanged(struct generation *g)
{
	struct mtls_mark now;

	mtls_mark_take(shim_environment(), &now);
	/* After a change of user the place may be closed to us, which says nothing of its files. */
	if (mtls_mark_blind(shim_environment(), &now, g->reading.mark.place))
		return true;
	return mtls_mark_equal(&g->reading.mark, &now) && !atomic_load(&g->young) && !g->reading.unsure;
}

/*
 * Nothing has changed, as far as can be told: a program that gave up its rights may be shown the same files, too young
 * to be trusted, and not be let in again.
 */
static bool same(const struct generation *g, const struct generation *fresh)
{
	return mtls_mark_equal(&g->reading.mark, &fresh->reading.mark) &&
	       (mtls_reading_equal(&g->reading, &fresh->reading) || fresh->reading.reason == MTLS_UNREADABLE);
}

/* Absent or removed. */
static bool is_gone(const struct mtls_reading *r)
{
	enum mtls_state state = mtls_reason_state(r->reason);

	return state == MTLS_STATE_ABSENT || state == MTLS_STATE_REMOVED;
}

/* Somebody writes mtls.conf in place just now: that it is empty for a moment must not lift what it said. */
static bool emptied(const struct generation *g, const struct generation *fresh)
{
	const struct mtls_reading *a = &g->reading, *b = &fresh->reading;

	return a->mark.place == b->mark.place && a->files.file[MTLS_CONF].data.n && b->young && !is_gone(b) &&
	       b->files.file[MTLS_CONF].how == MTLS_FILE_OK && !b->files.file[MTLS_CONF].data.n;
}

static void never_before(unsigned serial)
{
	unsigned last = atomic_load(&removed);

	while (older(last, serial) && !atomic_compare_exchange_weak(&removed, &last, serial))
		;
}

/* Makes fresh the newest one, after g (NULL: none before). false: another thread was faster. */
static bool publish(struct generation *g, struct generation *fresh)
{
	enum mtls_reason reason = fresh->reading.reason;

	if (is_gone(&fresh->reading))
		never_before(fresh->serial);
	if (!replace(&current, g, fresh))
		return false;
	log_follow(&fresh->reading.policy);
	if (mtls_reason_state(reason) != MTLS_STATE_ABSENT)
		atomic_store(&any, true);
	if (mtls_reason_state(reason) != MTLS_STATE_BROKEN)
		remember(&sound, fresh, reason == MTLS_USABLE);
	return true;
}

/*
 * The files have changed, and there is no descriptor, memory or slot for a new generation. As with a broken one, g
 * goes on, and with it the last usable one; unless its files are removed, or another place is in force.
 */
static struct generation *go_on(struct generation *g)
{
	struct mtls_reading now = {.mark.place = NULL};
	bool gone = false;

	if (!g)
		return NULL;
	if (mtls_reading_make(shim_environment(), &now)) {
		gone = is_gone(&now);
		mtls_reading_free(&now);
	}
	mtls_mark_take(shim_environment(), &now.mark);
	if (!gone && now.mark.place == g->reading.mark.place)
		return g;
	never_before(atomic_fetch_add(&serials, 1));
	replace(&current, g, NULL); /* or another thread has a newer one */
	release(g);
	return NULL;
}

static long long milliseconds(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* The newest reading, with a reference. NULL: nothing could be read, ever or since it was removed. */
static struct generation *newest(void)
{
	static const struct timespec pause = {0, TURN_PAUSE_NS};

	atomic_store(&looked, milliseconds());
	for (int i = 0; i < TURNS; i++) {
		struct generation *g = acquire(&current), *fresh;

		if (g && unchanged(g))
			return g;
		fresh = read_new();
		if (!fresh && errno != EBUSY)
			return go_on(g);
		if (fresh && g && (same(g, fresh) || emptied(g, fresh))) {
			atomic_store(&g->young, fresh->reading.young);
			release(fresh);
			return g;
		}
		if (fresh && publish(g, fresh)) {
			if (g)
				release(g);
			return fresh;
		}
		/* What the faster one has read may be older than what we have: only another look can tell. */
		if (fresh)
			release(fresh);
		else
			nanosleep(&pause, NULL);
		if (g)
			release(g);
	}
	return go_on(acquire(&current));
}

static void tell_broken(struct generation *g, enum mtls_reason reason, const struct mtls_error *error)
{
	struct mtls_event event = {.verb = "broken", .reason = reason, .what = mtls_reading_what(&g->reading, error)};

	if (!atomic_exchange(&g->told, true))
		log_event(MTLS_LOG_WARN, &event);
}

/* The bytes' reason, or the parser's. */
static enum mtls_reason judge(struct generation *g, const struct generation_parser *by, struct credential *out,
			      const struct mtls_error **error)
{
	*error = &g->reading.error;
	if (g->reading.reason != MTLS_USABLE)
		return g->reading.reason;
	out->outcome = outcome_of(&g->outcome[by->library], &g->reading.blocks, by);
	if (!out->outcome)
		return MTLS_KEY_UNSUPPORTED;
	*error = &out->outcome->error;
	out->identity = out->outcome->identity;
	return out->outcome->reason;
}

static void use(struct credential *out, struct generation *g)
{
	out->generation = g;
	out->reading = &g->reading;
	out->policy = &g->reading.policy;
}

/* What *which names, with a reference, if it may be used now; NULL: nothing. */
static struct generation *recall(atomic_int *which, struct generation *now)
{
	struct generation *g = acquire(which);

	if (g && older(g->serial, atomic_load(&removed))) {
		remember(which, now, false);
		release(g);
		g = NULL;
	}
	return g;
}

/* With a reference; NULL: there was none. A program may have lost its rights before any request had it parsed. */
static struct generation *last_usable(struct generation *now, const struct generation_parser *by,
				      struct credential *out)
{
	struct generation *g = recall(&usable[by->library], now);
	const struct mtls_error *error;

	if (g)
		return g;
	g = recall(&sound, now);
	if (g && judge(g, by, out, &error) == MTLS_USABLE) {
		remember(&usable[by->library], g, true);
		return g;
	}
	if (g)
		release(g);
	out->identity = NULL;
	return NULL;
}

/* Decides for the newest reading; true unless it is worth to read again in a moment. */
static bool settle(const struct generation_parser *by, struct credential *out, bool last)
{
	struct generation *g = newest(), *before;
	const struct mtls_error *error;

	if (!g)
		return true;
	use(out, g);
	out->reason = judge(g, by, out, &error);
	if (mtls_reason_state(out->reason) != MTLS_STATE_BROKEN) {
		remember(&usable[by->library], g, out->reason == MTLS_USABLE);
		return true;
	}
	before = last_usable(g, by, out);
	if (!before && atomic_load(&g->young) && !last) {
		release(g);
		return false;
	}
	tell_broken(g, out->reason, error);
	if (before && g->reading.policy.error.reason == MTLS_USABLE) {
		release(g);
		use(out, before);
		out->reason = judge(before, by, out, &error);
	} else if (before) {
		release(before); /* settings that are not understood now forbid the old identity too */
	}
	return true;
}

/* Where nothing could be read (no memory): the environment's settings alone, and no credential. The thread's own. */
static const struct mtls_policy *bare_policy(void)
{
	static __thread struct mtls_policy policy __attribute__((tls_model("initial-exec")));

	mtls_environment_policy(shim_environment(), &policy);
	return &policy;
}

void generation_acquire(const struct generation_parser *by, struct credential *out)
{
	static const struct timespec pause = {0, TORN_PAUSE_NS};
	int saved = errno, cancel = shim_hold_cancel();

	for (int i = 0; i <= TORN_WAITS; i++) {
		*out = (struct credential){.reason = MTLS_NO_CREDENTIAL};
		if (settle(by, out, i == TORN_WAITS))
			break;
		nanosleep(&pause, NULL);
	}
	if (!out->generation)
		out->policy = bare_policy();
	shim_restore_cancel(cancel);
	errno = saved;
}

void generation_release(struct credential *credential)
{
	int saved = errno;

	if (credential->generation)
		release(credential->generation);
	*credential = (struct credential){.reason = MTLS_NO_CREDENTIAL};
	errno = saved;
}

/* Reads the bytes anew where they may have changed. Keeps errno. */
static void look(void)
{
	int saved = errno, cancel = shim_hold_cancel();
	struct generation *g = newest();

	if (g)
		release(g);
	shim_restore_cancel(cancel);
	errno = saved;
}

void generation_prime(void)
{
	if (atomic_load(&current) == NONE)
		look();
}

bool generation_is_news(const struct credential *credential)
{
	return credential->identity && !atomic_exchange(&credential->outcome->told, true);
}

unsigned generation_serial(const struct credential *credential)
{
	return credential->generation ? credential->generation->serial + 1 : 0;
}

bool generation_any(void)
{
	if (!atomic_load(&any))
		look();
	return atomic_load(&any);
}

/* To all appearance; or the last one that was goes on. */
static bool seems_usable(struct generation *g)
{
	bool broken = mtls_reason_state(g->reading.reason) == MTLS_STATE_BROKEN;
	struct generation *before = broken ? recall(&sound, g) : NULL;

	if (before)
		release(before);
	return g->reading.policy.error.reason == MTLS_USABLE && (before || g->reading.reason == MTLS_USABLE);
}

bool generation_likely(enum mtls_pha *pha)
{
	struct generation *g = acquire(&current);
	bool likely = false;

	if (!g || g->reading.reason != MTLS_USABLE || milliseconds() - atomic_load(&looked) >= LOOK_MS) {
		if (g)
			release(g);
		look();
		g = acquire(&current);
	}
	if (g) {
		likely = seems_usable(g);
		*pha = g->reading.policy.pha;
		release(g);
	}
	return likely;
}
