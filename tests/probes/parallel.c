/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parallel N HOW HOST:PORT...: 8 threads make N connections in all, taking the
 * servers in turn. HOW: "sni" tells libssl name and descriptor; "fd" the descriptor; "bio" neither, as a memory
 * BIO pair does; "lookup" looks the name up before each connection and tells only the descriptor. All threads do
 * their first handshake at once. Prints how many connections worked.
 *
 * link: -lssl -lcrypto -pthread
 */
#include "tests/probes/probe.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>

#define THREADS 8

static SSL_CTX *ctx;
static pthread_barrier_t start;
static atomic_int next_one, good;
static int total, servers;
static char **server, *how;

/* What libssl wants to send goes to fd; what it lacks comes from there. */
static bool pump(BIO *network, int fd, int want)
{
	char buffer[16384];
	int n;

	while ((n = BIO_read(network, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			return false;
	if (want != SSL_ERROR_WANT_READ)
		return want == SSL_ERROR_NONE;
	n = (int)read(fd, buffer, sizeof(buffer));
	return n > 0 && BIO_write(network, buffer, n) == n;
}

static bool talk_through(SSL *ssl, BIO *network, int fd)
{
	char answer[1200] = "";
	int ret;

	do
		ret = SSL_connect(ssl);
	while (pump(network, fd, SSL_get_error(ssl, ret)) && ret != 1);
	if (ret != 1 || SSL_write(ssl, "who\n", 4) != 4)
		return false;
	do
		ret = SSL_read(ssl, answer, sizeof(answer) - 1);
	while (pump(network, fd, SSL_get_error(ssl, ret)) && ret <= 0);
	return strncmp(answer, "subject: ", 9) == 0;
}

static bool by_bio(SSL *ssl, int fd)
{
	BIO *inside, *network;
	bool done;

	if (BIO_new_bio_pair(&inside, 0, &network, 0) != 1)
		die("no BIO");
	SSL_set_bio(ssl, inside, inside);
	done = talk_through(ssl, network, fd);
	BIO_free(network);
	return done;
}

static bool by_fd(SSL *ssl, int fd)
{
	char answer[1200];

	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		return false;
	ask(ssl, answer, sizeof(answer));
	return strncmp(answer, "subject: ", 9) == 0;
}

static void look_up(const char *name)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;

	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		die("not looked up");
	freeaddrinfo(list);
}

static bool one(char *name_and_port)
{
	char name[128], *port = strchr(name_and_port, ':');
	SSL *ssl = ssl_new(ctx);
	bool done;
	int fd;

	snprintf(name, sizeof(name), "%.*s", (int)(port - name_and_port), name_and_port);
	if (strcmp(how, "lookup") == 0)
		look_up(name);
	fd = connect_to("127.0.0.1", port + 1);
	if (strcmp(how, "sni") == 0)
		SSL_set_tlsext_host_name(ssl, name);
	done = strcmp(how, "bio") == 0 ? by_bio(ssl, fd) : by_fd(ssl, fd);
	SSL_free(ssl);
	close(fd);
	return done;
}

static void *run(void *arg)
{
	int i;

	(void)arg;
	pthread_barrier_wait(&start);
	while ((i = atomic_fetch_add(&next_one, 1)) < total)
		atomic_fetch_add(&good, one(server[i % servers]));
	return NULL;
}

int main(int argc, char *argv[])
{
	pthread_t thread[THREADS];

	if (argc < 4)
		die("usage: parallel N HOW HOST:PORT...");
	total = atoi(argv[1]);
	how = argv[2];
	server = argv + 3;
	servers = argc - 3;
	ctx = context_new();
	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, run, NULL) != 0)
			die("no thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("%d\n", good);
	SSL_CTX_free(ctx);
	return good == total ? 0 : 1;
}
