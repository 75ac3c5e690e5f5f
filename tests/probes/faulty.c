/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faulty PORT FAULT[:ARGUMENT]: a client whose process is in trouble, see faulty.h. OpenSSL.
 *
 * link: -lssl -lcrypto -pthread
 */
#include "tests/probes/probe.h"

#include "tests/probes/faulty.h"

static SSL_CTX *ctx;
static SSL_SESSION *kept;

static void library_start(void)
{
	OPENSSL_init_ssl(0, NULL);
}

static void library_context(void)
{
	ctx = context_new();
}

static void library_talk(int fd, bool keep, bool offer)
{
	SSL *ssl = ssl_new(ctx);
	char answer[1200];
	int ret;

	SSL_set_fd(ssl, fd);
	if (offer && kept)
		SSL_set_session(ssl, kept);
	while ((ret = SSL_connect(ssl)) != 1 && SSL_get_error(ssl, ret) == SSL_ERROR_WANT_READ)
		;
	if (ret != 1)
		die("no handshake");
	handshake_done();
	SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
	while ((ret = SSL_write(ssl, "who\n", 4)) != 4 && SSL_get_error(ssl, ret) == SSL_ERROR_WANT_WRITE)
		;
	do
		ret = SSL_read(ssl, answer, sizeof(answer));
	while (ret <= 0 && SSL_get_error(ssl, ret) == SSL_ERROR_WANT_READ);
	if (ret <= 0)
		die("no answer");
	printf("%.*s", ret, answer); /* the server writes its line at once */
	fflush(stdout);
	SSL_write(ssl, "\n", 1);
	if (keep)
		kept = SSL_get1_session(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}
