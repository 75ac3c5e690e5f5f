/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client HOST PORT: fetches https://HOST:PORT/ and prints the answer. Written as one wrote for OpenSSL 1.0 and 1.1: the
 * library's start by hand, SSLv23_client_method, a BIO that connects. It trusts the CAs in SSL_CERT_FILE and has no
 * certificate of its own, nor any code for one.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

static SSL_CTX *new_context(void)
{
	SSL_CTX *ctx;

	SSL_library_init();
	SSL_load_error_strings();
	OpenSSL_add_all_algorithms();
	ctx = SSL_CTX_new(SSLv23_client_method());
	if (!ctx)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_SSLv2 | SSL_OP_NO_SSLv3);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_verify_paths(ctx);
	return ctx;
}

static BIO *open_connection(SSL_CTX *ctx, const char *host, const char *port)
{
	BIO *bio = BIO_new_ssl_connect(ctx);
	SSL *ssl = NULL;

	if (!bio)
		return NULL;
	BIO_get_ssl(bio, &ssl);
	SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
	SSL_set_tlsext_host_name(ssl, host);
	X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), host, 0);
	BIO_set_conn_hostname(bio, host);
	BIO_set_conn_port(bio, port);
	if (BIO_do_connect(bio) == 1 && BIO_do_handshake(bio) == 1)
		return bio;
	BIO_free_all(bio);
	return NULL;
}

int main(int argc, char **argv)
{
	char buffer[4096];
	SSL_CTX *ctx = argc == 3 ? new_context() : NULL;
	BIO *bio = ctx ? open_connection(ctx, argv[1], argv[2]) : NULL;
	size_t total = 0;
	int n;

	if (bio && BIO_printf(bio, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", argv[1]) > 0) {
		for (; (n = BIO_read(bio, buffer, sizeof(buffer))) > 0; total += (size_t)n)
			fwrite(buffer, 1, (size_t)n, stdout);
	}
	if (total == 0)
		ERR_print_errors_fp(stderr);
	BIO_free_all(bio);
	SSL_CTX_free(ctx);
	return total == 0;
}
