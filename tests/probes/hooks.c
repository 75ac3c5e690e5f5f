/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls every function that the shim hooks, in success and in failure, each time
 * with errno set to E2BIG, two errors in OpenSSL's queue and one in dlerror(3). Prints a line a call: what it
 * returned, and what became of all that. The same lines must come with the shim and without it.
 *
 * hooks PORT, where a server listens; nobody listens on port 1
 * link: -lssl -lcrypto -ldl
 */
#include "tests/probes/probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <sys/un.h>

static in_port_t port;
static const char *port_text;

static void before(void)
{
	ERR_clear_error();
	queue_error(101);
	queue_error(102);
	h_errno = 77;
	if (dlopen("/nonexistent/library", RTLD_NOW))
		die("loaded a library that does not exist");
	errno = E2BIG;
}

static void after(const char *name, const char *how, long result)
{
	int number = errno;

	printf("%s %s: %ld errno=%d h_errno=%d dlerror=%d queue=", name, how, result, number, h_errno,
	       dlerror() != NULL);
	for (unsigned long e; (e = ERR_get_error()) != 0;)
		printf("%d,", ERR_GET_REASON(e));
	putchar('\n');
}

/* --- libc ------------------------------------------------------------------------ */

static void call_connect(const char *how, int family, in_port_t to, size_t size)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = to, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
	const void *address = family == AF_UNIX ? (void *)&un : (void *)&in;
	int fd = family ? socket(family, SOCK_STREAM, 0) : -1;
	long result;

	before();
	result = connect(fd, address, (socklen_t)size);
	after("connect", how, result);
	if (fd >= 0)
		close(fd);
}

static void call_getaddrinfo(const char *how, const char *node, const char *service, int flags)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list = NULL;
	int error;

	before();
	error = getaddrinfo(node, service, &hints, &list);
	after("getaddrinfo", how, error);
	if (error == 0)
		freeaddrinfo(list);
}

static void call_gethostbyname(const char *how, const char *name, size_t size)
{
	struct hostent entry, *found = &entry;
	char buffer[4096];
	int error = 55, result;

	before();
	after("gethostbyname", how, gethostbyname(name) != NULL);
	before();
	after("gethostbyname2", how, gethostbyname2(name, AF_INET) != NULL);
	before();
	result = gethostbyname_r(name, &entry, buffer, size, &found, &error);
	after("gethostbyname_r", how, result * 10000 + (found != NULL) * 1000 + error);
	before();
	result = gethostbyname2_r(name, AF_INET, &entry, buffer, size, &found, &error);
	after("gethostbyname2_r", how, result * 10000 + (found != NULL) * 1000 + error);
}

static void call_libc(void)
{
	call_connect("works", AF_INET, port, sizeof(struct sockaddr_in));
	call_connect("refused", AF_INET, htons(1), sizeof(struct sockaddr_in));
	call_connect("short address", AF_INET, port, 1);
	call_connect("bad descriptor", 0, port, sizeof(struct sockaddr_in));
	call_connect("no such socket", AF_UNIX, 0, sizeof(struct sockaddr_un));
	call_getaddrinfo("works", "localhost", NULL, 0);
	call_getaddrinfo("figures", "127.0.0.1", "443", 0);
	call_getaddrinfo("no node", NULL, "443", AI_PASSIVE);
	call_getaddrinfo("fails", "a.test", NULL, AI_NUMERICHOST);
	call_getaddrinfo("bad flags", "localhost", NULL, 0x40000000);
	call_getaddrinfo("nothing asked", NULL, NULL, 0);
	call_gethostbyname("works", "localhost", 4096);
	call_gethostbyname("figures", "127.0.0.1", 4096);
	call_gethostbyname("fails", "a b", 4096);
	call_gethostbyname("small buffer", "localhost", 8);
}

static void call_dlsym(const char *how, void *handle, const char *name)
{
	void *found;

	before();
	found = dlsym(handle, name);
	after("dlsym", how, found != NULL);
}

