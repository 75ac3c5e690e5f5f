/* SPDX-License-Identifier: Apache-2.0 */
/* shim/saved.c: a value is found for the bytes that it was noted for, or none is; also while others are noted. */
#include "shim/saved.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define THREADS 4
#define TURNS   200000
#define MANY    20000

Suite *saved_suite(void);

static struct saved_key key_of(unsigned n)
{
	char bytes[64] = "data of a session";

	memcpy(bytes + 32, &n, sizeof(n));
	return saved_key(bytes, sizeof(bytes));
}

START_TEST(found_again)
{
	struct saved_key key = key_of(1), longer = saved_key("ab", 2), shorter = saved_key("a", 1);

	ck_assert_uint_eq(saved_find(&key), RESUMPTION_UNKNOWN);
	saved_note(&key, RESUMPTION_NOT_ASKED);
	ck_assert_uint_eq(saved_find(&key), RESUMPTION_NOT_ASKED);
	saved_note(&key, 0x1234);
	ck_assert_uint_eq(saved_find(&key), 0x1234);
	saved_note(&key, RESUMPTION_UNKNOWN);
	ck_assert_uint_eq(saved_find(&key), RESUMPTION_UNKNOWN);
	saved_note(&longer, 0x1234);
	ck_assert_uint_eq(saved_find(&shorter), RESUMPTION_UNKNOWN);
}
END_TEST

/* The last 128 are kept, whatever they are; what is gone is unknown, and no two are taken for one. */
START_TEST(old_ones_fall_out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct saved_key key = key_of(i);

		saved_note(&key, 3 + i);
	}
	for (unsigned i = 0; i < MANY; i++) {
		struct saved_key key = key_of(i);
		resumption found = saved_find(&key);

		ck_assert(found == RESUMPTION_UNKNOWN || found == 3 + i);
		ck_assert(found == 3 + i || i < MANY - 128);
		kept += found == 3 + i;
	}
	ck_assert_uint_le(kept, 1024);
	ck_assert_uint_ge(kept, 900);
}
END_TEST

/* A single byte anywhere makes other data of it. */
START_TEST(each_byte_counts)
{
	unsigned char bytes[3000] = {0};
	struct saved_key first = saved_key(bytes, sizeof(bytes));

	for (size_t i = 0; i < sizeof(bytes); i++) {
		struct saved_key other;

		bytes[i] ^= 0x80;
		other = saved_key(bytes, sizeof(bytes));
		ck_assert(other.word[0] != first.word[0] && other.word[1] != first.word[1]);
		bytes[i] ^= 0x80;
	}
}
END_TEST

/* Each thread notes its own values for all data: odd ones for odd data, so that a mixture would show. */
static void *note_and_find(void *arg)
{
	uintptr_t mine = (uintptr_t)arg;
	bool good = true;

	for (unsigned i = 0; i < TURNS; i++) {
		unsigned n = i % 64;
		struct saved_key key = key_of(n), other = key_of((n + 7) % 64);
		resumption found;

		saved_note(&key, (mine << 8) + 2 + n);
		found = saved_find(&other);
		good = good && (found == RESUMPTION_UNKNOWN || (found & 0xff) == 2 + (n + 7) % 64);
	}
	return good ? NULL : arg;
}

START_TEST(many_threads)
{
	pthread_t thread[THREADS];
	void *wrong;

	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, note_and_find, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
}
END_TEST

Suite *saved_suite(void)
{
	Suite *suite = suite_create("saved");
	TCase *tcase = tcase_create("saved");

	tcase_add_test(tcase, found_again);
	tcase_add_test(tcase, old_ones_fall_out);
	tcase_add_test(tcase, each_byte_counts);
	tcase_add_test(tcase, many_threads);
	suite_add_tcase(suite, tcase);
	return suite;
}
