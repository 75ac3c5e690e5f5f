/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is linked with no TLS library and takes every function with dlsym. FILE is a libssl.
 *   dlsym handle FILE PORT        one connection
 *   dlsym setters FILE PORT       with callbacks of its own that have no certificate; "getter=own" is as it should be
 *   dlsym two FILE FILE PORT      by two libssls, by turns, each with its own callbacks
 *   dlsym memory FILE PORT        first gives libcrypto an allocator, which it takes only before it has started
 *   dlsym namespace FILE PORT     in a namespace of its own
 *   dlsym namespaces FILE PORT    here and there, by turns
 *   dlsym threads FILE PORT       eight threads at once
 *   dlsym odd FILE                what it says to odd names, with every kind of handle
 *   dlsym asks [FILE]             which of a TLS library's functions there are at all; FILE is loaded for everybody
 *   dlsym whose FILE NAME...      the file that each function comes from which its handle gives
 *   dlsym early FILE PORT         is it right before any constructor has run? And then as handle
 *   dlsym null                    a name that is none
 *
 * link: -ldl -pthread
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int client_cert_cb(void *, void **, void **);
typedef int cert_cb(void *, void *);

#define FUNCTIONS(F) \
	F(void *, TLS_client_method, (void)) \
	F(void *, SSL_CTX_new, (void *method)) \
	F(void, SSL_CTX_free, (void *ctx)) \
	F(void *, SSL_new, (void *ctx)) \
	F(void, SSL_free, (void *ssl)) \
	F(int, SSL_set_fd, (void *ssl, int fd)) \
	F(int, SSL_connect, (void *ssl)) \
	F(int, SSL_write, (void *ssl, const void *data, int n)) \
	F(int, SSL_read, (void *ssl, void *data, int n)) \
	F(void, SSL_CTX_set_client_cert_cb, (void *ctx, client_cert_cb *callback)) \
	F(client_cert_cb *, SSL_CTX_get_client_cert_cb, (void *ctx)) \
	F(void, SSL_CTX_set_cert_cb, (void *ctx, cert_cb *callback, void *arg)) \
	F(void, SSL_set_cert_cb, (void *ssl, cert_cb *callback, void *arg)) \
	F(int, CRYPTO_set_mem_functions, \
	  (void *(*)(size_t, const char *, int), void *(*)(void *, size_t, const char *, int), \
	   void (*)(void *, const char *, int)))

#define FUNCTION(result, name, parameters) result(*name) parameters;
struct tls {
	FUNCTIONS(FUNCTION)
};

static void die(const char *why)
{
	const char *more = dlerror();

	fprintf(stderr, "probe: %s: %s\n", why, more ? more : "");
	exit(3);
}

static struct tls all_of(void *handle)
{
	struct tls tls;

