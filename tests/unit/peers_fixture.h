/* SPDX-License-Identifier: Apache-2.0 */
/* Real sockets on loopback, and a look at them, for the tests of shim/peers.c. */
#ifndef MTLS_TESTS_PEERS_FIXTURE_H
#define MTLS_TESTS_PEERS_FIXTURE_H

#include "shim/peers.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static struct mtls_addr live[PEERS_MAX];
static bool complete;
static bool without_proc; /* as in a chroot: the list of descriptors cannot be opened */

static inline socklen_t size_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* An IPv4 or IPv6 address with a port. */
static inline union address at(const char *text, unsigned port)
{
	union address a = {.any = {0}};

	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons((uint16_t)port);
	} else {
		ck_assert_int_eq(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons((uint16_t)port);
	}
	return a;
}

/* Something to connect to, on a port that the kernel chooses: *a becomes its address. -1: no such address here. */
static inline int server(const char *text, int type, union address *a)
{
	socklen_t n = sizeof(*a);
	int fd;

	*a = at(text, 0);
	fd = socket(a->any.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &a->any, size_of(a)) != 0)
		return -1;
	ck_assert(type == SOCK_DGRAM || listen(fd, 512) == 0);
	ck_assert_int_eq(getsockname(fd, &a->any, &n), 0);
	return fd;
}

/* As the hook does it. */
static inline void dial(int fd, const union address *a)
{
	ck_assert_msg(connect(fd, &a->any, size_of(a)) == 0, "connect: %s", strerror(errno));
	peers_connected(fd);
}

static inline int dialled(const union address *a, int type)
{
	int fd = socket(a->any.sa_family, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	dial(fd, a);
	return fd;
}

static inline size_t look(int type)
{
	struct rlimit limit, none;
	size_t n;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	if (without_proc) /* no descriptor is to be had for the list */
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	errno = EXDEV;
	complete = false;
	memset(live, 0x55, sizeof(live));
	n = peers_live(type, live, &complete);
	ck_assert_int_eq(errno, EXDEV);
	if (without_proc)
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return n;
}

static inline void ck_same(const struct mtls_addr *a, const union address *b)
{
	struct mtls_addr expected;

	peers_address(&b->any, size_of(b), &expected);
	ck_assert_uint_eq(a->family, expected.family);
	ck_assert(a->family == 4 || a->family == 6);
	ck_assert_mem_eq(a->ip, expected.ip, a->family == 4 ? 4 : 16);
	ck_assert_uint_eq(a->port, expected.port);
}

#endif
