/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed byte ranges, and the four memory functions that a freestanding
 * compiler may call anyway. core/ includes no library header.
 */
#ifndef MTLS_CORE_BYTES_H
#define MTLS_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n bytes at p, owned by somebody else; not ended by a NUL. n == 0 allows p == NULL. */
struct mtls_bytes {
	const unsigned char *p;
	size_t n;
};

#define mtls_copy    __builtin_memcpy
#define mtls_set     __builtin_memset
#define mtls_compare __builtin_memcmp

#define MTLS_BOM "\xef\xbb\xbf" /* the UTF-8 byte-order mark */

/* Bytes of a string without its NUL; NULL gives no bytes. */
static inline struct mtls_bytes mtls_bytes_of(const char *s)
{
	struct mtls_bytes b = {(const unsigned char *)s, 0};

	while (s && s[b.n])
		b.n++;
	return b;
}

static inline bool mtls_bytes_equal(struct mtls_bytes a, struct mtls_bytes b)
{
	return a.n == b.n && (a.n == 0 || mtls_compare(a.p, b.p, a.n) == 0);
}

static inline bool mtls_bytes_start(struct mtls_bytes b, const char *prefix)
{
	struct mtls_bytes x = mtls_bytes_of(prefix);

	return b.n >= x.n && (x.n == 0 || mtls_compare(b.p, x.p, x.n) == 0);
}

static inline bool mtls_is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without the white space at both ends. */
static inline struct mtls_bytes mtls_bytes_trim(struct mtls_bytes b)
{
	while (b.n && mtls_is_space(b.p[0])) {
		b.p++;
		b.n--;
	}
	while (b.n && mtls_is_space(b.p[b.n - 1]))
		b.n--;
	return b;
}

static inline bool mtls_bytes_end(struct mtls_bytes b, const char *suffix)
{
	struct mtls_bytes x = mtls_bytes_of(suffix);

	return b.n >= x.n && (x.n == 0 || mtls_compare(b.p + b.n - x.n, x.p, x.n) == 0);
}

/* Moves *b behind the prefix, which is not empty, if it starts with it. */
static inline bool mtls_bytes_take(struct mtls_bytes *b, const char *prefix)
{
	struct mtls_bytes x = mtls_bytes_of(prefix);

	if (b->n < x.n || mtls_compare(b->p, x.p, x.n) != 0)
		return false;
	b->p += x.n;
	b->n -= x.n;
	return true;
}

/* Two small hexadecimal figures for each of n bytes, and a NUL. */
static inline void mtls_bytes_hex(const unsigned char *p, size_t n, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	text[2 * n] = '\0';
}

/* The line at *at, without its LF or CRLF; *at moves behind that. Needs *at < text.n. */
static inline struct mtls_bytes mtls_bytes_line(struct mtls_bytes text, size_t *at)
{
	struct mtls_bytes line = {text.p + *at, 0};

	while (*at < text.n && text.p[*at] != '\n') {
		(*at)++;
		line.n++;
	}
	if (*at == text.n)
		return line;
	(*at)++;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

#endif
