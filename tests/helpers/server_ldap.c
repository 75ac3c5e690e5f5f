/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much LDAP (RFC 4511) as ldapsearch needs for one simple bind and one search: each
 * bind succeeds, each search finds one entry whose description tells the client who it is for us. Messages and
 * subjects that do not fit short BER lengths end the connection, or are cut.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>

#define OP_BIND         0x60
#define OP_UNBIND       0x42
#define OP_SEARCH       0x63
#define OP_BIND_RESULT  0x61
#define OP_SEARCH_ENTRY 0x64
#define OP_SEARCH_DONE  0x65

/* A message with its head: 30 length 02 01 id op. 0: more is needed or it is of another form. */
static size_t message_length(const unsigned char *in, size_t n)
{
	size_t head = n > 1 && in[1] == 0x81 ? 3 : 2, length;

	if (n < head + 4 || in[0] != 0x30)
		return 0;
	length = head + in[head - 1];
	return in[head - 1] < 0x80 + 0x80U * (head == 3) && length >= head + 4 && length <= n ? length : 0;
}

static bool send_result(struct connection *c, unsigned char id, unsigned char op)
{
	unsigned char text[] = {0x30, 0x0c, 0x02, 0x01, id, op, 0x07, 0x0a, 0x01, 0, 0x04, 0, 0x04, 0};

	return io_write(c, text, sizeof(text));
}

static bool send_entry(struct connection *c, unsigned char id)
{
	char value[80];
	unsigned char n = (unsigned char)snprintf(value, sizeof(value), "subject: %.60s.", c->seen.subject);
	unsigned char head[] = {0x30,   n + 28, 0x02,   0x01, id, OP_SEARCH_ENTRY, n + 23, 0x04, 0, 0x30,
				n + 19, 0x30,   n + 17, 0x04, 11};
	unsigned char text[128];

	memcpy(text, head, sizeof(head));
	memcpy(text + sizeof(head), "description", 11);
	memcpy(text + sizeof(head) + 11, (unsigned char[]){0x31, n + 2, 0x04, n}, 4);
	memcpy(text + sizeof(head) + 15, value, n);
	return io_write(c, text, sizeof(head) + 15 + n);
}

void ldap_serve(struct connection *c)
{
	size_t n, head;
	unsigned char id, op;

	for (;;) {
		while ((n = message_length(c->in, c->in_length)) == 0)
			if (!io_fill(c))
				return;
		head = c->in[1] == 0x81 ? 3 : 2;
		id = c->in[head + 2];
		op = c->in[head + 3];
		io_use(c, n);
		if (op == OP_BIND && !send_result(c, id, OP_BIND_RESULT))
			return;
		if (op == OP_SEARCH && (!send_entry(c, id) || !send_result(c, id, OP_SEARCH_DONE)))
			return;
		if (op == OP_UNBIND)
			return;
	}
}
