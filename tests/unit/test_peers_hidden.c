/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that connect(2) does not tell of, or tells wrongly: none of them may be
 * missing beside an idle one that is allowed, with /proc and without.
 */
#include "tests/unit/peers_fixture.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *peers_hidden_suite(void);

/* Another number than the one that connected, small or large, or one that came with the process or by accept. */
START_TEST(another_descriptor)
{
	union address a, b, c;
	int accepting = server("127.0.0.1", SOCK_STREAM, &a), fd, moved;
	socklen_t n = sizeof(c);

	without_proc = _i;
	ck_assert_int_ge(accepting, 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	dialled(&b, SOCK_STREAM); /* allowed, and idle */
	fd = dialled(&a, SOCK_STREAM);
	moved = dup2(fd, 200);
	close(fd);
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	ck_same(&live[0], &b);
	ck_same(&live[1], &a);
	ck_assert(complete);
	fd = accept(accepting, &c.any, &n);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(look(SOCK_STREAM), 3);
	close(fd);
	close(moved);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, &a.any, size_of(&a)), 0); /* before the shim was here */
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	ck_assert(complete);
}
END_TEST

START_TEST(many_descriptors)
{
	union address a, b;
	int fd;

	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &b), 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, &a.any, size_of(&a)), 0);
	for (int i = 0; i < 300; i++) /* more than one reading of the list */
		ck_assert_int_ge(dup(STDERR_FILENO), 0);
	dialled(&b, SOCK_STREAM);
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	ck_same(&live[0], &a);
	ck_same(&live[1], &b);
	ck_assert(complete);
}
END_TEST

/* A second connect says EISCONN, whatever address it is given; others rewrite the address. */
START_TEST(another_address)
{
	union address a, b;
	int fd;

	without_proc = _i;
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	b = at("192.0.2.1", 9);
	fd = dialled(&a, SOCK_STREAM);
	ck_assert(connect(fd, &b.any, size_of(&b)) != 0 && errno == EISCONN);
	peers_connected(fd);
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &a);
	ck_assert(complete);
}
END_TEST

/* Connected to a listening Unix socket of that name; *n is its size, with the leading NUL of an abstract name. */
static int local_connection(const char *name, size_t n)
{
	union address a = {.un = {.sun_family = AF_UNIX}};
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);

	memcpy(a.un.sun_path, name, n);
	ck_assert_msg(bind(listening, &a.any, size) == 0, "bind: %s", strerror(errno));
	ck_assert_int_eq(listen(listening, 5), 0);
	ck_assert_int_eq(connect(fd, &a.any, size), 0);
	peers_connected(fd);
	ck_assert_int_ge(accept(listening, NULL, NULL), 0); /* that end has no name opposite: not counted */
	return fd;
}

/* Not an address, and yet a way to a server: unknown, beside the known ones. */
START_TEST(unix_socket)
{
	union address a;
	char name[64];
	int fd, size = snprintf(name, sizeof(name), "%cmtls-test-peers-%d", '\0', (int)getpid());

	without_proc = _i;
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	dialled(&a, SOCK_STREAM);
	fd = local_connection(name, (size_t)size);
	ck_assert_int_ge(dup(fd), 0);
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	ck_same(&live[0], &a);
	ck_assert_uint_eq(live[1].family, 0);
	ck_assert_uint_eq(live[1].port, 0);
	ck_assert(complete);
	ck_assert_uint_eq(look(SOCK_DGRAM), 0);
	ck_assert(complete);
}
END_TEST

/* A wake-up pair within the program; see peers.h. */
START_TEST(socket_pair)
{
	int pair[2];

	without_proc = _i;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	peers_connected(pair[0]);
	ck_assert_uint_eq(look(SOCK_STREAM), 0);
	ck_assert_uint_eq(look(SOCK_DGRAM), 0);
	ck_assert(complete);
}
END_TEST

/* A real one, where also the names of the system's own sockets may be taken. */
START_TEST(in_a_chroot)
{
	static const char journal[] = "/run/systemd/journal/stdout", proxy[] = "/run/systemd-proxy";
	char folder[] = "/tmp/test-peers.XXXXXX";
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union address a;

	if (geteuid() != 0 || !mkdtemp(folder) || chroot(folder) != 0) {
		fprintf(stderr, "skip: peers: no chroot here\n");
		return;
	}
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert(mkdir("/run", 0700) == 0 && mkdir("/run/systemd", 0700) == 0 &&
		  mkdir("/run/systemd/journal", 0700) == 0);
	ck_assert_int_ge(server("127.0.0.1", SOCK_STREAM, &a), 0);
	ck_assert_int_ge(dup(dialled(&a, SOCK_STREAM)), 0);
	local_connection(journal, sizeof(journal));
	ck_assert_uint_eq(look(SOCK_STREAM), 1);
	ck_same(&live[0], &a);
	ck_assert(complete);
	local_connection(proxy, sizeof(proxy));
	ck_assert_uint_eq(look(SOCK_STREAM), 2);
	ck_assert_uint_eq(live[1].family, 0);
	unlink(journal), unlink(proxy);
	rmdir("/run/systemd/journal"), rmdir("/run/systemd"), rmdir("/run");
	ck_assert(fchdir(root) == 0 && chroot(".") == 0 && rmdir(folder) == 0); /* the leak check wants /proc */
}
END_TEST

Suite *peers_hidden_suite(void)
{
	Suite *s = suite_create("peers_hidden");
	TCase *c = tcase_create("peers_hidden");

	tcase_add_loop_test(c, another_descriptor, 0, 2);
	tcase_add_test(c, many_descriptors);
	tcase_add_loop_test(c, another_address, 0, 2);
	tcase_add_loop_test(c, unix_socket, 0, 2);
	tcase_add_loop_test(c, socket_pair, 0, 2);
	tcase_add_test(c, in_a_chroot);
	suite_add_tcase(s, c);
	return s;
}