static void call_loader(void)
{
	void *all = dlopen(NULL, RTLD_LAZY), *libssl = dlopen("libssl.so.3", RTLD_LAZY | RTLD_NOLOAD);

	if (!libssl)
		libssl = dlopen("libssl.so.1.1", RTLD_LAZY | RTLD_NOLOAD);
	if (!all || !libssl)
		die("no handles");
	call_dlsym("works", all, "malloc");
	call_dlsym("fails", all, "no_such_function");
	call_dlsym("in any", RTLD_DEFAULT, "malloc");
	call_dlsym("in none", RTLD_DEFAULT, "SSL_no_such_function");
	call_dlsym("after it", RTLD_NEXT, "malloc");
	call_dlsym("not after it", RTLD_NEXT, "SSL_no_such_function");
	call_dlsym("of ours", libssl, "SSL_CTX_new");
	call_dlsym("of ours, again", libssl, "SSL_set_cert_cb");
	call_dlsym("almost", libssl, "SSL_CTX_ne");
	call_dlsym("of another", libssl, "gnutls_init");
}

/* --- libssl ---------------------------------------------------------------------- */

static int cert_cb(SSL *ssl, void *arg)
{
	(void)ssl, (void)arg;
	return 1;
}

static int client_cert_cb(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	(void)ssl, (void)cert, (void)key;
	return 0;
}

static SSL_CTX *call_new(const char *how, const SSL_METHOD *method)
{
	SSL_CTX *ctx;

	before();
	ctx = SSL_CTX_new(method);
	after("SSL_CTX_new", how, ctx != NULL);
	return ctx;
}

#if OPENSSL_VERSION_NUMBER < 0x30000000
static void call_new_ex(const char *how, const char *properties, const SSL_METHOD *method)
{
	(void)how, (void)properties, (void)method; /* 1.1.1 has none */
}
#else
static void call_new_ex(const char *how, const char *properties, const SSL_METHOD *method)
{
	SSL_CTX *ctx;

	before();
	ctx = SSL_CTX_new_ex(NULL, properties, method);
	after("SSL_CTX_new_ex", how, ctx != NULL);
	SSL_CTX_free(ctx);
}
#endif

static void call_setters(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	before();
	after("SSL_CTX_get_client_cert_cb", "nothing set", SSL_CTX_get_client_cert_cb(ctx) == NULL);
	before();
	SSL_CTX_set_client_cert_cb(ctx, client_cert_cb);
	after("SSL_CTX_set_client_cert_cb", "set", 0);
	before();
	after("SSL_CTX_get_client_cert_cb", "something set", SSL_CTX_get_client_cert_cb(ctx) == client_cert_cb);
	before();
	SSL_CTX_set_cert_cb(ctx, cert_cb, ctx);
	after("SSL_CTX_set_cert_cb", "set", 0);
	before();
	SSL_CTX_set_cert_cb(ctx, NULL, NULL);
	after("SSL_CTX_set_cert_cb", "taken off", 0);
	before();
	SSL_set_cert_cb(ssl, cert_cb, ctx);
	after("SSL_set_cert_cb", "set", 0);
	before();
	SSL_set_cert_cb(ssl, NULL, NULL);
	after("SSL_set_cert_cb", "taken off", 0);
	before();
	SSL_CTX_set_client_cert_cb(ctx, NULL);
	after("SSL_CTX_set_client_cert_cb", "taken off", 0);
	SSL_free(ssl);
}

static void session(const char *name, const char *how, SSL_SESSION *made)
{
	after(name, how, made != NULL);
	SSL_SESSION_free(made);
}

/* Where this libssl has none, nobody else's is found either. */
static void call_restore_ex(const unsigned char *der, size_t n)
{
	SSL_SESSION *(*d2i)(SSL_SESSION **, const unsigned char **, long, void *, const char *) = NULL;

	before();
	*(void **)&d2i = dlsym(RTLD_DEFAULT, "d2i_SSL_SESSION_ex");
	after("d2i_SSL_SESSION_ex", "looked up", d2i != NULL);
	if (!d2i)
		return;
	before();
	session("d2i_SSL_SESSION_ex", n ? "works" : "fails", d2i(NULL, &der, (long)n, NULL, NULL));
}

static void call_restore(const unsigned char *der, size_t n, BIO *pem, FILE *file)
{
	const unsigned char *at = der;

	before();
	session("d2i_SSL_SESSION", n ? "works" : "fails", d2i_SSL_SESSION(NULL, &at, (long)n));
	before();
	session("PEM_read_bio_SSL_SESSION", n ? "works" : "fails", PEM_read_bio_SSL_SESSION(pem, NULL, NULL, NULL));
	before();
	session("PEM_read_SSL_SESSION", n ? "works" : "fails", PEM_read_SSL_SESSION(file, NULL, NULL, NULL));
	call_restore_ex(der, n);
}

