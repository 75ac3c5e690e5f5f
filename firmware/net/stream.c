/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP over lwIP's raw interface. What comes is copied into the stream's own ring, as large as the window, which opens
 * again only when somebody takes it. lwIP's buffers, which all streams share, are free again at once: however small a
 * server makes its segments, and whoever does not read them, the others have room.
 */
#include "firmware/net/stream.h"

#include <lwip/tcp.h>

#include <string.h>

#define OURS (TCP_PRIO_NORMAL + 1)

_Static_assert(TCP_ENSURE_LOCAL_PORT_RANGE(0x3fff) < TCP_LOCAL_PORT_RANGE_END &&
		       TCP_ENSURE_LOCAL_PORT_RANGE(0x3ffe) < TCP_LOCAL_PORT_RANGE_END,
	       "lwIP counts past the end of the ports to 0");

static void begin(struct stream *s, enum stream_state state)
{
	memset(s, 0, offsetof(struct stream, data));
	s->state = state;
}

static void keep(struct stream *s, const struct pbuf *p)
{
	size_t at = (s->first + s->n) % sizeof(s->data), straight = sizeof(s->data) - at;

	if (straight > p->tot_len)
		straight = p->tot_len;
	pbuf_copy_partial(p, s->data + at, (u16_t)straight, 0);
	pbuf_copy_partial(p, s->data, (u16_t)(p->tot_len - straight), (u16_t)straight);
	s->n = (uint16_t)(s->n + p->tot_len);
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct stream *s = arg;

	(void)pcb;
	(void)error;
	if (!p) {
		s->ended = true;
		return ERR_OK;
	}
	if (p->tot_len > sizeof(s->data) - s->n)
		return ERR_MEM; /* lwIP keeps the window: not to be seen */
	keep(s, p);
	pbuf_free(p);
	return ERR_OK;
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct stream *s = arg;

	(void)pcb;
	(void)error;
	s->state = STREAM_OPEN;
	return ERR_OK;
}

/* lwIP has freed the pcb. */
static void broken(void *arg, err_t error)
{
	struct stream *s = arg;

	s->pcb = NULL;
	if (error == ERR_RST)
		s->state = s->state == STREAM_CONNECTING ? STREAM_REFUSED : STREAM_RESET;
	else
		s->state = STREAM_LOST;
}

bool stream_open(struct stream *s, uint32_t address, uint16_t port)
{
	ip_addr_t to;

	begin(s, STREAM_CONNECTING);
	s->pcb = tcp_new();
	if (!s->pcb)
		return false;
	ip_addr_set_ip4_u32(&to, address);
	tcp_arg(s->pcb, s);
	tcp_recv(s->pcb, received);
	tcp_err(s->pcb, broken);
	tcp_setprio(s->pcb, OURS);
	tcp_nagle_disable(s->pcb); /* TLS writes whole records */
	if (tcp_connect(s->pcb, &to, port, connected) == ERR_OK)
		return true;
	tcp_err(s->pcb, NULL);
	tcp_abort(s->pcb);
	begin(s, STREAM_CLOSED);
	return false;
}

long stream_send(struct stream *s, const void *data, size_t n)
{
	size_t room;

	if (s->state != STREAM_OPEN)
		return STREAM_BROKEN;
	room = tcp_sndbuf(s->pcb);
	if (n > room)
		n = room;
	if (n == 0 || tcp_write(s->pcb, data, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
		return 0;
	tcp_output(s->pcb);
	return (long)n;
}

long stream_receive(struct stream *s, void *data, size_t n)
{
	size_t straight = sizeof(s->data) - s->first;

	if (!s->n && s->ended)
		return STREAM_END;
	if (!s->n)
		return s->state == STREAM_OPEN ? 0 : STREAM_BROKEN;
	if (n > s->n)
		n = s->n;
	if (n > straight)
		n = straight; /* the rest comes with the next call */
	memcpy(data, s->data + s->first, n);
	s->first = (uint16_t)((s->first + n) % sizeof(s->data));
	s->n = (uint16_t)(s->n - n);
	if (s->pcb)
		tcp_recved(s->pcb, (u16_t)n);
	return (long)n;
}

bool stream_has_room(const struct stream *s)
{
	return s->state == STREAM_OPEN && tcp_sndbuf(s->pcb) > 0 && tcp_sndqueuelen(s->pcb) < TCP_SND_QUEUELEN - 1;
}

/*
 * Bytes that nobody took would turn the farewell into a reset, and that would take with it what is still on its way:
 * they count as read. A closed connection that lingers may be dropped for a new one.
 */
void stream_close(struct stream *s)
{
	struct tcp_pcb *pcb = s->pcb;

	if (pcb) {
		tcp_arg(pcb, NULL);
		tcp_recv(pcb, NULL);
		tcp_err(pcb, NULL);
		tcp_setprio(pcb, TCP_PRIO_MIN);
		if (s->n)
			tcp_recved(pcb, s->n);
		if (tcp_close(pcb) != ERR_OK)
			tcp_abort(pcb);
	}
	begin(s, STREAM_CLOSED);
}
