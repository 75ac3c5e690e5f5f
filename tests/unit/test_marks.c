/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/reading.c: what notices that the files changed, and what does not count as
 * a change. test_moment.c has what changes in the midst of a reading.
 */
#include "folder_fixture.h"

#include "host/reading.h"

#define CERT   "client_cert.pem"
#define KEY    "private_key.pem"
#define SWAPS  400
#define SECOND 1000000000LL

Suite *marks_suite(void);

static struct mtls_environment env;
static struct mtls_mark before, after;

static void start(void)
{
	folder_make();
	mtls_environment_folder(&env, folder, "--dir");
	put(CERT, "cert");
	put(KEY, "key");
	mtls_mark_take(&env, &before);
}

static void stop(void)
{
	mtls_environment_free(&env);
	folder_remove();
}

static bool changed(void)
{
	bool equal;

	errno = EXDEV;
	mtls_mark_take(&env, &after);
	equal = mtls_mark_equal(&before, &after);
	ck_assert_int_eq(equal, mtls_mark_equal(&after, &before));
	ck_assert_int_eq(errno, EXDEV);
	before = after;
	return !equal;
}

START_TEST(nothing_changed)
{
	char byte;
	int fd = open(in(CERT), O_RDONLY);

	ck_assert(!changed());
	ck_assert_int_eq(read(fd, &byte, 1), 1); /* read, opened, a neighbour: not a change */
	close(fd);
	put("other", "x");
	ck_assert(!changed());
	ck_assert_int_eq(before.folder.error, 0);
	ck_assert_int_eq(before.file[MTLS_PASS].error, ENOENT);
	ck_assert_uint_eq(before.file[MTLS_CERT].size, 4);
}
END_TEST

START_TEST(changes)
{
	static const struct timespec old[2] = {{1000, 0}, {1000, 0}};

	put(CERT, "longer");
	ck_assert(changed());
	put_renamed(KEY, "key"); /* the same bytes in another file */
	ck_assert(changed());
	ck_assert_int_eq(utimensat(AT_FDCWD, in(KEY), old, 0), 0);
	ck_assert(changed());
	ck_assert_int_eq(chmod(in(KEY), 0600), 0); /* only the ctime tells */
	ck_assert(changed());
	ck_assert_int_eq(chmod(folder, 0777), 0); /* unsafe, and then not */
	ck_assert(changed());
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert(changed());
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(folder, NOBODY, 0), 0);
		ck_assert(changed());
	}
	put("private_key_pass.txt", "x");
	ck_assert(changed());
	put("mtls.conf", "x");
	ck_assert(changed());
	ck_assert_int_eq(unlink(in("mtls.conf")), 0);
	ck_assert(changed());
	ck_assert_int_eq(unlink(in(CERT)), 0);
	ck_assert(changed());
	ck_assert_int_eq(symlink("nothing", in(CERT)), 0);
	ck_assert(!changed());
	point(CERT, CERT); /* missing no more, but unreadable: a link to itself */
	ck_assert(changed());
	ck_assert_int_eq(unlink(in(KEY)), 0);
	ck_assert(changed());
	ck_assert(!changed());
}
END_TEST

/* As Kubernetes does it: the files are links into "..data", which is a link that is swapped. */
START_TEST(swapped_link)
{
	ck_assert_int_eq(mkdir(in("1"), 0755), 0);
	ck_assert_int_eq(mkdir(in("2"), 0755), 0);
	for (int i = 1; i <= 2; i++) {
		put(i == 1 ? "1/" CERT : "2/" CERT, "cert");
		put(i == 1 ? "1/" KEY : "2/" KEY, "key");
	}
	point("..data", "1");
	point(CERT, "..data/" CERT);
	point(KEY, "..data/" KEY);
	ck_assert(changed());
	point("..data", "2");
	ck_assert(changed());
	ck_assert_uint_ne(before.file[MTLS_CERT].inode, 0);
	point("..data", "2"); /* another link to the same files */
	ck_assert(!changed());
	point("..data", "1");
	ck_assert(changed());
}
END_TEST

/* A place of higher rank that gets a file, or loses its last, is a change; what is in lower ones is not. */
START_TEST(places)
{
	char first[100], second[100];

	mtls_environment_free(&env);
	ck_assert_int_eq(mkdir(in("first"), 0755), 0);
	ck_assert_int_eq(mkdir(in("mtls"), 0755), 0);
	snprintf(first, sizeof(first), "CREDENTIALS_DIRECTORY=%s", in("first"));
	snprintf(second, sizeof(second), "XDG_CONFIG_HOME=%s", folder);
	mtls_environment_read(&env, E(first, second));
	env.n_places = 2; /* without /etc/mtls */
	mtls_mark_take(&env, &before);
	ck_assert_ptr_null(before.place);
	put("first/mtls.conf", "x");
	ck_assert(!changed());
	put("mtls/" KEY, "x");
	ck_assert(changed());
	ck_assert_ptr_eq(before.place, &env.place[1]);
	put("first/" CERT, "x");
	ck_assert(changed());
	ck_assert_ptr_eq(before.place, &env.place[0]);
	put("mtls/" CERT, "x");
	ck_assert(!changed());
	ck_assert_int_eq(unlink(in("first/" CERT)), 0);
	ck_assert(changed());
	ck_assert_ptr_eq(before.place, &env.place[1]);
	env.n_places = 3;
}
END_TEST

START_TEST(folder_comes_and_goes)
{
	mtls_environment_folder(&env, in("d"), "--dir");
	mtls_mark_take(&env, &before);
	ck_assert_int_eq(before.folder.error, ENOENT);
	ck_assert_int_eq(mkdir(in("d"), 0755), 0);
	ck_assert(changed()); /* from folder-missing to absent */
	ck_assert_int_eq(rmdir(in("d")), 0);
	ck_assert(changed());
}
END_TEST

