/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to the agent, against a deadline; see agent.h. In a program that is not ours: the descriptor is above the
 * standard ones, which a program may have closed and still write to; connecting goes by the plain system call, past
 * our own hook and other people's; a full queue of the agent's is waited for, which connect(2) would do without end.
 */
#include "host/agent.h"

#include "host/sys.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const struct timespec RETRY = {0, 2000000L};

/* Who may be behind the socket: see the contract, section 4, and docs/AGENT.md. */
struct trusted {
	uid_t self, folder; /* folder: its owner, where nobody else can write there; else self */
};

static long long milliseconds(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool is_trusted(const struct trusted *trusted, uid_t user)
{
	return user == 0 || user == trusted->self || user == trusted->folder;
}

/* The folder that the socket is in. "." and links do not matter: it is the kernel that follows them, as for connect. */
static void folder_of(const char *path, char folder[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) + 1 : 0;

	memcpy(folder, path, n);
	folder[n] = '\0';
}

/* EACCES: the socket's own mode, or a folder's, is not for this user. */
static enum mtls_agent_state connect_failed(int error)
{
	switch (error) {
	case EACCES:
		return (enum mtls_agent_state)MTLS_DENIED;
	case ECONNREFUSED:
	case EPROTOTYPE:
		return MTLS_AGENT_DOWN;
	case EPERM:
	case ENOMEM:
	case ENOBUFS:
		return MTLS_AGENT_LACK;
	default:
		return MTLS_AGENT_MISSING;
	}
}

/* Before anything is sent. In a folder that others can write, only root's and our own sockets are safe. */
static enum mtls_agent_state look(const char *path, struct trusted *trusted)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;

	trusted->self = trusted->folder = geteuid();
	folder_of(path, folder);
	if (mtls_stat(folder, &st) == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		trusted->folder = st.st_uid;
	if (mtls_stat(path, &st) != 0)
		return connect_failed(errno);
	if (!S_ISSOCK(st.st_mode))
		return MTLS_AGENT_DOWN;
	return is_trusted(trusted, st.st_uid) ? MTLS_AGENT_READY : MTLS_AGENT_FOREIGN;
}

/* The path may have changed since: who called listen(2) is what counts. */
static bool peer_trusted(int fd, const struct trusted *trusted)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && is_trusted(trusted, peer.uid);
}

/* -1 and errno. */
static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), above;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return above;
}

static int plain_connect(int fd, const struct sockaddr_un *to)
{
#ifdef SYS_connect
	return (int)syscall(SYS_connect, fd, to, sizeof(*to));
#else
	return connect(fd, (const struct sockaddr *)to, sizeof(*to));
#endif
}

static enum mtls_agent_state reach(int fd, const char *path, long long until)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	memcpy(to.sun_path, path, strlen(path) + 1);
	while (plain_connect(fd, &to) != 0) {
		if (errno == EAGAIN && milliseconds() < until)
			nanosleep(&RETRY, NULL);
		else if (errno == EAGAIN)
			return MTLS_AGENT_SLOW;
		else if (errno != EINTR)
			return connect_failed(errno);
	}
	return MTLS_AGENT_READY;
}

/* false: the time is over. Where poll(2) is not allowed (seccomp), what it was to wait for is tried now and then. */
static bool wait_for(int fd, short what, long long until)
{
	struct pollfd poller = {.fd = fd, .events = what};

	for (;;) {
		long long left = until - milliseconds();
		int n = poll(&poller, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return true;
		if (left <= 0)
			return false;
		if (n < 0 && errno != EINTR) {
			nanosleep(&RETRY, NULL);
			return true;
		}
	}
}

#define ORDINARY 16384 /* bytes of a content that any socket takes as it is */

static enum mtls_agent_state send_question(int fd, const struct mtls_question *q, long long until)
{
	const int room = 2 * MTLS_SIGNING_MAX;
	unsigned char head[MTLS_SIGNING_HEAD];
	struct iovec parts[] = {{head, sizeof(head)}, {(void *)(uintptr_t)q->content.p, q->content.n}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = q->content.n ? 2 : 1};

	if (q->content.n > ORDINARY)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room,
			   sizeof(room)); /* a packet is sent as a whole or not at all */
	mtls_question_write(q, head);
	while (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EAGAIN ? !wait_for(fd, POLLOUT, until) : errno != EINTR)
			return errno == EAGAIN ? MTLS_AGENT_SLOW : MTLS_AGENT_LOST;
	}
	return MTLS_AGENT_READY;
}