static void call_sessions(SSL_SESSION *made)
{
	unsigned char der[8192], *end = der;
	BIO *pem = BIO_new(BIO_s_mem());
	FILE *file = tmpfile();
	size_t n;

	before();
	n = (size_t)i2d_SSL_SESSION(made, &end);
	after("i2d_SSL_SESSION", "works", n > 0);
	before();
	after("i2d_SSL_SESSION", "fails", i2d_SSL_SESSION(NULL, NULL));

	PEM_write_bio_SSL_SESSION(pem, made);
	PEM_write_SSL_SESSION(file, made);
	rewind(file);
	call_restore(der, n, pem, file);
	call_restore(der, 0, pem, file);
	BIO_free(pem);
	fclose(file);
}

static void call_handshake(const char *how, int (*handshake)(SSL *), const char *name, int fd, SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);
	SSL_SESSION *made;

	SSL_set_fd(ssl, fd);
	before();
	SSL_set_connect_state(ssl);
	after("SSL_set_connect_state", how, 0);
	before();
	after(name, how, handshake(ssl));
	made = SSL_get1_session(ssl);
	if (made)
		call_sessions(made);
	before();
	after("SSL_clear", how, SSL_clear(ssl));
	before();
	after("SSL_set_session", "nothing", SSL_set_session(ssl, NULL));
	before();
	after("SSL_set_session", made ? "something" : "nothing", SSL_set_session(ssl, made));
	SSL_SESSION_free(made);
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
}

static void first_handshake(SSL *ssl)
{
	int fd = connect_to("127.0.0.1", port_text);
	const unsigned char *none = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	FILE *file = tmpfile();

	SSL_set_session(ssl, NULL);
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	SSL_do_handshake(ssl);
	SSL_connect(ssl);
	i2d_SSL_SESSION(NULL, NULL);
	d2i_SSL_SESSION(NULL, &none, 0);
	PEM_write_bio_SSL_SESSION(bio, SSL_get_session(ssl));
	SSL_SESSION_free(PEM_read_bio_SSL_SESSION(bio, NULL, NULL, NULL));
	PEM_read_SSL_SESSION(file, NULL, NULL, NULL);
	SSL_clear(ssl);
	BIO_free(bio);
	fclose(file);
	close(fd);
}

/* libssl's own start has its own effects; and docs/HOOKS.md, "Which libssl", tells what a first call may do to dlerror.
 */
static void first_calls(void)
{
	SSL_CTX *ctx = context_new();
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_set_client_cert_cb(ctx, SSL_CTX_get_client_cert_cb(ctx));
	SSL_CTX_set_cert_cb(ctx, NULL, NULL);
	SSL_set_cert_cb(ssl, NULL, NULL);
	first_handshake(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
#if OPENSSL_VERSION_NUMBER >= 0x30000000
	SSL_CTX_free(SSL_CTX_new_ex(NULL, NULL, TLS_client_method()));
#endif
}

int main(int argc, char *argv[])
{
	SSL_CTX *ctx;

	if (argc != 2)
		die("usage: hooks PORT");
	port_text = argv[1];
	port = htons((uint16_t)atoi(argv[1]));
	first_calls();
	call_libc();
	call_loader();
	ctx = call_new("works", TLS_client_method());
	call_setters(ctx);
	call_handshake("works", SSL_connect, "SSL_connect", connect_to("127.0.0.1", port_text), ctx);
	call_handshake("works", SSL_do_handshake, "SSL_do_handshake", connect_to("127.0.0.1", port_text), ctx);
	call_handshake("no descriptor", SSL_connect, "SSL_connect", -1, ctx);
	call_handshake("no descriptor", SSL_do_handshake, "SSL_do_handshake", -1, ctx);
	SSL_CTX_free(ctx);
	SSL_CTX_free(call_new("server", TLS_server_method()));
	call_new("no method", NULL);
	call_new_ex("works", NULL, TLS_client_method());
	call_new_ex("no method", NULL, NULL);
	call_new_ex("no such provider", "provider=none", TLS_client_method());
	return 0;
}
