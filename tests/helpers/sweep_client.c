/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a client for sweep, with a deadline, in a process group of its own. */
#include "tests/helpers/sweep.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void become_client(unsigned long n, const int out[2], const int err[2])
{
	char fault[128];

	setpgid(0, 0);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	if (o.preload)
		setenv("LD_PRELOAD", o.preload, 1);
	if (o.counts)
		setenv("FAULT_COUNTS", o.counts, 1);
	snprintf(fault, sizeof(fault), "%s:%lu%s", o.fault ? o.fault : "", n, o.further ? "+" : "");
	if (o.fault)
		setenv("FAULT", fault, 1);
	for (char **word = o.command; *word; word++) {
		char *at = strstr(*word, "%N"), place[4096];

		if (!at)
			continue;
		snprintf(place, sizeof(place), "%.*s%lu%s", (int)(at - *word), *word, n, at + 2);
		*word = strdup(place);
		if (!*word)
			_exit(127);
	}
	execvp(o.command[0], o.command);
	_exit(127);
}

bool take(struct text *text, int fd)
{
	char spill[4096];
	size_t room = TEXT_MAX - text->n;
	ssize_t n = room ? read(fd, text->at + text->n, room) : read(fd, spill, sizeof(spill));

	if (n > 0 && room)
		text->n += (size_t)n;
	text->at[text->n] = '\0';
	return n > 0;
}

static void listen_to(struct run *run, int out, int err, int64_t end)
{
	struct pollfd two[] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};

	while (two[0].fd >= 0 || two[1].fd >= 0) {
		int64_t left = end - now_ms();

		if (left <= 0 || poll(two, 2, (int)left) == 0) {
			run->hangs = true;
			return;
		}
		if (two[0].revents && !take(&run->out, out))
			two[0].fd = -1;
		if (two[1].revents && !take(&run->err, err))
			two[1].fd = -1;
	}
}

static void end_client(struct run *run, pid_t pid, int64_t end)
{
	const struct timespec pause = {0, 1000000};

	while (!run->hangs && waitpid(pid, &run->status, WNOHANG) == 0) {
		run->hangs = now_ms() > end;
		nanosleep(&pause, NULL);
	}
	kill(-pid, SIGKILL);
	if (run->hangs)
		waitpid(pid, &run->status, 0);
}

void run_client(struct run *run, unsigned long n)
{
	int64_t end = now_ms() + (int64_t)o.deadline * 1000;
	int out[2] = {-1, -1}, err[2] = {-1, -1};
	pid_t pid;

	memset(run, 0, sizeof(*run));
	if (o.counts)
		unlink(o.counts);
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		become_client(n, out, err);
	close(out[1]);
	close(err[1]);
	listen_to(run, out[0], err[0], end);
	end_client(run, pid, end);
	close(out[0]);
	close(err[0]);
}

struct fault_counts counted(void)
{
	struct fault_counts counts = {0};
	int fd = o.counts ? open(o.counts, O_RDONLY) : -1;

	if (fd >= 0 && read(fd, &counts, sizeof(counts)) < 0)
		die(o.counts);
	if (fd >= 0)
		close(fd);
	return counts;
}
