/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/reading.c: a reading is of one moment, whatever is swapped in its midst. A
 * second copy of the file is compiled in here whose open(2) first lets a writer have its turn.
 */
#include "folder_fixture.h"

#define CERT  "client_cert.pem"
#define KEY   "private_key.pem"
#define EVER  1000
#define TRIES 10
#define OPENS 2 /* of one try: two files */

Suite *moment_suite(void);

static int opens, swap_from, swap_to; /* open(2) is called; the writer works before those from … to, without the last */
static int generation;
static bool swap_fifo; /* the writer puts a FIFO in the key's place instead */

/* The folder behind the link becomes a new one, as Kubernetes does it. */
static void swap_folder(void)
{
	char name[64], text[16];

	snprintf(text, sizeof(text), "%d", ++generation);
	ck_assert_int_eq(mkdir(in(text), 0755), 0);
	snprintf(name, sizeof(name), "%s/" CERT, text);
	put(name, text);
	snprintf(name, sizeof(name), "%s/" KEY, text);
	put(name, text);
	point("..data", text);
}

static int copy_open(const char *path, int flags)
{
	if (opens >= swap_from && opens < swap_to && swap_fifo) {
		ck_assert_int_eq(mkfifo(in(".new"), 0644), 0);
		ck_assert_int_eq(rename(in(".new"), in(KEY)), 0);
	} else if (opens >= swap_from && opens < swap_to) {
		swap_folder();
	}
	opens++;
	return open(path, flags);
}

/* Reading takes long: what was young before is not afterwards. */
static int copy_clock(clockid_t clock, struct timespec *now)
{
	int error = clock_gettime(clock, now);

	now->tv_sec += 3 * (opens > 0);
	return error;
}

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define open(path, flags)    copy_open(path, flags)
#define clock_gettime        copy_clock
#define mtls_mark_take       copy_mark_take
#define mtls_mark_equal      copy_mark_equal
#define mtls_mark_young      copy_mark_young
#define mtls_mark_blind      copy_mark_blind
#define mtls_reading_make    copy_reading_make
#define mtls_reading_equal   copy_reading_equal
#define mtls_reading_free    copy_reading_free
#define mtls_reading_what    copy_reading_what
#define mtls_reading_explain copy_reading_explain
#include "host/reading.c"

static struct mtls_environment env;
static struct mtls_reading reading;

static void start(void)
{
	folder_make();
	swap_folder();
	point(CERT, "..data/" CERT);
	point(KEY, "..data/" KEY);
	mtls_environment_folder(&env, folder, "--dir");
}

static void stop(void)
{
	mtls_environment_free(&env);
	folder_remove();
}

static void make(int from, int to)
{
	unsigned before = descriptors();

	opens = 0;
	swap_from = from;
	swap_to = to;
	ck_assert(mtls_reading_make(&env, &reading));
	ck_assert_uint_eq(descriptors(), before);
}

static bool as_now(void)
{
	struct mtls_mark now;

	mtls_mark_take(&env, &now);
	return mtls_mark_equal(&reading.mark, &now);
}

static bool mixed(void)
{
	return !mtls_bytes_equal(reading.files.file[MTLS_CERT].data, reading.files.file[MTLS_KEY].data);
}

/* One swap, between any two steps. */
START_TEST(swapped_once)
{
	make(_i, _i + 1);
	ck_assert(!mixed());
	ck_assert(reading.young || _i < OPENS);
	ck_assert(as_now());
	ck_assert_int_eq(opens, _i < OPENS ? 2 * OPENS : OPENS);
	ck_assert_int_eq(atoi((const char *)reading.files.file[MTLS_KEY].data.p), generation);
	mtls_reading_free(&reading);
}
END_TEST

/* The writer ends at last, and so does the reader. */
START_TEST(swapped_often)
{
	make(0, OPENS * (TRIES - 1));
	ck_assert(!mixed());
	ck_assert(as_now());
	ck_assert_int_eq(opens, OPENS * TRIES);
	mtls_reading_free(&reading);
}
END_TEST

/* It never ends: the reader does, knows that what it has is not the last word, and keeps nothing of the other tries. */
START_TEST(swapped_for_ever)
{
	int before = 0;

	for (int i = 0; i < 3; i++) {
		before = pages();
		make(0, EVER);
		ck_assert(!as_now());
		ck_assert_int_eq(opens, OPENS * TRIES);
		mtls_reading_free(&reading);
	}
	ck_assert_int_lt(pages() - before, TRIES - 1);
}
END_TEST

/* A FIFO that takes the file's place between stat(2) and open(2) is not waited for. */
START_TEST(not_a_file_any_more)
{
	swap_fifo = true;
	make(OPENS - 1, OPENS);
	ck_assert_int_eq(reading.reason, MTLS_NOT_A_FILE);
	ck_assert_int_eq(reading.files.file[MTLS_KEY].how, MTLS_FILE_NOT_A_FILE);
	mtls_reading_free(&reading);
}
END_TEST

Suite *moment_suite(void)
{
	Suite *s = suite_create("moment");
	TCase *c = tcase_create("moment");

	tcase_add_checked_fixture(c, start, stop);
	tcase_add_loop_test(c, swapped_once, 0, OPENS + 1);
	tcase_add_test(c, swapped_often);
	tcase_add_test(c, swapped_for_ever);
	tcase_add_test(c, not_a_file_any_more);
	suite_add_tcase(s, c);
	return s;
}
