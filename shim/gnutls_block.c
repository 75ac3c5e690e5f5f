/* SPDX-License-Identifier: Apache-2.0 */
/* PEM to DER and steps into DER: see gnutls_block.h. Every wipe is followed by a barrier: it is no dead store. */
#include "shim/gnutls_block.h"

#include "core/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gtls_wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

bool gtls_buffer_reserve(struct gtls_buffer *b, size_t size)
{
	b->p = malloc(size);
	b->size = b->p ? size : 0;
	b->n = 0;
	return b->p;
}

void gtls_buffer_wipe(struct gtls_buffer *b)
{
	if (b->p)
		gtls_wipe(b->p, b->size);
	free(b->p);
	*b = (struct gtls_buffer){0};
}

/* Arithmetic, no table: a lookup by key bytes would show in the cache. */
static unsigned digit(unsigned char c)
{
	unsigned value = 0;

	value |= -(unsigned)(c >= 'A' && c <= 'Z') & (c - 'A' + 0U);
	value |= -(unsigned)(c >= 'a' && c <= 'z') & (c - 'a' + 26U);
	value |= -(unsigned)(c >= '0' && c <= '9') & (c - '0' + 52U);
	value |= -(unsigned)(c == '+') & 62U;
	value |= -(unsigned)(c == '/') & 63U;
	return value;
}

/* core/pem.h has checked the alphabet and the count; two bits of each of the last digits may be left over. */
bool gtls_block_decode(struct mtls_bytes block, struct mtls_pem *pem, struct gtls_buffer *der)
{
	const unsigned char *p, *end;
	unsigned bits = 0, n = 0;
	size_t at = 0;

	if (!mtls_pem_next(block, &at, pem) || !pem->well_formed || pem->whole.n > MTLS_FILE_MAX)
		return false;
	if (!gtls_buffer_reserve(der, pem->whole.n))
		return false;
	p = pem->headers.n ? pem->headers.p + pem->headers.n : pem->label.p + pem->label.n + strlen("-----");
	end = pem->whole.p + pem->whole.n;
	for (; p < end && *p != '-' && *p != '='; p++) {
		if (mtls_is_space(*p))
			continue;
		bits = bits << 6 | digit(*p);
		n += 6;
		if (n >= 8) {
			n -= 8;
			der->p[der->n++] = (unsigned char)(bits >> n);
			bits &= (1U << n) - 1;
		}
	}
	return der->n > 0;
}

bool gtls_der_next(struct mtls_bytes *rest, unsigned *tag, struct mtls_bytes *content)
{
	size_t size, at = 2, octets;

	if (rest->n < 2 || (rest->p[0] & 0x1f) == 0x1f || rest->p[1] == 0x80)
		return false;
	*tag = rest->p[0];
	size = rest->p[1];
	if (size > 0x80) {
		octets = size & 0x7f;
		if (octets > sizeof(size) || octets > rest->n - at)
			return false;
		for (size = 0; octets; octets--)
			size = size << 8 | rest->p[at++];
	}
	if (size > rest->n - at)
		return false;
	*content = (struct mtls_bytes){rest->p + at, size};
	rest->p += at + size;
	rest->n -= at + size;
	return true;
}

bool gtls_der_take(struct mtls_bytes *rest, unsigned tag, struct mtls_bytes *content)
{
	struct mtls_bytes next = *rest;
	unsigned found;

	if (!gtls_der_next(&next, &found, content) || found != tag)
		return false;
	*rest = next;
	return true;
}

bool gtls_der_oid(struct mtls_bytes content, char *text, size_t size)
{
	unsigned long long arc = 0;
	unsigned first;
	size_t at = 0;

	text[0] = '\0';
	if (content.n == 0 || content.p[content.n - 1] & 0x80)
		return false;
	for (size_t i = 0; i < content.n; i++) {
		if (arc >> 56)
			return false;
		arc = arc << 7 | (content.p[i] & 0x7f);
		if (content.p[i] & 0x80)
			continue;
		first = arc < 80 ? (unsigned)arc / 40 : 2;
		if (at == 0)
			at += (size_t)snprintf(text, size, "%u.%llu", first, arc - 40ULL * first);
		else if (at < size)
			at += (size_t)snprintf(text + at, size - at, ".%llu", arc);
		arc = 0;
	}
	return true;
}
