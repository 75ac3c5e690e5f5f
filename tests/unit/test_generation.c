/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/generation.c, one step at a time: what a request gets while the files
 * change, and what is given back when. Races are played by taking turns in the midst of a call;
 * test_generation_threads.c has the real threads, test_generation_means.c what a process can lack.
 */
#include "generation_fixture.h"

#include <sys/mman.h>

#define MS   1000000LL
#define MANY 80 /* more than there are slots */

Suite *generation_suite(void);

/* --- new files ---------------------------------------------------------------------------- */

START_TEST(first_request)
{
	struct credential a, b;

	write_pair("AAAA0001");
	generation_prime();
	ck_assert_int_eq(loaded, 0); /* parsed at the first request only */
	a = ask_for(&library);
	b = ask_for(&library);
	ck_assert_str_eq(tag(&a), "AAAA0001");
	ck_assert(generation_is_news(&a) && !generation_is_news(&b));
	ck_assert_ptr_eq(a.identity, b.identity);
	ck_assert_ptr_nonnull(a.reading);
	done(&a);
	ck_assert_str_eq(tag(&b), "AAAA0001");
	done(&b);
	ck_assert_int_eq(loaded, 1);
	ck_assert_int_eq(unloaded, 0); /* the last usable one stays */
}
END_TEST

START_TEST(every_way_of_writing)
{
	struct credential held;
	char next[32];
	int before = 0;

	use_way((enum way)_i);
	write_pair("AAAA0000");
	for (int i = 1; i < MANY; i++) {
		before = i == 1 ? pages() : before;
		held = ask_for(&library);
		snprintf(next, sizeof(next), "AAAA%04d", i);
		write_pair(next);
		ck_usable(next, true);
		ck_usable(next, false);
		ck_assert_int_eq(loaded, i + 1);
		ck_assert_int_eq(unloaded, i - 1);
		ck_assert_str_ne(tag(&held), next); /* and is still there */
		done(&held);
		ck_assert_int_eq(unloaded, i);
	}
	ck_assert_int_eq(mismatched, 0);
	ck_assert_int_lt(pages() - before, MANY / 2); /* the bytes are given back, too */
}
END_TEST

START_TEST(nothing_new)
{
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	for (int i = 0; i < 50; i++)
		ck_usable("AAAA0001", false);
	ck_assert_int_eq(loaded, 1);
}
END_TEST

/*
 * Pages that are mapped and dirty change without a new time: as with a second writing within one tick of a coarse
 * clock, the mark stays the same, and only reading again can tell.
 */
START_TEST(same_mark_other_bytes)
{
	const char *name[] = {CERT, KEY};
	struct mtls_mark before, after;
	char *map[2];

	write_pair("AAAA0001");
	for (int k = 0; k < 2; k++) {
		int fd = open(in(name[k]), O_RDWR);

		map[k] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ck_assert_ptr_ne(map[k], MAP_FAILED);
		close(fd);
		*strstr(map[k], "0001") = '2';
	}
	ck_usable("AAAA2001", true);
	mtls_mark_take(&environment, &before);
	*strstr(map[0], "2001") = *strstr(map[1], "2001") = '3';
	mtls_mark_take(&environment, &after);
	if (!mtls_mark_equal(&before, &after))
		fprintf(stderr, "note: generation: this file system gives mapped pages new times at once\n");
	ck_usable("AAAA3001", true);
	*strstr(map[0], "3001") = '4';
	ck_usable("AAAA3001", false); /* torn */
	*strstr(map[1], "3001") = '4';
	ck_usable("AAAA4001", true);
	ck_assert_int_eq(unloaded, 2);
}
END_TEST

/* --- broken, removed ------------------------------------------------------------------------ */