	if (!handle)
		die("no library");
#define FIND(result, name, parameters) \
	if ((*(void **)&tls.name = dlsym(handle, #name)) == NULL) \
		die(#name);
	FUNCTIONS(FIND)
	return tls;
}

static struct tls load(const char *file)
{
	return all_of(dlopen(file, RTLD_NOW | RTLD_LOCAL));
}

static int connect_to(const char *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0)
		die("cannot connect");
	return fd;
}

static void *new_context(const struct tls *tls)
{
	void *ctx = tls->SSL_CTX_new(tls->TLS_client_method());

	if (!ctx)
		die("no context");
	return ctx;
}

static void talk(const struct tls *tls, void *ssl, const char *port)
{
	char answer[1200] = "";
	int fd = connect_to(port);

	if (tls->SSL_set_fd(ssl, fd) != 1 || tls->SSL_connect(ssl) != 1 || tls->SSL_write(ssl, "who\n", 4) != 4 ||
	    tls->SSL_read(ssl, answer, sizeof(answer) - 1) <= 0)
		die("no conversation");
	fputs(answer, stdout);
	tls->SSL_free(ssl);
	close(fd);
}

static void once(const struct tls *tls, const char *port)
{
	void *ctx = new_context(tls);

	talk(tls, tls->SSL_new(ctx), port);
	tls->SSL_CTX_free(ctx);
}

/* --- callbacks of its own ---------------------------------------------------------- */

static int asked[3];

static int on_client_cert(void *ssl, void **cert, void **key)
{
	(void)ssl, (void)cert, (void)key;
	asked[0]++;
	return 0;
}

static int on_cert(void *ssl, void *arg)
{
	(void)ssl;
	++*(int *)arg;
	return 1;
}

static void *context_with_callbacks(const struct tls *tls)
{
	void *ctx = new_context(tls);

	if (tls->SSL_CTX_get_client_cert_cb(ctx))
		puts("getter=not empty");
	tls->SSL_CTX_set_client_cert_cb(ctx, on_client_cert);
	tls->SSL_CTX_set_cert_cb(ctx, on_cert, &asked[1]);
	printf("getter=%s\n", tls->SSL_CTX_get_client_cert_cb(ctx) == on_client_cert ? "own" : "another");
	return ctx;
}

/* One connection has the context's cert_cb, the other one of its own. */
static void talk_with_callbacks(const struct tls *tls, void *ctx, const char *port)
{
	void *ssl = tls->SSL_new(ctx);

	talk(tls, tls->SSL_new(ctx), port);
	tls->SSL_set_cert_cb(ssl, on_cert, &asked[2]);
	talk(tls, ssl, port);
	printf("asked=%d,%d,%d\n", asked[0], asked[1], asked[2]);
}

static void two(const char *file, const char *other, const char *port)
{
	struct tls tls[2] = {load(file), load(other)};
	void *ctx[2];

	for (int i = 0; i < 2; i++)
		ctx[i] = context_with_callbacks(&tls[i]);
	for (int i = 0; i < 4; i++)
		talk_with_callbacks(&tls[i % 2], ctx[i % 2], port);
	for (int i = 0; i < 2; i++)
		tls[i].SSL_CTX_free(ctx[i]);
}

static void setters(const char *file, const char *port)
{
	struct tls tls = load(file);
	void *ctx = context_with_callbacks(&tls);

	talk_with_callbacks(&tls, ctx, port);
	tls.SSL_CTX_free(ctx);
}

/* --- whose libcrypto, and when ------------------------------------------------------- */

static void *own_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return malloc(n);
}

static void *own_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return realloc(p, n);
}

static void own_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

static void memory(const char *file, const char *port)
{
	struct tls tls = load(file);

	printf("memory=%d\n", tls.CRYPTO_set_mem_functions(own_malloc, own_realloc, own_free));
	once(&tls, port);
}

static const char *thread_file, *thread_port;

static void *thread_here(void *nothing)
{
	struct tls tls = load(thread_file);

	once(&tls, thread_port);
	return nothing;
}

/*
 * In threads of their own, and without libcrypto's end: two libcs have the same numbers for different pthread_key_t,
 * and what one libcrypto finds under its own is the other's (with glibc 2.36, without us too).
 */
static void namespaces(const char *file, const char *port, int both)
{
	void *handle = dlmopen(LM_ID_NEWLM, file, RTLD_NOW | RTLD_LOCAL);
	pthread_t thread;
	struct tls there;

	thread_file = file;
	thread_port = port;
	for (int i = 0; i < 2; i++) {
		there = all_of(handle); /* the second time there is one of that name here too */
		once(&there, port);
		if (both && (pthread_create(&thread, NULL, thread_here, NULL) != 0 || pthread_join(thread, NULL) != 0))
			die("no thread");
	}
	_exit(0); /* lines are written one by one */
}

static void *thread_run(void *barrier)
{
	struct tls tls;

	pthread_barrier_wait(barrier);
	tls = load(thread_file);
	once(&tls, thread_port);
	return NULL;
}

static void threads(const char *file, const char *port)
{
	pthread_barrier_t barrier;
	pthread_t thread[8];

	thread_file = file;
	thread_port = port;
	pthread_barrier_init(&barrier, NULL, 8);
	for (int i = 0; i < 8; i++)
		if (pthread_create(&thread[i], NULL, thread_run, &barrier) != 0)
			die("no thread");
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
}

/* --- what it says ---------------------------------------------------------------------- */

static void say(const char *kind, void *handle, const char *name)
{
	char error[300] = "", *said;
	void *found;

	errno = E2BIG;
	found = dlsym(handle, name);
	printf("%s \"%s\": %s errno=%d", kind, name, found ? "found" : "none", errno);
	said = dlerror();
	if (said)
		snprintf(error, sizeof(error), "%s", said);
	printf(" error=%s again=%s\n", error, dlerror() ? "yes" : "no");
}

static void odd(const char *file)
{
	static const char *const names[] = {
		"",         "S",          "SSL_", "SSL_CTX_new_", "SSL_CTX_ne", "ssl_ctx_new",  "SSL_CTX_new\n",
		"gnutls_",  "gnutls_i",   "dl",   "dlsym",        "malloc",     "SSL_CTX_free", "TLS_client_method",
		"nonesuch", "gnutls_init"};
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL), *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	if (!handle || !libc)
		die(file);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		say("libssl", handle, names[i]);
		say("libc", libc, names[i]);
		if (strcmp(names[i], "gnutls_init") != 0) {
			say("next", RTLD_NEXT, names[i]);
			say("default", RTLD_DEFAULT, names[i]);
		}
	}
	say("libssl", handle, "SSL_CTX_new");
	say("libc", libc, "SSL_CTX_new");
	dlsym(handle, "nonesuch"); /* and a success behind a failure */
	say("libssl", handle, "SSL_set_cert_cb");
}

