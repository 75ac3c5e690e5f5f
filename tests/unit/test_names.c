/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/names.c: what a looked-up name means for an address, and what is answered
 * where something was lost. A second copy of the file, whose memory calls can be made to fail
 * or to wait, is compiled in here: only so can a thread be caught holding the lock.
 */
#include "shim/names.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADDRESSES 4096 /* as many as are kept */
#define THREADS   8
#define EACH      64 /* addresses of one thread */

Suite *names_suite(void);

/* --- the copy ------------------------------------------------------------------ */

static sem_t inside, go_on;
static int allowance = 1000; /* allocations that succeed */
static bool wait_inside;

static char *copy_strdup(const char *s)
{
	if (wait_inside) {
		wait_inside = false;
		sem_post(&inside);
		while (sem_wait(&go_on) != 0)
			;
	}
	return allowance-- > 0 ? strdup(s) : NULL;
}

static void *copy_calloc(size_t n, size_t size)
{
	return allowance-- > 0 ? calloc(n, size) : NULL;
}

void copy_add(const struct mtls_addr *, const char *);
size_t copy_of(const struct mtls_addr *, const char *out[NAMES_MAX]);
#undef strdup
#define strdup           copy_strdup
#define calloc           copy_calloc
#define uthash_malloc(n) copy_calloc(1, n)
#define names_add        copy_add
#define names_of         copy_of
#include "shim/names.c"
#undef strdup
#undef calloc
#undef names_add
#undef names_of

/* --- tests --------------------------------------------------------------------- */

static struct mtls_addr addr(const char *text)
{
	struct mtls_addr a;

	ck_assert_msg(mtls_addr_parse(mtls_bytes_of(text), &a), "%s", text);
	return a;
}

