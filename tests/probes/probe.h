/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probes share: a socket to the loopback, and one exchange with our
 * server, which answers a line with the subject that it saw. A probe is a program that knows nothing of the
 * shim; each of these functions ends it with a word on standard error where something fails that must not.
 */
#ifndef MTLS_TESTS_PROBE_H
#define MTLS_TESTS_PROBE_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static inline void die(const char *why)
{
	fprintf(stderr, "probe: %s\n", why);
	ERR_print_errors_fp(stderr);
	exit(3);
}

/* An error of the program's own in libssl's queue; ERR_raise is not in 1.1.1. */
static inline void queue_error(int reason)
{
	ERR_put_error(ERR_LIB_USER, 0, reason, __FILE__, __LINE__);
}

static inline int connect_to(const char *address, const char *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &in.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0)
		die("cannot connect");
	return fd;
}

/* A context that verifies nothing; the tests judge at the server. */
static inline SSL_CTX *context_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		die("no context");
	return ctx;
}

static inline SSL *ssl_new(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl)
		die("no connection object");
	return ssl;
}

/* "subject: CN=…", or "" where nothing came. */
static inline void ask(SSL *ssl, char *answer, size_t size)
{
	size_t n = 0;
	int got = SSL_write(ssl, "who\n", 4);

	while (got > 0 && n + 1 < size && (n == 0 || answer[n - 1] != '\n')) {
		got = SSL_read(ssl, answer + n, (int)(size - n - 1));
		n += got > 0 ? (size_t)got : 0;
	}
	answer[n ? n - 1 : 0] = '\0';
}

/* Handshake, question, answer to standard output, end. ssl has its socket; fd is closed. */
static inline void talk(SSL *ssl, int fd)
{
	char answer[1200];

	if (SSL_connect(ssl) != 1)
		die("no handshake");
	ask(ssl, answer, sizeof(answer));
	if (!answer[0])
		die("no answer");
	puts(answer);
	SSL_write(ssl, "\n", 1);
	SSL_shutdown(ssl);
	close(fd);
}

/* The plainest client: a new connection object, its descriptor told to libssl, no name. */
static inline void talk_to(SSL_CTX *ctx, const char *port)
{
	SSL *ssl = ssl_new(ctx);
	int fd = connect_to("127.0.0.1", port);

	if (SSL_set_fd(ssl, fd) != 1)
		die("no descriptor");
	talk(ssl, fd);
	SSL_free(ssl);
}

#endif
