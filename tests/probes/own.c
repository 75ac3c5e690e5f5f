/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own SCENARIO PORT CERT KEY: a program with a certificate or callbacks of its
 * own (the files CERT and KEY). Prints what a program can see of one connection: what libssl returned, how often
 * each callback was called and with what state, what the server saw. Run with and without the shim, the words
 * must be the same wherever the program itself chooses.
 *
 * A scenario is a list of words with "+" between them, in this order of doing:
 *   ctx-cert ssl-cert        the certificate on the context, on the connection
 *   ctx-bare                 the certificate on the context, but no key
 *   ctx-cb=A ssl-cb=A        a cert_cb: on the context, on the connection
 *   late-cb=A                a cert_cb on the context once the connection exists
 *   client-cb=A              a client_cert_cb
 *   unset                    then all callbacks are taken off again
 * A is what the callback does, one letter a call and the last for all that follow: "s"ets or gives the certificate,
 * "n"ot (it goes on without one), "e" not, and an error in the queue, "r"etry later, "f"ail.
 *
 * link: -lssl -lcrypto
 */
#include "tests/probes/probe.h"

static const char *cert_file, *key_file;
static X509 *own_cert;
static EVP_PKEY *own_key;

/* One callback's answers, and what it saw. */
struct script {
	const char *answers;
	int calls;
};

static struct script on_ctx, on_ssl, late, on_client;

static char next_answer(struct script *script)
{
	char answer = *script->answers;

	script->calls++;
	if (script->answers[1])
		script->answers++;
	return answer;
}

static int cert_cb(SSL *ssl, void *arg)
{
	switch (next_answer(arg)) {
	case 's':
		return SSL_use_certificate(ssl, own_cert) == 1 && SSL_use_PrivateKey(ssl, own_key) == 1;
	case 'r':
		return -1;
	case 'f':
		return 0;
	case 'e':
		queue_error(101);
		return 1;
	default:
		printf("has=%d ", SSL_get_certificate(ssl) != NULL);
		return 1;
	}
}

static int client_cb(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	printf("has=%d ", SSL_get_certificate(ssl) != NULL);
	switch (next_answer(&on_client)) {
	case 's':
		X509_up_ref(own_cert);
		EVP_PKEY_up_ref(own_key);
		*cert = own_cert;
		*key = own_key;
		return 1;
	case 'r':
		return -1;
	case 'f':
		return 1; /* "here it is", and nothing there */
	case 'e':
		queue_error(102);
		return 0;
	default:
		return 0;
	}
}

static void load(void)
{
	BIO *cert = BIO_new_file(cert_file, "r"), *key = BIO_new_file(key_file, "r");

	own_cert = cert ? PEM_read_bio_X509(cert, NULL, NULL, NULL) : NULL;
	own_key = key ? PEM_read_bio_PrivateKey(key, NULL, NULL, NULL) : NULL;
	if (!own_cert || !own_key)
		die("no certificate of its own");
	BIO_free(cert);
	BIO_free(key);
}

/* The value of word or word=; NULL where the scenario does not have it. */
static const char *word(char *const words[], const char *wanted)
{
	size_t n = strlen(wanted);

	for (; *words; words++)
		if (strncmp(*words, wanted, n) == 0 && ((*words)[n] == '=' || (*words)[n] == '\0'))
			return *words + n + ((*words)[n] == '=');
	return NULL;
}

static void before_connection(char *const words[], SSL_CTX *ctx)
{
	if (word(words, "ctx-cert") &&
	    (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1 || SSL_CTX_use_PrivateKey(ctx, own_key) != 1))
		die("certificate refused");
	if (word(words, "ctx-bare") && SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		die("certificate refused");
	on_ctx.answers = word(words, "ctx-cb");
	if (on_ctx.answers)
		SSL_CTX_set_cert_cb(ctx, cert_cb, &on_ctx);
	on_client.answers = word(words, "client-cb");
	printf("getter=%d", SSL_CTX_get_client_cert_cb(ctx) == NULL);
	if (on_client.answers)
		SSL_CTX_set_client_cert_cb(ctx, client_cb);
	printf("%d\n", SSL_CTX_get_client_cert_cb(ctx) == (on_client.answers ? client_cb : NULL));
}

static void on_connection(char *const words[], SSL_CTX *ctx, SSL *ssl)
{
	if (word(words, "ssl-cert") &&
	    (SSL_use_certificate_chain_file(ssl, cert_file) != 1 || SSL_use_PrivateKey(ssl, own_key) != 1))
		die("certificate refused");
	on_ssl.answers = word(words, "ssl-cb");
	if (on_ssl.answers)
		SSL_set_cert_cb(ssl, cert_cb, &on_ssl);
	late.answers = word(words, "late-cb");
	if (late.answers)
		SSL_CTX_set_cert_cb(ctx, cert_cb, &late);
	if (word(words, "unset")) {
		SSL_CTX_set_client_cert_cb(ctx, NULL);
		SSL_CTX_set_cert_cb(ctx, NULL, NULL);
		SSL_set_cert_cb(ssl, NULL, NULL);
		printf("getter=%d\n", SSL_CTX_get_client_cert_cb(ctx) == NULL);
	}
}

/* A retry is asked for again, as an event loop does; the reason of a failure, without what differs from run to run. */
static bool handshake(SSL *ssl)
{
	int ret, tries = 0;

	do {
		ret = SSL_connect(ssl);
		printf("connect=%d error=%d\n", ret, SSL_get_error(ssl, ret));
	} while (ret != 1 && SSL_want(ssl) == SSL_X509_LOOKUP && ++tries < 5);
	for (unsigned long e; (e = ERR_get_error()) != 0;)
		printf("queue=%d:%s\n", ERR_GET_REASON(e),
		       ERR_reason_error_string(e) ? ERR_reason_error_string(e) : "own");
	printf("calls=%d,%d,%d,%d\n", on_ctx.calls, on_ssl.calls, late.calls, on_client.calls);
	return ret == 1;
}

int main(int argc, char *argv[])
{
	char *words[8] = {NULL}, answer[1200];
	SSL_CTX *ctx;
	SSL *ssl;
	int fd, n = 0;

	if (argc != 5)
		die("usage: own SCENARIO PORT CERT KEY");
	for (char *w = strtok(argv[1], "+"); w && n < 7; w = strtok(NULL, "+"))
		words[n++] = w;
	cert_file = argv[3];
	key_file = argv[4];
	load();
	ctx = context_new();
	before_connection(words, ctx);
	ssl = ssl_new(ctx);
	on_connection(words, ctx, ssl);
	fd = connect_to("127.0.0.1", argv[2]);
	SSL_set_fd(ssl, fd);
	if (handshake(ssl)) {
		ask(ssl, answer, sizeof(answer));
		puts(answer);
	}
	printf("own=%d\n", SSL_get_certificate(ssl) && X509_cmp(SSL_get_certificate(ssl), own_cert) == 0);
	SSL_free(ssl);
	close(fd);
	SSL_CTX_free(ctx);
	X509_free(own_cert);
	EVP_PKEY_free(own_key);
	return 0;
}