static struct mtls_addr numbered(unsigned i)
{
	unsigned char ip[4] = {10, (unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i};
	struct mtls_addr a;

	mtls_addr_set(&a, ip, 4, 0);
	return a;
}

/* The names, each with a blank behind it, in the order in which they came. */
static const char *all(struct mtls_addr a)
{
	static char text[512];
	const char *name[NAMES_MAX];
	size_t n = names_of(&a, name), at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s ", name[i]);
	return text;
}

static void put(const char *address, const char *name)
{
	struct mtls_addr a = addr(address);

	names_add(&a, name);
}

START_TEST(what_was_added)
{
	char name[] = "a.example";

	ck_assert_str_eq(all(addr("192.0.2.1")), "");
	put("192.0.2.1", name);
	memset(name, 'x', sizeof(name) - 1); /* a copy is kept */
	put("192.0.2.2", "b.example");
	ck_assert_str_eq(all(addr("192.0.2.1")), "a.example ");
	ck_assert_str_eq(all(addr("192.0.2.2")), "b.example ");
	ck_assert_str_eq(all(addr("192.0.2.3")), "");
	put("192.0.2.1", "a.example");
	ck_assert_str_eq(all(addr("192.0.2.1")), "a.example ");
	put("192.0.2.1", "c.example");
	put("192.0.2.1", "a.example");
	put("192.0.2.1", "a.exampl");
	ck_assert_str_eq(all(addr("192.0.2.1")), "a.example c.example a.exampl ");
}
END_TEST

START_TEST(port_does_not_matter)
{
	struct mtls_addr a = addr("192.0.2.1");

	a.port = 443;
	names_add(&a, "a.example");
	a.port = 8443;
	ck_assert_str_eq(all(a), "a.example ");
}
END_TEST

START_TEST(families)
{
	put("192.0.2.1", "four");
	put("2001:db8::1", "six");
	put("c000:201::", "not.four"); /* the same first bytes as 192.0.2.1 */
	ck_assert_str_eq(all(addr("::ffff:192.0.2.1")), "four ");
	ck_assert_str_eq(all(addr("2001:db8:0::1")), "six ");
	ck_assert_str_eq(all(addr("c000:201::")), "not.four ");
	ck_assert_str_eq(all(addr("192.0.2.1")), "four ");
	put("::ffff:192.0.2.1", "mapped");
	ck_assert_str_eq(all(addr("192.0.2.1")), "four mapped ");
}
END_TEST

/* Bytes behind the four of an IPv4 address are nobody's. */
START_TEST(other_bytes_do_not_matter)
{
	struct mtls_addr a = addr("192.0.2.1"), b = a;

	memset(b.ip + 4, 0xff, 12);
	names_add(&a, "a.example");
	ck_assert_str_eq(all(b), "a.example ");
}
END_TEST

START_TEST(passed_over)
{
	static const char *const names[] = {"192.0.2.1", "127.0.0.1", "::1", "2001:db8::1", "::ffff:1.2.3.4", ""};
	struct mtls_addr none = {.family = 0}, a = addr("192.0.2.1");
	const char *out[NAMES_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		put("192.0.2.1", names[i]);
	names_add(&a, NULL);
	ck_assert_str_eq(all(a), "");
	names_add(&none, "a.example");
	ck_assert_uint_eq(names_of(&none, out), 0);
	put("192.0.2.1", "a.example");
	ck_assert_str_eq(all(a), "a.example ");
}
END_TEST

/* DNS knows no case, and many spellings must not push the one name out. */
START_TEST(spelling)
{
	char name[] = "abcdefgh.example";
	struct mtls_addr a = addr("192.0.2.1");
	const char *out[NAMES_MAX];
	size_t n;

	for (int i = 0; i < 8; i++) {
		names_add(&a, name);
		name[i] = (char)(name[i] - 'a' + 'A');
	}
	n = names_of(&a, out);
	ck_assert_uint_ge(n, 1);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(strcasecmp(out[i], name), 0);
}
END_TEST

START_TEST(too_many_names)
{
	struct mtls_addr a = addr("192.0.2.1");
	const char *out[NAMES_MAX];
	char name[32];

	put("192.0.2.2", "b.example");
	for (int i = 0; i < NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		names_add(&a, name);
	}
	ck_assert_uint_eq(names_of(&a, out), NAMES_MAX);
	for (int i = 0; i < NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_str_eq(out[i], name);
	}
	names_add(&a, "n0");
	ck_assert_uint_eq(names_of(&a, out), NAMES_MAX);
	names_add(&a, "one.too.many");
	ck_assert_uint_eq(names_of(&a, out), 0);
	names_add(&a, "n0");
	ck_assert_uint_eq(names_of(&a, out), 0);
	ck_assert_str_eq(all(addr("192.0.2.2")), "b.example ");
}
END_TEST

/* The table is bounded: what no longer fits is unknown, what is there stays. */
START_TEST(too_many_addresses)
{
	struct mtls_addr a;

	for (unsigned i = 0; i < ADDRESSES + 500; i++) {
		a = numbered(i);
		names_add(&a, "a.example");
	}
	for (unsigned i = 0; i < ADDRESSES + 500; i++)
		ck_assert_str_eq(all(numbered(i)), i < ADDRESSES ? "a.example " : "");
	a = numbered(7);
	names_add(&a, "b.example");
	ck_assert_str_eq(all(a), "a.example b.example ");
}
END_TEST

START_TEST(keeps_errno)
{
	struct mtls_addr a = addr("192.0.2.1");
	const char *out[NAMES_MAX];

	errno = EXDEV;
	names_add(&a, "a.example");
	ck_assert_int_eq(errno, EXDEV);
	names_of(&a, out);
	ck_assert_int_eq(errno, EXDEV);
	allowance = 0;
	copy_add(&a, "a.example");
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

/*
 * A name that was lost for want of memory may be the one that matters: then nothing is known of the address. The
 * first name takes an entry, a table, its buckets and a copy of the name.
 */
START_TEST(no_memory_for_the_first_name)
{
	struct mtls_addr a = addr("192.0.2.1");
	const char *out[NAMES_MAX];

	allowance = _i;
	copy_add(&a, "first.example");
	ck_assert_int_lt(allowance, _i == 4 ? 1 : 0);
	allowance = 1000;
	ck_assert_uint_eq(copy_of(&a, out), _i == 4);
	copy_add(&a, "second.example");
	ck_assert_uint_eq(copy_of(&a, out), _i == 4 ? 2 : 0);
}
END_TEST

START_TEST(no_memory_for_the_second_name)
{
	struct mtls_addr a = addr("192.0.2.1");
	const char *out[NAMES_MAX];

	copy_add(&a, "first.example");
	allowance = 0;
	copy_add(&a, "second.example");
	allowance = 1000;
	ck_assert_uint_eq(copy_of(&a, out), 0);
	copy_add(&a, "third.example");
	ck_assert_uint_eq(copy_of(&a, out), 0);
}
END_TEST

/* --- threads and forks ----------------------------------------------------------- */

static void *add_and_ask(void *argument)
{
	unsigned first = EACH * *(unsigned *)argument;
	const char *out[NAMES_MAX];

	for (int round = 0; round < 20; round++)
		for (unsigned i = first; i < first + EACH; i++) {
			struct mtls_addr a = numbered(i), shared = numbered(100000);
			char name[32];

			snprintf(name, sizeof(name), "host%u.example", i);
			names_add(&a, name);
			names_add(&shared, "shared.example");
			names_of(&a, out);
		}
	return NULL;
}

/* Nothing is lost, doubled or mixed up, and the lock is not given up on while its owner only works. */
START_TEST(threads)
{
	pthread_t thread[THREADS];
	unsigned number[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		number[i] = i;
		ck_assert_int_eq(pthread_create(&thread[i], NULL, add_and_ask, &number[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < THREADS * EACH; i++) {
		char name[32];

		snprintf(name, sizeof(name), "host%u.example ", i);
		ck_assert_str_eq(all(numbered(i)), name);
	}
	ck_assert_str_eq(all(numbered(100000)), "shared.example ");
}
END_TEST

static void *add_and_wait(void *unused)
{
	struct mtls_addr a = addr("192.0.2.2");

	(void)unused;
	copy_add(&a, "b.example");
	return NULL;
}

/* In the child nobody will ever unlock: it neither hangs nor crashes, and says that it does not know. */
static void child_of_a_locked_parent(void)
{
	struct mtls_addr known = addr("192.0.2.1"), new = addr("192.0.2.3");
	const char *out[NAMES_MAX];
	int status = 0;

	alarm(3);
	status |= copy_of(&known, out) != 0;
	copy_add(&new, "c.example");
	copy_add(&known, "a.example");
	status |= copy_of(&new, out) != 0 || copy_of(&known, out) != 0;
	_exit(status);
}

static void ck_child(void (*body)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		body();
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child: 0x%x", (unsigned)status);
}

START_TEST(fork_while_locked)
{
	struct mtls_addr known = addr("192.0.2.1"), other = addr("192.0.2.2");
	const char *out[NAMES_MAX];
	pthread_t thread;

	copy_add(&known, "a.example");
	ck_assert_uint_eq(copy_of(&known, out), 1);
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	wait_inside = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, add_and_wait, NULL), 0);
	while (sem_wait(&inside) != 0)
		;
	ck_child(child_of_a_locked_parent);
	sem_post(&go_on);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(copy_of(&known, out), 1); /* the parent has lost nothing */
	ck_assert_uint_eq(copy_of(&other, out), 1);
}
END_TEST

/* While another thread holds the lock for long, an answer comes all the same, and it is "unknown", then and later. */
START_TEST(locked_for_long)
{
	struct mtls_addr known = addr("192.0.2.1");
	const char *out[NAMES_MAX];
	pthread_t thread;

	copy_add(&known, "a.example");
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	wait_inside = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, add_and_wait, NULL), 0);
	while (sem_wait(&inside) != 0)
		;
	ck_assert_uint_eq(copy_of(&known, out), 0);
	copy_add(&known, "lost.example");
	sem_post(&go_on);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(copy_of(&known, out), 0);
}
END_TEST

/* A program cancels a thread in the middle of it: the table goes on, and the thread ends afterwards. */
START_TEST(cancelled_while_locked)
{
	struct mtls_addr known = addr("192.0.2.1");
	const char *out[NAMES_MAX];
	pthread_t thread;

	copy_add(&known, "a.example");
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	wait_inside = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, add_and_wait, NULL), 0);
	while (sem_wait(&inside) != 0)
		;
	ck_assert_int_eq(pthread_cancel(thread), 0);
	sem_post(&go_on);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(copy_of(&known, out), 1);
}
END_TEST

