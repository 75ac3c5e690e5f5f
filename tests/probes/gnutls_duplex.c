/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GnuTLS program that writes and reads at the same time, at a server that does so too and asks for a certificate
 * again and again after the handshake. Both check each byte that they get.
 *
 * gnutls_duplex HOW SERVER MEGABYTES REQUESTS CERT KEY [offer]: CERT and KEY are the server's
 *   HOW     threads: a thread writes and one reads, blocking; own: the same through push and pull functions of the
 *           program's own; loop: one thread, not blocking; turns: one thread, blocking, writes and reads in turns
 *   SERVER  loop: reads and writes as it can; rude: reads nothing while it writes a block
 *   offer   the program offers post-handshake authentication itself, and answers where it reads
 * Prints what both saw.
 *
 * link: -lgnutls -lssl -lcrypto -pthread
 */
#include "tests/probes/gnutls_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define BLOCK  5000
#define BUFFER 30000 /* for sending: a small one for receiving would make TCP itself stand still for seconds */

static const char *how, *kind;
static size_t total;
static int requests;
static bool offer;
static const char *cert_file, *key_file;

/* The byte at this place of a stream. */
static unsigned char byte_at(size_t at)
{
	return (unsigned char)(at * 7 + at / 251 + at / 65536);
}

struct stream {
	size_t at;
	bool wrong;
};

static void check(struct stream *s, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++, s->at++)
		s->wrong = s->wrong || p[i] != byte_at(s->at);
}

/* The next block, n bytes. */
static size_t fill(const struct stream *s, unsigned char *p)
{
	size_t n = BLOCK - s->at % 1789;

	n = n < total - s->at ? n : total - s->at;
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(s->at + i);
	return n;
}

static void small_buffers(int fd)
{
	int n = BUFFER, on = 1;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* --- the server ------------------------------------------------------------------------- */

struct server {
	SSL *ssl;
	int fd;
	struct stream in, out;
	unsigned char block[BLOCK];
	size_t length; /* of the block that is being written */
	unsigned long error;
	bool must_read;
	int asked, got, finished; /* requests; answers with a certificate, and all answers */
};

static void on_message(int sent, int version, int type, const void *data, size_t n, SSL *ssl, void *arg)
{
	struct server *s = arg;
	int message = n ? *(const unsigned char *)data : -1;

	(void)version, (void)ssl;
	if (sent || type != SSL3_RT_HANDSHAKE)
		return;
	s->got += message == SSL3_MT_CERTIFICATE && n > 100;
	s->finished += message == SSL3_MT_FINISHED;
}

static int accept_all(int ok, X509_STORE_CTX *ctx)
{
	(void)ok, (void)ctx;
	return 1;
}

static bool goes_on(struct server *s, int ret)
{
	int error = SSL_get_error(s->ssl, ret);
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	if (error == SSL_ERROR_WANT_WRITE)
		p.events |= POLLOUT;
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		return false;
	return poll(&p, 1, 20000) > 0;
}

/* One request at a time, evenly over the stream, never while a block is half written. */
static void ask_again(struct server *s)
{
	int ret;

	if (s->asked >= requests || s->finished <= s->asked || s->length ||
	    s->out.at < total / (size_t)(requests + 1) * (size_t)s->asked)
		return;
	SSL_set_verify(s->ssl, SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE, accept_all);
	ERR_clear_error();
	if (SSL_verify_client_post_handshake(s->ssl) != 1) {
		s->asked = requests;
		return;
	}
	do
		ret = SSL_do_handshake(s->ssl);
	while (ret <= 0 && goes_on(s, ret));
	s->asked++;
}

/* 1: something written, 0: not now, -1: broken. */
static int write_some(struct server *s)
{
	int n;

	if (!s->length)
		s->length = fill(&s->out, s->block);
	ERR_clear_error();
	n = SSL_write(s->ssl, s->block, (int)s->length);
	if (n <= 0) {
		s->error = ERR_peek_error();
		n = SSL_get_error(s->ssl, n);
		s->must_read = n == SSL_ERROR_WANT_READ; /* in the midst of an answer */
		return n == SSL_ERROR_WANT_WRITE || n == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	s->out.at += (size_t)n;
	s->length = 0;
	return 1;
}

static int read_some(struct server *s)
{
	unsigned char in[BLOCK];
	int n;

	ERR_clear_error();
	n = SSL_read(s->ssl, in, sizeof(in));
	if (n <= 0) {
		s->error = ERR_peek_error();
		n = SSL_get_error(s->ssl, n);
		return n == SSL_ERROR_WANT_WRITE || n == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	check(&s->in, in, (size_t)n);
	return 1;
}

static bool over(const struct server *s)
{
	return s->in.at == total && s->out.at == total && s->asked == requests && s->finished > s->asked;
}

static void serve(struct server *s)
{
	bool rude = strcmp(kind, "rude") == 0;
	time_t end = time(NULL) + 20;

	while (!over(s) && time(NULL) < end) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		int wrote = 0, read = 0, finished = s->finished;

		ask_again(s);
		for (int i = 0; i < 30 && s->out.at < total && (wrote = write_some(s)) > 0; i++)
			;
		if (rude && wrote == 0 && s->out.at < total && !s->must_read) {
			p.events = POLLOUT; /* until the block is out */
			poll(&p, 1, 1000);
			continue;
		}
		for (int i = 0; i < 30 && (read = read_some(s)) > 0; i++)
			;
		if (wrote < 0 || read < 0)
			break;
		if (s->out.at < total)
			p.events |= POLLOUT;
		if (wrote <= 0 && read == 0 && s->finished == finished)
			poll(&p, 1, 100);
	}
}

static int run_server(int listener)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct server s = {.fd = accept(listener, NULL, NULL)};
	int ret;

	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) <= 0 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) <= 0)
		die("no certificate", 0);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_num_tickets(ctx, 0); /* libssl would mix them with a block that is half written */
	s.ssl = SSL_new(ctx);
	small_buffers(s.fd);
	fcntl(s.fd, F_SETFL, O_NONBLOCK);
	SSL_set_fd(s.ssl, s.fd);
	SSL_set_msg_callback(s.ssl, on_message);
	SSL_set_msg_callback_arg(s.ssl, &s);
	do
		ret = SSL_accept(s.ssl);
	while (ret <= 0 && goes_on(&s, ret));
	serve(&s);
	printf("server in=%d wrong=%d out=%d certificates=%d answers=%d%s%s\n", s.in.at == total, s.in.wrong,
	       s.out.at == total, s.got, s.finished - 1, s.error ? " " : "",
	       s.error ? ERR_reason_error_string(s.error) : "");
	fflush(stdout);
	shutdown(s.fd, SHUT_RDWR);
	return 0;
}

