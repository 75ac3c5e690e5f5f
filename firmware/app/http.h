/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to one HTTP/1.1 request (RFC 9112), in pieces as they come. Pure. */
#ifndef MTLS_FIRMWARE_APP_HTTP_H
#define MTLS_FIRMWARE_APP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINE 512   /* bytes of a line that are looked at; the rest of it is skipped */
#define HTTP_HEAD 16384 /* bytes at most before the body, between two pieces of it, and after it */

enum http_state {
	HTTP_STATUS,
	HTTP_HEADERS,
	HTTP_BODY, /* left bytes of it, or with no length all until the end */
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK,
	HTTP_CHUNK_END,
	HTTP_TRAILERS,
	HTTP_DONE,
	HTTP_WRONG, /* it is no HTTP, or not as this client can take it */
};

struct http {
	enum http_state state;
	unsigned status; /* 200 … */
	bool has_length, chunked;
	uint64_t left; /* bytes of the body, or of the chunk */
	uint64_t got;  /* bytes of the body so far */
	char line[HTTP_LINE];
	size_t n, head; /* bytes of line; bytes that were not the body's, since the last that were */
	void (*body)(void *ctx, const void *data, size_t n);
	void *ctx;
};

/* All zero before, but body and ctx. */
void http_take(struct http *, const char *data, size_t n);
/* The connection has ended: was that all of it? */
bool http_is_whole(const struct http *);

#endif
