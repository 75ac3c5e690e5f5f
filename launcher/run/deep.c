/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs mtls-cred and listens to it; see deep.h. posix_spawn, so that no code of
 * ours runs between fork and exec.
 */
#include "launcher/run/deep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launcher/run/say.h"

#define PATIENCE_MS 5000 /* a key of many rounds takes a second or two */
#define SAID_MAX    16384

/* Our parent may have ignored SIGCHLD, which would lose the exit status, or blocked it, which would leave it pending.
 */
struct child_signal {
	struct sigaction before;
	bool was_pending;
};

static bool child_pending(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGCHLD) == 1;
}

static void hold_child_signal(struct child_signal *s)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};

	s->was_pending = child_pending();
	sigaction(SIGCHLD, &standard, &s->before);
}

static void restore_child_signal(const struct child_signal *s)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	if (!s->was_pending && child_pending())
		sigaction(SIGCHLD, &ignore, NULL); /* discards it, POSIX XSH 2.4.3 */
	sigaction(SIGCHLD, &s->before, NULL);
}

static char **environment_without_preload(void)
{
	size_t n = 0, kept = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
			copy[kept++] = environ[i];
	return copy;
}

/* Standard input and error are dead ends: it must not take the program's input, and a loader too old for it complains.
 */
static bool start(const char *cred, int output, pid_t *pid)
{
	static char name[] = "mtls-cred", verb[] = "check";
	char *const argv[] = {name, verb, NULL};
	char **envp = environment_without_preload();
	posix_spawn_file_actions_t actions;
	bool ok = false;

	if (!envp)
		return false;
	if (posix_spawn_file_actions_init(&actions) == 0) {
		ok = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/", O_PATH, 0) == 0 &&
		     posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/", O_PATH, 0) == 0 &&
		     posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0 &&
		     posix_spawn(pid, cred, &actions, NULL, argv, envp) == 0;
		posix_spawn_file_actions_destroy(&actions);
	}
	free(envp);
	return ok;
}

static int ms_left(const struct timespec *start_time)
{
	struct timespec now;
	long long gone;

	clock_gettime(CLOCK_MONOTONIC, &now);
	gone = (now.tv_sec - start_time->tv_sec) * 1000LL + (now.tv_nsec - start_time->tv_nsec) / 1000000;
	return gone < PATIENCE_MS ? (int)(PATIENCE_MS - gone) : 0;
}

/* To the end of its output. false: patience ran out. What does not fit is read and dropped. */
static bool listen_to(int fd, char said[SAID_MAX])
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec began;
	char buffer[1024];
	size_t n = 0;
	ssize_t got = 1;

	clock_gettime(CLOCK_MONOTONIC, &began);
	while (got > 0) {
		int ready = poll(&p, 1, ms_left(&began));

		if (ready == 0)
			return false;
		got = ready < 0 ? -1 : read(fd, buffer, sizeof(buffer));
		if (got < 0 && errno == EINTR)
			got = 1;
		else
			for (ssize_t i = 0; i < got && n < SAID_MAX - 1; i++)
				said[n++] = buffer[i];
	}
	said[n] = '\0';
	return got == 0;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A loader that cannot start it exits with 1 too, but says nothing on standard output. */
static enum deep_verdict verdict_of(int status, const char *said)
{
	switch (status) {
	case 0:
		return DEEP_USABLE;
	case 1:
		return *said ? DEEP_WARNINGS : DEEP_IMPOSSIBLE;
	case 2:
		return *said ? DEEP_BROKEN : DEEP_IMPOSSIBLE;
	case 3:
		return DEEP_NOTHING;
	default:
		return DEEP_IMPOSSIBLE;
	}
}

enum deep_verdict deep_check(const char *cred, char **said)
{
	enum deep_verdict verdict = DEEP_IMPOSSIBLE;
	char heard[SAID_MAX] = "";
	struct child_signal signal_state;
	int ends[2], status;
	bool started;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == 0) {
		hold_child_signal(&signal_state);
		started = start(cred, ends[1], &pid);
		close(ends[1]);
		if (started) {
			if (!listen_to(ends[0], heard))
				kill(pid, SIGKILL);
			status = wait_for(pid);
			verdict = verdict_of(status, heard);
		}
		close(ends[0]);
		restore_child_signal(&signal_state);
	}
	*said = text("%s", heard);
	return verdict;
}
