/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is not linked with libssl:
 *   loader plugin FILE PORT   FILE (linked with libssl) does it, out of everybody else's sight: RTLD_LOCAL
 *   loader dlsym FILE PORT    FILE is libssl itself; every function is looked up with its handle
 *   loader reload FILE PORT   as plugin, loaded and unloaded 20 times
 *
 * link: -ldl
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char *argv[])
{
	if (argc != 4)
		die("usage: loader plugin|dlsym|reload FILE PORT");
	if (strcmp(argv[1], "dlsym") == 0)
		by_handle(argv[2], argv[3]);
	for (int n = strcmp(argv[1], "plugin") == 0 ? 1 : strcmp(argv[1], "reload") == 0 ? 20 : 0; n; n--)
		plugin(argv[2], argv[3]);
	return 0;
}
