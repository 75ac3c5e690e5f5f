/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe: name, address, socket. Nothing of TLS. The resolver cannot be interrupted; it gives up by itself
 * (resolv.conf's timeout and attempts). From connect(2) on the deadline holds.
 */
#include "launcher/cred/probe_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t probe_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool probe_wait(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	do {
		left = until - probe_now();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n != 0;
}

static void address_of(const struct sockaddr_storage *s, struct mtls_addr *out)
{
	const struct sockaddr_in *in = (const void *)s;
	const struct sockaddr_in6 *in6 = (const void *)s;

	if (s->ss_family == AF_INET)
		mtls_addr_set(out, (const unsigned char *)&in->sin_addr, 4, ntohs(in->sin_port));
	else if (s->ss_family == AF_INET6)
		mtls_addr_set(out, in6->sin6_addr.s6_addr, 16, ntohs(in6->sin6_port));
	else
		memset(out, 0, sizeof(*out));
}

void probe_address(const struct probe_target *target, struct mtls_addr *out)
{
	address_of(&target->address, out);
}

bool probe_own_address(const struct probe_wire *wire, struct mtls_addr *out)
{
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof(own);

	if (getsockname(wire->fd, (struct sockaddr *)&own, &n) != 0)
		return false;
	address_of(&own, out);
	return out->family != 0;
}

/* One address until then. 0, or an errno; ETIMEDOUT where time is up. The descriptor is left in *fd only with 0. */
static int dial(const struct sockaddr *address, socklen_t length, int64_t until, int *fd)
{
	socklen_t n = sizeof(int);
	int error = 0;

	*fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return errno;
	if (connect(*fd, address, length) != 0) {
		error = errno;
		if (error == EINPROGRESS || error == EINTR) {
			error = ETIMEDOUT;
			if (probe_wait(*fd, POLLOUT, until) && getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
				error = errno;
		}
	}
	if (error)
		close(*fd);
	return error;
}

/* Each address gets its share of the time, so that one which swallows everything leaves some to the next. */
static int dial_each(struct probe_target *target, const struct addrinfo *list, struct probe_wire *wire)
{
	int error = EADDRNOTAVAIL, left = 0;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		left++;
	for (const struct addrinfo *a = list; a; a = a->ai_next, left--) {
		int64_t now = probe_now();

		if (a->ai_addrlen > sizeof(target->address))
			continue;
		error = dial(a->ai_addr, a->ai_addrlen, now + (wire->deadline - now) / left, &wire->fd);
		if (error)
			continue;
		memcpy(&target->address, a->ai_addr, a->ai_addrlen);
		target->address_length = a->ai_addrlen;
		break;
	}
	return error;
}

bool probe_connect(struct probe_target *target, int seconds, struct probe_wire *wire, char why[PROBE_WHY])
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
	int error = target->address_length ? 0 : getaddrinfo(target->host, target->port, &hints, &list);

	if (error) {
		snprintf(why, PROBE_WHY, "the name cannot be resolved: %s",
			 error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
		return false;
	}
	wire->deadline = probe_now() + (int64_t)seconds * 1000;
	error = list ? dial_each(target, list, wire)
		     : dial((struct sockaddr *)&target->address, target->address_length, wire->deadline, &wire->fd);
	if (list)
		freeaddrinfo(list);
	if (error == ETIMEDOUT)
		snprintf(why, PROBE_WHY, "no connection within %d s", seconds);
	else if (error)
		snprintf(why, PROBE_WHY, "no connection: %s", strerror(error));
	else
		address_of(&target->address, &wire->peer);
	return !error;
}

bool probe_send(const struct probe_wire *wire, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t done = send(wire->fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (done < 0 && !probe_wait(wire->fd, POLLOUT, wire->deadline))
			return false;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return true;
}
