/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket. A stale one of ours is replaced, a live one never. Who may be served is decided at each
 * connection by SO_PEERCRED; the path's mode only keeps others from knocking.
 */
#include "agent/socket.h"

#include "agent/clock.h"
#include "agent/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HANDED_FD 3
#define LOCK_MS   1000

/* --- from systemd --------------------------------------------------------------- */

static bool option_is(int option, int value)
{
	socklen_t n = sizeof(int);
	int has = -1;

	return getsockopt(HANDED_FD, SOL_SOCKET, option, &has, &n) == 0 && has == value;
}

int agent_socket_handed(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	bool ours = pid && n && strtol(pid, NULL, 10) == (long)getpid();
	long count = ours ? strtol(n, NULL, 10) : 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (count <= 0)
		return 0;
	if (count == 1 && option_is(SO_DOMAIN, AF_UNIX) && option_is(SO_TYPE, SOCK_SEQPACKET) &&
	    option_is(SO_ACCEPTCONN, 1))
		return 1;
	agent_say(
		"the socket that was handed over (LISTEN_FDS) is not one that listens for Unix sequential packets; in "
		"the socket unit: ListenSequentialPacket=PATH, once, and Accept=no");
	return -1;
}

/* --- one of our own ---------------------------------------------------------------- */

static bool make_folder(const char *path, mode_t mode)
{
	mode_t before = umask(0);
	int error = mkdir(path, mode) == 0 ? 0 : errno;

	umask(before);
	errno = error;
	return error == 0 || error == EEXIST;
}

/* "/run/mtls/agent.sock" for root, else below XDG_RUNTIME_DIR, and the folder for it. NULL: said. */
static char *default_path(void)
{
	const char *base = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
	char *path, *slash;

	if (!base || base[0] != '/') {
		agent_say("there is no XDG_RUNTIME_DIR to put a socket in; name a path with --socket");
		return NULL;
	}
	if (asprintf(&path, "%s/mtls/agent.sock", base) < 0) {
		agent_say("out of memory");
		return NULL;
	}
	slash = strrchr(path, '/');
	*slash = '\0';
	if (!make_folder(path, geteuid() == 0 ? 0755 : 0700)) {
		agent_say("%s: cannot make the socket's folder: %s", path, strerror(errno));
		free(path);
		return NULL;
	}
	*slash = '/';
	return path;
}

static char *absolute(const char *path)
{
	char *here, *whole = NULL;

	if (path[0] == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (here && asprintf(&whole, "%s/%s", here, path) < 0)
		whole = NULL;
	free(here);
	return whole;
}

static bool folder_of(const char *path, char folder[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
	int n = (int)(strrchr(path, '/') - path + 1);

	return snprintf(folder, sizeof(((struct sockaddr_un *)0)->sun_path), "%.*s", n, path) == n;
}

/* host/agent.c's rule, told to whoever can do something about it: before any program asks in vain. */
static void warn_of_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;

	if (geteuid() == 0 || !folder_of(path, folder) || stat(folder, &st) != 0)
		return;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		agent_say(
			"%s: programs of other users will not trust a socket here; put it in a folder that is this user's "
			"and that nobody else can write",
			folder);
}

/* A second agent must not find the socket between our bind and our listen. -1: does without. */
static int lock_folder(const char *path)
{
	const struct timespec pause = {0, 10000000};
	long long until = agent_now_ms() + LOCK_MS;
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;

	if (!folder_of(path, folder))
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && agent_now_ms() < until)
		nanosleep(&pause, NULL);
	return fd;
}

/* Does somebody listen there? A full queue is somebody too. */
static bool is_live(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool live = fd >= 0 && (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno != ECONNREFUSED);

	if (fd >= 0)
		close(fd);
	return live;
}

/* Makes way for ours. false: said. */
static bool clear_path(const struct sockaddr_un *at)
{
	const char *path = at->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return true; /* or bind says why not */
	if (!S_ISSOCK(st.st_mode))
		agent_say("%s: something that is no socket is there; remove it, or name another path with --socket",
			  path);
	else if (st.st_uid != geteuid())
		agent_say("%s: somebody else's socket is there; remove it, or name another path with --socket", path);
	else if (is_live(at))
		agent_say("%s: another agent is at work there; end it, or name another path with --socket", path);
	else if (unlink(path) != 0)
		agent_say("%s: cannot remove the old socket: %s", path, strerror(errno));
	else
		return true;
	return false;
}

/* umask decides the mode: there must be no moment in which it is another. */
static bool bind_and_listen(struct agent_socket *s, const struct sockaddr_un *at, bool all)
{
	mode_t before = umask(all ? 0111 : 0177);
	bool bound = bind(s->fd, (const struct sockaddr *)at, sizeof(*at)) == 0;
	struct stat st;

	umask(before);
	if (!bound || listen(s->fd, SOMAXCONN) != 0 || lstat(at->sun_path, &st) != 0) {
		agent_say("%s: cannot listen there: %s", at->sun_path, strerror(errno));
		if (bound)
			unlink(at->sun_path);
		return false;
	}
	s->device = st.st_dev;
	s->inode = st.st_ino;
	return true;
}

static bool open_own(struct agent_socket *s, bool all)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	bool good;
	int lock;

	if (strlen(s->path) >= sizeof(at.sun_path)) {
		agent_say("%s: this path is too long for a socket (%zu bytes at most); name another with --socket",
			  s->path, sizeof(at.sun_path) - 1);
		return false;
	}
	memcpy(at.sun_path, s->path, strlen(s->path) + 1);
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0) {
		agent_say("cannot make a socket: %s", strerror(errno));
		return false;
	}
	lock = lock_folder(s->path);
	good = clear_path(&at) && bind_and_listen(s, &at, all);
	if (lock >= 0)
		close(lock);
	if (good && all)
		warn_of_folder(s->path);
	return good;
}

bool agent_socket_open(struct agent_socket *s, bool handed, const char *path, bool all)
{
	*s = (struct agent_socket){.fd = -1, .handed = handed};
	if (handed) {
		/* Not listen(2) again: programs see in SO_PEERCRED who called it, and trust that it was root. */
		s->fd = HANDED_FD;
		if (fcntl(s->fd, F_SETFD, FD_CLOEXEC) == 0 &&
		    fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK) == 0)
			return true;
		agent_say("the socket that was handed over cannot be used: %s", strerror(errno));
		return false;
	}
	s->path = path ? absolute(path) : default_path();
	if (!s->path && path)
		agent_say("%s: out of memory, or the working folder is gone", path);
	if (s->path && open_own(s, all))
		return true;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	*s = (struct agent_socket){.fd = -1};
	return false;
}

void agent_socket_close(struct agent_socket *s)
{
	struct stat st;

	if (s->path && lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	*s = (struct agent_socket){.fd = -1};
}
