/* SPDX-License-Identifier: Apache-2.0 */
/* host/agent.c: what becomes of answers and of nonsense, and how long it waits. */
#include "tests/unit/agent_client_fixture.h"

#include <seccomp.h>

Suite *agent_client_suite(void);

/* --- answers -------------------------------------------------------------------------------- */

START_TEST(every_answer)
{
	struct script script = answer((enum mtls_signing_status)_i, 0);

	start(&script);
	ck_assert_int_eq(asked(probe), _i < MTLS_STATUSES ? _i : (int)MTLS_AGENT_LOST);
	/* yes is no signature */
	ck_assert_int_eq(asked(sign), _i == MTLS_SIGNED || _i >= MTLS_STATUSES ? (int)MTLS_AGENT_LOST : _i);
}
END_TEST

START_TEST(signatures)
{
	static const size_t sizes[] = {1, 70, 256, MTLS_SIGNATURE_MAX};
	struct script script = answer(MTLS_SIGNED, sizes[_i]);

	start(&script);
	memset(signature, 0, sizeof(signature));
	ck_assert_int_eq(asked(sign), MTLS_AGENT_READY);
	ck_assert_uint_eq(signed_n, sizes[_i]);
	for (size_t i = 0; i < signed_n; i++)
		ck_assert_uint_eq(signature[i], 0x42);
	/* and a probe has none */
	ck_assert_int_eq(asked(probe), MTLS_AGENT_LOST);
}
END_TEST

START_TEST(nonsense)
{
	static const struct {
		ssize_t n;
		unsigned char p[4];
	} packets[] = {{0, {0}}, {1, {1}}, {2, {2, 0}}, {2, {1, 200}}, {3, {1, 1, 9}}, {4, "http"}};
	struct script script = {.read = true, .n = packets[_i].n};

	memcpy(script.answer, packets[_i].p, 4);
	start(&script);
	ck_assert_int_eq(asked(probe), MTLS_AGENT_LOST);
	ck_assert_int_eq(asked(sign), MTLS_AGENT_LOST);
}
END_TEST

START_TEST(too_long)
{
	struct script script = answer(MTLS_SIGNED, MTLS_SIGNATURE_MAX + 1);

	start(&script);
	ck_assert_int_eq(asked(sign), MTLS_AGENT_LOST);
}
END_TEST

START_TEST(hangs_up)
{
	struct script script = {.read = _i, .hang_up = true};

	start(&script);
	ck_assert_int_eq(asked(probe), MTLS_AGENT_LOST);
	ck_assert_int_eq(asked(sign), MTLS_AGENT_LOST);
}
END_TEST

/* As the agent turns somebody away: it does not read first. */
START_TEST(answered_before_asked)
{
	struct script script = answer(MTLS_DENIED, 0);

	script.read = false;
	script.early = true;
	start(&script);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(asked(probe), MTLS_DENIED);
		ck_assert_int_eq(asked(sign), MTLS_DENIED);
	}
}
END_TEST

/* All of it arrives, in one packet. */
START_TEST(the_longest_question)
{
	struct mtls_question q = {.op = MTLS_OP_CONTENT, .scheme = 0x0804, .content = {content, MTLS_SIGNING_CONTENT}};
	static unsigned char got[MTLS_SIGNING_MAX + 1];
	unsigned char yes[] = {1, 0, 5};
	size_t n = 0;
	int status;

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (unsigned char)(i * 7);
	memcpy(q.key, KEY, sizeof(q.key));
	bind_at(SOCK_SEQPACKET);
	ck_assert_int_eq(listen(listener, 1), 0);
	server = fork();
	if (server == 0) {
		int fd = accept(listener, NULL, NULL);
		bool good = recv(fd, got, sizeof(got), 0) == MTLS_SIGNING_MAX &&
			    memcmp(got, "\1\1\10\4\1\2\3\0", 8) == 0 &&
			    memcmp(got + MTLS_SIGNING_HEAD, content, sizeof(content)) == 0;

		send(fd, yes, sizeof(yes), MSG_NOSIGNAL);
		_exit(good ? 0 : 1);
	}
	close(listener);
	ck_assert_int_eq(mtls_agent_sign(path, &q, signature, &n), MTLS_AGENT_READY);
	waitpid(server, &status, 0);
	server = -1;
	ck_assert_int_eq(status, 0);
}
END_TEST

