/* SPDX-License-Identifier: Apache-2.0 */
/* PEM blocks: see block.h. mbedTLS's base64 is used in pieces, since it looks up no table by a secret. */
#include "firmware/vault/block.h"

#include <string.h>

#include <mbedtls/base64.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>

#define LINE_BYTES 48 /* of DER in a line of 64 characters */
#define LINE_TEXT  64

int vault_heap_reserve(struct vault_heap *heap, size_t size)
{
	heap->p = mbedtls_calloc(1, size);
	heap->size = heap->p ? size : 0;
	heap->n = 0;
	return heap->p ? 0 : MBEDTLS_ERR_PEM_ALLOC_FAILED;
}

void vault_heap_free(struct vault_heap *heap)
{
	if (heap->p)
		mbedtls_platform_zeroize(heap->p, heap->size);
	mbedtls_free(heap->p);
	*heap = (struct vault_heap){0};
}

/* The base64 between p and end, without white space, a line's worth at a time. */
static int decode(const unsigned char *p, const unsigned char *end, struct vault_heap *der)
{
	unsigned char line[LINE_TEXT];
	size_t n = 0, got;
	int ret = 0;

	while (ret == 0 && (p < end || n)) {
		if (p < end && !mtls_is_space(*p))
			line[n++] = *p;
		if (p < end)
			p++;
		if (n < LINE_TEXT && p < end)
			continue;
		ret = mbedtls_base64_decode(der->p + der->n, der->size - der->n, &got, line, n);
		der->n += ret == 0 ? got : 0;
		n = 0;
	}
	mbedtls_platform_zeroize(line, sizeof(line));
	return ret;
}

int vault_block_decode(struct mtls_bytes block, struct mtls_pem *pem, struct vault_heap *der)
{
	const unsigned char *p, *end;
	size_t at = 0;
	int ret;

	*der = (struct vault_heap){0};
	if (!mtls_pem_next(block, &at, pem) || !pem->well_formed)
		return MBEDTLS_ERR_PEM_INVALID_DATA;
	p = pem->headers.n ? pem->headers.p + pem->headers.n : pem->label.p + pem->label.n + strlen("-----");
	for (end = p; end < pem->whole.p + pem->whole.n && *end != '-';)
		end++;
	ret = vault_heap_reserve(der, pem->whole.n);
	if (ret == 0)
		ret = decode(p, end, der);
	if (ret == 0 && der->n == 0)
		ret = MBEDTLS_ERR_PEM_INVALID_DATA;
	if (ret != 0)
		vault_heap_free(der);
	return ret;
}

static size_t put(unsigned char *to, const char *text)
{
	size_t n;

	for (n = 0; text[n]; n++)
		to[n] = (unsigned char)text[n];
	return n;
}

size_t vault_base64(struct mtls_bytes der, bool wrapped, unsigned char *to)
{
	unsigned char line[LINE_TEXT + 1];
	size_t n = 0, part, got;

	for (size_t at = 0; at < der.n; at += part) {
		part = der.n - at < LINE_BYTES ? der.n - at : LINE_BYTES;
		/* It cannot fail: the line has room for that. */
		(void)mbedtls_base64_encode(line, sizeof(line), &got, der.p + at, part);
		memcpy(to + n, line, got);
		n += got;
		if (wrapped || at + part == der.n)
			to[n++] = '\n';
	}
	mbedtls_platform_zeroize(line, sizeof(line));
	return n;
}

size_t vault_block_encode(const char *label, struct mtls_bytes der, unsigned char *to, size_t room)
{
	size_t frame = strlen("-----BEGIN -----\n-----END -----") + 2 * strlen(label), n = 0;
	bool wrapped = frame + VAULT_BASE64(der.n) <= room;

	if (der.n == 0 || frame + (der.n + 2) / 3 * 4 + 1 > room)
		return 0;
	n += put(to + n, "-----BEGIN ");
	n += put(to + n, label);
	n += put(to + n, "-----\n");
	n += vault_base64(der, wrapped, to + n);
	n += put(to + n, "-----END ");
	n += put(to + n, label);
	n += put(to + n, "-----");
	return n;
}
