/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume PORT STEP...: a client that keeps sessions, in steps. Each question prints "full" or "resumed", and what the
 * server saw.
 *
 *   open        a connection with SSL_connect; open:do, with SSL_do_handshake; open:write, with SSL_write alone;
 *               open:late, the same, and the session comes after SSL_set_connect_state
 *   again       the same connection object once more, after SSL_clear; again:late, with SSL_write alone
 *   ask         a question; close: the end
 *   connect     open, ask, close
 *   keep:N      the session of the connection that was last open, under the number N (from 0);
 *   keep-new:N  the last that new_session_cb was given
 *   offer:N     the next open, or again, offers it
 *   der:N pem:N file:N dup:N   that session is replaced by a copy: d2i, PEM from memory, PEM from a file,
 *                              SSL_SESSION_dup
 *   der-ex:N                   the same with d2i_SSL_SESSION_ex, which OpenSSL has since 3.2
 *   write:N:F read:N:F         to a file, from one
 *   own:CERT:KEY               connections have this certificate of the program's own from now on
 *   callback:CERT:KEY          the same from a client_cert_cb
 *   run:COMMAND                in a shell, without LD_PRELOAD
 *
 * link: -lssl -lcrypto
 */
#include "tests/probes/probe.h"

#include <dlfcn.h>
#include <openssl/pem.h>

#define SESSIONS 8

static SSL_CTX *ctx;
static SSL *ssl;
static SSL_SESSION *kept[SESSIONS], *last, *newest, *offered;
static const char *port, *own_cert, *own_key;
static bool by_callback;
static int fd = -1;

/* As stunnel has it: for data that were never set it is not called, as long as nobody else sets any behind them. */
#if OPENSSL_VERSION_NUMBER < 0x30000000
static int on_copy(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void *data, int i, long n, void *arg)
#else
static int on_copy(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data, int i, long n, void *arg)
#endif
{
	(void)to, (void)from, (void)data, (void)i, (void)n, (void)arg;
	die("a copy of what is not there");
	return 0;
}

static int on_new_session(SSL *of, SSL_SESSION *session)
{
	(void)of;
	SSL_SESSION_free(newest);
	newest = session;
	return 1;
}

static int on_client_cert(SSL *of, X509 **cert, EVP_PKEY **key)
{
	BIO *c = BIO_new_file(own_cert, "r"), *k = BIO_new_file(own_key, "r");

	(void)of;
	*cert = PEM_read_bio_X509(c, NULL, NULL, NULL);
	*key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
	BIO_free(c);
	BIO_free(k);
	return *cert && *key;
}

static void offer(void)
{
	if (offered && SSL_set_session(ssl, offered) != 1)
		die("session refused");
	offered = NULL;
}

static void handshake(const char *how)
{
	fd = connect_to("127.0.0.1", port);
	SSL_set_fd(ssl, fd);
	if (strcmp(how, "do") == 0 || strcmp(how, "write") == 0)
		SSL_set_connect_state(ssl);
	if (strcmp(how, "do") == 0 ? SSL_do_handshake(ssl) != 1 : !*how && SSL_connect(ssl) != 1)
		die("no handshake");
}

static void open_new(const char *how)
{
	ssl = ssl_new(ctx);
	if (own_cert && !by_callback &&
	    (SSL_use_certificate_file(ssl, own_cert, SSL_FILETYPE_PEM) != 1 ||
	     SSL_use_PrivateKey_file(ssl, own_key, SSL_FILETYPE_PEM) != 1))
		die("certificate refused");
	if (strcmp(how, "late") == 0)
		SSL_set_connect_state(ssl);
	offer();
	handshake(how);
}

static void question(void)
{
	char answer[1200];

	ask(ssl, answer, sizeof(answer));
	if (!answer[0])
		die("no answer");
	printf("%s %s\n", SSL_session_reused(ssl) ? "resumed" : "full", answer);
	fflush(stdout);
}

static void hang_up(void)
{
	SSL_write(ssl, "\n", 1);
	SSL_shutdown(ssl);
	close(fd);
	SSL_SESSION_free(last);
	last = SSL_get1_session(ssl);
}

static void end(void)
{
	hang_up();
	SSL_free(ssl);
	ssl = NULL;
}

static void again(const char *how)
{
	hang_up();
	if (SSL_clear(ssl) != 1)
		die("not cleared");
	offer();
	handshake(how);
}

/* Looked up, since the library that this is built with may have none. */
static SSL_SESSION *d2i_ex(SSL_SESSION **to, const unsigned char **in, long n)
{
	SSL_SESSION *(*d2i)(SSL_SESSION **, const unsigned char **, long, void *, const char *) = NULL;

	*(void **)&d2i = dlsym(RTLD_DEFAULT, "d2i_SSL_SESSION_ex");
	if (!d2i)
		die("this libssl has no d2i_SSL_SESSION_ex");
	return d2i(to, in, n, NULL, NULL);
}

