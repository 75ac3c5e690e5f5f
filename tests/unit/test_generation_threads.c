/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/generation.c with real threads and forks. Each version of the files has a
 * number; a request may only see a version that was there between its beginning and its end.
 */
#include "generation_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define THREADS     8
#define CROWD       40 /* more than there are slots */
#define WRITES_NS   500000000LL
#define PATIENCE_NS 10000000000LL
#define ENOUGH      25 /* versions, on a busy machine too */
#define BASE        1000000

Suite *generation_threads_suite(void);

static atomic_int version;  /* that is complete; the writer works on the next one */
static atomic_int requests; /* so far, of all threads */
static atomic_int stale, gone, refused;
static atomic_bool stop;

static int version_of(const struct credential *c)
{
	return atoi(((const struct identity *)c->identity)->tag) - BASE;
}

static void write_version(int number, bool removed)
{
	char tag[32];

	snprintf(tag, sizeof(tag), "%08d", BASE + number);
	if (removed)
		write_files("", "");
	else
		write_pair(tag);
}

/* --- links: always exact ------------------------------------------------------------------- */

/* Every third version is a removal. */
static bool is_removal(int number)
{
	return number % 3 == 2;
}

static bool removal_between(int from, int to)
{
	for (; from <= to; from++)
		if (is_removal(from))
			return true;
	return false;
}

static void *ask_exactly(void *by)
{
	while (!stop) {
		int from = version, to;
		struct credential c;

		generation_acquire(by, &c);
		to = version + 1; /* this one may be there already */
		if (c.reason == MTLS_USABLE)
			stale += version_of(&c) < from || version_of(&c) > to;
		else if (c.reason == MTLS_REMOVED)
			gone += !removal_between(from, to);
		else
			refused++;
		generation_release(&c);
		requests++;
	}
	return NULL;
}

/* --- in place and by renaming: never mixed --------------------------------------------------- */

static void *ask_for_pairs(void *by)
{
	while (!stop) {
		struct credential c;

		generation_acquire(by, &c);
		if (c.reason == MTLS_USABLE)
			stale += version_of(&c) < 0 || version_of(&c) > version + 1;
		else
			refused++;
		generation_release(&c);
		requests++;
	}
	return NULL;
}

static void run(void *(*ask)(void *), pthread_t thread[THREADS])
{
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, ask, i % 2 ? (void *)&other_library : (void *)&library), 0);
}

static void join(pthread_t thread[THREADS])
{
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* Versions one after the other, each for as long as some requests take. */
static void write_on(bool removals)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + WRITES_NS, deadline = end + PATIENCE_NS;

	while (now_ns(CLOCK_MONOTONIC) < end || (version < ENOUGH && now_ns(CLOCK_MONOTONIC) < deadline)) {
		int before = requests;

		write_version(version + 1, removals && is_removal(version + 1));
		version++;
		while (requests - before < version % 5 && now_ns(CLOCK_MONOTONIC) < deadline)
			sched_yield();
	}
}

/* When all is quiet, what holds is the last version, and all others are given back. */
static void ck_quiet_for(int libraries)
{
	struct credential c;

	write_version(++version, false);
	for (int i = 0; i < libraries; i++) {
		generation_acquire(i ? &other_library : &library, &c);
		ck_assert_str_eq(mtls_reason_word(c.reason), "usable");
		ck_assert_int_eq(version_of(&c), version);
		generation_release(&c);
	}
	ck_assert_int_eq(loaded - unloaded, libraries);
	ck_assert_int_eq(misused, 0);
	ck_assert_int_ge(version, ENOUGH);
	ck_assert_int_ge(requests, ENOUGH);
}

START_TEST(swapped_links)
{
	pthread_t thread[THREADS];

	use_way(LINK);
	write_version(0, false);
	run(ask_exactly, thread);
	write_on(true);
	join(thread);
	ck_assert_msg(stale + gone + refused == 0,
		      "%d of a wrong version, %d gone, %d refused, of %d requests, %d versions", stale, gone, refused,
		      requests, version);
	ck_assert_int_eq(mismatched, 0); /* a parser was not even shown a mixed pair */
	ck_quiet_for(2);
}
END_TEST

/* The parser sees torn pairs; a request never does, and once there was a good one, there always is. */
START_TEST(torn_files)
{
	pthread_t thread[THREADS];
	struct credential c;

	use_way((enum way)_i);
	write_version(0, false);
	generation_acquire(&library, &c);
	generation_release(&c);
	generation_acquire(&other_library, &c);
	generation_release(&c);
	run(ask_for_pairs, thread);
	write_on(false);
	join(thread);
	ck_assert_int_eq(stale, 0);
	ck_assert_int_eq(refused, 0);
	ck_quiet_for(2);
}
END_TEST

/* --- a crowd ------------------------------------------------------------------------------------ */

static pthread_barrier_t together;

