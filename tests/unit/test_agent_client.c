/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/agent.c against servers that do as a script says, each in a process of its own. After every question, whatever
 * came of it, errno is what it was and no descriptor is left: see asked().
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/agent.h"

Suite *agent_client_suite(void);

#define NOBODY 65534
#define ODD    1234 /* an errno that nobody sets */

static char folder[64], path[80];
static pid_t server;
static int listener = -1;

static const unsigned char KEY[MTLS_KEY_ID] = {1, 2, 3};

static void setup(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/agent.XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	server = -1;
}

static void teardown(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	unlink(path);
	rmdir(folder);
}

/* --- servers ---------------------------------------------------------------------------- */

static void bind_at(int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* What the server does with each connection. */
struct script {
	bool read, hang_up; /* the question; instead of an answer */
	bool early;         /* the answer comes first, and then it hangs up, the question unread */
	long wait_ms;
	unsigned char answer[MTLS_ANSWER_HEAD + MTLS_SIGNATURE_MAX + 10];
	ssize_t n; /* -1: none, for ever */
};

static void follow(const struct script *script, int fd)
{
	static unsigned char question[MTLS_SIGNING_MAX + 1];

	if (script->early) {
		send(fd, script->answer, (size_t)script->n, MSG_NOSIGNAL);
		shutdown(fd, SHUT_RDWR);
	}
	if (script->read && recv(fd, question, sizeof(question), 0) <= 0)
		_exit(3);
	pause_ms(script->wait_ms);
	if (!script->hang_up && !script->early && script->n >= 0)
		send(fd, script->answer, (size_t)script->n, MSG_NOSIGNAL);
	if (script->n < 0 && !script->hang_up)
		pause();
	close(fd);
}

/* listens: as which user. The parent keeps no descriptor. */
static void serve(const struct script *script, uid_t listens)
{
	int ready[2];
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		if (listens != geteuid() && setresuid(listens, listens, listens) != 0)
			_exit(2);
		if (listen(listener, 8) != 0 || write(ready[1], "", 1) != 1)
			_exit(2);
		for (;;)
			follow(script, accept(listener, NULL, NULL));
	}
	close(listener);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
}

static void start(const struct script *script)
{
	bind_at(SOCK_SEQPACKET);
	serve(script, geteuid());
}

static struct script answer(enum mtls_signing_status status, size_t signature)
{
	struct script script = {.read = true, .answer = {1, (unsigned char)status}, .n = (ssize_t)(2 + signature)};

	memset(script.answer + 2, 0x42, signature);
	return script;
}

/* --- questions ---------------------------------------------------------------------------- */

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static enum mtls_agent_state probe(void)
{
	return mtls_agent_probe(path, KEY, MTLS_OP_CONTENT);
}

static unsigned char content[MTLS_SIGNING_CONTENT], signature[MTLS_SIGNATURE_MAX];
static size_t signed_n;

static enum mtls_agent_state sign(void)
{
	struct mtls_question q = {.op = MTLS_OP_CONTENT, .scheme = 0x0403, .content = {content, 300}};

	return mtls_agent_sign(path, &q, signature, &signed_n);
}

static enum mtls_agent_state asked(enum mtls_agent_state (*ask)(void))
{
	int before = descriptors();
	enum mtls_agent_state state;

	errno = ODD;
	signed_n = 77;
	state = ask();
	ck_assert_int_eq(errno, ODD);
	ck_assert_int_eq(descriptors(), before);
	ck_assert(ask == probe || signed_n == 0 || state == MTLS_AGENT_READY);
	return state;
}

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

	strcpy(to.sun_path, path);
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
	char keep[sizeof(path)];

	strcpy(keep, path);
	strcat(path, "/s"); /* a file as a folder */
	ck_assert_int_eq(asked(probe), MTLS_AGENT_MISSING);
	strcpy(path, keep);
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
	if (access(folder, X_OK) == 0) {
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
