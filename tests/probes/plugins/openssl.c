/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that talks by libssl, PORT [WORD=VALUE]...; prints what the server saw.
 *   version=1.2|1.3    of TLS, and no other
 *   cert=FILE key=FILE the program's own certificate
 *   callback=none      sets a client_cert_cb that has no certificate, and gets it; before, there is none
 *   handle=LIBSSL      the same, by a function that dlsym finds with the handle of that file
 *   lookup=NAME        connect to what getaddrinfo gives for it; libssl hears no name
 */
#include "tests/probes/probe.h"

#include <dlfcn.h>
#include <netdb.h>

void plugin_run(char **words);

static int connect_by_name(const char *name, const char *port)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (getaddrinfo(name, port, &hints, &list) != 0 || fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) != 0)
		die("cannot connect by name");
	freeaddrinfo(list);
	return fd;
}

static int no_certificate(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	(void)ssl, (void)certificate, (void)key;
	return 0;
}

static int set_callback(SSL_CTX *ctx)
{
	if (SSL_CTX_get_client_cert_cb(ctx))
		return 0;
	SSL_CTX_set_client_cert_cb(ctx, no_certificate);
	return SSL_CTX_get_client_cert_cb(ctx) == no_certificate;
}

static int set_callback_by_handle(SSL_CTX *ctx, const char *file)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	void (*setter)(SSL_CTX *, int (*)(SSL *, X509 **, EVP_PKEY **));

	*(void **)&setter = handle ? dlsym(handle, "SSL_CTX_set_client_cert_cb") : NULL;
	if (!setter)
		return 0;
	setter(ctx, no_certificate);
	return SSL_CTX_get_client_cert_cb(ctx) == no_certificate;
}

static void set(SSL_CTX *ctx, const char *word, const char **lookup)
{
	const char *value = strchr(word, '=') + 1;
	int version = strcmp(value, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, ok = 1;

	if (strncmp(word, "lookup=", 7) == 0)
		*lookup = value;
	else if (strncmp(word, "callback=", 9) == 0)
		ok = set_callback(ctx);
	else if (strncmp(word, "handle=", 7) == 0)
		ok = set_callback_by_handle(ctx, value);
	else if (strncmp(word, "version=", 8) == 0)
		ok = SSL_CTX_set_min_proto_version(ctx, version) && SSL_CTX_set_max_proto_version(ctx, version);
	else if (strncmp(word, "cert=", 5) == 0)
		ok = SSL_CTX_use_certificate_chain_file(ctx, value);
	else
		ok = SSL_CTX_use_PrivateKey_file(ctx, value, SSL_FILETYPE_PEM);
	if (ok != 1)
		die(word);
}

void plugin_run(char **words)
{
	SSL_CTX *ctx = context_new();
	const char *port = *words++, *lookup = NULL;
	SSL *ssl;
	int fd;

	while (*words)
		set(ctx, *words++, &lookup);
	ssl = ssl_new(ctx);
	fd = lookup ? connect_by_name(lookup, port) : connect_to("127.0.0.1", port);
	if (SSL_set_fd(ssl, fd) != 1)
		die("no descriptor");
	talk(ssl, fd);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	fflush(stdout); /* it may be another libc's than the program's */
}
