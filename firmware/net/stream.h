/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection as a stream of bytes that never waits; ip_poll moves it. Under socket.c and tls.c. */
#ifndef MTLS_FIRMWARE_NET_STREAM_H
#define MTLS_FIRMWARE_NET_STREAM_H

#include "firmware/config/lwipopts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp_pcb;

enum stream_state {
	STREAM_CLOSED, /* all zero: never opened, or closed by us */
	STREAM_CONNECTING,
	STREAM_OPEN,
	STREAM_REFUSED, /* never was open: nobody listens */
	STREAM_RESET,   /* was open, and has been torn down */
	STREAM_LOST,    /* nothing was acknowledged for too long, or there was no memory */
};

/* Not to be moved while it is open. What has come can still be taken after the state has become one of the last three.
 */
struct stream {
	struct tcp_pcb *pcb;
	enum stream_state state;
	bool ended;            /* the other side sends no more */
	uint16_t first, n;     /* what has come: n bytes from first on, round the end */
	uint8_t data[TCP_WND]; /* the other side may not send more than that ahead */
};

/* address in network order. false: no memory. */
bool stream_open(struct stream *, uint32_t address, uint16_t port);

/* Bytes taken; 0: there is no room now; STREAM_BROKEN. */
long stream_send(struct stream *, const void *data, size_t n);
/* Bytes received; 0: none now; STREAM_END: and none will come, properly; STREAM_BROKEN. */
long stream_receive(struct stream *, void *data, size_t n);
enum { STREAM_END = -1, STREAM_BROKEN = -2 };

bool stream_has_room(const struct stream *);

/* What was taken will still be sent. Nothing waits. */
void stream_close(struct stream *);

#endif
