/* SPDX-License-Identifier: Apache-2.0 */
/* host/agent.c: who may be behind a socket, and that the program's own affairs are left alone. */
#include "tests/unit/agent_client_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

Suite *agent_trust_suite(void);

/* --- who may be behind the socket ---------------------------------------------------------------- */

START_TEST(nobody_there)
{
	int fd;

	ck_assert_int_eq(asked(probe), MTLS_AGENT_MISSING);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	ck_assert_int_eq(asked(probe), MTLS_AGENT_DOWN);
	unlink(path);
	bind_at(SOCK_SEQPACKET);
	ck_assert_int_eq(asked(probe), MTLS_AGENT_DOWN);
	close(listener); /* stale */
	ck_assert_int_eq(asked(sign), MTLS_AGENT_DOWN);
	unlink(path);
	bind_at(SOCK_STREAM);
	listen(listener, 1);
	ck_assert_int_eq(asked(probe), MTLS_AGENT_DOWN);
	close(listener);
}
END_TEST

START_TEST(no_way)
{
	size_t n = strlen(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	snprintf(path + n, sizeof(path) - n, "/s"); /* a file as a folder */
	ck_assert_int_eq(asked(probe), MTLS_AGENT_MISSING);
	path[n] = '\0';
	ck_assert_int_eq(mtls_agent_probe("/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
					  "0123456789/0123456789/0123456789/012345678",
					  KEY, MTLS_OP_CONTENT),
			 MTLS_AGENT_MISSING);
}
END_TEST

/* As root: folder's owner and mode, the socket's owner, who listens, what is to come of it for root. */
static const struct {
	uid_t folder;
	mode_t mode;
	uid_t socket, listens;
	enum mtls_agent_state state;
} owners[] = {
	{0, 0755, 0, 0, MTLS_AGENT_READY},
	{0, 01777, 0, 0, MTLS_AGENT_READY}, /* as in /tmp: root's own is good */
	{0, 0755, NOBODY, NOBODY, MTLS_AGENT_FOREIGN},
	{0, 01777, NOBODY, NOBODY, MTLS_AGENT_FOREIGN},
	{NOBODY, 0755, NOBODY, NOBODY, MTLS_AGENT_READY},
	{NOBODY, 0750, NOBODY, NOBODY, MTLS_AGENT_READY},
	{NOBODY, 0775, NOBODY, NOBODY, MTLS_AGENT_FOREIGN}, /* the group could replace it */
	{NOBODY, 0757, NOBODY, NOBODY, MTLS_AGENT_FOREIGN},
	{NOBODY, 0755, 2, NOBODY, MTLS_AGENT_FOREIGN},
	{NOBODY, 0755, NOBODY, 2, MTLS_AGENT_FOREIGN},
	{0, 0755, 0, NOBODY, MTLS_AGENT_FOREIGN}, /* the path is right, who listens is not */
	{NOBODY, 0775, 0, 0, MTLS_AGENT_READY},
};

START_TEST(owner)
{
	struct script script = answer(MTLS_SIGNED, 0);

	if (geteuid() != 0)
		return;
	bind_at(SOCK_SEQPACKET);
	ck_assert_int_eq(chown(path, owners[_i].socket, (gid_t)-1), 0);
	serve(&script, owners[_i].listens);
	ck_assert_int_eq(chown(folder, owners[_i].folder, (gid_t)-1), 0);
	ck_assert_int_eq(chmod(folder, owners[_i].mode), 0);
	ck_assert_int_eq(asked(probe), owners[_i].state);
}
END_TEST

START_TEST(not_for_this_user)
{
	struct script script = answer(MTLS_SIGNED, 0);

	if (geteuid() != 0)
		return;
	start(&script);
	chmod(folder, 0755);
	chmod(path, 0600);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	if (faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) == 0) {
		ck_assert_int_eq(asked(probe), MTLS_DENIED);
		ck_assert_int_eq(seteuid(0), 0);
		chmod(folder, 0700);
		ck_assert_int_eq(seteuid(NOBODY), 0);
		ck_assert_int_eq(asked(probe), MTLS_DENIED);
	}
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* --- the program's own affairs --------------------------------------------------------------------- */

START_TEST(no_descriptor_to_spare)
{
	struct script script = answer(MTLS_SIGNED, 0);
	struct rlimit limit, before;
	enum mtls_agent_state state;
	int last;

	start(&script);
	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	last = dup(2);
	limit.rlim_cur = (rlim_t)last + 1;
	setrlimit(RLIMIT_NOFILE, &limit);
	errno = ODD;
	state = probe();
	ck_assert_int_eq(errno, ODD);
	setrlimit(RLIMIT_NOFILE, &before);
	ck_assert_int_eq(state, MTLS_AGENT_LACK);
}
END_TEST

static atomic_bool finished;

static void *ask_in_thread(void *state)
{
	*(enum mtls_agent_state *)state = probe();
	atomic_store(&finished, true);
	return NULL;
}

/* A program that has closed its standard input must not find us there. */
START_TEST(standard_descriptors_stay_free)
{
	struct script script = answer(MTLS_SIGNED, 0);
	enum mtls_agent_state state = MTLS_AGENT_LOST;
	pthread_t thread;
	long seen = 0;

	script.wait_ms = 100;
	start(&script);
	close(STDIN_FILENO);
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_in_thread, &state), 0);
	/* for a moment, until it is moved up, it may be there: but not while it waits */
	pause_ms(50);
	while (!atomic_load(&finished) && fcntl(STDIN_FILENO, F_GETFD) < 0)
		seen++;
	pthread_join(thread, NULL);
	ck_assert(atomic_load(&finished));
	ck_assert_int_ge(seen, 1);
	ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), -1);
	ck_assert_int_eq(state, MTLS_AGENT_READY);
}
END_TEST

START_TEST(sentences)
{
	for (int state = 0; state <= MTLS_AGENT_LACK; state++)
		for (int other = 0; other < state; other++)
			ck_assert_str_ne(mtls_agent_sentence((enum mtls_agent_state)state),
					 mtls_agent_sentence((enum mtls_agent_state)other));
}
END_TEST

Suite *agent_trust_suite(void)
{
	Suite *s = suite_create("agent_trust");
	TCase *t = tcase_create("agent_trust");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, nobody_there);
	tcase_add_test(t, no_way);
	tcase_add_loop_test(t, owner, 0, sizeof(owners) / sizeof(owners[0]));
	tcase_add_test(t, not_for_this_user);
	tcase_add_test(t, no_descriptor_to_spare);
	tcase_add_test(t, standard_descriptors_stay_free);
	tcase_add_test(t, sentences);
	suite_add_tcase(s, t);
	return s;
}
