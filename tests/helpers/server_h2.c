/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 (RFC 9113) as far as a GET needs it: preface, SETTINGS, and to each
 * block of headers, which nobody decodes, the same answer. It is there to request a
 * certificate after the handshake on a connection where RFC 8740 forbids that.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>

#define PREFACE   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define FRAME_MAX 16384 /* bytes of payload that a peer may send unasked, section 4.2 */
#define HEAD      9     /* bytes of a frame's head, section 4.1 */

enum frame_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_SETTINGS = 4,
	FRAME_PING = 6,
	FRAME_GOAWAY,
	FRAME_CONTINUATION = 9,
};
enum { FLAG_ACK = 1, FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4 };
enum { ERROR_PROTOCOL = 1, ERROR_FRAME_SIZE = 6 };

struct frame {
	size_t length;
	unsigned type, flags;
	unsigned char stream[4];
	const unsigned char *payload;
};

static bool send_frame(struct connection *c, const struct frame *f)
{
	unsigned char out[HEAD + 2048];

	if (f->length > sizeof(out) - HEAD)
		return false;
	out[0] = 0;
	out[1] = (unsigned char)(f->length >> 8);
	out[2] = (unsigned char)f->length;
	out[3] = (unsigned char)f->type;
	out[4] = (unsigned char)f->flags;
	memcpy(out + 5, f->stream, 4);
	if (f->length)
		memcpy(out + HEAD, f->payload, f->length);
	return io_write(c, out, HEAD + f->length);
}

static void give_up(struct connection *c, unsigned char error)
{
	unsigned char payload[8] = {0, 0, 0, 0, 0, 0, 0, error};
	struct frame f = {.length = sizeof(payload), .type = FRAME_GOAWAY, .payload = payload};

	send_frame(c, &f);
}

static bool answer(struct connection *c, const struct frame *request)
{
	static const unsigned char status_200[] = {0x88}; /* RFC 7541, appendix A, entry 8 */
	struct frame head = {.length = 1, .type = FRAME_HEADERS, .flags = FLAG_END_HEADERS, .payload = status_200};
	struct frame body = {.type = FRAME_DATA, .flags = FLAG_END_STREAM};
	char text[1100];

	memcpy(head.stream, request->stream, 4);
	memcpy(body.stream, request->stream, 4);
	body.length = (size_t)snprintf(text, sizeof(text), "subject: %s\n", c->seen.subject);
	body.payload = (const unsigned char *)text;
	return send_frame(c, &head) && send_frame(c, &body);
}

static bool handle(struct connection *c, const struct frame *f)
{
	struct frame ack = {.type = f->type, .flags = FLAG_ACK};

	switch (f->type) {
	case FRAME_HEADERS:
	case FRAME_CONTINUATION:
		return !(f->flags & FLAG_END_HEADERS) || answer(c, f);
	case FRAME_SETTINGS:
		return (f->flags & FLAG_ACK) || send_frame(c, &ack);
	case FRAME_PING:
		if (f->flags & FLAG_ACK)
			return true;
		ack.length = f->length;
		ack.payload = f->payload;
		return f->length == 8 && send_frame(c, &ack);
	case FRAME_GOAWAY:
		return false;
	default:
		return true;
	}
}

static bool fill_to(struct connection *c, size_t n)
{
	while (c->in_length < n)
		if (!io_fill(c))
			return false;
	return true;
}

static bool next_frame(struct connection *c)
{
	struct frame f;

	if (!fill_to(c, HEAD))
		return false;
	f.length = (size_t)c->in[0] << 16 | (size_t)c->in[1] << 8 | c->in[2];
	f.type = c->in[3];
	f.flags = c->in[4];
	memcpy(f.stream, c->in + 5, 4);
	f.payload = c->in + HEAD;
	if (f.length > FRAME_MAX) {
		give_up(c, ERROR_FRAME_SIZE);
		return false;
	}
	if (!fill_to(c, HEAD + f.length) || !handle(c, &f))
		return false;
	io_use(c, HEAD + f.length);
	return true;
}

void h2_serve(struct connection *c)
{
	struct frame settings = {.type = FRAME_SETTINGS};

	if (!fill_to(c, strlen(PREFACE)))
		return;
	if (memcmp(c->in, PREFACE, strlen(PREFACE)) != 0) {
		give_up(c, ERROR_PROTOCOL);
		return;
	}
	io_use(c, strlen(PREFACE));
	if (!send_frame(c, &settings) || !tls_ask_again(c))
		return;
	while (next_frame(c))
		;
}
