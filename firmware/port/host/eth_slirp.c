/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet over libslirp, whose sockets are served whenever the guest looks for a frame or is idle. slirp itself would
 * let the guest go wherever this machine can: what it may send is decided here, before slirp sees it.
 */
#include "firmware/port/host/eth_slirp.h"

#include <poll.h>
#include <slirp/libslirp.h>
#include <string.h>
#include <time.h>

#define NET(d) htonl(UINT32_C(0x0a000200) | (d))
#define GATE   NET(100)
#define FRAMES 256
#define POLLED 256

static struct {
	Slirp *slirp;
	uint16_t port;
	struct {
		size_t n;
		uint8_t bytes[BOARD_FRAME_MAX];
	} frames[FRAMES]; /* a ring: from slirp to the guest */
	unsigned first, count;
	struct pollfd polled[POLLED];
	nfds_t n_polled;
} net;

/* --- what slirp calls ---------------------------------------------------------------- */

static ssize_t to_guest(const void *frame, size_t n, void *ctx)
{
	unsigned at = (net.first + net.count) % FRAMES;

	(void)ctx;
	if (net.count == FRAMES || n > BOARD_FRAME_MAX)
		return (ssize_t)n; /* lost, as on a wire; TCP sends it again */
	memcpy(net.frames[at].bytes, frame, n);
	net.frames[at].n = n;
	net.count++;
	return (ssize_t)n;
}

static void guest_error(const char *text, void *ctx)
{
	(void)text;
	(void)ctx;
}

static int64_t clock_ns(void *ctx)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Only IPv6 has timers. */
static void *timer_new(SlirpTimerCb call, void *call_ctx, void *ctx)
{
	(void)call;
	(void)call_ctx;
	(void)ctx;
	return &net;
}

static void timer_free(void *timer, void *ctx)
{
	(void)timer;
	(void)ctx;
}

static void timer_mod(void *timer, int64_t when, void *ctx)
{
	(void)timer;
	(void)when;
	(void)ctx;
}

static void poll_fd(int fd, void *ctx)
{
	(void)fd;
	(void)ctx;
}

static void notify(void *ctx)
{
	(void)ctx;
}

static const struct SlirpCb callbacks = {
	.send_packet = to_guest,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd,
	.unregister_poll_fd = poll_fd,
	.notify = notify,
};

static int add_poll(int fd, int events, void *ctx)
{
	struct pollfd *new = &net.polled[net.n_polled];

	(void)ctx;
	if (net.n_polled == POLLED)
		return -1;
	new->fd = fd;
	new->events = 0;
	if (events & SLIRP_POLL_IN)
		new->events |= POLLIN;
	if (events & SLIRP_POLL_OUT)
		new->events |= POLLOUT;
	if (events & SLIRP_POLL_PRI)
		new->events |= POLLPRI;
	new->revents = 0;
	return (int)net.n_polled++;
}

static int get_revents(int at, void *ctx)
{
	int events = at < 0 || (nfds_t)at >= net.n_polled ? 0 : net.polled[at].revents;

	(void)ctx;
	return (events & POLLIN ? SLIRP_POLL_IN : 0) | (events & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (events & POLLPRI ? SLIRP_POLL_PRI : 0) | (events & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (events & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void serve(int fd, uint32_t ms)
{
	int ready;

	net.n_polled = 0;
	slirp_pollfds_fill(net.slirp, &ms, add_poll, NULL);
	if (fd >= 0)
		add_poll(fd, SLIRP_POLL_IN, NULL);
	ready = poll(net.polled, net.n_polled, ms > INT32_MAX ? INT32_MAX : (int)ms);
	slirp_pollfds_poll(net.slirp, ready < 0, get_revents, NULL);
}

/* --- what the guest may send ----------------------------------------------------------- */

static unsigned two(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* ARP; DHCP to a server; TCP to the one port (RFC 791 3.1, 768, 9293 3.1). */
static bool allowed(const uint8_t *frame, size_t n)
{
	const uint32_t gate = GATE;
	const uint8_t *ip = frame + 14;
	size_t header;

	if (n >= 14 && two(frame + 12) == 0x0806)
		return true;
	if (n < 14 + 20 || two(frame + 12) != 0x0800 || ip[0] >> 4 != 4 || two(ip + 6) & 0x3fff)
		return false;
	header = (size_t)(ip[0] & 15) * 4;
	if (header < 20 || n < 14 + header + 4)
		return false;
	if (ip[9] == IPPROTO_UDP)
		return two(ip + header + 2) == 67;
	return ip[9] == IPPROTO_TCP && net.port && two(ip + header + 2) == net.port &&
	       memcmp(ip + 16, &gate, sizeof(gate)) == 0;
}

/* --- struct board_eth -------------------------------------------------------------------- */

static bool eth_send(void *ctx, const void *frame, size_t n)
{
	(void)ctx;
	if (!net.slirp || n > BOARD_FRAME_MAX)
		return false;
	if (allowed(frame, n))
		slirp_input(net.slirp, frame, (int)n);
	return true;
}

static size_t eth_receive(void *ctx, void *frame)
{
	size_t n;

	(void)ctx;
	if (!net.slirp)
		return 0;
	if (net.count == 0)
		serve(-1, 0);
	if (net.count == 0)
		return 0;
	n = net.frames[net.first].n;
	memcpy(frame, net.frames[net.first].bytes, n);
	net.first = (net.first + 1) % FRAMES;
	net.count--;
	return n;
}

void eth_slirp_wait(int fd, uint32_t ms)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};

	if (net.slirp && net.count == 0)
		serve(fd, ms);
	else if (!net.slirp)
		poll(&one, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

void eth_slirp_port(uint16_t port)
{
	net.port = port;
}

bool eth_slirp_open(struct board_eth *eth, uint16_t port)
{
	const SlirpConfig config = {
		.version = 4,
		.in_enabled = true,
		.vnetwork.s_addr = NET(0),
		.vnetmask.s_addr = htonl(0xffffff00),
		.vhost.s_addr = GATE,
		.vdhcp_start.s_addr = NET(15),
		.vnameserver.s_addr = NET(3),
		.disable_dns = true,
	};

	eth_slirp_close();
	net.slirp = slirp_new(&config, &callbacks, NULL);
	if (!net.slirp)
		return false;
	net.port = port;
	*eth = (struct board_eth){
		.mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}, /* QEMU's first, locally administered */
		.send = eth_send,
		.receive = eth_receive,
	};
	return true;
}

void eth_slirp_close(void)
{
	if (net.slirp)
		slirp_cleanup(net.slirp);
	memset(&net, 0, sizeof(net));
}