/* --- young, blind -------------------------------------------------------------------- */

static struct mtls_mark aged(int64_t ns)
{
	struct mtls_mark mark = before;

	for (int k = 0; k < MTLS_FILES; k++)
		mark.file[k].ctime_ns = now_ns(CLOCK_REALTIME) - ns;
	return mark;
}

START_TEST(young)
{
	struct mtls_mark mark;

	ck_assert(mtls_mark_young(&before));
	mark = aged(SECOND);
	ck_assert(mtls_mark_young(&mark));
	mark = aged(2 * SECOND + 1);
	ck_assert(!mtls_mark_young(&mark));
	mark.file[MTLS_CERT].mtime_ns = mark.file[MTLS_KEY].mtime_ns = now_ns(CLOCK_REALTIME);
	ck_assert(!mtls_mark_young(&mark)); /* only the ctime cannot be set */
	mark.file[MTLS_PASS].ctime_ns = now_ns(CLOCK_REALTIME);
	ck_assert(!mtls_mark_young(&mark)); /* a file that is not there */
	mark.file[MTLS_KEY].ctime_ns = now_ns(CLOCK_REALTIME) - SECOND;
	ck_assert(mtls_mark_young(&mark)); /* one young file is enough */
	mark = aged(-3600 * SECOND);
	ck_assert(mtls_mark_young(&mark)); /* the clock was set back: who knows */
	mark.place = NULL;
	ck_assert(!mtls_mark_young(&mark));
	ck_assert_int_eq(unlink(in(CERT)), 0);
	ck_assert_int_eq(unlink(in(KEY)), 0);
	mtls_mark_take(&env, &mark);
	ck_assert(!mtls_mark_young(&mark));
}
END_TEST

START_TEST(blind)
{
	char home[100];

	if (!is_root("blind"))
		return;
	ck_assert_int_eq(mkdir(in("mtls"), 0700), 0);
	put("mtls/" CERT, "x");
	snprintf(home, sizeof(home), "XDG_CONFIG_HOME=%s", folder);
	mtls_environment_free(&env);
	mtls_environment_read(&env, E(home));
	mtls_mark_take(&env, &before);
	ck_assert_ptr_eq(before.place, &env.place[0]);
	ck_assert(!mtls_mark_blind(&env, &before, before.place));
	ck_assert_int_eq(seteuid(NOBODY), 0);
	mtls_mark_take(&env, &after);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert(mtls_mark_blind(&env, &after, &env.place[0]));
	ck_assert(!mtls_mark_blind(&env, &after, &env.place[1]));
	ck_assert(!mtls_mark_blind(&env, &after, NULL));
	ck_assert_ptr_ne(after.place, &env.place[0]); /* the look-up goes on */
	ck_assert_int_eq(chmod(in("mtls"), 0755), 0);
	ck_assert_int_eq(chmod(in("mtls/" CERT), 0), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	mtls_mark_take(&env, &after);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert(!mtls_mark_blind(&env, &after, &env.place[0])); /* seen, though not to be read */
	ck_assert_int_eq(mkdir(in("closed"), 0700), 0);
	point("mtls/" KEY, "../closed/" KEY);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	mtls_mark_take(&env, &after);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(after.file[MTLS_KEY].error, EACCES);
	ck_assert(!mtls_mark_blind(&env, &after, &env.place[0])); /* the other file still tells of changes */
}
END_TEST

/* --- equal bytes ------------------------------------------------------------------------ */

static bool same_bytes(void)
{
	static struct mtls_reading last, now;
	bool equal;

	ck_assert(mtls_reading_make(&env, &now));
	equal = mtls_reading_equal(&last, &now);
	ck_assert_int_eq(equal, mtls_reading_equal(&now, &last));
	mtls_reading_free(&last);
	last = now;
	return equal;
}

START_TEST(equal_bytes)
{
	ck_assert(!same_bytes());
	ck_assert(same_bytes());
	put_renamed(CERT, "cert");
	ck_assert(same_bytes());
	put(CERT, "cerT");
	ck_assert(!same_bytes());
	put(KEY, "kez");
	ck_assert(!same_bytes());
	put("private_key_pass.txt", "");
	ck_assert(!same_bytes());
	put("mtls.conf", "log = off");
	ck_assert(!same_bytes());
	ck_assert_int_eq(chmod(in("mtls.conf"), 0666), 0);
	ck_assert(!same_bytes());
	ck_assert_int_eq(chmod(folder, 0777), 0);
	ck_assert(!same_bytes());
	ck_assert(same_bytes());
	ck_assert_int_eq(unlink(in("private_key_pass.txt")), 0); /* not the same as an empty one */
	ck_assert(!same_bytes());
	mtls_environment_folder(&env, in("nowhere"), "--dir");
	ck_assert(!same_bytes());
	ck_assert(same_bytes());
	ck_assert_int_eq(mkdir(in("nowhere"), 0755), 0);
	ck_assert(!same_bytes());   /* from folder-missing to absent */
	env.place[0].named = false; /* as if no default place had one */
	ck_assert(!same_bytes());
}
END_TEST

Suite *marks_suite(void)
{
	Suite *s = suite_create("marks");
	TCase *c = tcase_create("marks");

	tcase_add_checked_fixture(c, start, stop);
	tcase_add_test(c, nothing_changed);
	tcase_add_test(c, changes);
	tcase_add_test(c, swapped_link);
	tcase_add_test(c, places);
	tcase_add_test(c, folder_comes_and_goes);
	tcase_add_test(c, young);
	tcase_add_test(c, blind);
	tcase_add_test(c, equal_bytes);
	suite_add_tcase(s, c);
	return s;
}
