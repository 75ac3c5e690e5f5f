/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets: a pool of state machines that advance without waiting, and the waiting around them. What an option or a
 * deadline means is decided here; what TCP and TLS do, in stream.c and tls.c.
 */
#include "firmware/net/socket.h"

#include "firmware/net/ip.h"
#include "firmware/net/log.h"
#include "firmware/net/shared.h"
#include "firmware/net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE 50 /* ms of idling at once: whatever the board can wait for may also come unseen */

enum phase {
	FREE, /* no socket */
	NEW,
	NETWORK, /* has to connect, and the device has no address yet */
	CONNECTING,
	SHAKING, /* the TLS handshake */
	OPEN,
	BROKEN, /* error and why tell */
};

static struct socket {
	enum phase phase;
	int protocol;
	uint32_t receive_ms, send_ms, address;
	int error;
	struct stream stream;
	struct tls tls;
	uint64_t tried; /* when a connection was first refused by lwIP; 0: it was not */
	uint16_t port;
	bool nonblock;
	char host[SOCKETS_HOST];
	char why[SOCKETS_REASON];
} pool[SOCKETS_MAX];

bool mtls_sockets_start(const struct board *board, void (*log)(const char *line, size_t n))
{
	shared_load();
	log_open(log, shared()->policy.log);
	return ip_start(board);
}

void mtls_sockets_run(uint32_t ms)
{
	ip_poll(ms);
}

static struct socket *find(int fd)
{
	if (fd < 0 || fd >= SOCKETS_MAX || pool[fd].phase == FREE) {
		errno = EBADF;
		return NULL;
	}
	if (pool[fd].phase != BROKEN)
		pool[fd].why[0] = '\0';
	return &pool[fd];
}

/* For this call alone. Returns -1. */
static int refuse(struct socket *s, int error, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	errno = error;
	return -1;
}

/* For good. */
static void break_with(struct socket *s, int error, const char *why)
{
	if (why)
		snprintf(s->why, sizeof(s->why), "%s", why);
	s->error = error;
	s->phase = BROKEN;
}

static int report(const struct socket *s)
{
	errno = s->error;
	return -1;
}

static bool is_tls(const struct socket *s)
{
	return s->protocol != MTLS_IPPROTO_TCP;
}

static void break_tls(struct socket *s)
{
	break_with(s, tls_why(&s->tls, s->why, sizeof(s->why)), NULL);
}

static void break_stream(struct socket *s)
{
	switch (s->stream.state) {
	case STREAM_REFUSED:
		break_with(s, ECONNREFUSED, "nobody listens at that address and port");
		break;
	case STREAM_LOST:
		break_with(s, ETIMEDOUT, "the server does not answer");
		break;
	default:
		break_with(s, ECONNRESET, "the connection was reset");
		break;
	}
}

/* --- the state machine ------------------------------------------------------------ */

/* lwIP may have no room for just a moment: connections that have ended keep theirs for a while. */
static void open_stream(struct socket *s)
{
	if (!ip_up())
		return;
	if (stream_open(&s->stream, s->address, s->port))
		s->phase = CONNECTING;
	else
		break_with(s, ENOMEM, "there is no memory left for another connection");
}

static void connected(struct socket *s)
{
	struct tls_peer peer = {.host = s->host, .only_13 = s->protocol == MTLS_IPPROTO_TLS_1_3};

	if (s->stream.state == STREAM_CONNECTING)
		return;
	if (s->stream.state != STREAM_OPEN) {
		break_stream(s);
		return;
	}
	if (!is_tls(s)) {
		s->phase = OPEN;
		return;
	}
	mtls_addr_set(&peer.address, (const unsigned char *)&s->address, sizeof(s->address), s->port);
	s->phase = SHAKING;
	if (!tls_begin(&s->tls, &s->stream, &peer))
		break_tls(s);
}

static void shake(struct socket *s)
{
	int result = tls_handshake(&s->tls);

	if (result == TLS_DONE)
		s->phase = OPEN;
	else if (result == TLS_FAILED)
		break_tls(s);
}

/* As far as it goes without waiting. */
static void advance(struct socket *s)
{
	if (s->phase == NETWORK)
		open_stream(s);
	if (s->phase == CONNECTING)
		connected(s);
	if (s->phase == SHAKING)
		shake(s);
}

/* true: there is still time, and something may have happened meanwhile. */
static bool wait_more(uint64_t start, uint32_t ms)
{
	uint64_t gone = ip_now() - start;

	if (gone >= ms)
		return false;
	ip_poll(ms - gone < PATIENCE ? (uint32_t)(ms - gone) : PATIENCE);
	return true;
}

/* --- open, close, options ------------------------------------------------------------ */