/* --- time -------------------------------------------------------------------------------------- */

static long long milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* It gives up at its deadline, and not before. */
static void slow(enum mtls_agent_state (*ask)(void), int deadline)
{
	long long begin = milliseconds();

	ck_assert_int_eq(asked(ask), MTLS_AGENT_SLOW);
	ck_assert_int_ge((int)(milliseconds() - begin), deadline - 1);
}

START_TEST(never_answers)
{
	struct script script = {.read = true, .n = -1};

	start(&script);
	slow(probe, MTLS_AGENT_PROBE_MS);
	slow(sign, MTLS_AGENT_SIGN_MS); /* not even accepted: the server still waits */
}
END_TEST

START_TEST(stopped)
{
	struct script script = answer(MTLS_SIGNED, 0);

	start(&script);
	kill(server, SIGSTOP);
	slow(probe, MTLS_AGENT_PROBE_MS);
	kill(server, SIGCONT);
	ck_assert_int_eq(asked(probe), MTLS_AGENT_READY);
}
END_TEST

/* connect(2) itself would wait without end. */
static void fill_backlog(int *held, int n)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	memcpy(to.sun_path, path, sizeof(path));
	for (int i = 0; i < n; i++) {
		held[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(held[i], (struct sockaddr *)&to, sizeof(to)) != 0) {
			ck_assert_int_eq(errno, EAGAIN);
			return;
		}
	}
	ck_abort_msg("the queue does not fill");
}

START_TEST(full_queue)
{
	unsigned char yes[] = {1, 0};
	int held[20];

	bind_at(SOCK_SEQPACKET);
	ck_assert_int_eq(listen(listener, 2), 0);
	fill_backlog(held, 20);
	slow(probe, MTLS_AGENT_PROBE_MS);
	server = fork();
	if (server == 0) {
		pause_ms(50);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			send(fd, yes, sizeof(yes), MSG_NOSIGNAL);
		}
	}
	ck_assert_int_eq(asked(probe), MTLS_AGENT_READY);
}
END_TEST

static void ignore(int number)
{
	(void)number;
}

/* Every call that waits is interrupted many times. */
START_TEST(signals)
{
	struct sigaction action = {.sa_handler = ignore};
	struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
	struct script script = answer(MTLS_SIGNED, 100);

	script.wait_ms = 100;
	start(&script);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	ck_assert_int_eq(asked(sign), MTLS_AGENT_READY);
	setitimer(ITIMER_REAL, &never, NULL);
	kill(server, SIGSTOP);
	setitimer(ITIMER_REAL, &often, NULL);
	slow(probe, MTLS_AGENT_PROBE_MS);
	setitimer(ITIMER_REAL, &never, NULL);
}
END_TEST

/* Programs that gave poll(2) away; in a process of its own, for it does not come back. */
START_TEST(poll_is_refused)
{
	struct script script = answer(MTLS_SIGNED, 100);
	int status;
	pid_t child;

	script.wait_ms = 50;
	start(&script);
	child = fork();
	if (child == 0) {
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
		bool ok = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(poll), 0) == 0 &&
			  seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ppoll), 0) == 0 &&
			  seccomp_load(filter) == 0;

		alarm(10);
		ok = ok && sign() == MTLS_AGENT_READY && kill(server, SIGSTOP) == 0 && probe() == MTLS_AGENT_SLOW &&
		     sign() == MTLS_AGENT_SLOW;
		_exit(ok ? 0 : 1);
	}
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

static void add_answers(TCase *t)
{
	tcase_add_loop_test(t, every_answer, 0, MTLS_STATUSES + 2);
	tcase_add_loop_test(t, signatures, 0, 4);
	tcase_add_loop_test(t, nonsense, 0, 6);
	tcase_add_test(t, too_long);
	tcase_add_loop_test(t, hangs_up, 0, 2);
	tcase_add_test(t, answered_before_asked);
	tcase_add_test(t, the_longest_question);
}

Suite *agent_client_suite(void)
{
	Suite *s = suite_create("agent_client");
	TCase *t = tcase_create("agent_client");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	add_answers(t);
	tcase_add_test(t, never_answers);
	tcase_add_test(t, stopped);
	tcase_add_test(t, full_queue);
	tcase_add_test(t, signals);
	tcase_add_test(t, poll_is_refused);
	suite_add_tcase(s, t);
	return s;
}
