/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing on one TLS connection under its deadline. The socket does
 * not block; every wait is a poll(2) for what is left of the connection's time.
 */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/err.h>

#define LINGER_MS 1000

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool wait_for(struct connection *c, short events)
{
	struct pollfd p = {.fd = c->fd, .events = events};
	int64_t left;
	int n;

	do {
		left = c->deadline - now_ms();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		snprintf(c->seen.error, sizeof(c->seen.error), "deadline");
	return n > 0;
}

static void note_error(struct connection *c, int kind, int saved_errno)
{
	unsigned long e = ERR_peek_error();
	const char *text = "closed by the client";

	if (kind == SSL_ERROR_SSL && ERR_GET_REASON(e) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		text = ERR_reason_error_string(e);
		if (ERR_GET_REASON(e) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
		    ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
			c->seen.result = "refused";
	} else if (kind == SSL_ERROR_SYSCALL && saved_errno) {
		text = strerror(saved_errno);
	}
	snprintf(c->seen.error, sizeof(c->seen.error), "%s", text ? text : "unknown error");
}

bool io_retry(struct connection *c, int ret)
{
	int saved_errno = errno;
	int kind = SSL_get_error(c->ssl, ret);

	if (kind == SSL_ERROR_WANT_READ)
		return wait_for(c, POLLIN);
	if (kind == SSL_ERROR_WANT_WRITE)
		return wait_for(c, POLLOUT);
	note_error(c, kind, saved_errno);
	return false;
}

bool io_fill(struct connection *c)
{
	size_t room = sizeof(c->in) - c->in_length;
	unsigned finished = c->finished;
	int n;

	if (room == 0) {
		snprintf(c->seen.error, sizeof(c->seen.error), "more than %zu bytes at once", sizeof(c->in));
		return false;
	}
	ERR_clear_error();
	errno = 0;
	n = SSL_read(c->ssl, c->in + c->in_length, (int)room);
	if (n <= 0) /* the end of an answer to a request is news too: nothing more may come */
		return c->finished != finished || io_retry(c, n);
	c->in_length += (size_t)n;
	return true;
}

void io_use(struct connection *c, size_t n)
{
	c->in_length -= n;
	memmove(c->in, c->in + n, c->in_length);
}

bool io_write(struct connection *c, const void *data, size_t length)
{
	int n;

	do {
		ERR_clear_error();
		errno = 0;
		n = SSL_write(c->ssl, data, (int)length);
	} while (n <= 0 && io_retry(c, n));
	return n > 0;
}

void io_close(struct connection *c, bool sound)
{
	char sink[4096];

	ERR_clear_error();
	if (sound)
		SSL_shutdown(c->ssl);
	shutdown(c->fd, SHUT_WR);
	if (c->deadline > now_ms() + LINGER_MS)
		c->deadline = now_ms() + LINGER_MS;
	while (wait_for(c, POLLIN) && recv(c->fd, sink, sizeof(sink), 0) > 0)
		;
}
