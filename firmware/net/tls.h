/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.2 and 1.3 as a client over one stream, never waiting. In this order: tls_begin once the stream is open;
 * tls_handshake until it does not give TLS_WAIT; tls_send, tls_receive and tls_readable until one gives TLS_FAILED;
 * tls_end, at any time and also after a failure. The server is always verified. Whether our certificate goes to it is
 * decided at its request (request.h), in renegotiations of TLS 1.2 too. What has failed stays so.
 */
#ifndef MTLS_FIRMWARE_NET_TLS_H
#define MTLS_FIRMWARE_NET_TLS_H

#include "firmware/net/request.h"
#include "firmware/net/stream.h"

enum { TLS_WAIT = 0, TLS_DONE = 1, TLS_END = -1, TLS_FAILED = -2 };

/* Not to be moved after tls_begin. */
struct tls {
	struct stream *stream;
	struct request request;
	mbedtls_ssl_config config;
	mbedtls_ssl_context ssl;
	bool begun;
	bool stepping; /* a handshake's step is under way, and it is ours */
	bool open;     /* there was a whole handshake */
	bool heard;    /* the server has sent data: it is content with us */
	bool starved;  /* memory ran out since it was last heard */
	bool ended;    /* it has said goodbye */
	int error;     /* mbedTLS's, of what has failed; 0: nothing */
};

/* Whom to reach; borrowed until tls_end. */
struct tls_peer {
	const char *host; /* a name, or an IPv4 address in figures */
	struct mtls_addr address;
	bool only_13;
};

/* All zero before. false: TLS_FAILED. */
bool tls_begin(struct tls *, struct stream *, const struct tls_peer *);
/* TLS_DONE, TLS_WAIT, TLS_FAILED. */
int tls_handshake(struct tls *);
/* Bytes taken, TLS_WAIT or TLS_FAILED. What was taken is on its way, or goes there with any later call. */
long tls_send(struct tls *, const void *data, size_t n);
/* Bytes received, TLS_WAIT, TLS_END or TLS_FAILED. */
long tls_receive(struct tls *, void *data, size_t n);
/* false: tls_receive would give TLS_WAIT. */
bool tls_readable(struct tls *);
/* Nothing that was taken is left here. TLS_DONE, TLS_WAIT, TLS_FAILED. */
int tls_flush(struct tls *);
/* Says goodbye, without waiting, and frees. */
void tls_end(struct tls *);

/* Why it has failed: a sentence, and the errno that fits it. */
int tls_why(const struct tls *, char *to, size_t size);

#endif
