/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is not linked with libssl:
 *   loader plugin FILE PORT   FILE (linked with libssl) does it, out of everybody else's sight: RTLD_LOCAL
 *   loader dlsym FILE PORT    FILE is libssl itself; every function is looked up with its handle
 *   loader reload FILE PORT   as plugin, loaded and unloaded 20 times
 *   loader second FILE PORT   FILE is another copy of libssl, loaded by path beside the system's. Prints which file
 *                             has the method that was asked for, and which made the context
 *   loader locks FILE PORT    FILE is libssl; one thread loads and unloads a library, another calls SSL_CTX_new up to
 * 60,000 times, out of memory that belongs to no loaded object where that is possible
 *
 * link: -ldl -pthread
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *why)
{
	fprintf(stderr, "probe: %s: %s\n", why, dlerror());
	exit(3);
}

static void *find(void *handle, const char *name)
{
	void *found = dlsym(handle, name);

	if (!found)
		die(name);
	return found;
}

static void plugin(const char *file, const char *port)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	void (*run)(const char *);

	if (!handle)
		die(file);
	*(void **)&run = find(handle, "plugin_run");
	run(port);
	dlclose(handle);
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

static void by_handle(const char *file, const char *port)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL), *ctx, *ssl;
	void *(*method)(void), *(*new_context)(void *), *(*new_ssl)(void *);
	int (*set_fd)(void *, int), (*do_connect)(void *), (*write_to)(void *, const void *, int),
		(*read_from)(void *, void *, int);
	char answer[1200] = "";

	if (!handle)
		die(file);
	*(void **)&method = find(handle, "TLS_client_method");
	*(void **)&new_context = find(handle, "SSL_CTX_new");
	*(void **)&new_ssl = find(handle, "SSL_new");
	*(void **)&set_fd = find(handle, "SSL_set_fd");
	*(void **)&do_connect = find(handle, "SSL_connect");
	*(void **)&write_to = find(handle, "SSL_write");
	*(void **)&read_from = find(handle, "SSL_read");
	ctx = new_context(method());
	ssl = ctx ? new_ssl(ctx) : NULL;
	if (!ssl || set_fd(ssl, connect_to(port)) != 1 || do_connect(ssl) != 1 || write_to(ssl, "who\n", 4) != 4 ||
	    read_from(ssl, answer, sizeof(answer) - 1) <= 0)
		die("no conversation");
	fputs(answer, stdout);
}

static const char *file_of(const void *address)
{
	Dl_info info;

	return dladdr(address, &info) ? info.dli_fname : "nothing";
}

/* The first cipher of a context stands in a table of the libssl that made the context; the method is as given. */
static void second(const char *file, const char *port)
{
	void *system = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL), *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	void *(*method)(void), *(*new_context)(void *), *(*method_of)(void *), *(*ciphers_of)(void *),
		*(*value)(void *, int);
	void *ctx;

	if (!system || !handle || system == handle)
		die("not two");
	for (int i = 0; i < 2; i++) {
		*(void **)&method = find(i ? handle : system, "TLS_client_method");
		*(void **)&new_context = find(i ? handle : system, "SSL_CTX_new");
		*(void **)&method_of = find(i ? handle : system, "SSL_CTX_get_ssl_method");
		*(void **)&ciphers_of = find(i ? handle : system, "SSL_CTX_get_ciphers");
		*(void **)&value = find(handle, "OPENSSL_sk_value");
		ctx = new_context(method());
		if (!ctx)
			die("no context");
		printf("asked=%s ", file_of(method_of(ctx)));
		printf("made=%s\n", file_of(value(ciphers_of(ctx), 0)));
	}
	by_handle(file, port);
}

static atomic_bool ended;

static void *load_and_unload(void *file)
{
	while (!atomic_load(&ended)) {
		void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

		if (handle)
			dlclose(handle);
	}
	return NULL;
}

static void *call(void *argument, void *function)
{
	void *(*f)(void *);

	*(void **)&f = function;
	return f(argument);
}

/* As call, but not in any loaded object: as code that was compiled at run time. */
static void *(*call_out_of_nowhere(void))(void *, void *)
{
	void *(*nowhere)(void *, void *) = call;
#if defined __x86_64__ || defined __aarch64__
#ifdef __x86_64__ /* sub $8,%rsp; call *%rsi; add $8,%rsp; ret */
	static const unsigned char code[] = "\x48\x83\xec\x08\xff\xd6\x48\x83\xc4\x08\xc3";
#else /* stp x29,x30,[sp,#-16]!; blr x1; ldp x29,x30,[sp],#16; ret */
	static const unsigned code[] = {0xa9bf7bfd, 0xd63f0020, 0xa8c17bfd, 0xd65f03c0};
#endif
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return call;
	memcpy(page, code, sizeof(code));
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0)
		return call;
	__builtin___clear_cache(page, page + sizeof(code));
	*(void **)&nowhere = page;
#endif
	return nowhere;
}

/* Without a method there is no context, and nothing tells which libssl is meant: all are searched. */
static void locks(const char *file)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL), *new_context, *free_context;
	void *(*by)(void *, void *) = call_out_of_nowhere(), *(*method)(void);
	static char other[] = "libresolv.so.2";
	time_t end = time(NULL) + 3;
	pthread_t thread;
	int made = 0;

	if (!handle || pthread_create(&thread, NULL, load_and_unload, other) != 0)
		die(file);
	*(void **)&method = find(handle, "TLS_client_method");
	new_context = find(handle, "SSL_CTX_new");
	free_context = find(handle, "SSL_CTX_free");
	/* As many as a loaded machine can do in time: how often the threads meet is the loader's affair. */
	for (int i = 0; i < 60000 && time(NULL) < end; i++) {
		void *ctx = by(i % 1000 ? NULL : method(), new_context);

		made += ctx != NULL;
		call(ctx, free_context);
	}
	atomic_store(&ended, true);
	pthread_join(thread, NULL);
	printf("made=%d\n", made);
}

int main(int argc, char *argv[])
{
	if (argc != 4)
		die("usage: loader plugin|dlsym|reload|second|locks FILE PORT");
	if (strcmp(argv[1], "second") == 0)
		second(argv[2], argv[3]);
	if (strcmp(argv[1], "locks") == 0)
		locks(argv[2]);
	if (strcmp(argv[1], "dlsym") == 0)
		by_handle(argv[2], argv[3]);
	for (int n = strcmp(argv[1], "plugin") == 0 ? 1 : strcmp(argv[1], "reload") == 0 ? 20 : 0; n; n--)
		plugin(argv[2], argv[3]);
	return 0;
}
