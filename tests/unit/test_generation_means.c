/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/generation.c where the process has no descriptor, or there is no slot to
 * be had: what it goes on with then is never what was removed.
 */
#include "generation_fixture.h"

#include <sys/resource.h>

#define MANY 80 /* more than there are slots */

Suite *generation_means_suite(void);

static int turn;

static void no_more_descriptors(bool none)
{
	static struct rlimit before;
	struct rlimit few;

	if (none) {
		ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
		few = before;
		few.rlim_cur = (rlim_t)dup(0);
		close((int)few.rlim_cur);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	} else {
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
}

START_TEST(no_descriptor)
{
	struct credential c;

	write_pair("AAAA0001");
	no_more_descriptors(true);
	generation_prime();
	c = ask_for(&library);
	ck_assert_int_eq(c.reason, MTLS_NO_CREDENTIAL);
	ck_assert_ptr_null(c.reading);
	done(&c);
	no_more_descriptors(false);
	ck_usable("AAAA0001", true);
	write_pair("AAAA0002");
	no_more_descriptors(true);
	ck_usable("AAAA0001", false);
	no_more_descriptors(false);
	ck_usable("AAAA0002", true);
}
END_TEST

/* What may be left of them, with an mtls.conf that cannot be read either. */
static const struct {
	const char *cert, *key;
	enum mtls_reason reason;
} removals[] = {
	{"", "", MTLS_REMOVED},
	{"", NULL, MTLS_REMOVED},
	{NULL, NULL, MTLS_NO_CREDENTIAL},
};

START_TEST(removed_without_descriptor)
{
	struct credential c;

	write_pair("AAAA0001");
	put("mtls.conf", "hosts = a.example\n");
	ck_usable("AAAA0001", true);
	no_more_descriptors(true);
	if (removals[_i].cert)
		ck_assert_int_eq(truncate(in(CERT), 0), 0);
	else
		ck_assert_int_eq(unlink(in(CERT)), 0);
	ck_usable("AAAA0001", false); /* half of it: as where it is broken */
	if (removals[_i].key)
		ck_assert_int_eq(truncate(in(KEY), 0), 0);
	else
		ck_assert_int_eq(unlink(in(KEY)), 0);
	ck_none(removals[_i].reason);
	ck_none(removals[_i].reason);
	no_more_descriptors(false);
	c = ask_for(&library); /* the rest is read as soon as it can be */
	ck_assert(mtls_bytes_equal(c.policy->hosts, mtls_bytes_of("a.example")));
	done(&c);
	write_tags("AAAA0001", "AAAA0002");
	ck_none(MTLS_PAIR_MISMATCH);
	ck_assert_int_eq(unloaded, 1);
}
END_TEST

/* Removed from one place, with a credential in another that cannot be read. */
START_TEST(other_place_without_descriptor)
{
	static struct mtls_environment places;
	char first[100], second[100];

	ck_assert_int_eq(mkdir(in("first"), 0755), 0);
	ck_assert_int_eq(mkdir(in("mtls"), 0755), 0);
	snprintf(first, sizeof(first), "CREDENTIALS_DIRECTORY=%s", in("first"));
	snprintf(second, sizeof(second), "XDG_CONFIG_HOME=%s", folder);
	mtls_environment_read(&places, E(first, second));
	unit_environment = &places;
	put("first/" CERT, pem("CERTIFICATE", "AAAA0001"));
	put("first/" KEY, pem("PRIVATE KEY", "AAAA0001"));
	put("mtls/" CERT, pem("CERTIFICATE", "AAAA0002"));
	put("mtls/" KEY, pem("PRIVATE KEY", "AAAA0002"));
	ck_usable("AAAA0001", true);
	no_more_descriptors(true);
	ck_assert_int_eq(unlink(in("first/" CERT)), 0);
	ck_assert_int_eq(unlink(in("first/" KEY)), 0);
	ck_none(MTLS_NO_CREDENTIAL);
	no_more_descriptors(false);
	ck_usable("AAAA0002", true);
}
END_TEST

static struct credential held[MANY];

/* Each slot is held by a request; how many there are. The last one's tag. */
static int hold_all(char next[32])
{
	int n = 0;

	strcpy(next, "AAAA0000");
	for (; n < MANY; n++) {
		write_pair(next);
		held[n] = ask_for(&library);
		if (strcmp(tag(&held[n]), next) != 0)
			break;
		snprintf(next, 32, "AAAA%04d", n + 1);
	}
	ck_assert_int_gt(n, 16);
	ck_assert_int_lt(n, MANY);
	return n + 1;
}

static void give_one_back(void)
{
	if (++turn == 4) /* in the second round */
		generation_release(&held[0]);
}

/* Each slot is held by somebody: what there is stays in use, for a while it is waited for a slot, and none is lost. */
START_TEST(no_slot)
{
	char next[32];
	int n = hold_all(next);

	turn = 0;
	unit_before_environment = give_one_back;
	ck_usable(next, true);
	unit_before_environment = NULL;
	for (int i = 0; i < n; i++)
		generation_release(&held[i]);
	ck_assert_int_eq(loaded - unloaded, 1);
	write_pair("AAAA9999");
	ck_usable("AAAA9999", true);
}
END_TEST

/* Then there is none to say so in, and it holds all the same, also when another state can be read again. */
START_TEST(removed_without_slot)
{
	char next[32];
	int n = hold_all(next);

	write_files("", "");
	ck_none(MTLS_NO_CREDENTIAL);
	write_tags("AAAA0001", "AAAA0002");
	ck_none(MTLS_NO_CREDENTIAL);
	for (int i = 0; i < n; i++)
		generation_release(&held[i]);
	ck_none(MTLS_PAIR_MISMATCH);
	ck_assert_int_eq(loaded, unloaded);
	write_pair("AAAA9999");
	ck_usable("AAAA9999", true);
}
END_TEST

Suite *generation_means_suite(void)
{
	Suite *s = suite_create("generation_means");
	TCase *c = tcase_create("generation_means");

	tcase_add_checked_fixture(c, generation_start, generation_stop);
	tcase_add_test(c, no_descriptor);
	tcase_add_loop_test(c, removed_without_descriptor, 0, (int)COUNT(removals));
	tcase_add_test(c, other_place_without_descriptor);
	tcase_add_test(c, no_slot);
	tcase_add_test(c, removed_without_slot);
	suite_add_tcase(s, c);
	return s;
}
