/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reuse SCENARIO PORT CERT KEY [FOLDER]: what programs do to contexts and
 * connections that have presented already. Each connection prints what the server saw; some scenarios a number.
 *
 *   clear       one connection object three times; before the third the files in FOLDER are emptied
 *   clear-ssl   the same with a cert_cb of the connection's that makes no choice
 *   clear-ctx   the same with the context's
 *   pha         one connection, a question before and one after they are emptied: for a server that asks each time
 *   add         twice, and between the program adds CERT to the connection object
 *   add-ctx     twice, and between the program adds CERT to the context (which does not reach the connection)
 *   dup         a copy of a connection object, before its first handshake, with the program's own cert_cb
 *   dup-after   a copy of one that has presented and was cleared; the first is freed before the copy is used
 *   swap        SSL_set_SSL_CTX to a context with CERT, then to one without; the first contexts are freed
 *   setters     10,000 calls of each setter: how many bytes more are in use, then a connection
 *   many        1,000 connection objects at once, with callbacks, freed in another order than made
 *   server      the shim's contexts on both sides of one handshake inside this process
 *
 * link: -lssl -lcrypto
 */
#include "tests/probes/probe.h"

#include <fcntl.h>
#include <malloc.h>

static const char *port, *cert, *key, *folder;
static int calls;

static int none_cb(SSL *ssl, void *arg)
{
	(void)ssl;
	calls += arg == NULL || arg == (void *)&calls;
	return 1;
}

static int client_none_cb(SSL *ssl, X509 **leaf, EVP_PKEY **k)
{
	(void)ssl, (void)leaf, (void)k;
	return 0;
}

static void empty(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (truncate(path, 0) != 0)
		die("cannot empty the credential");
}

static void remove_credential(void)
{
	empty("client_cert.pem");
	empty("private_key.pem");
}

/* Connects and talks on an SSL that is new or was cleared; a full handshake each time. */
static void again(SSL *ssl)
{
	int fd = connect_to("127.0.0.1", port);

	SSL_set_session(ssl, NULL);
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	talk(ssl, fd);
	if (SSL_clear(ssl) != 1)
		die("not cleared");
}

static void three_times(SSL *ssl)
{
	again(ssl);
	again(ssl);
	remove_credential();
	again(ssl);
	SSL_free(ssl);
}

static void run_clear(SSL_CTX *ctx)
{
	three_times(ssl_new(ctx));
}

static void run_clear_ssl(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx);

	SSL_set_cert_cb(ssl, none_cb, &calls);
	three_times(ssl);
	printf("calls=%d\n", calls);
}

static void run_clear_ctx(SSL_CTX *ctx)
{
	SSL_CTX_set_cert_cb(ctx, none_cb, &calls);
	three_times(ssl_new(ctx));
	printf("calls=%d\n", calls);
}

static void run_pha(SSL_CTX *ctx)
{
	SSL *ssl;
	char answer[1200];
	int fd = connect_to("127.0.0.1", port);

	SSL_CTX_set_post_handshake_auth(ctx, 1);
	ssl = ssl_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		die("no handshake");
	ask(ssl, answer, sizeof(answer));
	puts(answer);
	remove_credential();
	ask(ssl, answer, sizeof(answer));
	puts(answer);
	SSL_free(ssl);
	close(fd);
}

static void run_add(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx);

	again(ssl);
	if (SSL_use_certificate_file(ssl, cert, SSL_FILETYPE_PEM) != 1 ||
	    SSL_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1)
		die("certificate refused");
	again(ssl);
	again(ssl);
	SSL_free(ssl);
}

static void run_add_ctx(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx);

	again(ssl);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("certificate refused");
	again(ssl);
	SSL_free(ssl);
}

static void run_dup(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx), *copy;

	SSL_set_cert_cb(ssl, none_cb, &calls);
	copy = SSL_dup(ssl);
	if (!copy || copy == ssl)
		die("no copy");
	SSL_free(ssl);
	again(copy);
	SSL_set_cert_cb(copy, NULL, NULL);
	again(copy);
	printf("calls=%d\n", calls);
	SSL_free(copy);
}