/* --- the client ----------------------------------------------------------------------------- */

static gnutls_session_t session;
static struct stream in, out;
static ssize_t ended;
static int fd;

static ssize_t pull(gnutls_transport_ptr_t p, void *to, size_t n)
{
	return recv(*(int *)p, to, n, 0);
}

static ssize_t push(gnutls_transport_ptr_t p, const void *from, size_t n)
{
	return send(*(int *)p, from, n, MSG_NOSIGNAL);
}

/* Does it go on? */
static bool later(ssize_t ret)
{
	ended = ret < 0 ? ret : ended;
	return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED;
}

static ssize_t read_block(void)
{
	unsigned char block[BLOCK];
	ssize_t n = gnutls_record_recv(session, block, sizeof(block));

	if (n > 0)
		check(&in, block, (size_t)n);
	if (n == GNUTLS_E_REAUTH_REQUEST && offer) {
		n = gnutls_reauth(session, 0);
		n = n < 0 ? n : GNUTLS_E_AGAIN;
	}
	return n;
}

/* What is to be repeated is repeated with the same bytes. */
static ssize_t write_block(void)
{
	unsigned char block[BLOCK];
	size_t length = fill(&out, block);
	ssize_t n = gnutls_record_send(session, block, length);

	out.at += n > 0 ? (size_t)n : 0;
	return n;
}

static void *write_all(void *arg)
{
	ssize_t n = 1;

	while (out.at < total && (n > 0 || later(n)))
		n = write_block();
	return arg;
}

static void read_all(void)
{
	ssize_t n;

	do
		n = read_block();
	while (n > 0 || later(n));
}

static void run_threads(void)
{
	pthread_t writer;

	if (pthread_create(&writer, NULL, write_all, NULL) != 0)
		die("no thread", 0);
	read_all();
	pthread_join(writer, NULL);
}

static void run_loop(void)
{
	ssize_t r = GNUTLS_E_AGAIN, w = 1;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		do
			r = read_block();
		while (r > 0);
		if (!later(r))
			return;
		for (int i = 0; i < 5 && out.at < total && (w > 0 || later(w)); i++) {
			w = write_block();
			if (w <= 0)
				break;
		}
		if (out.at < total)
			p.events |= POLLOUT;
		if (poll(&p, 1, 15000) <= 0)
			return;
	}
}

static void run_turns(void)
{
	ssize_t n = 1;

	while (out.at < total && n > 0) {
		n = write_block();
		if (n <= 0)
			break;
		do
			n = read_block();
		while (later(n));
	}
	read_all();
}

static void run_client(const char *port)
{
	gnutls_certificate_credentials_t cred = credentials_new();

	must("no session", gnutls_init(&session, GNUTLS_CLIENT | (offer ? GNUTLS_POST_HANDSHAKE_AUTH : 0)));
	must("no priority", gnutls_set_default_priority(session));
	must("no credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
	fd = connect_to("127.0.0.1", port);
	small_buffers(fd);
	gnutls_transport_set_int(session, fd);
	if (strcmp(how, "own") == 0) {
		gnutls_transport_set_ptr(session, &fd);
		gnutls_transport_set_pull_function(session, pull);
		gnutls_transport_set_push_function(session, push);
	}
	must("no handshake", shake(session));
	if (strcmp(how, "loop") == 0)
		run_loop();
	else if (strcmp(how, "turns") == 0)
		run_turns();
	else
		run_threads();
	printf("client in=%d wrong=%d out=%d ended=%s\n", in.at == total, in.wrong, out.at == total,
	       gnutls_strerror_name((int)ended) ? gnutls_strerror_name((int)ended) : "end");
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(cred);
}

int main(int argc, char *argv[])
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(own);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char port[8];
	pid_t child;

	if (argc < 7)
		die("usage: gnutls_duplex HOW SERVER MEGABYTES REQUESTS CERT KEY [offer]", 0);
	how = argv[1];
	kind = argv[2];
	total = (size_t)atoi(argv[3]) * 1000000;
	requests = atoi(argv[4]);
	cert_file = argv[5];
	key_file = argv[6];
	offer = argc > 7;
	signal(SIGPIPE, SIG_IGN);
	if (bind(listener, (struct sockaddr *)&own, n) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&own, &n) != 0)
		die("no listener", 0);
	snprintf(port, sizeof(port), "%u", (unsigned)ntohs(own.sin_port));
	child = fork();
	if (child == 0)
		_exit(run_server(listener));
	close(listener);
	run_client(port);
	fflush(stdout);
	waitpid(child, NULL, 0);
	return 0;
}