int mtls_socket(int family, int type, int protocol)
{
	if (family != MTLS_AF_INET) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	if (type != MTLS_SOCK_STREAM ||
	    (protocol != MTLS_IPPROTO_TCP && protocol != MTLS_IPPROTO_TLS_1_2 && protocol != MTLS_IPPROTO_TLS_1_3)) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	for (int fd = 0; fd < SOCKETS_MAX; fd++) {
		if (pool[fd].phase != FREE)
			continue;
		memset(&pool[fd], 0, sizeof(pool[fd]));
		pool[fd].phase = NEW;
		pool[fd].protocol = protocol;
		pool[fd].receive_ms = pool[fd].send_ms = SOCKETS_DEADLINE;
		return fd;
	}
	errno = EMFILE;
	return -1;
}

int mtls_close(int fd)
{
	struct socket *s = find(fd);

	if (!s)
		return -1;
	tls_end(&s->tls);
	stream_close(&s->stream);
	memset(s, 0, sizeof(*s));
	return 0;
}

/* A name that can be in a certificate; what may stand in one more exactly is for the certificate to say. */
static int set_host(struct socket *s, const char *name, size_t n)
{
	if (s->phase != NEW)
		return refuse(s, EISCONN, "the host's name comes before mtls_connect");
	if (n > 0 && name[n - 1] == '\0')
		n--;
	if (n > 0 && name[n - 1] == '.')
		n--; /* RFC 6066 3: SNI goes without it */
	if (n == 0 || n >= sizeof(s->host))
		return refuse(s, EINVAL, "the host's name is empty or too long");
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return refuse(s, EINVAL, "the host's name has a byte that no name has");
	memcpy(s->host, name, n);
	s->host[n] = '\0';
	return 0;
}

static int set_number(struct socket *s, int level, int option, uint32_t number)
{
	if (level == MTLS_SOL_TLS && option == MTLS_TLS_PEER_VERIFY && is_tls(s))
		return number == 2 ? 0 : refuse(s, EINVAL, "verification of the server cannot be turned off");
	if (level != MTLS_SOL_SOCKET)
		return refuse(s, ENOPROTOOPT, "there is no such option");
	switch (option) {
	case MTLS_SO_RCVTIMEO:
		s->receive_ms = number;
		return 0;
	case MTLS_SO_SNDTIMEO:
		s->send_ms = number;
		return 0;
	case MTLS_SO_NONBLOCK:
		s->nonblock = number != 0;
		return 0;
	default:
		return refuse(s, ENOPROTOOPT, "there is no such option");
	}
}

int mtls_setsockopt(int fd, int level, int option, const void *value, size_t n)
{
	struct socket *s = find(fd);
	uint32_t number;

	if (!s)
		return -1;
	if (level == MTLS_SOL_TLS && option == MTLS_TLS_HOSTNAME && is_tls(s))
		return set_host(s, value, n);
	if (n != sizeof(number))
		return refuse(s, EINVAL, "the option's value is a number of four bytes");
	memcpy(&number, value, sizeof(number));
	return set_number(s, level, option, number);
}

/* --- connect, send, receive -------------------------------------------------------------- */

static int begin_connect(struct socket *s, uint32_t address, uint16_t port)
{
	if (is_tls(s) && !s->host[0])
		return refuse(s, EDESTADDRREQ, "no host was named: nobody could be verified");
	if (is_tls(s) && shared()->refusal)
		return refuse(s, EACCES, shared()->refusal);
	s->address = address;
	s->port = port;
	s->phase = NETWORK;
	return 0;
}

#ifdef FIRMWARE_MEASURE
__attribute__((noinline)) /* tests/bench/firmware.py stops the device there */
#endif
int mtls_connect(int fd, uint32_t address, uint16_t port)
{
	struct socket *s = find(fd);
	uint64_t start;

	if (!s || (s->phase == NEW && begin_connect(s, address, port) != 0))
		return -1;
	start = ip_now();
	for (;;) {
		advance(s);
		if (s->phase == OPEN)
			return 0;
		if (s->phase == BROKEN)
			return report(s);
		if (s->nonblock) {
			errno = EINPROGRESS;
			return -1;
		}
		if (!wait_more(start, s->send_ms))
			break_with(s, ETIMEDOUT,
				   s->phase == NETWORK   ? "the network gives no address"
				   : s->phase == SHAKING ? "the server does not go on with the TLS handshake"
							 : "the server does not answer");
	}
}

/* The common part of send and receive. NULL, with errno: not possible. */
static struct socket *find_open(int fd)
{
	struct socket *s = find(fd);

