/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-server: the project's own mutual-TLS server, for tests, demo and
 * benchmarks. It listens on the loopback only, on a port of the kernel's choice that
 * it prints as "port N", serves each connection in a thread, and tells in its log
 * what each client presented. This file: options, sockets, threads, the end.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64   /* at once; more wait in the backlog */
#define END_MS          2000 /* how long the end waits for connections that are open */

static const char usage[] =
	"usage: mtls-server --cert FILE --key FILE [OPTION...]\n"
	"  --ca FILE             client CAs; needed by --request optional and required\n"
	"  --request WORD        none, optional (accepts what it cannot verify), required (default)\n"
	"  --issuers FILE|none   CA names in the request (default: those of --ca)\n"
	"  --sigalgs LIST        signature algorithms in the request\n"
	"  --tls 1.2|1.3         that version only (default: both)\n"
	"  --alpn LIST           protocols, comma separated; h2 is spoken\n"
	"  --pha                 TLS 1.3: ask after the first request, not in the handshake\n"
	"  --pha-times N         and so before each of the first N requests of a connection\n"
	"  --no-tickets          no sessions\n"
	"  --session-ids         TLS 1.2: sessions are kept here, by their numbers, and not in tickets\n"
	"  --log FILE            append a line for each connection\n"
	"  --ipv6                listen on ::1 too\n"
	"  --deadline S          for one connection (default 30)\n"
	"  --count N             end after N connections\n"
	"  --until-eof           end when standard input does\n";

/* What is open: main counts it, the threads take themselves out. Under lock; wake tells main of a change. */
static struct {
	pthread_mutex_t lock;
	int fd[CONNECTIONS_MAX];
	unsigned n;
	int wake;
} open_now = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct job {
	const struct server *server;
	int fd;
	unsigned n;
};

static void leave(int fd)
{
	uint64_t one = 1;

	pthread_mutex_lock(&open_now.lock);
	for (unsigned i = 0; i < open_now.n; i++) {
		if (open_now.fd[i] != fd)
			continue;
		open_now.fd[i] = open_now.fd[--open_now.n];
		break;
	}
	pthread_mutex_unlock(&open_now.lock);
	if (write(open_now.wake, &one, sizeof(one)) < 0)
		perror("mtls-server: eventfd");
}

void server_serve(const struct server *server, int fd, unsigned n)
{
	struct connection *c = calloc(1, sizeof(*c));
	bool sound;

	if (!c || !(c->ssl = SSL_new(server->context))) {
		free(c);
		return;
	}
	c->server = server;
	c->fd = fd;
	c->deadline = now_ms() + (int64_t)server->options.deadline * 1000;
	c->seen = (struct seen){.n = n, .tls = "", .result = "failed", .verify = "none", .pha = "none"};
	SSL_set_fd(c->ssl, fd);
	sound = tls_accept(c);
	if (!sound || server->options.pha == 0)
		log_seen(c);
	if (sound && strcmp(c->seen.alpn, "h2") == 0)
		h2_serve(c);
	else if (sound)
		http_serve(c);
	sound = sound && strcmp(c->seen.result, "ok") == 0;
	if (sound)
		c->seen.error[0] = '\0'; /* how a good connection ended is no news */
	log_seen(c);
	io_close(c, sound);
	SSL_free(c->ssl);
	free(c);
}

static void *run_job(void *arg)
{
	struct job job = *(struct job *)arg;

	free(arg);
	server_serve(job.server, job.fd, job.n);
	leave(job.fd);
	close(job.fd);
	return NULL;
}

static void start_job(const struct server *server, int listener, unsigned *accepted)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct job *job = fd < 0 ? NULL : malloc(sizeof(*job));
	pthread_attr_t detached;
	pthread_t thread;

	if (!job) {
		if (fd >= 0)
			close(fd);
		return;
	}
	*job = (struct job){.server = server, .fd = fd, .n = ++*accepted};
	pthread_mutex_lock(&open_now.lock);
	open_now.fd[open_now.n++] = fd;
	pthread_mutex_unlock(&open_now.lock);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, run_job, job) != 0) {
		leave(fd);
		close(fd);
		free(job);
	}
	pthread_attr_destroy(&detached);
}

static unsigned count_open(void)
{
	unsigned n;

	pthread_mutex_lock(&open_now.lock);
	n = open_now.n;
	pthread_mutex_unlock(&open_now.lock);
	return n;
}

/* Cuts what is open short and waits until the threads have gone. */
static void end_connections(void)
{
	int64_t deadline = now_ms() + END_MS;
	uint64_t events;

	pthread_mutex_lock(&open_now.lock);
	for (unsigned i = 0; i < open_now.n; i++)
		shutdown(open_now.fd[i], SHUT_RDWR);
	pthread_mutex_unlock(&open_now.lock);
	while (count_open() && now_ms() < deadline) {
		struct pollfd p = {.fd = open_now.wake, .events = POLLIN};

		if (poll(&p, 1, 100) > 0 && read(open_now.wake, &events, sizeof(events)) < 0)
			break;
	}
}

static int listen_on(int family, in_port_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const void *address = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t length = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int on = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address, length) < 0 || listen(fd, 128) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Opens one listener, or two on the same port; the port in network order, 0 where that failed. */
static in_port_t open_listeners(bool ipv6, int fd[2])
{
	for (int tries = 0; tries < 20; tries++) {
		struct sockaddr_in own = {.sin_port = 0};
		socklen_t length = sizeof(own);

		fd[0] = listen_on(AF_INET, 0);
		fd[1] = -1;
		if (fd[0] < 0 || getsockname(fd[0], (struct sockaddr *)&own, &length) < 0)
			return 0;
		if (!ipv6 || (fd[1] = listen_on(AF_INET6, own.sin_port)) >= 0)
			return own.sin_port;
		close(fd[0]);
	}
	return 0;
}