static void *ask_together(void *unused)
{
	struct credential c;

	(void)unused;
	pthread_barrier_wait(&together);
	generation_acquire(&library, &c);
	refused += c.reason != MTLS_USABLE;
	stale += c.reason == MTLS_USABLE && version_of(&c) != version;
	pthread_barrier_wait(&together); /* all hold theirs at once */
	generation_release(&c);
	return NULL;
}

static void ask_in_a_crowd(void)
{
	pthread_t thread[CROWD];

	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, ask_together, NULL), 0);
	for (int i = 0; i < CROWD; i++)
		pthread_join(thread[i], NULL);
}

/* The first request of all threads at once, and then each time after a change. */
START_TEST(crowd)
{
	pthread_barrier_init(&together, NULL, CROWD);
	way = RENAME;
	for (version = 0; version < 8; version++) {
		write_version(version, false);
		ask_in_a_crowd();
	}
	ck_assert_msg(refused + stale == 0, "%d refused, %d stale", refused, stale);
	ck_assert_int_eq(loaded - unloaded, 1);
}
END_TEST

/* --- fork in the midst ----------------------------------------------------------------------------- */

static sem_t inside, go_on;
static atomic_int turns;
static int turn_to_wait;

static void wait_inside(void)
{
	if (++turns != turn_to_wait)
		return;
	sem_post(&inside);
	while (sem_wait(&go_on) != 0)
		;
}

static void *ask_once(void *unused)
{
	struct credential c;

	(void)unused;
	generation_acquire(&library, &c);
	generation_release(&c);
	return NULL;
}

static int in_child(void)
{
	struct credential c;
	int good = 0;

	during_load = NULL;
	unit_before_environment = NULL;
	alarm(3);
	for (int i = 0; i < CROWD; i++) {
		write_version(100 + i, false);
		generation_acquire(&library, &c);
		good += c.reason == MTLS_USABLE && version_of(&c) == 100 + i;
		generation_release(&c);
	}
	return good == CROWD ? 0 : 1;
}

/* A thread is in the parser (_i 0), or about to read: the child has not got it, and does well without. */
START_TEST(fork_in_the_midst)
{
	struct credential c;
	pthread_t thread;
	pid_t child;
	int status;

	way = RENAME;
	write_version(0, false);
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	turn_to_wait = 1;
	if (_i == 0)
		during_load = wait_inside;
	else
		unit_before_environment = wait_inside;
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_once, NULL), 0);
	while (sem_wait(&inside) != 0)
		;
	child = fork();
	if (child == 0)
		_exit(in_child());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child: 0x%x", (unsigned)status);
	sem_post(&go_on);
	pthread_join(thread, NULL);
	write_version(++version, false);
	generation_acquire(&library, &c);
	ck_assert_str_eq(mtls_reason_word(c.reason), "usable");
	ck_assert_int_eq(version_of(&c), version);
	generation_release(&c);
}
END_TEST

/* --- cancelled in the midst ---------------------------------------------------------------------- */

static void prime_only(void)
{
	generation_prime();
}

static void ask_only(void)
{
	ask_once(NULL);
}

static void log_only(void)
{
	log_event(MTLS_LOG_WARN, &(struct mtls_event){.verb = "broken", .reason = MTLS_REASONS});
}

static void (*const calls[])(void) = {prime_only, ask_only, log_only};

static void *be_cancelled(void *call)
{
	pthread_cancel(pthread_self());
	calls[*(int *)call]();
	requests++;
	pthread_testcancel();
	return NULL;
}

/* Our calls are no cancellation points: no slot, descriptor or line is lost, and the program's own next one is. */
START_TEST(cancelled)
{
	char line[1024];
	unsigned before = descriptors();

	for (int i = 0; i < CROWD; i++) {
		pthread_t thread;
		void *end;

		write_version(++version, false);
		ck_assert_int_eq(pthread_create(&thread, NULL, be_cancelled, &_i), 0);
		ck_assert_int_eq(pthread_join(thread, &end), 0);
		ck_assert_ptr_eq(end, PTHREAD_CANCELED);
	}
	ck_assert_int_eq(requests, CROWD);
	ck_assert_uint_eq(descriptors(), before);
	ck_assert_int_eq(logged(line), calls[_i] == log_only ? CROWD : 0);
	ck_quiet_for(1);
}
END_TEST

Suite *generation_threads_suite(void)
{
	Suite *s = suite_create("generation_threads");
	TCase *c = tcase_create("generation_threads");

	tcase_add_checked_fixture(c, generation_start, generation_stop);
	tcase_set_timeout(c, 20);
	tcase_add_test(c, swapped_links);
	tcase_add_loop_test(c, torn_files, IN_PLACE, LINK);
	tcase_add_test(c, crowd);
	tcase_add_loop_test(c, fork_in_the_midst, 0, 2);
	tcase_add_loop_test(c, cancelled, 0, (int)COUNT(calls));
	suite_add_tcase(s, c);
	return s;
}
