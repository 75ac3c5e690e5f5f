/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds PEM blocks line by line, as OpenSSL's PEM_read_bio does: a BEGIN or END
 * line starts in the first column and may have blanks behind it, and a block may
 * have one blank line before its base64. Which labels matter is the caller's
 * business; base64 is counted here, but decoded by a TLS library.
 */
#include "core/pem.h"

/* What was seen between BEGIN and END. */
struct body {
	enum { AT_START, IN_HEADERS, IN_DATA } where;
	struct mtls_bytes headers;
	size_t digits, pads;
	bool bad;
};

static struct mtls_bytes next_line(struct mtls_bytes text, size_t *at)
{
	struct mtls_bytes line = mtls_bytes_line(text, at);

	while (line.n && mtls_is_space(line.p[line.n - 1]))
		line.n--;
	return line;
}

/* The label of a BEGIN or END line; no bytes where the line is not one. */
static struct mtls_bytes label_of(struct mtls_bytes line, const char *prefix)
{
	const struct mtls_bytes none = {NULL, 0};
	const size_t dashes = 5;

	if (!mtls_bytes_take(&line, prefix) || !mtls_bytes_end(line, "-----"))
		return none;
	line.n -= dashes;
	return line;
}

/* A mark stands before a BEGIN line in mid-text where files were joined. */
static struct mtls_bytes begin_of(struct mtls_bytes *line)
{
	mtls_bytes_take(line, MTLS_BOM);
	return label_of(*line, "-----BEGIN ");
}

static bool has_colon(struct mtls_bytes line)
{
	size_t i;

	for (i = 0; i < line.n; i++)
		if (line.p[i] == ':')
			return true;
	return false;
}

static bool is_base64(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static void data_line(struct body *body, struct mtls_bytes line)
{
	size_t i;

	if (line.n == 0)
		body->bad = true;
	for (i = 0; i < line.n; i++) {
		if (line.p[i] == '=')
			body->pads++;
		else if (is_base64(line.p[i]) && body->pads == 0)
			body->digits++;
		else
			body->bad = true;
	}
}

static void body_line(struct body *body, struct mtls_bytes line)
{
	switch (body->where) {
	case AT_START:
		if (has_colon(line)) {
			body->where = IN_HEADERS;
			body->headers = line;
			return;
		}
		body->where = IN_DATA;
		if (line.n)
			data_line(body, line);
		return;
	case IN_HEADERS:
		if (line.n == 0)
			body->where = IN_DATA;
		else
			body->headers.n = (size_t)(line.p + line.n - body->headers.p);
		return;
	case IN_DATA:
		data_line(body, line);
	}
}

static bool is_complete(const struct body *body)
{
	return !body->bad && body->digits && body->pads <= 2 && (body->digits + body->pads) % 4 == 0;
}

/* *at stands behind the BEGIN line and stays there unless the block ends. */
static void read_block(struct mtls_bytes text, size_t *at, struct mtls_pem *out)
{
	struct body body = {.where = AT_START};
	size_t next = *at;

	while (next < text.n) {
		struct mtls_bytes line = next_line(text, &next);
		struct mtls_bytes end = label_of(line, "-----END ");

		if (end.n) {
			out->whole.n = (size_t)(line.p + line.n - out->whole.p);
			out->headers = body.headers;
			out->well_formed = is_complete(&body) && mtls_bytes_equal(end, out->label);
			*at = next;
			return;
		}
		/* Stopping here also keeps the whole scan linear. */
		if (begin_of(&line).n)
			return;
		body_line(&body, line);
	}
}

bool mtls_pem_next(struct mtls_bytes text, size_t *at, struct mtls_pem *out)
{
	while (*at < text.n) {
		struct mtls_bytes line = next_line(text, at);
		struct mtls_bytes label = begin_of(&line);

		if (label.n == 0)
			continue;
		*out = (struct mtls_pem){.whole = line, .label = label};
		read_block(text, at, out);
		return true;
	}
	return false;
}
