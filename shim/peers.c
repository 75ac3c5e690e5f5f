/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table from descriptor to peer: fixed slots, each a sequence lock whose
 * writer never waits. What cannot be recorded is remembered as "incomplete", the stricter answer.
 */
#include "shim/peers.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#define SLOTS 4096 /* 112 KiB of untouched zero pages until used */
#define TRIES 100  /* of reading a slot that is being written */
#define WORDS ((sizeof(struct mtls_addr) + sizeof(uint32_t) - 1) / sizeof(uint32_t))

/* version is odd while somebody writes; fd is stored plus one, so that zero means empty. */
struct slot {
	atomic_uint version;
	atomic_int fd;
	atomic_uint_least32_t peer[WORDS]; /* a struct mtls_addr */
};

static struct slot slots[SLOTS];
static atomic_int used;        /* slots below this may be filled */
static atomic_bool incomplete; /* an entry was lost for good: two descriptors, or two writers, met in one slot */

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

static void raise_used(int above)
{
	int now = atomic_load_explicit(&used, memory_order_relaxed);

	while (now < above && !atomic_compare_exchange_weak(&used, &now, above))
		;
}

/* The descriptor whose place is taken: may it be connected, or still be connecting? Changes errno. */
static bool may_live(int fd)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof(address);
	struct mtls_addr peer;

	if (getpeername(fd, (struct sockaddr *)&address, &n) != 0)
		return errno == ENOTCONN;
	peers_address((struct sockaddr *)&address, n, &peer);
	return peer.family != 0;
}

void peers_connected(int fd, const struct sockaddr *address, socklen_t n)
{
	struct slot *slot = &slots[(unsigned)fd % SLOTS];
	unsigned version = atomic_load(&slot->version);
	uint32_t word[WORDS] = {0};
	struct mtls_addr peer;
	int before;

	peers_address(address, n, &peer);
	if (fd < 0 || !peer.family)
		return;
	if (version % 2 || !atomic_compare_exchange_strong(&slot->version, &version, version + 1)) {
		atomic_store(&incomplete, true);
		return;
	}
	before = atomic_load(&slot->fd) - 1;
	if (before >= 0 && before != fd && may_live(before))
		atomic_store(&incomplete, true);
	memcpy(word, &peer, sizeof(peer));
	for (size_t i = 0; i < WORDS; i++)
		atomic_store(&slot->peer[i], word[i]);
	atomic_store(&slot->fd, fd + 1);
	atomic_store(&slot->version, version + 2);
	raise_used((int)((unsigned)fd % SLOTS) + 1);
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

static bool of_type(int fd, int type)
{
	int is = 0;
	socklen_t n = sizeof(is);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &n) == 0 && is == type;
}

/* A consistent copy, *fd negative where it is empty; false where somebody writes it, who may have died in a fork. */
static bool slot_read(struct slot *slot, int *fd, struct mtls_addr *peer)
{
	uint32_t word[WORDS];

	for (int i = 0; i < TRIES; i++) {
		unsigned version = atomic_load(&slot->version);

		*fd = atomic_load(&slot->fd) - 1;
		for (size_t k = 0; k < WORDS; k++)
			word[k] = atomic_load(&slot->peer[k]);
		if (version % 2 == 0 && atomic_load(&slot->version) == version) {
			memcpy(peer, word, sizeof(*peer));
			return true;
		}
	}
	return false;
}

/* To connect to 0.0.0.0 or :: is to connect to this machine: then any address is the recorded one. */
static bool still(const struct mtls_addr *recorded, const struct mtls_addr *live)
{
	static const unsigned char any[sizeof(recorded->ip)];

	return live->family && live->port == recorded->port &&
	       (mtls_addr_same_ip(live, recorded) || memcmp(recorded->ip, any, sizeof(any)) == 0);
}

size_t peers_live(int type, struct mtls_addr out[PEERS_MAX], bool *complete)
{
	int end = atomic_load(&used), saved = errno, fd;
	struct mtls_addr recorded, live;
	bool all = true;
	size_t n = 0;

	for (int i = 0; i < end; i++) {
		if (!slot_read(&slots[i], &fd, &recorded)) {
			all = false;
			continue;
		}
		if (fd < 0)
			continue;
		peers_of(fd, &live);
		if (!still(&recorded, &live) || !of_type(fd, type))
			continue;
		if (n < PEERS_MAX)
			out[n++] = live;
		else
			all = false;
	}
	*complete = all && !atomic_load(&incomplete);
	errno = saved;
	return n;
}
