/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/peers.c with real sockets on loopback. The rule behind most tests: where the
 * answer says that it is complete, every connection that is live is in it.
 */
#include "shim/peers.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define SLOTS       4096 /* descriptors this far apart share a place */
#define THREADS     8
#define ROUNDS      50
#define LOOKS       40

Suite *peers_suite(void);

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static struct mtls_addr live[PEERS_MAX];
static bool complete;

static socklen_t size_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* An IPv4 or IPv6 address with a port. */
static union address at(const char *text, unsigned port)
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
static int server(const char *text, int type, union address *a)
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
static void dial(int fd, const union address *a)
{
	ck_assert_msg(connect(fd, &a->any, size_of(a)) == 0, "connect: %s", strerror(errno));
	peers_connected(fd, &a->any, size_of(a));
}

static int dialled(const union address *a, int type)
{
	int fd = socket(a->any.sa_family, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	dial(fd, a);
	return fd;
}

static size_t look(int type)
{
	errno = EXDEV;
	complete = false;
	memset(live, 0x55, sizeof(live));
	return peers_live(type, live, &complete);
}

static void ck_same(const struct mtls_addr *a, const union address *b)
{
	struct mtls_addr expected;

	peers_address(&b->any, size_of(b), &expected);
	ck_assert(mtls_addr_same_ip(a, &expected));
	ck_assert_uint_eq(a->port, expected.port);
}

static bool among(const struct mtls_addr *list, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].port == port)
			return true;
	return false;
}

START_TEST(socket_addresses)
{
	union address v4 = at("192.0.2.1", 443), v6 = at("2001:db8::1", 65535), mapped = at("::ffff:192.0.2.1", 1);
	union address local = {.un = {AF_UNIX, "/x"}};
	char text[MTLS_ADDR_TEXT];
	struct mtls_addr a;

	peers_address(&v4.any, sizeof(v4.in), &a);
	ck_assert_str_eq(mtls_addr_print(&a, text), "192.0.2.1");
	ck_assert_uint_eq(a.port, 443);
	peers_address(&v6.any, sizeof(v6), &a);
	ck_assert_str_eq(mtls_addr_print(&a, text), "2001:db8::1");
	ck_assert_uint_eq(a.port, 65535);
	peers_address(&mapped.any, sizeof(mapped.in6), &a);
	ck_assert_str_eq(mtls_addr_print(&a, text), "192.0.2.1");
	ck_assert_uint_eq(a.family, 4);
	peers_address(&v4.any, sizeof(v4.in) - 1, &a);
	ck_assert_uint_eq(a.family, 0);
	peers_address(&v6.any, sizeof(v6.in6) - 1, &a);
	ck_assert_uint_eq(a.family, 0);
	peers_address(&v4.any, 0, &a);
	ck_assert_uint_eq(a.family, 0);
	peers_address(&local.any, sizeof(local.un), &a);
	ck_assert_uint_eq(a.family, 0);
	peers_address(NULL, sizeof(v4.in), &a);
	ck_assert_uint_eq(a.family, 0);
}
END_TEST

static const char *const loopbacks[] = {"127.0.0.1", "127.1.2.3", "::1"};

START_TEST(connected)
{
	union address a, b;
	int one = server(loopbacks[_i], SOCK_STREAM, &a), fd, other;
	struct mtls_addr peer;

	if (one < 0) {
		fprintf(stderr, "skip: peers: no %s here\n", loopbacks[_i]);
		return;
	}
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert(complete);
	fd = dialled(&a, SOCK_STREAM);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert(complete);
	ck_same(&live[0], &a);
	peers_of(fd, &peer);
	ck_assert_int_eq(errno, EXDEV);
	ck_same(&peer, &a);
	peers_of(one, &peer);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_uint_eq(peer.family, 0);
	ck_assert_int_ge(server(loopbacks[_i], SOCK_STREAM, &b), 0);
	other = dialled(&b, SOCK_STREAM);
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	ck_same(&live[0], &a);
	ck_same(&live[1], &b);
	close(fd);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &b);
	close(other);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert(complete);
}
END_TEST

START_TEST(mapped_address)
{
	union address a, b;
	int fd;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	b = at("::ffff:127.0.0.1", ntohs(a.in.sin_port));
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		fprintf(stderr, "skip: peers: no IPv6 here\n");
		return;
	}
	dial(fd, &b);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &a);
}
END_TEST

