/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes log lines from inside somebody else's process: one write(2) each, no
 * descriptor kept, no signal raised (SIGPIPE, SIGXFSZ, SIGTTOU), no waiting for a full pipe. What a line says is
 * line.c's.
 */
#include "shim/log.h"

#include "host/sys.h"
#include "shim/cancel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int level = MTLS_LOG_WARN;
static bool asked_for;
static const char *file; /* NULL: standard error */
static dev_t error_device;
static ino_t error_inode;
static bool error_known;

void log_start(const struct mtls_environment *env, bool asked)
{
	struct mtls_policy policy;
	struct stat st;

	asked_for = asked;
	file = env->log_file;
	error_known = mtls_fstat(STDERR_FILENO, &st) == 0;
	if (error_known) {
		error_device = st.st_dev;
		error_inode = st.st_ino;
	}
	mtls_environment_policy(env, &policy);
	log_follow(&policy);
}

void log_follow(const struct mtls_policy *policy)
{
	bool silent = policy->origin[MTLS_LOG] == MTLS_FROM_DEFAULT && !asked_for;

	atomic_store_explicit(&level, silent ? MTLS_LOG_OFF : (int)policy->log, memory_order_relaxed);
}

bool log_wanted(enum mtls_log wanted)
{
	return (int)wanted <= atomic_load_explicit(&level, memory_order_relaxed);
}

static bool still_standard_error(void)
{
	struct stat st;

	return error_known && mtls_fstat(STDERR_FILENO, &st) == 0 && st.st_dev == error_device &&
	       st.st_ino == error_inode;
}

/*
 * One write that neither waits nor kills: the signals that it could raise are blocked,
 * and taken back if it did (SIGTTOU is not even raised then). On Linux sigprocmask is this thread's; pthread_sigmask
 * has a too new version in glibc 2.32.
 */
static void write_line(int fd, const char *line, size_t n)
{
	static const struct timespec no_wait;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	sigset_t ours, before, pending;
	ssize_t written;

	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
		return;
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigaddset(&ours, SIGXFSZ);
	sigaddset(&ours, SIGTTOU);
	if (sigpending(&pending) != 0 || sigprocmask(SIG_BLOCK, &ours, &before) != 0)
		return;
	written = write(fd, line, n);
	if (written < 0 && (errno == EPIPE || errno == EFBIG)) {
		int raised = errno == EPIPE ? SIGPIPE : SIGXFSZ;

		if (!sigismember(&pending, raised)) {
			sigemptyset(&ours);
			sigaddset(&ours, raised);
			while (sigtimedwait(&ours, NULL, &no_wait) < 0 && errno == EINTR)
				;
		}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void log_event(enum mtls_log wanted, const struct mtls_event *event)
{
	char line[MTLS_LINE_MAX];
	int saved = errno, cancel, fd;
	size_t n;

	if (!log_wanted(wanted))
		return;
	cancel = shim_hold_cancel();
	n = mtls_line(line, (unsigned)getpid(), event);
	if (!file) {
		if (still_standard_error())
			write_line(STDERR_FILENO, line, n);
	} else {
		fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
		if (fd >= 0) {
			write_line(fd, line, n);
			close(fd);
		}
	}
	shim_restore_cancel(cancel);
	errno = saved;
}

void log_loaded(void)
{
	log_event(MTLS_LOG_DEBUG, &(struct mtls_event){.verb = "loaded", .reason = MTLS_REASONS});
}

void log_hook(const char *name)
{
	log_event(MTLS_LOG_DEBUG, &(struct mtls_event){.verb = "hook", .reason = MTLS_REASONS, .what = name});
}
