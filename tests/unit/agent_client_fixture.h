/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of host/agent.c: servers that do as a script says, each in a process of its own. After every question,
 * whatever came of it, errno is what it was and no descriptor is left: see asked().
 */
#ifndef MTLS_TESTS_AGENT_CLIENT_FIXTURE_H
#define MTLS_TESTS_AGENT_CLIENT_FIXTURE_H

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

#define NOBODY 65534
#define ODD    1234 /* an errno that nobody sets */

static char folder[64], path[80];
static pid_t server;
static int listener = -1;

static const unsigned char KEY[MTLS_KEY_ID] = {1, 2, 3};

static inline void setup(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/agent.XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	server = -1;
}

static inline void teardown(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	unlink(path);
	rmdir(folder);
}

/* --- servers ---------------------------------------------------------------------------- */

static inline void bind_at(int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	memcpy(at.sun_path, path, sizeof(path));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
}

static inline void pause_ms(long ms)
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

static inline void follow(const struct script *script, int fd)
{
	static unsigned char question[MTLS_SIGNING_MAX + 1];

	if (script->early) {
		send(fd, script->answer, (size_t)script->n, MSG_NOSIGNAL);
		shutdown(fd, SHUT_RDWR);
	}
	if (script->early) /* what lies unread would be an error to the client, before the answer */
		(void)!recv(fd, question, sizeof(question), MSG_DONTWAIT);
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
static inline void serve(const struct script *script, uid_t listens)
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

static inline void start(const struct script *script)
{
	bind_at(SOCK_SEQPACKET);
	serve(script, geteuid());
}

static inline struct script answer(enum mtls_signing_status status, size_t signature)
{
	struct script script = {.read = true, .answer = {1, (unsigned char)status}, .n = (ssize_t)(2 + signature)};

	memset(script.answer + 2, 0x42, signature);
	return script;
}

/* --- questions ---------------------------------------------------------------------------- */

static inline int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline enum mtls_agent_state probe(void)
{
	return mtls_agent_probe(path, KEY, MTLS_OP_CONTENT);
}

static unsigned char content[MTLS_SIGNING_CONTENT], signature[MTLS_SIGNATURE_MAX];
static size_t signed_n;

static inline enum mtls_agent_state sign(void)
{
	struct mtls_question q = {.op = MTLS_OP_CONTENT, .scheme = 0x0403, .content = {content, 300}};

	return mtls_agent_sign(path, &q, signature, &signed_n);
}

static inline enum mtls_agent_state asked(enum mtls_agent_state (*ask)(void))
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

#endif
