/* SPDX-License-Identifier: Apache-2.0 */
/* Status line, headers, then a body by length, in chunks, or until the end: RFC 9112 4, 5, 6.3, 7.1. */
#include "firmware/app/http.h"

#include <string.h>

#define LENGTH_MAX ((uint64_t)1 << 56)

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* What follows "name:" and blanks, or NULL. name is in small letters. */
static const char *value_of(const char *line, const char *name)
{
	for (; *name; line++, name++)
		if (lower(*line) != *name)
			return NULL;
	if (*line++ != ':')
		return NULL;
	while (*line == ' ' || *line == '\t')
		line++;
	return line;
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Its first figures; false: there are none, or too many. */
static bool number(const char *s, unsigned base, uint64_t *to)
{
	const char *first = s;

	*to = 0;
	for (; (unsigned)digit(*s) < base; s++) {
		if (*to >= LENGTH_MAX / base)
			return false;
		*to = *to * base + (unsigned)digit(*s);
	}
	return s != first;
}

static void take_status(struct http *h)
{
	uint64_t status = 0;

	if (strncmp(h->line, "HTTP/1.", 7) != 0 || strlen(h->line) < 12 || !number(h->line + 9, 10, &status) ||
	    status < 100 || status > 999) {
		h->state = HTTP_WRONG;
		return;
	}
	h->status = (unsigned)status;
	h->has_length = h->chunked = false; /* what a 1xx said of itself is not for this one */
	h->state = HTTP_HEADERS;
}

static void end_headers(struct http *h)
{
	if (h->status < 200)
		h->state = HTTP_STATUS; /* the real answer follows */
	else if (h->status == 204 || h->status == 304)
		h->state = HTTP_DONE;
	else if (h->chunked)
		h->state = HTTP_CHUNK_SIZE;
	else
		h->state = h->has_length && h->left == 0 ? HTTP_DONE : HTTP_BODY;
}

static bool is_blank(const char *s)
{
	return s[strspn(s, " \t")] == '\0';
}

/* Figures and no more; the same as in each such header before it (RFC 9112 6.3). */
static bool take_length(struct http *h, const char *value)
{
	uint64_t length;

	if (!number(value, 10, &length) || !is_blank(value + strspn(value, "0123456789")) ||
	    (h->has_length && length != h->left))
		return false;
	h->has_length = true;
	h->left = length;
	return true;
}

/* No coding was asked for, so the one of HTTP/1.1 itself is all that can be undone here, and once. */
static bool take_coding(struct http *h, const char *value)
{
	static const char chunked[] = "chunked";
	size_t n = 0;

	while (chunked[n] && lower(value[n]) == chunked[n])
		n++;
	if (h->chunked || chunked[n] || !is_blank(value + n))
		return false;
	h->chunked = true;
	return true;
}

static void take_header(struct http *h)
{
	const char *length = value_of(h->line, "content-length");
	const char *coding = value_of(h->line, "transfer-encoding");

	if (h->n == 0)
		end_headers(h);
	else if ((length && !take_length(h, length)) || (coding && !take_coding(h, coding)))
		h->state = HTTP_WRONG;
}

static void take_line(struct http *h)
{
	switch (h->state) {
	case HTTP_STATUS:
		take_status(h);
		break;
	case HTTP_HEADERS:
		take_header(h);
		break;
	case HTTP_CHUNK_SIZE:
		if (!number(h->line, 16, &h->left))
			h->state = HTTP_WRONG;
		else
			h->state = h->left ? HTTP_CHUNK : HTTP_TRAILERS;
		break;
	case HTTP_CHUNK_END:
		h->state = h->n ? HTTP_WRONG : HTTP_CHUNK_SIZE;
		break;
	case HTTP_TRAILERS:
		if (h->n == 0)
			h->state = HTTP_DONE;
		break;
	default:
		break;
	}
}

static void take_byte(struct http *h, char c)
{
	if (++h->head > HTTP_HEAD) {
		h->state = HTTP_WRONG;
		return;
	}
	if (c != '\n') {
		if (h->n < sizeof(h->line) - 1)
			h->line[h->n++] = c;
		return;
	}
	if (h->n && h->line[h->n - 1] == '\r')
		h->n--;
	h->line[h->n] = '\0';
	take_line(h);
	h->n = 0;
}

static size_t take_body(struct http *h, const char *data, size_t n)
{
	bool counted = h->state == HTTP_CHUNK || h->has_length;

	if (counted && n > h->left)
		n = (size_t)h->left;
	h->head = 0;
	h->got += n;
	h->body(h->ctx, data, n);
	if (!counted)
		return n;
	h->left -= n;
	if (h->left == 0)
		h->state = h->state == HTTP_CHUNK ? HTTP_CHUNK_END : HTTP_DONE;
	return n;
}

void http_take(struct http *h, const char *data, size_t n)
{
	size_t taken;

	while (n > 0 && h->state != HTTP_DONE && h->state != HTTP_WRONG) {
		taken = 1;
		if (h->state == HTTP_BODY || h->state == HTTP_CHUNK)
			taken = take_body(h, data, n);
		else
			take_byte(h, *data);
		data += taken;
		n -= taken;
	}
}

bool http_is_whole(const struct http *h)
{
	return h->state == HTTP_DONE || (h->state == HTTP_BODY && !h->has_length);
}
