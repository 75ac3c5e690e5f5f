/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection to the target, and waiting on it. Every wait has an end: times are milliseconds of CLOCK_MONOTONIC.
 */
#ifndef MTLS_LAUNCHER_CRED_PROBE_NET_H
#define MTLS_LAUNCHER_CRED_PROBE_NET_H

#include "core/address.h"

#include <sys/socket.h>

#define PROBE_HOST_MAX 254 /* bytes of a name and its NUL: RFC 1035, 2.3.4 */
#define PROBE_WHY      256
#define PROBE_ANSWER   120 /* of a server's first line */

enum probe_kind { PROBE_PLAIN, PROBE_SMTP, PROBE_IMAP, PROBE_POSTGRES };

/* Whom to ask. The address is of the first connection: the next one goes to the same. */
struct probe_target {
	char host[PROBE_HOST_MAX];      /* without brackets and final dot */
	char text[PROBE_HOST_MAX + 10]; /* HOST:PORT or [HOST]:PORT */
	bool literal;                   /* host is an address */
	char port[6];
	enum probe_kind kind;
	struct sockaddr_storage address;
	socklen_t address_length; /* 0: not connected yet */
};

struct probe_wire {
	int fd; /* does not block; owned by whoever called probe_connect */
	int64_t deadline;
	struct mtls_addr peer;
};

int64_t probe_now(void);
/* false: until came first. Errors of the socket count as ready: the next call tells them. */
bool probe_wait(int fd, short events, int64_t until);
/* Resolves, unless that is done, and connects within seconds. false: why says it. */
bool probe_connect(struct probe_target *, int seconds, struct probe_wire *, char why[PROBE_WHY]);
/* All of it, or until the deadline. */
bool probe_send(const struct probe_wire *, const void *data, size_t n);
/* Of the first connection; family 0 before it. */
void probe_address(const struct probe_target *, struct mtls_addr *);
/* The socket's own end, for protocols that name it. */
bool probe_own_address(const struct probe_wire *, struct mtls_addr *);

/* starttls.c: the talk before TLS. true: TLS may begin. Else why tells what the server did instead. */
bool probe_starttls(enum probe_kind, const struct probe_wire *, char why[PROBE_WHY]);
/* "EHLO [127.0.0.1]", with its line end; RFC 5321, 4.1.3: whoever has no name says its address. */
void probe_smtp_hello(const struct probe_wire *, char line[64]);

#endif