START_TEST(broken_keeps_the_last)
{
	char line[1024];

	way = RENAME;
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	write_tags("AAAA0002", "AAAA0001");
	for (int i = 0; i < 5; i++)
		ck_usable("AAAA0001", false);
	ck_assert_int_eq(logged(line), 1); /* told once */
	ck_assert_ptr_nonnull(strstr(line, " broken reason=pair-mismatch what=/"));
	write_files("x", pem("PRIVATE KEY", "AAAA0002"));
	for (int i = 0; i < 5; i++)
		ck_usable("AAAA0001", false);
	ck_assert_int_eq(logged(line), 2);
	ck_assert_ptr_nonnull(strstr(line, " broken reason=certificate-malformed what=/"));
	write_files(NULL, pem("PRIVATE KEY", "AAAA0002"));
	ck_usable("AAAA0001", false);
	ck_assert_int_eq(logged(line), 3);
	write_pair("AAAA0002");
	ck_usable("AAAA0002", true);
	ck_assert_int_eq(loaded, 2);
	ck_assert_int_eq(unloaded, 1);
	ck_assert_int_eq(logged(line), 3);
}
END_TEST

START_TEST(each_one_is_told)
{
	char line[1024], other[32];

	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	for (int i = 0; i < MANY; i++) {
		snprintf(other, sizeof(other), "BBBB%04d", i);
		write_tags("AAAA0001", other);
		ck_usable("AAAA0001", false);
	}
	ck_assert_int_eq(logged(line), MANY);
}
END_TEST

START_TEST(folder_gone_keeps_the_last)
{
	char aside[64];

	snprintf(aside, sizeof(aside), "%s-aside", folder);
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	ck_assert_int_eq(rename(folder, aside), 0);
	ck_usable("AAAA0001", false);
	ck_assert_int_eq(rename(aside, folder), 0);
	ck_usable("AAAA0001", true); /* the same files, but a new generation */
	ck_assert_int_eq(unloaded, 1);
}
END_TEST

static const struct {
	const char *cert, *key;
	enum mtls_reason reason;
} removals[] = {
	{"", "", MTLS_REMOVED},
	{"\n", "", MTLS_REMOVED},
	{"", NULL, MTLS_REMOVED},
	{NULL, NULL, MTLS_NO_CREDENTIAL},
};

/* At once, and not to come back by way of a broken state. */
START_TEST(removed)
{
	way = RENAME;
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	write_files(removals[_i].cert, removals[_i].key);
	ck_none(removals[_i].reason);
	ck_none(removals[_i].reason);
	ck_assert_int_eq(unloaded, 1);
	write_tags("AAAA0001", "AAAA0002");
	ck_none(MTLS_PAIR_MISMATCH);
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	write_tags("AAAA0001", "AAAA0002");
	ck_usable("AAAA0001", false);
}
END_TEST

/* What one TLS library of the process saw holds for the other, too. */
START_TEST(removed_for_all)
{
	struct credential c;

	way = RENAME;
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	c = ask_for(&other_library);
	ck_assert_str_eq(tag(&c), "AAAA0001");
	ck_assert(generation_is_news(&c));
	done(&c);
	ck_assert_int_eq(loaded, 2);
	write_files("", "");
	ck_none(MTLS_REMOVED);
	write_tags("AAAA0001", "AAAA0002");
	ck_none_for(&other_library, MTLS_PAIR_MISMATCH);
	ck_assert_int_eq(unloaded, 2);
}
END_TEST

static void remove_meanwhile(void)
{
	during_load = NULL;
	write_files("", "");
	ck_none(MTLS_REMOVED);
}

/* Parsing takes long, and in the meantime another thread sees that the files were removed. */
START_TEST(removed_while_parsing)
{
	struct credential c;

	way = RENAME;
	write_pair("AAAA0001");
	during_load = remove_meanwhile;
	c = ask_for(&library); /* began before, and may have it */
	done(&c);
	write_tags("AAAA0001", "AAAA0002");
	ck_none(MTLS_PAIR_MISMATCH);
	ck_assert_int_eq(unloaded, loaded);
}
END_TEST

