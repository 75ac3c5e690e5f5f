/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats a log line. Every value has a budget, and the budgets add up to less
 * than a line, so that a long host name cannot push the fingerprint out.
 */
#include "core/line.h"

#define BUDGET_WHAT    288
#define BUDGET_HOST    224
#define BUDGET_SUBJECT 240
#define BUDGET_SHORT   80
#define ESCAPE         4 /* bytes of "\xNN" */
#define DOTS           3

struct out {
	char *p;
	size_t n, end;
};

static void put(struct out *o, const char *s, size_t n)
{
	for (size_t i = 0; i < n && o->n < o->end; i++)
		o->p[o->n++] = s[i];
}

static void put_text(struct out *o, const char *s)
{
	put(o, s, mtls_bytes_of(s).n);
}

static void put_number(struct out *o, unsigned value)
{
	char digits[10];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(o, digits + n, sizeof(digits) - n);
}

static bool escaped(unsigned char c)
{
	return c < ' ' || c >= 0x7f || c == '"' || c == '\\';
}

static bool plain(const char *s)
{
	for (; *s; s++)
		if (escaped((unsigned char)*s) || *s == ' ' || *s == '=')
			return false;
	return true;
}

static size_t escaped_length(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += escaped((unsigned char)*s) ? ESCAPE : 1;
	return n;
}

static void put_escaped(struct out *o, const char *s, size_t budget)
{
	static const char hex[] = "0123456789abcdef";
	bool cut = escaped_length(s) > budget;
	size_t left = cut ? budget - DOTS : budget;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		size_t need = escaped(c) ? ESCAPE : 1;

		if (need > left)
			break;
		left -= need;
		if (need == 1)
			put(o, s, 1);
		else
			put(o, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, ESCAPE);
	}
	if (cut)
		put(o, "...", DOTS);
}

static void put_pair(struct out *o, const char *key, const char *value, size_t budget)
{
	bool quotes;

	if (!value || !*value)
		return;
	quotes = !plain(value);
	put_text(o, " ");
	put_text(o, key);
	put_text(o, quotes ? "=\"" : "=");
	put_escaped(o, value, budget);
	put_text(o, quotes ? "\"" : "");
}

size_t mtls_line(char buffer[MTLS_LINE_MAX], unsigned pid, const struct mtls_event *e)
{
	struct out o = {buffer, 0, MTLS_LINE_MAX - 1};

	put_text(&o, "mtls-run[");
	put_number(&o, pid);
	put_text(&o, "] ");
	put_text(&o, e->verb);
	if (e->reason != MTLS_REASONS)
		put_pair(&o, "reason", mtls_reason_word(e->reason), BUDGET_SHORT);
	put_pair(&o, "what", e->what, BUDGET_WHAT);
	put_pair(&o, "host", e->host, BUDGET_HOST);
	if (e->port) {
		put_text(&o, " port=");
		put_number(&o, e->port);
	}
	if (e->version)
		put_pair(&o, "tls", mtls_version_text(e->version), BUDGET_SHORT);
	put_pair(&o, "lib", e->library, BUDGET_SHORT);
	put_pair(&o, "subject", e->subject, BUDGET_SUBJECT);
	put_pair(&o, "sha256", e->sha256, BUDGET_SHORT);
	buffer[o.n++] = '\n';
	return o.n;
}
