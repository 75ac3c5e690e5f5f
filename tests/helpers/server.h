/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test server's parts: what it was told (options), one connection with what
 * was seen of it, and who does what with one. server.c listens, server_tls.c shakes
 * hands, server_io.c reads and writes, server_http.c, server_h2.c and server_ldap.c talk, and
 * server_log.c writes the line that tests assert.
 */
#ifndef MTLS_TESTS_SERVER_H
#define MTLS_TESTS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum server_request { REQUEST_NONE, REQUEST_OPTIONAL, REQUEST_REQUIRED };

struct server_options {
	const char *cert, *key;  /* the server's own, PEM */
	const char *ca;          /* client CAs, PEM */
	const char *issuers;     /* PEM whose subjects the request names; "none"; NULL: those of ca */
	const char *sigalgs;     /* in the request, as SSL_CTX_set1_client_sigalgs_list has them */
	const char *log;         /* NULL: no log */
	unsigned char alpn[256]; /* wire form */
	size_t alpn_length;
	enum server_request request;
	int tls;           /* TLS1_2_VERSION, TLS1_3_VERSION, 0: both */
	unsigned count;    /* end after so many connections; 0: never */
	unsigned pha;      /* post-handshake requests on one connection */
	unsigned deadline; /* s, for one connection */
	bool ipv6;         /* ::1 as well */
	bool until_eof;    /* end when standard input does */
	bool tickets;      /* session tickets and sessions */
	bool session_ids;  /* the latter without the former */
};

struct server {
	struct server_options options;
	SSL_CTX *context;
	int log; /* O_APPEND, or -1 */
};

/* What the server saw of one connection. Strings are raw: server_log.c escapes them. */
struct seen {
	unsigned n; /* from 1, in the order of acceptance */
	bool asked, resumed;
	unsigned chain; /* certificates in the client's last Certificate message */
	char subject[1024], issuer[1024], sha256[65];
	char verify[128]; /* "ok", "none" or libcrypto's words */
	char alpn[64], sni[256];
	char pha[128]; /* "none", or a word for each request: presented empty not-offered failed */
	const char *tls, *result;
	char error[256];
};

struct connection {
	const struct server *server;
	SSL *ssl;
	int fd;
	int64_t deadline; /* ms, CLOCK_MONOTONIC */
	struct seen seen;
	bool logged;
	unsigned pha_done;       /* post-handshake requests sent */
	unsigned finished;       /* Finished messages of the client */
	unsigned certificates;   /* Certificate messages of the client */
	unsigned char in[20000]; /* read, not yet used */
	size_t in_length;
};

/* NULL, with the reason on standard error, where the options cannot be had. */
SSL_CTX *server_context(const struct server_options *);
/* Serves fd to its end and writes its line; the caller closes it. */
void server_serve(const struct server *, int fd, unsigned n);

/* Handshake; false: failed, seen says why. */
bool tls_accept(struct connection *);
/* The next post-handshake request where one is due, and its answer; false: the connection is over. */
bool tls_ask_again(struct connection *);

int64_t now_ms(void);
/* After an SSL_ function returned ret <= 0: waits where waiting helps; false: over, seen.error says why. */
bool io_retry(struct connection *, int ret);
/* Reads something more into in[], or an answer to a request; false: end, error, deadline, or no room. */
bool io_fill(struct connection *);
/* Forgets the first n bytes of in[]. */
void io_use(struct connection *, size_t n);
bool io_write(struct connection *, const void *, size_t);
/* close_notify where the connection is sound, then waits for the peer's end, so that no reset overtakes our last bytes.
 */
void io_close(struct connection *, bool sound);

void http_serve(struct connection *);
void h2_serve(struct connection *);
/* http_serve hands over a client that speaks LDAP. */
void ldap_serve(struct connection *);

/* Writes the connection's line, once. */
void log_seen(struct connection *);

#endif