/* The kernel then connects to this machine, and getpeername says where. */
START_TEST(unspecified_address)
{
	union address a, any;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	any = at("0.0.0.0", ntohs(a.in.sin_port));
	dialled(&any, SOCK_STREAM);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &a);
	if (server("::1", SOCK_STREAM, &a) < 0)
		return;
	any = at("::", ntohs(a.in6.sin6_port));
	dialled(&any, SOCK_STREAM);
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	ck_same(&live[1], &a);
}
END_TEST

/* The same number is another connection later, also one that the hook did not see. */
START_TEST(reused_descriptor)
{
	union address a, b;
	int fd, again;

	ck_assert_int_ge(server("0.0.0.0", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	a = at("127.0.0.1", ntohs(a.in.sin_port));
	fd = dialled(&a, SOCK_STREAM);
	close(fd);
	again = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(again, fd);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert_int_eq(connect(again, &b.any, size_of(&b)), 0); /* say accept(2), or before the shim */
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	close(again);
	again = socket(AF_INET, SOCK_STREAM, 0);
	b = at("127.1.2.3", ntohs(a.in.sin_port)); /* the same port at another address */
	ck_assert_int_eq(connect(again, &b.any, size_of(&b)), 0);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	close(again);
	again = dialled(&b, SOCK_STREAM);
	ck_assert_int_eq(again, fd);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &b);
	ck_assert(complete);
}
END_TEST

START_TEST(datagrams)
{
	union address tcp, udp, other, nobody = {.any = {.sa_family = AF_UNSPEC}};
	int fd;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &tcp), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_DGRAM, &udp), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_DGRAM, &other), 0);
	dialled(&tcp, SOCK_STREAM);
	fd = dialled(&udp, SOCK_DGRAM);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &tcp);
	ck_assert_uint_eq(look(SOCK_DGRAM), 1);
	ck_same(&live[0], &udp);
	dial(fd, &other);
	ck_assert_uint_eq(look(SOCK_DGRAM), 1);
	ck_same(&live[0], &other);
	ck_assert_int_eq(connect(fd, &nobody.any, sizeof(nobody.in)), 0);
	peers_connected(fd, &nobody.any, sizeof(nobody.in));
	ck_assert_uint_eq(look(SOCK_DGRAM), 0);
	ck_assert(complete);
}
END_TEST

START_TEST(other_families)
{
	union address local = {.un = {.sun_family = AF_UNIX}};
	union address a;
	int pair[2], fd;
	struct mtls_addr peer;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peers_connected(pair[0], &local.any, sizeof(local.un));
	peers_of(pair[0], &peer);
	ck_assert_uint_eq(peer.family, 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	peers_connected(-1, &a.any, size_of(&a));
	peers_connected(0, NULL, 0);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	fd = dialled(&a, SOCK_STREAM);
	ck_assert_int_eq(dup2(pair[0], fd), fd);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert(complete);
}
END_TEST

/* --- what cannot be recorded ------------------------------------------------------- */

/* A new socket on a descriptor that shares its place with fd; -1: no such descriptor may be had here. */
static int far_socket(int fd)
{
	struct rlimit limit;
	int near;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < 3 * SLOTS ? limit.rlim_max : 3 * SLOTS;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur <= (rlim_t)fd + SLOTS) {
		fprintf(stderr, "skip: peers: only %lu descriptors\n", (unsigned long)limit.rlim_cur);
		return -1;
	}
	near = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(dup2(near, fd + SLOTS), fd + SLOTS);
	close(near);
	return fd + SLOTS;
}

START_TEST(collision)
{
	union address a, b;
	int fd, far;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = dialled(&a, SOCK_STREAM);
	far = far_socket(fd);
	if (far < 0)
		return;
	if (_i == 1) /* nobody is in the place any more: nothing is lost */
		close(fd);
	dial(far, &b);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &b);
	ck_assert_int_eq(complete, _i == 1);
	close(far);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
}
END_TEST

/* Whoever was still connecting when its place was taken is missing later. */
START_TEST(collision_while_connecting)
{
	union address a, b;
	int fd, far;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	far = far_socket(fd);
	if (far < 0)
		return;
	peers_connected(fd, &a.any, size_of(&a)); /* EINPROGRESS */
	dial(far, &b);
	ck_assert_int_eq(connect(fd, &a.any, size_of(&a)), 0);
	ck_assert(look(SOCK_STREAM) == 2 || !complete);
}
END_TEST