static void replace_meanwhile(void)
{
	during_load = NULL;
	write_pair("AAAA0002");
	ck_usable("AAAA0002", true);
}

/* … or that there is a newer one, which then is the last usable one. */
START_TEST(replaced_while_parsing)
{
	struct credential c;

	write_pair("AAAA0001");
	during_load = replace_meanwhile;
	c = ask_for(&library);
	ck_assert_str_eq(tag(&c), "AAAA0001");
	done(&c);
	write_tags("AAAA0001", "AAAA0003");
	ck_usable("AAAA0002", false);
	ck_assert_int_eq(unloaded, 1);
}
END_TEST

static int turn;

/* Before the files are read, which is at the third time: another thread reads them, and then they are removed. */
static void overtake(void)
{
	if (++turn != 3)
		return;
	unit_before_environment = NULL;
	ck_usable("AAAA0002", true);
	write_files("", "");
}

/* Who is overtaken while it reads does not answer with what the other one read before. */
START_TEST(overtaken_while_reading)
{
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	write_pair("AAAA0002");
	unit_before_environment = overtake;
	ck_none(MTLS_REMOVED);
	ck_assert_int_ge(turn, 3);
	ck_assert_int_eq(unloaded, 2);
}
END_TEST

/* --- settings --------------------------------------------------------------------------------- */

START_TEST(settings_follow)
{
	struct credential c;

	write_pair("AAAA0001");
	put("mtls.conf", "hosts = a.example\n");
	c = ask_for(&library);
	ck_assert(mtls_bytes_equal(c.policy->hosts, mtls_bytes_of("a.example")));
	put_renamed("mtls.conf", "hosts = b.example\n");
	ck_assert(mtls_bytes_equal(c.policy->hosts, mtls_bytes_of("a.example")));
	done(&c);
	c = ask_for(&library);
	ck_assert(mtls_bytes_equal(c.policy->hosts, mtls_bytes_of("b.example")));
	done(&c);
	put_renamed("mtls.conf", "hosts = *\n");
	c = ask_for(&library);
	ck_assert_int_eq(c.policy->error.reason, MTLS_BAD_SETTING);
	done(&c);
	write_tags("AAAA0001", "AAAA0002"); /* then the old identity is not for these settings */
	ck_none(MTLS_PAIR_MISMATCH);
	ck_assert_int_eq(unlink(in("mtls.conf")), 0);
	ck_assert_int_eq(loaded, 3);
}
END_TEST

static bool hosts_are(const char *hosts)
{
	struct credential c = ask_for(&library);
	bool equal = c.reason == MTLS_USABLE && mtls_bytes_equal(c.policy->hosts, mtls_bytes_of(hosts));

	done(&c);
	return equal;
}

/* Written in place, mtls.conf is empty for a moment, and that lifts nothing; not so where it stays empty, or goes. */
START_TEST(settings_emptied)
{
	static const struct timespec grow_old = {2, 20 * MS};

	write_pair("AAAA0001");
	put("mtls.conf", "hosts = a.example\n");
	ck_assert(hosts_are("a.example"));
	put("mtls.conf", "");
	ck_assert(hosts_are("a.example"));
	put("mtls.conf", "hosts = b.example\n");
	ck_assert(hosts_are("b.example"));
	put("mtls.conf", "");
	write_files("", "");
	ck_none(MTLS_REMOVED);
	write_pair("AAAA0001");
	ck_assert(hosts_are(""));
	put("mtls.conf", "hosts = a.example\n");
	ck_assert(hosts_are("a.example"));
	ck_assert_int_eq(unlink(in("mtls.conf")), 0);
	ck_assert(hosts_are(""));
	put("mtls.conf", "hosts = a.example\n");
	ck_assert(hosts_are("a.example"));
	put("mtls.conf", "");
	ck_assert(hosts_are("a.example"));
	nanosleep(&grow_old, NULL);
	ck_assert(hosts_are(""));
}
END_TEST