/* One byte more than any answer has, to tell a longer one. */
static enum mtls_agent_state receive(int fd, const struct mtls_question *q, long long until, unsigned char *signature,
				     size_t *n)
{
	unsigned char packet[MTLS_ANSWER_HEAD + MTLS_SIGNATURE_MAX + 1];
	enum mtls_signing_status status;
	struct mtls_bytes bytes;
	ssize_t got;

	do {
		if (!wait_for(fd, POLLIN, until))
			return MTLS_AGENT_SLOW;
		got = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
	} while (got < 0 && (errno == EAGAIN || errno == EINTR));
	if (got <= 0 || !mtls_answer_read((struct mtls_bytes){packet, (size_t)got}, &status, &bytes))
		return MTLS_AGENT_LOST;
	if (status == MTLS_SIGNED && (q->op == MTLS_OP_PROBE) != (bytes.n == 0))
		return MTLS_AGENT_LOST;
	if (bytes.n)
		memcpy(signature, bytes.p, bytes.n);
	*n = bytes.n;
	return (enum mtls_agent_state)status;
}

static enum mtls_agent_state ask(const char *path, const struct mtls_question *q, int milliseconds_left,
				 unsigned char *signature, size_t *n)
{
	long long until = milliseconds() + milliseconds_left;
	struct trusted trusted;
	enum mtls_agent_state state;
	int fd;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return MTLS_AGENT_MISSING;
	state = look(path, &trusted);
	if (state != MTLS_AGENT_READY)
		return state;
	fd = open_socket();
	if (fd < 0)
		return MTLS_AGENT_LACK;
	state = reach(fd, path, until);
	if (state == MTLS_AGENT_READY && !peer_trusted(fd, &trusted))
		state = MTLS_AGENT_FOREIGN;
	if (state == MTLS_AGENT_READY)
		state = send_question(fd, q, until);
	/* Where it hung up before it had read the question, its answer may still be there. */
	if (state == MTLS_AGENT_READY || state == MTLS_AGENT_LOST)
		state = receive(fd, q, until, signature, n);
	close(fd);
	return state;
}

enum mtls_agent_state mtls_agent_probe(const char *path, const unsigned char key[MTLS_KEY_ID], enum mtls_signing_op op)
{
	struct mtls_question q = {.op = MTLS_OP_PROBE, .follows = op};
	enum mtls_agent_state state;
	int saved = errno;
	size_t n = 0;

	memcpy(q.key, key, MTLS_KEY_ID);
	state = ask(path, &q, MTLS_AGENT_PROBE_MS, NULL, &n);
	errno = saved;
	return state;
}

enum mtls_agent_state mtls_agent_sign(const char *path, const struct mtls_question *q,
				      unsigned char signature[MTLS_SIGNATURE_MAX], size_t *n)
{
	enum mtls_agent_state state;
	int saved = errno;

	*n = 0;
	state = ask(path, q, MTLS_AGENT_SIGN_MS, signature, n);
	errno = saved;
	return state;
}

const char *mtls_agent_sentence(enum mtls_agent_state state)
{
	switch (state) {
	case MTLS_AGENT_MISSING:
		return "there is no agent's socket, or no way to it; start mtls-agent, or correct MTLS_AGENT";
	case MTLS_AGENT_DOWN:
		return "nobody listens there; start mtls-agent";
	case MTLS_AGENT_FOREIGN:
		return "somebody else may be behind this socket; let it be in a folder that only root, you or the "
		       "agent's user can write";
	case MTLS_AGENT_SLOW:
		return "the agent did not answer in time; see what it is waiting for";
	case MTLS_AGENT_LOST:
		return "the agent hung up; see what it says, and install the same version of both";
	case MTLS_AGENT_LACK:
		return "this process cannot connect to it; raise its limit of descriptors (ulimit -n), or let its "
		       "sandbox connect";
	default:
		return mtls_signing_sentence((enum mtls_signing_status)state);
	}
}
