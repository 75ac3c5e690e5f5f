/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP over lwIP's raw interface. What comes is kept in lwIP's own buffers until somebody takes it; only then the window
 * opens again, so that a fast server cannot fill the memory.
 */
#include "firmware/net/stream.h"

#include <lwip/tcp.h>

#define OURS (TCP_PRIO_NORMAL + 1)

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct stream *s = arg;

	(void)pcb;
	(void)error;
	if (!p)
		s->ended = true;
	else if (s->received)
		pbuf_cat(s->received, p);
	else
		s->received = p;
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

	*s = (struct stream){.state = STREAM_CONNECTING};
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
	*s = (struct stream){.state = STREAM_CLOSED};
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
	u16_t taken;

	if (!s->received && s->ended)
		return STREAM_END;
	if (!s->received)
		return s->state == STREAM_OPEN ? 0 : STREAM_BROKEN;
	taken = pbuf_copy_partial(s->received, data, n > UINT16_MAX ? UINT16_MAX : (u16_t)n, 0);
	s->received = pbuf_free_header(s->received, taken);
	if (s->pcb)
		tcp_recved(s->pcb, taken);
	return taken;
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
		if (s->received)
			tcp_recved(pcb, s->received->tot_len);
		if (tcp_close(pcb) != ERR_OK)
			tcp_abort(pcb);
	}
	if (s->received)
		pbuf_free(s->received);
	*s = (struct stream){.state = STREAM_CLOSED};
}
