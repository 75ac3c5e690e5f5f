/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotation PORT: a process that stays, with one context of OpenSSL for all its threads. rotation.h has what it can be
 * told.
 *
 * link: -lssl -lcrypto -pthread
 */
#include "tests/probes/probe.h"
#include "tests/probes/rotation.h"

static SSL_CTX *ctx;

static void rotation_handshake(const char *port, bool tls12, char *answer, size_t size)
{
	SSL *ssl = ssl_new(ctx);
	int fd = connect_to("127.0.0.1", port);

	rotation_no_delay(fd);
	if (tls12 && SSL_set_max_proto_version(ssl, TLS1_2_VERSION) != 1)
		die("no TLS 1.2");
	if (SSL_set_fd(ssl, fd) != 1)
		die("no descriptor");
	if (SSL_connect(ssl) == 1)
		ask(ssl, answer, size);
	if (!answer[0])
		ERR_print_errors_fp(stderr);
	SSL_free(ssl);
	close(fd);
}

int main(int argc, char *argv[])
{
	int status;

	if (argc != 2)
		die("usage: rotation PORT");
	ctx = context_new();
	status = rotation_obey(argv[1]);
	SSL_CTX_free(ctx);
	return status;
}