	if (!s)
		return NULL;
	advance(s);
	if (s->phase == OPEN)
		return s;
	if (s->phase == BROKEN)
		report(s);
	else
		refuse(s, ENOTCONN, "it is not connected");
	return NULL;
}

/* Bytes, 0 for later, or -1. */
static long send_now(struct socket *s, const void *data, size_t n)
{
	long sent = is_tls(s) ? tls_send(&s->tls, data, n) : stream_send(&s->stream, data, n);

	if (sent >= 0)
		return sent;
	if (is_tls(s))
		break_tls(s);
	else
		break_stream(s);
	return report(s);
}

static int flush_now(struct socket *s)
{
	int result = is_tls(s) ? tls_flush(&s->tls) : TLS_DONE;

	if (result == TLS_FAILED)
		break_tls(s);
	return result == TLS_FAILED ? report(s) : result;
}

long mtls_send(int fd, const void *data, size_t n)
{
	struct socket *s = find_open(fd);
	uint64_t start = ip_now();
	long sent = 0, flushed;

	if (!s)
		return -1;
	if (n == 0)
		return 0;
	for (;;) {
		if (sent == 0)
			sent = send_now(s, data, n);
		flushed = sent > 0 && !s->nonblock ? flush_now(s) : 1;
		if (sent < 0 || flushed < 0)
			return -1;
		if (sent > 0 && flushed > 0)
			return sent;
		if (s->nonblock)
			return refuse(s, EAGAIN, "there is no room now");
		if (!wait_more(start, s->send_ms)) {
			break_with(s, ETIMEDOUT, "the server does not take what is sent");
			return report(s);
		}
	}
}

/* Bytes, 0 for later, STREAM_END, or -2. */
static long receive_now(struct socket *s, void *data, size_t n)
{
	long got = is_tls(s) ? tls_receive(&s->tls, data, n) : stream_receive(&s->stream, data, n);

	if (got > STREAM_BROKEN)
		return got;
	if (is_tls(s))
		break_tls(s);
	else
		break_stream(s);
	return got;
}

long mtls_recv(int fd, void *data, size_t n)
{
	struct socket *s = find_open(fd);
	uint64_t start = ip_now();
	long got;

	if (!s)
		return -1;
	if (n == 0)
		return 0;
	for (;;) {
		got = receive_now(s, data, n);
		if (got > 0)
			return got;
		if (got == STREAM_END)
			return 0;
		if (got == STREAM_BROKEN)
			return report(s);
		if (s->nonblock)
			return refuse(s, EAGAIN, "nothing has come");
		if (!wait_more(start, s->receive_ms))
			return refuse(s, ETIMEDOUT, "the server does not answer");
	}
}

/* --- poll and the rest ------------------------------------------------------------------------ */

static bool readable(struct socket *s)
{
	if (is_tls(s))
		return tls_readable(&s->tls);
	return s->stream.n > 0 || s->stream.ended || s->stream.state != STREAM_OPEN;
}

/* Or will fail at once. */
static bool writable(struct socket *s)
{
	if (s->stream.state != STREAM_OPEN)
		return true;
	return stream_has_room(&s->stream) && (!is_tls(s) || tls_flush(&s->tls) != TLS_WAIT);
}

static short ready(int fd, short events)
{
	struct socket *s = find(fd);
	short now = 0;

	if (!s)
		return MTLS_POLLHUP;
	advance(s);
	if (s->phase == BROKEN)
		return MTLS_POLLERR;
	if (s->phase != OPEN)
		return 0;
	if (events & MTLS_POLLIN && readable(s))
		now |= MTLS_POLLIN;
	if (events & MTLS_POLLOUT && writable(s))
		now |= MTLS_POLLOUT;
	return now;
}

int mtls_poll(struct mtls_pollfd *fds, unsigned n, int ms)
{
	uint64_t start = ip_now();
	int count = 0;

	for (;;) {
		for (unsigned i = 0; i < n; i++) {
			fds[i].revents = ready(fds[i].fd, fds[i].events);
			count += fds[i].revents != 0;
		}
		if (count)
			return count;
		if (!wait_more(start, ms < 0 ? UINT32_MAX : (uint32_t)ms) && ms >= 0)
			return 0;
	}
}

int mtls_resolve(const char *name, uint32_t *address, uint32_t deadline_ms)
{
	uint64_t start = ip_now();

	for (;;) {
		switch (ip_resolve(name, address)) {
		case IP_FOUND:
			return 0;
		case IP_NOT_FOUND:
			errno = ENOENT;
			return -1;
		case IP_NOT_YET:
			if (wait_more(start, deadline_ms))
				break;
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

const char *mtls_socket_reason(int fd)
{
	return fd < 0 || fd >= SOCKETS_MAX ? "" : pool[fd].why;
}
