/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared SCENARIO PORT [ARGUMENT...]: certificates that connections share, and
 * certificates in odd states. Each connection prints what the server saw.
 *
 *   copy WORD               SSL_copy_session_id to a second connection object, whose copy a third is; the first two
 *                           and their contexts are freed, their memory is used again, the third connects. WORD says
 *                           who has a cert_cb: none, ctx, ssl, both; or: the first, set after copying (late), the
 *                           second, which is freed then (back)
 *   used PORT-2             the first presents to PORT, then is copied; the copy connects to PORT-2
 *   dup WORD                as copy, by SSL_dup after a connection; WORD late as there
 *   role [CERT KEY]         connects, is cleared and then is the server of a handshake in this process, with CERT
 *   names NAME...           names to verify
 *   strict                  with SSL_CERT_FLAG_TLS_STRICT
 *   key CERT KEY KEY-2      a certificate with its key, then a key of another type alone
 *   chain CERT KEY CA       connects; then with CERT and CA added to its chain; and again
 *
 * link: -lssl -lcrypto
 */
#include "tests/probes/probe.h"

static const char *port;
static char **argument;
static int calls;

static int none_cb(SSL *ssl, void *arg)
{
	(void)ssl;
	calls += arg == (void *)&calls;
	return 1;
}

/* A full handshake on an SSL that is new, was cleared or is a copy. */
static void go(SSL *ssl, const char *to)
{
	int fd = connect_to("127.0.0.1", to);

	SSL_set_session(ssl, NULL);
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	talk(ssl, fd);
}

/* Whatever has been freed is somebody else's now. */
static void use_memory(void)
{
	for (size_t n = 16; n <= 256; n += 8)
		for (int i = 0; i < 20; i++) {
			char *more = malloc(n);

			if (!more)
				die("no memory");
			memset(more, 0x41, n);
		}
}

static bool is(const char *word)
{
	return argument[0] && strcmp(argument[0], word) == 0;
}

static void copy_id(SSL *to, const SSL *from)
{
	if (SSL_copy_session_id(to, from) != 1)
		die("no copy");
}

static void run_copy(SSL_CTX *ctx)
{
	SSL_CTX *context[3] = {ctx, context_new(), context_new()};
	SSL *ssl[3];

	if (is("ctx") || is("both"))
		SSL_CTX_set_cert_cb(ctx, none_cb, &calls);
	for (int i = 0; i < 3; i++)
		ssl[i] = ssl_new(context[i]);
	if (is("ssl") || is("both"))
		SSL_set_cert_cb(ssl[0], none_cb, &calls);
	copy_id(ssl[1], ssl[0]);
	if (is("late"))
		SSL_set_cert_cb(ssl[0], none_cb, &calls);
	copy_id(ssl[2], ssl[1]);
	if (is("back"))
		SSL_set_cert_cb(ssl[1], none_cb, &calls);
	for (int i = 0; i < 2; i++) {
		SSL_free(ssl[i]);
		SSL_CTX_free(context[i]);
	}
	use_memory();
	go(ssl[2], port);
	printf("calls=%d\n", calls);
	SSL_free(ssl[2]);
	SSL_CTX_free(context[2]);
}

static void run_used(SSL_CTX *ctx)
{
	SSL *from = ssl_new(ctx), *to = ssl_new(ctx);

	go(from, port);
	copy_id(to, from);
	go(to, argument[0]);
	SSL_free(from);
	SSL_free(to);
	SSL_CTX_free(ctx);
}

static void run_dup(SSL_CTX *ctx)
{
	SSL *from = ssl_new(ctx), *to;

	go(from, port);
	SSL_clear(from);
	to = SSL_dup(from);
	if (!to || to == from)
		die("no copy");
	if (is("late"))
		SSL_set_cert_cb(from, none_cb, &calls);
	SSL_free(from);
	use_memory();
	go(to, port);
	printf("calls=%d\n", calls);
	SSL_free(to);
	SSL_CTX_free(ctx);
}

static void use(SSL *ssl, const char *cert, const char *key)
{
	if ((cert && SSL_use_certificate_file(ssl, cert, SSL_FILETYPE_PEM) != 1) ||
	    SSL_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1)
		die("certificate refused");
}

static void print_server(const SSL *client)
{
	char name[300] = "none";
	X509 *peer = SSL_get_peer_certificate(client);

	if (peer)
		X509_NAME_oneline(X509_get_subject_name(peer), name, sizeof(name));
	printf("server=%s finished=%d\n", name, SSL_is_init_finished(client));
	X509_free(peer);
}

static void run_role(SSL_CTX *client_only)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *client = ssl_new(client_only), *ssl = ssl_new(ctx);
	BIO *a, *b;

	go(ssl, port);
	if (SSL_clear(ssl) != 1 || BIO_new_bio_pair(&a, 0, &b, 0) != 1)
		die("no second part");
	SSL_set_session(ssl, NULL);
	if (argument[0])
		use(ssl, argument[0], argument[1]);
	SSL_set_bio(ssl, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(ssl);
	SSL_set_connect_state(client);
	for (int i = 0; i < 20; i++) {
		SSL_do_handshake(client);
		SSL_do_handshake(ssl);
	}
	print_server(client);
	SSL_free(client);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	SSL_CTX_free(client_only);
}

static void run_names(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx);

	for (; *argument; argument++)
		if (SSL_add1_host(ssl, *argument) != 1)
			die("name refused");
	go(ssl, port);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void run_strict(SSL_CTX *ctx)
{
	SSL_CTX_set_cert_flags(ctx, SSL_CERT_FLAG_TLS_STRICT);
	talk_to(ctx, port);
	SSL_CTX_free(ctx);
}

static void run_key(SSL_CTX *ctx)
{
	SSL *ssl = ssl_new(ctx);

	use(ssl, argument[0], argument[1]);
	use(ssl, NULL, argument[2]);
	go(ssl, port);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void run_chain(SSL_CTX *ctx)
{
	BIO *file = BIO_new_file(argument[2], "r");
	X509 *ca = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
	SSL *ssl = ssl_new(ctx);

	go(ssl, port);
	SSL_clear(ssl);
	use(ssl, argument[0], argument[1]);
	if (!ca || SSL_add1_chain_cert(ssl, ca) != 1)
		die("no chain");
	X509_free(ca);
	BIO_free(file);
	go(ssl, port);
	SSL_clear(ssl);
	go(ssl, port);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		int arguments;
		void (*run)(SSL_CTX *); /* frees it */
	} scenarios[] = {
		{"copy", 1, run_copy},   {"used", 1, run_used},     {"dup", 1, run_dup}, {"role", 0, run_role},
		{"names", 1, run_names}, {"strict", 0, run_strict}, {"key", 3, run_key}, {"chain", 3, run_chain},
	};

	if (argc < 3)
		die("usage: shared SCENARIO PORT [ARGUMENT...]");
	port = argv[2];
	argument = argv + 3;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0 && argc - 3 >= scenarios[i].arguments) {
			scenarios[i].run(context_new());
			return 0;
		}
	die("unknown scenario");
}