static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool input_ended(void)
{
	char sink[256];

	return read(STDIN_FILENO, sink, sizeof(sink)) <= 0;
}

static void run(const struct server *server, const int listener[2], int signals)
{
	const struct server_options *o = &server->options;
	unsigned accepted = 0;
	uint64_t events;

	while (!o->count || accepted < o->count || count_open()) {
		bool more = count_open() < CONNECTIONS_MAX && (!o->count || accepted < o->count);
		struct pollfd p[] = {
			{.fd = signals, .events = POLLIN},
			{.fd = open_now.wake, .events = POLLIN},
			{.fd = o->until_eof ? STDIN_FILENO : -1, .events = POLLIN},
			{.fd = more ? listener[0] : -1, .events = POLLIN},
			{.fd = more && accepted + 1 != o->count ? listener[1] : -1, .events = POLLIN},
		};

		if (poll(p, 5, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents || (p[2].revents && input_ended()))
			return;
		if (p[1].revents && read(open_now.wake, &events, sizeof(events)) < 0)
			return;
		if (p[3].revents)
			start_job(server, listener[0], &accepted);
		if (p[4].revents && count_open() < CONNECTIONS_MAX)
			start_job(server, listener[1], &accepted);
	}
}

static bool set_alpn(struct server_options *o, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == 0 || n > 255 || o->alpn_length + 1 + n > sizeof(o->alpn))
			return false;
		o->alpn[o->alpn_length++] = (unsigned char)n;
		memcpy(o->alpn + o->alpn_length, list, n);
		o->alpn_length += n;
		list += n + (list[n] == ',');
	}
	return o->alpn_length > 0;
}

static bool set_number(unsigned *out, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (unsigned)n;
	return *text >= '0' && *text <= '9' && !*end && n > 0 && n < 1000000000;
}

static bool set_request(struct server_options *o, const char *word)
{
	static const char *const words[] = {"none", "optional", "required"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(word, words[i]) == 0) {
			o->request = (enum server_request)i;
			return true;
		}
	}
	return false;
}

static bool set_tls(struct server_options *o, const char *version)
{
	o->tls = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	return strcmp(version, "1.2") == 0 || strcmp(version, "1.3") == 0;
}

static const struct option long_options[] = {
	{"cert", required_argument, NULL, 'c'},
	{"key", required_argument, NULL, 'k'},
	{"ca", required_argument, NULL, 'a'},
	{"request", required_argument, NULL, 'r'},
	{"issuers", required_argument, NULL, 'i'},
	{"sigalgs", required_argument, NULL, 's'},
	{"tls", required_argument, NULL, 't'},
	{"alpn", required_argument, NULL, 'p'},
	{"pha", no_argument, NULL, 'h'},
	{"pha-times", required_argument, NULL, 'H'},
	{"log", required_argument, NULL, 'l'},
	{"ipv6", no_argument, NULL, '6'},
	{"deadline", required_argument, NULL, 'd'},
	{"count", required_argument, NULL, 'n'},
	{"until-eof", no_argument, NULL, 'e'},
	{"no-tickets", no_argument, NULL, 'T'},
	{"session-ids", no_argument, NULL, 'S'},
	{NULL, 0, NULL, 0},
};

static bool set_option(struct server_options *o, int letter)
{
	switch (letter) {
	case 'c':
		o->cert = optarg;
		return true;
	case 'k':
		o->key = optarg;
		return true;
	case 'a':
		o->ca = optarg;
		return true;
	case 'i':
		o->issuers = optarg;
		return true;
	case 's':
		o->sigalgs = optarg;
		return true;
	case 'l':
		o->log = optarg;
		return true;
	case 'r':
		return set_request(o, optarg);
	case 't':
		return set_tls(o, optarg);
	case 'p':
		return set_alpn(o, optarg);
	case 'h':
		o->pha = o->pha ? o->pha : 1;
		return true;
	case 'H':
		return set_number(&o->pha, optarg);
	case 'd':
		return set_number(&o->deadline, optarg);
	case 'n':
		return set_number(&o->count, optarg);
	case '6':
		o->ipv6 = true;
		return true;
	case 'e':
		o->until_eof = true;
		return true;
	case 'S':
		o->session_ids = true;
		return true;
	case 'T':
		o->tickets = false;
		return true;
	default:
		return false;
	}
}

static bool read_options(struct server_options *o, int argc, char *argv[])
{
	int letter;

	*o = (struct server_options){.request = REQUEST_REQUIRED, .deadline = 30, .tickets = true};
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!set_option(o, letter))
			return false;
	return optind == argc && o->cert && o->key && (o->request == REQUEST_NONE || o->ca);
}

int main(int argc, char *argv[])
{
	struct server server = {.log = -1};
	int listener[2], signals;
	in_port_t port;

	if (!read_options(&server.options, argc, argv)) {
		fputs(usage, stderr);
		return 64;
	}
	server.context = server_context(&server.options);
	if (!server.context)
		return 1;
	if (server.options.log) {
		server.log = open(server.options.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		if (server.log < 0) {
			perror(server.options.log);
			return 1;
		}
	}
	signals = catch_signals();
	open_now.wake = eventfd(0, EFD_CLOEXEC);
	port = open_listeners(server.options.ipv6, listener);
	if (signals < 0 || open_now.wake < 0 || port == 0) {
		perror("mtls-server: cannot listen on the loopback");
		return 1;
	}
	printf("port %u\n", (unsigned)ntohs(port));
	fflush(stdout);
	run(&server, listener, signals);
	end_connections();
	if (count_open() == 0)
		SSL_CTX_free(server.context);
	return 0;
}
