/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a helper program; see child.h.
 */
#include "launcher/run/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launcher/run/say.h"

#define PATIENCE_MS 5000 /* a key of many rounds takes a second or two */
#define OUTPUT_MAX  (1 << 20)

/*
 * Our parent may have ignored SIGCHLD, which would lose the exit status, or blocked it, which would leave it
 * pending.
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

char **child_environment(const char *const *prefixes, int n)
{
	size_t size = 0, kept = 0;
	char **copy;

	while (environ[size])
		size++;
	copy = calloc(size + 2, sizeof(*copy));
	for (size_t i = 0; copy && i < size; i++) {
		int p = 0;

		while (p < n && strncmp(environ[i], prefixes[p], strlen(prefixes[p])) != 0)
			p++;
		if (p == n)
			copy[kept++] = environ[i];
	}
	return copy;
}

/* error: the descriptor for its standard error, or -1. A loader too old for the program complains there. */
static bool start(char *const argv[], char *const envp[], int output, int error, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	bool ok;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return false;
	ok = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/", O_PATH, 0) == 0 &&
	     (error < 0 ? posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/", O_PATH, 0)
			: posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO)) == 0 &&
	     posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0 &&
	     posix_spawn(pid, argv[0], &actions, NULL, argv, envp) == 0;
	posix_spawn_file_actions_destroy(&actions);
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

struct heard {
	char *text;
	size_t n, size;
};

/* What does not fit is dropped. */
static void keep(struct heard *h, const char *p, size_t n)
{
	if (h->n + n >= h->size && h->size < OUTPUT_MAX) {
		size_t size = h->size * 2 + n + 1;
		char *longer = realloc(h->text, size);

		if (longer) {
			h->text = longer;
			h->size = size;
		}
	}
	if (h->n + n < h->size) {
		memcpy(h->text + h->n, p, n);
		h->n += n;
		h->text[h->n] = '\0';
	}
}

/* One piece of output. false: that was its end. */
static bool hear(int fd, struct heard *h)
{
	char buffer[4096];
	ssize_t got = read(fd, buffer, sizeof(buffer));

	if (got > 0)
		keep(h, buffer, (size_t)got);
	return got > 0 || (got < 0 && errno == EINTR);
}

/* To the end of both (error may be -1). false: patience ran out. */
static bool listen_to(int output, int error, struct heard *said, struct heard *complained)
{
	struct pollfd p[] = {{.fd = output, .events = POLLIN}, {.fd = error, .events = POLLIN}};
	struct timespec began;

	clock_gettime(CLOCK_MONOTONIC, &began);
	while (p[0].fd >= 0 || p[1].fd >= 0) {
		int ready = poll(p, 2, ms_left(&began));

		if (ready == 0 || (ready < 0 && errno != EINTR))
			return false;
		if (ready > 0 && p[0].revents && !hear(output, said))
			p[0].fd = -1;
		if (ready > 0 && p[1].revents && !hear(error, complained))
			p[1].fd = -1;
	}
	return true;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void close_both(const int ends[2])
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

void child_run(char *const argv[], char *const envp[], bool listen_to_error, struct child *out)
{
	struct heard said = {.text = text("%s", "")}, complained = {.text = text("%s", "")};
	int output[2] = {-1, -1}, error[2] = {-1, -1};
	struct child_signal signal_state;
	pid_t pid;

	said.size = complained.size = 1;
	out->status = -1;
	if (pipe2(output, O_CLOEXEC) == 0 && (!listen_to_error || pipe2(error, O_CLOEXEC) == 0)) {
		hold_child_signal(&signal_state);
		if (start(argv, envp, output[1], error[1], &pid)) {
			close_both((const int[]){output[1], error[1]});
			output[1] = error[1] = -1;
			if (!listen_to(output[0], error[0], &said, &complained))
				kill(pid, SIGKILL);
			out->status = wait_for(pid);
		}
		restore_child_signal(&signal_state);
	}
	close_both(output);
	close_both(error);
	out->output = said.text;
	out->error_is_empty = complained.n == 0;
	free(complained.text);
}
