/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connected sockets of this process: the kernel's list of descriptors, read by
 * plain system calls, or without /proc the small numbers and a table of those seen in connect(2). What that table
 * cannot hold is remembered as "incomplete", the stricter answer.
 */
#include "shim/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define SLOTS       4096 /* of the table */
#define NUMBERS     1024 /* asked one by one where there is no /proc: the usual limit of descriptors */

static atomic_int slots[SLOTS]; /* by descriptor modulo SLOTS: the descriptor plus one, zero is empty */
static atomic_int used;         /* slots below this may be filled */
static atomic_bool incomplete;  /* two descriptors met in one slot */

/* What is found while looking. */
struct found {
	int type;
	bool all;
	size_t n;
	struct mtls_addr *peer; /* PEERS_MAX */
};

struct entry { /* getdents64's; libc has no wrapper in 2.17 */
	uint64_t inode;
	int64_t offset;
	unsigned short size;
	unsigned char type;
	char name[];
};

void peers_address(const struct sockaddr *address, socklen_t n, struct mtls_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (!address || n < sizeof(address->sa_family))
		return;
	if (address->sa_family == AF_INET && n >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		mtls_addr_set(out, (const unsigned char *)&in.sin_addr, 4, ntohs(in.sin_port));
	} else if (address->sa_family == AF_INET6 && n >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		mtls_addr_set(out, in6.sin6_addr.s6_addr, 16, ntohs(in6.sin6_port));
	}
}

void peers_of(int fd, struct mtls_addr *out)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof(address);
	int saved = errno;

	memset(out, 0, sizeof(*out));
	if (getpeername(fd, (struct sockaddr *)&address, &n) == 0)
		peers_address((struct sockaddr *)&address, n, out);
	errno = saved;
}

/* --- the table ----------------------------------------------------------------- */

/* The descriptor whose place is taken: may it be connected, or still be connecting? Changes errno. */
static bool may_live(int fd)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof(address);

	return getpeername(fd, (struct sockaddr *)&address, &n) == 0 || errno == ENOTCONN;
}

void peers_connected(int fd)
{
	int place = (int)((unsigned)fd % SLOTS), before, now = atomic_load(&used);

	if (fd < 0)
		return;
	before = atomic_load(&slots[place]);
	do /* said before it is done: nobody may find the entry gone and the answer complete */
		if (before && before != fd + 1 && may_live(before - 1))
			atomic_store(&incomplete, true);
	while (!atomic_compare_exchange_weak(&slots[place], &before, fd + 1));
	while (now <= place && !atomic_compare_exchange_weak(&used, &now, place + 1))
		;
}

/* --- looking ------------------------------------------------------------------- */

/* Services of the system that never speak TLS; none but the system makes sockets there. */
static bool of_the_system(const struct sockaddr_un *un)
{
	static const char *const folder[] = {"/run/systemd/",  "/run/dbus/", "/var/run/dbus/",
					     "/var/run/nscd/", "/run/nscd/", "/var/lib/sss/"};

	for (size_t i = 0; i < COUNT(folder); i++)
		if (strncmp(un->sun_path, folder[i], strlen(folder[i])) == 0)
			return true;
	return false;
}

/* May TLS of that type run over a socket with that peer? */
static bool could_be_meant(int type, const struct sockaddr_storage *address, socklen_t n)
{
	if (address->ss_family == AF_INET || address->ss_family == AF_INET6)
		return true;
	if (type != SOCK_STREAM)
		return false;
	return address->ss_family != AF_UNIX || (n > offsetof(struct sockaddr_un, sun_path) &&
						 !of_the_system((const struct sockaddr_un *)(const void *)address));
}

static bool same(const struct mtls_addr *a, const struct mtls_addr *b)
{
	return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* The kernel says that it is no connected socket; any other error says nothing. */
static bool is_none(int error)
{
	return error == EBADF || error == ENOTSOCK || error == ENOTCONN || error == EINVAL || error == EOPNOTSUPP;
}

/* Changes errno. */
static void look_at(struct found *found, int fd)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof(int);
	struct mtls_addr peer;
	int type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0) {
		found->all = found->all && is_none(errno);
		return;
	}
	if (type != found->type)
		return;
	n = sizeof(address);
	if (getpeername(fd, (struct sockaddr *)&address, &n) != 0) {
		found->all = found->all && is_none(errno);
		return;
	}
	if (!could_be_meant(type, &address, n))
		return;
	peers_address((struct sockaddr *)&address, n, &peer);
	for (size_t i = 0; i < found->n; i++)
		if (same(&found->peer[i], &peer))
			return;
	if (found->n < PEERS_MAX)
		found->peer[found->n++] = peer;
	else
		found->all = false;
}

/* -1: not a number, as "." is not. */
static int number(const char *digits)
{
	int value = 0;

	for (; *digits >= '0' && *digits <= '9'; digits++)
		value = value * 10 + (*digits - '0');
	return *digits ? -1 : value;
}

/* A thread may have descriptors of its own (CLONE_FILES); kernels before 3.17 cannot tell. */
static int open_list(void)
{
	static const char *const list[] = {"/proc/thread-self/fd", "/proc/self/fd"};
	long fd = -1;

	for (size_t i = 0; fd < 0 && i < COUNT(list); i++)
		fd = syscall(SYS_openat, AT_FDCWD, list[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return (int)fd;
}

/* false: there is no list. Changes errno. */
static bool look_at_list(struct found *found)
{
	_Alignas(struct entry) char buffer[2048];
	int list = open_list();
	const struct entry *entry;
	long n;

	if (list < 0)
		return false;
	while ((n = syscall(SYS_getdents64, list, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < n; at += entry->size) {
			entry = (const struct entry *)(const void *)(buffer + at);
			look_at(found, number(entry->name));
		}
	syscall(SYS_close, list);
	return n == 0;
}

size_t peers_live(int type, struct mtls_addr out[PEERS_MAX], bool *complete)
{
	struct found found = {.type = type, .all = true, .peer = out};
	int saved = errno;

	if (!look_at_list(&found)) {
		for (int fd = 0; fd < NUMBERS; fd++)
			look_at(&found, fd);
		for (int i = 0, end = atomic_load(&used); i < end; i++)
			look_at(&found, atomic_load(&slots[i]) - 1);
		found.all = found.all && !atomic_load(&incomplete);
	}
	*complete = found.all;
	errno = saved;
	return found.n;
}
