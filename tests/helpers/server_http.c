/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said on a connection: HTTP/1.x as far as GET and HEAD go, and for anything
 * else an answer to each line, so that s_client and socat are clients too. An empty
 * line ends a conversation in lines. The answer tells the client who it is for us.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Length of the first line with its end, 0: there is none. */
static size_t line_length(const struct connection *c)
{
	const unsigned char *end = memchr(c->in, '\n', c->in_length);

	return end ? (size_t)(end - c->in) + 1 : 0;
}

static size_t read_line(struct connection *c)
{
	size_t n;

	while ((n = line_length(c)) == 0)
		if (!io_fill(c))
			return 0;
	return n;
}

static bool is_empty(const struct connection *c, size_t n)
{
	return n == 1 || (n == 2 && c->in[0] == '\r');
}

static bool has(const struct connection *c, size_t n, const char *word)
{
	return memmem(c->in, n, word, strlen(word)) != NULL;
}

static bool starts(const struct connection *c, size_t n, const char *word)
{
	return n >= strlen(word) && strncasecmp((const char *)c->in, word, strlen(word)) == 0;
}

/* Uses up the header lines; false: they did not end. */
static bool read_headers(struct connection *c, bool *keep_alive)
{
	size_t n;

	*keep_alive = false;
	while ((n = read_line(c)) != 0) {
		bool last = is_empty(c, n);

		if (starts(c, n, "connection:"))
			*keep_alive = has(c, n, "keep-alive") || has(c, n, "Keep-Alive");
		io_use(c, n);
		if (last)
			return true;
	}
	return false;
}

static bool answer_http(struct connection *c, bool *go_on)
{
	size_t n = line_length(c);
	bool head = starts(c, n, "HEAD "), get = starts(c, n, "GET ");
	char body[1100], text[1400];
	int length;

	if (!tls_ask_again(c))
		return false;
	io_use(c, n);
	if (!read_headers(c, go_on))
		return false;
	*go_on = *go_on && (get || head);
	length = snprintf(body, sizeof(body), "subject: %s\n", c->seen.subject);
	length = snprintf(text, sizeof(text),
			  "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s",
			  get || head ? "200 OK" : "405 Method Not Allowed", length, *go_on ? "keep-alive" : "close",
			  head ? "" : body);
	return io_write(c, text, (size_t)length);
}

static bool answer_line(struct connection *c, bool *go_on)
{
	size_t n = line_length(c);
	char text[1100];
	int length;

	*go_on = !is_empty(c, n);
	if (!*go_on)
		return true;
	if (!tls_ask_again(c))
		return false;
	io_use(c, n);
	length = snprintf(text, sizeof(text), "subject: %s\n", c->seen.subject);
	return io_write(c, text, (size_t)length);
}

void http_serve(struct connection *c)
{
	bool go_on = true;
	size_t n;

	while (c->in_length == 0)
		if (!io_fill(c))
			return;
	if (c->in[0] == 0x30) { /* the start of an LDAP message; no method starts with a zero */
		ldap_serve(c);
		return;
	}
	while (go_on && (n = read_line(c)) != 0)
		if (!(has(c, n, " HTTP/1.") ? answer_http(c, &go_on) : answer_line(c, &go_on)))
			return;
}
