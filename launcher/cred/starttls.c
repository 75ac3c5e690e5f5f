/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe --starttls: the few lines before TLS, for SMTP (RFC 3207), IMAP (RFC 3501, 6.2.1) and PostgreSQL
 * (its manual, "SSL Session Encryption"). Read byte by byte, so that nothing which belongs to TLS is taken, and no more
 * than TALK_MAX bytes of it: what a server says here nobody vouches for.
 */
#include "launcher/cred/probe_net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TALK_MAX  8192
#define REPLY_MAX 512 /* RFC 5321, 4.5.3.1.5; what is longer is cut */

struct talk {
	const struct probe_wire *wire;
	char line[REPLY_MAX];
	size_t left; /* bytes that may still come */
	char *why;
};

static bool fail(struct talk *t, const char *what)
{
	snprintf(t->why, PROBE_WHY, "no STARTTLS: %s", what);
	return false;
}

/* The line that was read is the reason. */
static bool fail_line(struct talk *t)
{
	snprintf(t->why, PROBE_WHY, "no STARTTLS: the server answered \"%.*s\"", PROBE_ANSWER, t->line);
	return false;
}

static bool read_byte(struct talk *t, char *c)
{
	ssize_t n;

	if (t->left == 0)
		return fail(t, "the server talks without end");
	for (;;) {
		n = recv(t->wire->fd, c, 1, 0);
		if (n == 1)
			break;
		if (n == 0)
			return fail(t, "the server closed the connection");
		if (errno != EAGAIN && errno != EINTR)
			return fail(t, strerror(errno));
		if (errno == EAGAIN && !probe_wait(t->wire->fd, POLLIN, t->wire->deadline))
			return fail(t, "the server does not answer in time");
	}
	t->left--;
	return true;
}

/* Without its end. A NUL ends it too. */
static bool read_line(struct talk *t)
{
	size_t n = 0;
	char c;

	for (;;) {
		if (!read_byte(t, &c))
			return false;
		if (c == '\n')
			break;
		if (c != '\r' && n < sizeof(t->line) - 1)
			t->line[n++] = c;
	}
	t->line[n] = '\0';
	return true;
}

static bool say(struct talk *t, const char *line)
{
	return probe_send(t->wire, line, strlen(line)) || fail(t, "the server closed the connection");
}

/* All lines of one reply (RFC 5321, 4.2): true where it has this code. *has: one of them is this keyword. */
static bool smtp_reply(struct talk *t, const char *code, const char *keyword, bool *has)
{
	do {
		if (!read_line(t))
			return false;
		if (strncmp(t->line, code, 3) != 0)
			return fail_line(t);
		if (keyword && t->line[3] && strcasecmp(t->line + 4, keyword) == 0)
			*has = true;
	} while (t->line[3] == '-');
	return true;
}

void probe_smtp_hello(const struct probe_wire *wire, char line[64])
{
	char text[MTLS_ADDR_TEXT] = "127.0.0.1";
	struct mtls_addr own = {.family = 4};

	if (probe_own_address(wire, &own))
		mtls_addr_print(&own, text);
	snprintf(line, 64, "EHLO [%s%s]\r\n", own.family == 6 ? "IPv6:" : "", text);
}

static bool smtp(struct talk *t)
{
	bool offered = false;
	char hello[64];

	probe_smtp_hello(t->wire, hello);
	if (!smtp_reply(t, "220", NULL, NULL) || !say(t, hello) || !smtp_reply(t, "250", "STARTTLS", &offered))
		return false;
	if (!offered)
		return fail(t, "the server does not offer it");
	return say(t, "STARTTLS\r\n") && smtp_reply(t, "220", NULL, NULL);
}

/* Untagged lines may come at any time. */
static bool imap(struct talk *t)
{
	if (!read_line(t))
		return false;
	if (strncasecmp(t->line, "* OK", 4) != 0)
		return fail_line(t);
	if (!say(t, "a1 STARTTLS\r\n"))
		return false;
	do {
		if (!read_line(t))
			return false;
	} while (strncmp(t->line, "* ", 2) == 0);
	return strncasecmp(t->line, "a1 OK", 5) == 0 || fail_line(t);
}

static bool postgres(struct talk *t)
{
	static const unsigned char request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
	char c;

	if (!probe_send(t->wire, request, sizeof(request)))
		return fail(t, "the server closed the connection");
	if (!read_byte(t, &c))
		return false;
	if (c == 'N')
		return fail(t, "the server does not offer it");
	return c == 'S' || fail(t, "this is no PostgreSQL server");
}

bool probe_starttls(enum probe_kind kind, const struct probe_wire *wire, char why[PROBE_WHY])
{
	struct talk t = {.wire = wire, .left = TALK_MAX, .why = why};

	switch (kind) {
	case PROBE_SMTP:
		return smtp(&t);
	case PROBE_IMAP:
		return imap(&t);
	case PROBE_POSTGRES:
		return postgres(&t);
	default:
		return true;
	}
}