START_TEST(more_than_asked_for)
{
	union address a, b;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_DGRAM, &b), 0);
	dialled(&b, SOCK_DGRAM);
	for (size_t i = 1; i <= PEERS_MAX; i++) {
		dialled(&a, SOCK_STREAM);
		ck_assert_uint_eq(look(SOCK_STREAM), i);
		ck_assert(complete);
	}
	dialled(&a, SOCK_STREAM);
	ck_assert_uint_eq(look(SOCK_STREAM), PEERS_MAX);
	ck_assert(!complete);
	ck_same(&live[PEERS_MAX - 1], &a);
	ck_assert_uint_eq(look(SOCK_DGRAM), 1);
	ck_assert(complete);
}
END_TEST

/* --- other processes and threads ----------------------------------------------------- */

/* Between fork and exec, also where the child shares our memory: no allocation, no lock, and ours stay. */
START_TEST(connect_in_a_child)
{
	union address a, b;
	int status, fd, theirs;
	pid_t child;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = dialled(&a, SOCK_STREAM);
	theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	child = _i ? vfork() : fork();
	if (child == 0) {
		if (close(theirs) != 0 || socket(AF_INET, SOCK_STREAM, 0) != theirs ||
		    connect(theirs, &b.any, sizeof(b.in)) != 0)
			_exit(1);
		peers_connected(theirs, &b.any, sizeof(b.in));
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &a);
	ck_assert(complete);
	dial(theirs, &b);
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	close(fd);
}
END_TEST

static atomic_int missing, incomplete_answers;

static void *connect_and_look(void *argument)
{
	const union address *a = argument;
	struct mtls_addr list[PEERS_MAX];
	bool all;

	for (int i = 0; i < ROUNDS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		size_t n;

		if (fd < 0 || connect(fd, &a->any, size_of(a)) != 0)
			return NULL;
		peers_connected(fd, &a->any, size_of(a));
		for (int k = 0; k < LOOKS; k++) {
			peers_connected(fd, &a->any, size_of(a)); /* EISCONN: to ask for the result */
			n = peers_live(SOCK_STREAM, list, &all);
			incomplete_answers += !all;
			missing += all && !among(list, n, ntohs(a->in.sin_port));
		}
		/* A reset instead of a farewell: thousands of ports would wait for a minute. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
		close(fd);
	}
	return (void *)1;
}

static void *take_and_drop(void *argument)
{
	int fd;

	while ((fd = accept(*(int *)argument, NULL, NULL)) >= 0)
		close(fd);
	return NULL;
}

START_TEST(threads)
{
	pthread_t thread[THREADS], other[THREADS];
	union address a[THREADS];
	int fd[THREADS];

	for (int i = 0; i < THREADS; i++) {
		fd[i] = server("127.0.0.1", SOCK_STREAM, &a[i]);
		ck_assert_int_ge(fd[i], 0);
		ck_assert_int_eq(pthread_create(&other[i], NULL, take_and_drop, &fd[i]), 0);
		ck_assert_int_eq(pthread_create(&thread[i], NULL, connect_and_look, &a[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *done;

		pthread_join(thread[i], &done);
		ck_assert_ptr_nonnull(done);
	}
	for (int i = 0; i < THREADS; i++) {
		shutdown(fd[i], SHUT_RDWR);
		pthread_join(other[i], NULL);
	}
	ck_assert_int_eq(missing, 0);
	/* Looking while somebody connects loses nothing: when all is quiet again, all is known again. */
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert_msg(complete, "incomplete for good, after %d incomplete answers", incomplete_answers);
}
END_TEST

Suite *peers_suite(void)
{
	Suite *s = suite_create("peers");
	TCase *c = tcase_create("peers");

	tcase_add_test(c, socket_addresses);
	tcase_add_loop_test(c, connected, 0, (int)COUNT(loopbacks));
	tcase_add_test(c, mapped_address);
	tcase_add_test(c, unspecified_address);
	tcase_add_test(c, reused_descriptor);
	tcase_add_test(c, datagrams);
	tcase_add_test(c, other_families);
	tcase_add_loop_test(c, collision, 0, 2);
	tcase_add_test(c, collision_while_connecting);
	tcase_add_test(c, more_than_asked_for);
	tcase_add_loop_test(c, connect_in_a_child, 0, 2);
	tcase_add_test(c, threads);
	suite_add_tcase(s, c);
	return s;
}