static void run_dup_after(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx), *copy;

	again(ssl);
	copy = SSL_dup(ssl);
	if (!copy || copy == ssl)
		die("no copy");
	again(ssl);
	SSL_free(ssl);
	again(copy);
	remove_credential();
	again(copy);
	SSL_free(copy);
}

static void run_swap(SSL_CTX *ctx)
{
	SSL_CTX *with = context_new(), *without = context_new();
	SSL *ssl = ssl_new(ctx);

	SSL_CTX_set_cert_cb(ctx, none_cb, &calls);
	SSL_set_cert_cb(ssl, none_cb, &calls);
	if (SSL_CTX_use_certificate_chain_file(with, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(with, key, SSL_FILETYPE_PEM) != 1)
		die("certificate refused");
	SSL_set_SSL_CTX(ssl, with);
	SSL_CTX_free(with);
	again(ssl);
	SSL_set_SSL_CTX(ssl, without);
	SSL_CTX_free(without);
	again(ssl);
	again(ssl);
	printf("calls=%d\n", calls);
	SSL_free(ssl);
}

static void run_setters(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx);
	size_t before = 0;

	for (int i = 0; i < 10100; i++) {
		if (i == 100)
			before = mallinfo2().uordblks;
		SSL_CTX_set_client_cert_cb(ctx, i % 2 ? NULL : client_none_cb);
		SSL_CTX_set_cert_cb(ctx, i % 2 ? NULL : none_cb, i % 3 ? NULL : &calls);
		SSL_set_cert_cb(ssl, i % 2 ? NULL : none_cb, i % 3 ? NULL : &calls);
	}
	printf("more=%d\n", mallinfo2().uordblks > before + 4096);
	again(ssl);
	SSL_free(ssl);
}

static void run_many(SSL_CTX *ctx)
{
	static SSL *ssl[1000];

	for (int i = 0; i < 1000; i++) {
		ssl[i] = ssl_new(ctx);
		if (i % 2)
			SSL_set_cert_cb(ssl[i], none_cb, &calls);
		SSL_CTX_set_cert_cb(ctx, i % 3 ? NULL : none_cb, &calls);
	}
	for (int i = 0; i < 1000; i++)
		if (i % 100)
			SSL_free(ssl[i * 7 % 1000]);
	for (int i = 0; i < 1000; i += 100) {
		again(ssl[i * 7 % 1000]);
		SSL_free(ssl[i * 7 % 1000]);
	}
}

/* Our callbacks are on the server's context too: they must not act there. */
static void run_server(SSL_CTX *ctx)
{
	SSL_CTX *serving = SSL_CTX_new(TLS_server_method());
	SSL *client = ssl_new(ctx), *server;
	X509 *peer;
	BIO *a, *b;
	int done = 0;

	if (SSL_CTX_use_certificate_chain_file(serving, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(serving, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(serving, folder, NULL) != 1 || BIO_new_bio_pair(&a, 0, &b, 0) != 1)
		die("no server");
	SSL_CTX_set_verify(serving, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_cb(serving, none_cb, &calls);
	server = ssl_new(serving);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 20; i++)
		done = (SSL_do_handshake(client) == 1) + (SSL_do_handshake(server) == 1);
	peer = SSL_get_peer_certificate(server);
	printf("done=%d calls=%d peer=%d verify=%ld\n", done, calls, peer != NULL, SSL_get_verify_result(server));
	X509_free(peer);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(serving);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(SSL_CTX *);
	} scenarios[] = {
		{"clear", run_clear},
		{"clear-ssl", run_clear_ssl},
		{"clear-ctx", run_clear_ctx},
		{"pha", run_pha},
		{"add", run_add},
		{"add-ctx", run_add_ctx},
		{"dup", run_dup},
		{"dup-after", run_dup_after},
		{"swap", run_swap},
		{"setters", run_setters},
		{"many", run_many},
		{"server", run_server},
	};
	SSL_CTX *ctx;

	if (argc < 5)
		die("usage: reuse SCENARIO PORT CERT KEY [FOLDER]");
	port = argv[2];
	cert = argv[3];
	key = argv[4];
	folder = argv[5];
	ctx = context_new();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0) {
			scenarios[i].run(ctx);
			SSL_CTX_free(ctx);
			return 0;
		}
	die("unknown scenario");
}