static void asks(const char *file)
{
	static const char *const names[] = {"SSL_CTX_new", "SSL_CTX_new_ex",     "SSL_set_cert_cb",
					    "gnutls_init", "d2i_SSL_SESSION_ex", "PEM_read_SSL_SESSION"};
	void *all = dlopen(NULL, RTLD_NOW);
	const struct {
		const char *name;
		void *handle;
	} kinds[] = {{"default", RTLD_DEFAULT}, {"next", RTLD_NEXT}, {"all", all}};

	if (file && !dlopen(file, RTLD_NOW | RTLD_GLOBAL))
		die(file);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (int k = 0; k < 3; k++) {
			printf("%s %s: ", kinds[k].name, names[i]);
			printf("%s error=", dlsym(kinds[k].handle, names[i]) ? "found" : "none");
			puts(dlerror() ? "yes" : "no");
		}
	printf("malloc=%d\n", dlsym(all, "malloc") == dlsym(RTLD_DEFAULT, "malloc"));
}

static void whose(const char *file, char *const names[])
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	Dl_info info;

	if (!handle)
		die(file);
	for (int i = 0; names[i]; i++) {
		void *function = dlsym(handle, names[i]);

		printf("%s %s\n", names[i],
		       function && dladdr(function, &info) ? strrchr(info.dli_fname, '/') + 1 : "none");
	}
}

static void *early_malloc[2];

static void find_early(int argc, char **argv, char **environment)
{
	(void)environment;
	if (argc < 2 || strcmp(argv[1], "early") != 0)
		return;
	early_malloc[0] = dlsym(RTLD_DEFAULT, "malloc");
	early_malloc[1] = dlsym(RTLD_NEXT, "malloc");
	dlsym(RTLD_DEFAULT, "SSL_CTX_new");
}

__attribute__((section(".preinit_array"), used)) static void (*const find_first)(int, char **, char **) = find_early;

static void early(const char *file, const char *port)
{
	struct tls tls = load(file);

	for (int i = 0; i < 2; i++)
		printf("early=%d\n",
		       early_malloc[i] && early_malloc[i] == dlsym(i ? RTLD_NEXT : RTLD_DEFAULT, "malloc"));
	once(&tls, port);
}

int main(int argc, char *argv[])
{
	const char *how = argc > 1 ? argv[1] : "";
	void *(*volatile null)(void *, const char *) = dlsym; /* the compiler would see it */
	struct tls tls;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(how, "handle") == 0 && argc == 4) {
		tls = load(argv[2]);
		once(&tls, argv[3]);
	} else if (strcmp(how, "setters") == 0 && argc == 4)
		setters(argv[2], argv[3]);
	else if (strcmp(how, "two") == 0 && argc == 5)
		two(argv[2], argv[3], argv[4]);
	else if (strcmp(how, "memory") == 0 && argc == 4)
		memory(argv[2], argv[3]);
	else if (strcmp(how, "namespace") == 0 && argc == 4)
		namespaces(argv[2], argv[3], 0);
	else if (strcmp(how, "namespaces") == 0 && argc == 4)
		namespaces(argv[2], argv[3], 1);
	else if (strcmp(how, "threads") == 0 && argc == 4)
		threads(argv[2], argv[3]);
	else if (strcmp(how, "odd") == 0 && argc == 3)
		odd(argv[2]);
	else if (strcmp(how, "asks") == 0 && argc <= 3)
		asks(argc == 3 ? argv[2] : NULL);
	else if (strcmp(how, "whose") == 0 && argc > 3)
		whose(argv[2], argv + 3);
	else if (strcmp(how, "early") == 0 && argc == 4)
		early(argv[2], argv[3]);
	else if (strcmp(how, "null") == 0)
		printf("null=%d\n", null(dlopen(NULL, RTLD_NOW), NULL) != NULL);
	else
		die("usage: see the top of dlsym.c");
	return 0;
}