static void child_as_usual(void)
{
	struct mtls_addr known = addr("192.0.2.1");
	const char *out[NAMES_MAX];

	names_add(&known, "b.example");
	_exit(names_of(&known, out) != 2);
}

START_TEST(fork_while_free)
{
	put("192.0.2.1", "a.example");
	ck_child(child_as_usual);
	ck_assert_str_eq(all(addr("192.0.2.1")), "a.example ");
}
END_TEST

Suite *names_suite(void)
{
	Suite *s = suite_create("names");
	TCase *c = tcase_create("names");

	tcase_add_test(c, what_was_added);
	tcase_add_test(c, port_does_not_matter);
	tcase_add_test(c, families);
	tcase_add_test(c, other_bytes_do_not_matter);
	tcase_add_test(c, passed_over);
	tcase_add_test(c, spelling);
	tcase_add_test(c, too_many_names);
	tcase_add_test(c, too_many_addresses);
	tcase_add_test(c, keeps_errno);
	tcase_add_loop_test(c, no_memory_for_the_first_name, 0, 5);
	tcase_add_test(c, no_memory_for_the_second_name);
	tcase_add_test(c, threads);
	tcase_add_test(c, fork_while_locked);
	tcase_add_test(c, locked_for_long);
	tcase_add_test(c, cancelled_while_locked);
	tcase_add_test(c, fork_while_free);
	suite_add_tcase(s, c);
	return s;
}
