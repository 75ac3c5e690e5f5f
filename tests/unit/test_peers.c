/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/peers.c with real sockets on loopback. The rule behind most tests: where the
 * answer says that it is complete, every connection that is live is in it, with /proc and without.
 */
#include "tests/unit/peers_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS   4096 /* descriptors this far apart share a place */
#define THREADS 8
#define ROUNDS  50
#define LOOKS   40

Suite *peers_suite(void);

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
	ck_assert(complete);
	ck_same(&live[0], &a);
	errno = EXDEV;
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
	int fd;

	without_proc = _i;
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = dialled(&a, SOCK_STREAM);
	close(fd);
	ck_assert_int_eq(socket(AF_INET, SOCK_STREAM, 0), fd);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert_int_eq(connect(fd, &b.any, size_of(&b)), 0);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &b);
	ck_assert(complete);
}
END_TEST

START_TEST(datagrams)
{
	union address tcp, udp, other, nobody = {.any = {.sa_family = AF_UNSPEC}};
	int fd;

	without_proc = _i;
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
	peers_connected(fd);
	ck_assert_uint_eq(look(SOCK_DGRAM), 0);
	ck_assert(complete);
}
END_TEST

START_TEST(nothing_to_look_at)
{
	struct mtls_addr peer;
	int pair[2];

	without_proc = _i;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peers_of(pair[0], &peer);
	ck_assert_uint_eq(peer.family, 0);
	peers_connected(-1);
	peers_connected(0);
	peers_connected(pair[1] + 1);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert(complete);
}
END_TEST

/* --- what cannot be recorded ------------------------------------------------------- */

#define HIGH 2000 /* too large to be asked one by one, where the list cannot be had */

/* A new socket with that number; -1: no such descriptor may be had here. */
static int socket_at(int number)
{
	struct rlimit limit;
	int low, fd;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < 3 * SLOTS ? limit.rlim_max : 3 * SLOTS;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur <= (rlim_t)number) {
		fprintf(stderr, "skip: peers: only %lu descriptors\n", (unsigned long)limit.rlim_cur);
		return -1;
	}
	low = socket(AF_INET, SOCK_STREAM, 0);
	fd = dup2(low, number);
	close(low);
	return fd;
}

/* Two descriptors in one place of the table: only where the list cannot be had does that matter. */
START_TEST(collision)
{
	bool closed = _i % 2;
	union address a, b;
	int fd, far;

	without_proc = _i / 2;
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = socket_at(HIGH);
	far = socket_at(HIGH + SLOTS);
	if (fd < 0 || far < 0)
		return;
	dial(fd, &a);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_assert(complete);
	if (closed) /* nobody is in the place any more: nothing is lost */
		close(fd);
	dial(far, &b);
	ck_assert_uint_eq(look(SOCK_STREAM), 1 + (!closed && !without_proc));
	ck_same(&live[!closed && !without_proc], &b);
	ck_assert_int_eq(complete, closed || !without_proc);
	close(far);
	ck_assert_uint_eq(look(SOCK_STREAM), !closed && !without_proc);
}
END_TEST

/* Whoever was still connecting when its place was taken is missing later. */
START_TEST(collision_while_connecting)
{
	union address a, b;
	int fd, far;

	without_proc = _i;
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = socket_at(HIGH);
	far = socket_at(HIGH + SLOTS);
	if (fd < 0 || far < 0)
		return;
	peers_connected(fd); /* EINPROGRESS */
	dial(far, &b);
	ck_assert_int_eq(connect(fd, &a.any, size_of(&a)), 0);
	ck_assert(look(SOCK_STREAM) == 2 || !complete);
}
END_TEST

START_TEST(more_than_asked_for)
{
	union address a, b;
	char text[32];

	without_proc = _i;
	ck_assert_int_ge(server("0.0.0.0", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_DGRAM, &b), 0);
	dialled(&b, SOCK_DGRAM);
	for (size_t i = 1; i <= PEERS_MAX + 1; i++) {
		snprintf(text, sizeof(text), "127.0.0.%zu", i);
		a = at(text, ntohs(a.in.sin_port));
		for (size_t k = 0; k < 3; k++) /* the same once more is nothing new */
			dialled(&a, SOCK_STREAM);
		ck_assert_uint_eq(look(SOCK_STREAM), i <= PEERS_MAX ? i : PEERS_MAX);
		ck_assert_int_eq(complete, i <= PEERS_MAX);
		if (i <= PEERS_MAX)
			ck_same(&live[i - 1], &a);
	}
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

	without_proc = _i / 2;
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = dialled(&a, SOCK_STREAM);
	theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	child = _i % 2 ? vfork() : fork();
	if (child == 0) {
		if (close(theirs) != 0 || socket(AF_INET, SOCK_STREAM, 0) != theirs ||
		    connect(theirs, &b.any, sizeof(b.in)) != 0)
			_exit(1);
		peers_connected(theirs);
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
		peers_connected(fd);
		for (int k = 0; k < LOOKS; k++) {
			peers_connected(fd); /* EISCONN: to ask for the result */
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
	tcase_add_loop_test(c, reused_descriptor, 0, 2);
	tcase_add_loop_test(c, datagrams, 0, 2);
	tcase_add_loop_test(c, nothing_to_look_at, 0, 2);
	tcase_add_loop_test(c, collision, 0, 4);
	tcase_add_loop_test(c, collision_while_connecting, 0, 2);
	tcase_add_loop_test(c, more_than_asked_for, 0, 2);
	tcase_add_loop_test(c, connect_in_a_child, 0, 4);
	tcase_add_test(c, threads);
	suite_add_tcase(s, c);
	return s;
}
