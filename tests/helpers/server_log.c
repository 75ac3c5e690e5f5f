/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line that tests assert: logfmt, always the same keys in the same order, one
 * write(2). A value that is empty or has a byte that could confuse a reader is quoted,
 * such bytes as \xNN: what a client puts into its subject cannot forge a key or a line.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX 1200 /* bytes of one escaped value */

struct line {
	char text[8192];
	size_t length;
};

static bool plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

static void put(struct line *l, const char *text, size_t n)
{
	if (n > sizeof(l->text) - l->length)
		n = sizeof(l->text) - l->length;
	memcpy(l->text + l->length, text, n);
	l->length += n;
}

static void pair(struct line *l, const char *key, const char *value)
{
	bool quote = value[0] == '\0';

	for (const char *v = value; *v; v++)
		quote = quote || !plain((unsigned char)*v);
	if (l->length)
		put(l, " ", 1);
	put(l, key, strlen(key));
	put(l, quote ? "=\"" : "=", quote ? 2 : 1);
	for (size_t start = l->length; *value && l->length - start < VALUE_MAX; value++) {
		unsigned char c = (unsigned char)*value;
		char hex[5];

		if (plain(c) || c == ' ' || c == '=') {
			put(l, value, 1);
			continue;
		}
		snprintf(hex, sizeof(hex), "\\x%02x", c);
		put(l, hex, 4);
	}
	if (quote)
		put(l, "\"", 1);
}

void log_seen(struct connection *c)
{
	const struct seen *s = &c->seen;
	struct line l = {.length = 0};
	char number[16];

	if (c->logged || c->server->log < 0)
		return;
	c->logged = true;
	put(&l, "seen", 4);
	snprintf(number, sizeof(number), "%u", s->n);
	pair(&l, "n", number);
	pair(&l, "tls", s->tls);
	pair(&l, "asked", s->asked ? "yes" : "no");
	pair(&l, "subject", s->subject);
	pair(&l, "issuer", s->issuer);
	snprintf(number, sizeof(number), "%u", s->chain);
	pair(&l, "chain", number);
	pair(&l, "sha256", s->sha256);
	pair(&l, "verify", s->verify);
	pair(&l, "alpn", s->alpn);
	pair(&l, "resumed", s->resumed ? "yes" : "no");
	pair(&l, "sni", s->sni);
	pair(&l, "pha", s->pha);
	pair(&l, "result", s->result);
	pair(&l, "error", s->error);
	put(&l, "\n", 1);
	if (write(c->server->log, l.text, l.length) < 0)
		perror("mtls-server: log");
}
