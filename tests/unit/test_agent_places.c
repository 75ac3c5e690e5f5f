/* SPDX-License-Identifier: Apache-2.0 */
/* agent/places.c: who gives way, and whose turn it is. Descriptors are pipes' ends, to see that each is closed. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/places.h"

Suite *agent_places_suite(void);

static struct agent_places places;
static struct agent_user users[3];
static int come; /* pid, as the order of coming */

static void setup(void)
{
	agent_places_start(&places);
	places.limit = 8;
	for (unsigned i = 0; i < 3; i++)
		users[i] = (struct agent_user){.id = 100 + i};
	come = 0;
}

static void teardown(void)
{
	agent_places_end(&places);
}

/* Adds one of user, who asks or not; returns who had to go as its order of coming, or -1. */
static int add(unsigned user, bool asks)
{
	unsigned victim;
	int gone = -1;

	agent_places_add(&places, open("/dev/null", O_RDONLY | O_CLOEXEC), &users[user], come++, 0);
	if (asks)
		agent_places_ask(&places, places.n - 1);
	if (agent_places_crowded(&places, &victim)) {
		int fd = places.place[victim].fd;

		gone = places.place[victim].pid;
		agent_places_drop(&places, victim);
		ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	}
	ck_assert_uint_le(places.n, places.limit);
	return gone;
}

static int next(void)
{
	unsigned i;
	int pid = -1;

	if (agent_places_next(&places, &i)) {
		pid = places.place[i].pid;
		agent_places_drop(&places, i);
	}
	return pid;
}

START_TEST(room_for_all)
{
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(add(0, i % 2), -1);
	ck_assert_uint_eq(places.n, 8);
	ck_assert_uint_eq(places.asked, 4);
	ck_assert_uint_eq(users[0].held, 8);
	agent_places_end(&places);
	ck_assert_uint_eq(places.asked, 0);
	ck_assert_uint_eq(users[0].held, 0);
}
END_TEST

START_TEST(the_oldest_silent_one_gives_way)
{
	add(0, true);
	for (int i = 1; i < 8; i++)
		add(0, false);
	ck_assert_int_eq(add(0, false), 1);
	ck_assert_int_eq(add(0, true), 2);
}
END_TEST

START_TEST(who_holds_most_gives_way)
{
	add(1, false); /* older than all, and silent */
	add(2, true);
	for (int i = 2; i < 8; i++)
		add(0, true);
	/* all of that user's have asked: the newest waits longest anyway */
	ck_assert_int_eq(add(1, false), 7);
	ck_assert_int_eq(add(2, true), 6);
	/* and one more of its own is turned away itself */
	ck_assert_int_eq(add(0, true), 10);
	ck_assert_int_eq(add(0, false), 11);
	ck_assert_uint_eq(users[0].held, 4);
	ck_assert_uint_eq(users[1].held, 2);
	ck_assert_uint_eq(users[2].held, 2);
}
END_TEST

START_TEST(turns_go_by_user)
{
	for (int i = 0; i < 5; i++)
		add(0, true); /* 0 to 4 */
	add(1, false);
	add(1, true); /* 6 */
	add(2, true); /* 7 */
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(next(), 6);
	ck_assert_int_eq(next(), 7);
	ck_assert_int_eq(next(), 1);
	add(1, true); /* 8: came last, served longest ago */
	ck_assert_int_eq(next(), 8);
	ck_assert_int_eq(next(), 2);
	ck_assert_int_eq(next(), 3);
	ck_assert_int_eq(next(), 4);
	ck_assert_int_eq(next(), -1); /* the silent one has no turn */
	ck_assert_uint_eq(places.n, 1);
}
END_TEST

START_TEST(places_fit_the_limit_of_descriptors)
{
	struct rlimit before, few;

	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = few.rlim_max = 100;
	setrlimit(RLIMIT_NOFILE, &few);
	agent_places_start(&places);
	ck_assert_uint_ge(places.limit, 40);
	ck_assert_uint_le(places.limit, 60);
	few.rlim_cur = few.rlim_max = 20;
	setrlimit(RLIMIT_NOFILE, &few);
	agent_places_start(&places);
	ck_assert_uint_eq(places.limit, 1);
	_exit(0); /* a leak check needs descriptors */
}
END_TEST

Suite *agent_places_suite(void)
{
	Suite *s = suite_create("agent_places");
	TCase *t = tcase_create("agent_places");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, room_for_all);
	tcase_add_test(t, the_oldest_silent_one_gives_way);
	tcase_add_test(t, who_holds_most_gives_way);
	tcase_add_test(t, turns_go_by_user);
	tcase_add_exit_test(t, places_fit_the_limit_of_descriptors, 0);
	suite_add_tcase(s, t);
	return s;
}