static SSL_SESSION *through_der(SSL_SESSION *session, SSL_SESSION *(*d2i)(SSL_SESSION **, const unsigned char **, long))
{
	unsigned char *der = NULL;
	const unsigned char *at;
	int n = i2d_SSL_SESSION(session, &der);

	at = der;
	session = n > 0 ? d2i(NULL, &at, n) : NULL;
	OPENSSL_free(der);
	return session;
}

static SSL_SESSION *through_pem(SSL_SESSION *session)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_SSL_SESSION(bio, session);
	session = PEM_read_bio_SSL_SESSION(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return session;
}

static SSL_SESSION *through_file(SSL_SESSION *session)
{
	FILE *file = tmpfile();

	PEM_write_SSL_SESSION(file, session);
	rewind(file);
	session = PEM_read_SSL_SESSION(file, NULL, NULL, NULL);
	fclose(file);
	return session;
}

static SSL_SESSION *from_file(const char *path)
{
	FILE *file = fopen(path, "r");
	SSL_SESSION *session = file ? PEM_read_SSL_SESSION(file, NULL, NULL, NULL) : NULL;

	if (file)
		fclose(file);
	return session;
}

static void to_file(SSL_SESSION *session, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file || PEM_write_SSL_SESSION(file, session) != 1 || fclose(file) != 0)
		die("session not written");
}

static void put(int n, SSL_SESSION *session)
{
	if (!session || n < 0 || n >= SESSIONS)
		die("no session");
	if (kept[n] != session)
		SSL_SESSION_free(kept[n]);
	kept[n] = session;
}

static void on_session(const char *step, int n, const char *more)
{
	if (strcmp(step, "keep") == 0) {
		SSL_SESSION_up_ref(last);
		put(n, last);
	} else if (strcmp(step, "keep-new") == 0) {
		SSL_SESSION_up_ref(newest);
		put(n, newest);
	} else if (strcmp(step, "offer") == 0) {
		offered = kept[n];
	} else if (strcmp(step, "der") == 0) {
		put(n, through_der(kept[n], d2i_SSL_SESSION));
	} else if (strcmp(step, "der-ex") == 0) {
		put(n, through_der(kept[n], d2i_ex));
	} else if (strcmp(step, "pem") == 0) {
		put(n, through_pem(kept[n]));
	} else if (strcmp(step, "file") == 0) {
		put(n, through_file(kept[n]));
	} else if (strcmp(step, "dup") == 0) {
		put(n, SSL_SESSION_dup(kept[n]));
	} else if (strcmp(step, "read") == 0) {
		put(n, from_file(more));
	} else if (strcmp(step, "write") == 0) {
		to_file(kept[n], more);
	} else {
		die(step);
	}
}

/* Without what is preloaded into us. */
static void run(const char *command)
{
	const char *preload = getenv("LD_PRELOAD");
	char *kept_preload = preload ? strdup(preload) : NULL;

	unsetenv("LD_PRELOAD");
	if (system(command) != 0)
		die("the command failed");
	if (kept_preload)
		setenv("LD_PRELOAD", kept_preload, 1);
	free(kept_preload);
}

static void carry_out(const char *step, char *rest)
{
	char *more = rest ? strchr(rest, ':') : NULL;

	if (strcmp(step, "run") == 0) {
		run(rest);
		return;
	}
	if (more)
		*more++ = '\0';
	if (strcmp(step, "connect") == 0 || strcmp(step, "open") == 0)
		open_new(rest ? rest : "");
	else if (strcmp(step, "again") == 0)
		again(rest ? rest : "");
	if (strcmp(step, "connect") == 0 || strcmp(step, "ask") == 0)
		question();
	if (strcmp(step, "connect") == 0 || strcmp(step, "close") == 0) {
		end();
	} else if (strcmp(step, "own") == 0 || strcmp(step, "callback") == 0) {
		own_cert = rest;
		own_key = more;
		by_callback = *step == 'c';
		SSL_CTX_set_client_cert_cb(ctx, by_callback ? on_client_cert : NULL);
	} else if (rest && strcmp(step, "connect") != 0 && strcmp(step, "open") != 0 && strcmp(step, "again") != 0) {
		on_session(step, atoi(rest), more);
	}
}

int main(int argc, char *argv[])
{
	if (argc < 3)
		die("usage: resume PORT STEP...");
	port = argv[1];
	SSL_SESSION_get_ex_new_index(0, NULL, NULL, on_copy, NULL);
	ctx = context_new();
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
	for (int i = 2; i < argc; i++) {
		char *rest = strchr(argv[i], ':');

		if (rest)
			*rest++ = '\0';
		carry_out(argv[i], rest);
	}
	for (int i = 0; i < SESSIONS; i++)
		SSL_SESSION_free(kept[i]);
	SSL_SESSION_free(last);
	SSL_SESSION_free(newest);
	SSL_CTX_free(ctx);
	return 0;
}