/* --- waiting ------------------------------------------------------------------------------------ */

static void complete(void)
{
	during_load = NULL;
	write_pair("AAAA0001");
}

START_TEST(torn_at_first)
{
	char line[1024];

	write_tags("AAAA0001", "AAAA0002");
	during_load = complete;
	ck_usable("AAAA0001", true);
	ck_assert_int_le(mismatched, 3);
	ck_assert_int_eq(logged(line), 0);
}
END_TEST

START_TEST(torn_for_good)
{
	int64_t begin = now_ns(CLOCK_MONOTONIC), took;
	char line[1024];

	write_tags("AAAA0001", "AAAA0002");
	ck_none(MTLS_PAIR_MISMATCH);
	took = now_ns(CLOCK_MONOTONIC) - begin;
	ck_assert_int_ge(took, 100 * MS);
	ck_assert_int_lt(took, 1500 * MS);
	ck_assert_int_eq(mismatched, 3); /* shim/outcome.h: then it is final */
	ck_assert_int_eq(logged(line), 1);
}
END_TEST

static const char *const sure[][2] = {{"", ""}, {NULL, NULL}};

/* Nothing to wait for: one look is enough. */
START_TEST(no_wait)
{
	write_files(sure[_i][0], sure[_i][1]);
	ck_none(_i ? MTLS_NO_CREDENTIAL : MTLS_REMOVED);
	ck_assert_int_eq(unit_asked, 1);
	write_pair("AAAA0001");
	ck_usable("AAAA0001", true);
	write_tags("AAAA0001", "AAAA0002");
	unit_asked = 0;
	ck_usable("AAAA0001", false);
	ck_assert_int_le(unit_asked, 3);
}
END_TEST

/* --- another user ---------------------------------------------------------------------------------- */

/* After a change of user: with the folder closed, with the files closed, with nothing closed. */
START_TEST(other_user)
{
	static const mode_t folder_mode[] = {0700, 0755, 0755}, file_mode[] = {0644, 0600, 0644};

	if (!is_root("other_user"))
		return;
	write_pair("AAAA0001");
	ck_assert_int_eq(chmod(in(KEY), file_mode[_i]), 0);
	ck_assert_int_eq(chmod(folder, folder_mode[_i]), 0);
	generation_prime();
	ck_assert_int_eq(seteuid(NOBODY), 0);
	ck_usable("AAAA0001", true);
	ck_usable("AAAA0001", false);
	ck_assert_int_eq(seteuid(0), 0);
	ck_usable("AAAA0001", false);
	write_pair("AAAA0002");
	ck_usable("AAAA0002", true);
}
END_TEST

Suite *generation_suite(void)
{
	Suite *s = suite_create("generation");
	TCase *c = tcase_create("generation");

	tcase_add_checked_fixture(c, generation_start, generation_stop);
	tcase_add_test(c, first_request);
	tcase_add_loop_test(c, every_way_of_writing, 0, WAYS);
	tcase_add_test(c, nothing_new);
	tcase_add_test(c, same_mark_other_bytes);
	tcase_add_test(c, broken_keeps_the_last);
	tcase_add_test(c, each_one_is_told);
	tcase_add_test(c, folder_gone_keeps_the_last);
	tcase_add_loop_test(c, removed, 0, (int)COUNT(removals));
	tcase_add_test(c, removed_for_all);
	tcase_add_test(c, removed_while_parsing);
	tcase_add_test(c, replaced_while_parsing);
	tcase_add_test(c, overtaken_while_reading);
	tcase_add_test(c, settings_follow);
	tcase_add_test(c, settings_emptied);
	tcase_add_test(c, torn_at_first);
	tcase_add_test(c, torn_for_good);
	tcase_add_loop_test(c, no_wait, 0, (int)COUNT(sure));
	tcase_add_loop_test(c, other_user, 0, 3);
	suite_add_tcase(s, c);
	return s;
}
