/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample application: it fetches a page. That the device has a certificate is nowhere in it; nor are CAs, keys or
 * the verification of servers.
 */
#ifndef MTLS_FIRMWARE_APP_GET_H
#define MTLS_FIRMWARE_APP_GET_H

#include "firmware/net/socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * ms from the request until GET_PROGRESS bytes of the body have come, or the end, 1xx answers and headers included;
 * then as long again for each GET_PROGRESS bytes. Connecting has its own (SOCKETS_DEADLINE).
 */
#define GET_PATIENCE 30000
#define GET_PROGRESS 1024

struct get {
	const char *url;  /* https://HOST[:PORT][/…], without blanks */
	uint32_t address; /* of the host, network order; 0: the network's resolver knows it */
	/* The body, in pieces, whatever the status. */
	void (*body)(void *ctx, const void *data, size_t n);
	void *ctx;
	uint32_t patience_ms;     /* 0: GET_PATIENCE */
	char why[SOCKETS_REASON]; /* a sentence, after a failure */
};

/* true: the server's answer came whole, and was 2xx. */
bool get_url(struct get *);

#endif
