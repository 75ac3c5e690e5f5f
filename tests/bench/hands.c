/* SPDX-License-Identifier: Apache-2.0 */
/* Server and workers of the benchmarks; see hands.h. */
#include "tests/bench/hands.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

const char *hands_pki, *hands_library, *hands_device = "device";

_Noreturn void hands_die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	ERR_print_errors_fp(stderr);
	exit(1);
}

const char *hands_in_pki(const char *name)
{
	static char path[4096];

	if (snprintf(path, sizeof(path), "%s/%s", hands_pki, name) >= (int)sizeof(path))
		hands_die("%s: too long", hands_pki);
	return path;
}

/* --- the server ------------------------------------------------------------- */

static SSL_CTX *server_context(bool asks)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, hands_in_pki("server.pem")) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, hands_in_pki("server.key"), SSL_FILETYPE_PEM) != 1)
		hands_die("server's certificate in %s", hands_pki);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (!asks)
		return ctx;
	if (SSL_CTX_load_verify_file(ctx, hands_in_pki("ca.pem")) != 1)
		hands_die("%s", hands_in_pki("ca.pem"));
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(hands_in_pki("ca.pem")));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return ctx;
}

static bool right_client(SSL *ssl, char about)
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	const char *expected = about == OWN ? "app-own" : hands_device;
	char name[64] = "";

	if (SSL_version(ssl) != TLS1_3_VERSION || SSL_session_reused(ssl))
		return false;
	if (about == NOT_ASKED || !leaf)
		return about == NOT_ASKED && !leaf;
	X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, name, sizeof(name));
	return strcmp(name, expected) == 0;
}

/* One client's connection, until it closes. */
static void serve(int fd, SSL_CTX *asking, SSL_CTX *silent)
{
	char about;

	while (read(fd, &about, 1) == 1) {
		SSL *ssl = SSL_new(about == NOT_ASKED ? silent : asking);

		if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_accept(ssl) != 1)
			hands_die("server: handshake '%c'", about);
		if (!right_client(ssl, about))
			hands_die("server: handshake '%c': not the client, version or certificate that was expected",
				  about);
		if (SSL_write(ssl, "y", 1) != 1)
			hands_die("server: write");
		SSL_free(ssl);
	}
}

pid_t hands_server(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);
	pid_t pid;

	if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) != 0 || listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &n) != 0)
		hands_die("no socket on the loopback");
	*port = ntohs(a.sin_port);
	pid = fork();
	if (pid == 0) {
		SSL_CTX *asking = server_context(true), *silent = server_context(false);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int one = 1, fd = accept(listener, NULL, NULL);

			if (fd >= 0 && fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
				serve(fd, asking, silent);
				_exit(0);
			}
			close(fd);
		}
	}
	close(listener);
	return pid;
}

/* --- a worker: the client ----------------------------------------------------- */

static SSL_CTX *client_context(char about)
{
	static SSL_CTX *own, *bare;
	SSL_CTX **ctx = about == OWN ? &own : &bare;

	if (*ctx)
		return *ctx;
	*ctx = SSL_CTX_new(TLS_client_method());
	if (!*ctx || SSL_CTX_load_verify_file(*ctx, hands_in_pki("ca.pem")) != 1)
		hands_die("%s", hands_in_pki("ca.pem"));
	SSL_CTX_set_verify(*ctx, SSL_VERIFY_PEER, NULL);
	if (about == OWN &&
	    (SSL_CTX_use_certificate_chain_file(own, hands_in_pki("app-own/client_cert.pem")) != 1 ||
	     SSL_CTX_use_PrivateKey_file(own, hands_in_pki("app-own/private_key.pem"), SSL_FILETYPE_PEM) != 1))
		hands_die("own certificate in %s", hands_in_pki("app-own"));
	return *ctx;
}

static void shake_hands(int fd, char about)
{
	SSL *ssl = SSL_new(client_context(about));
	char answer;

	if (!ssl || write(fd, &about, 1) != 1 || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_tlsext_host_name(ssl, "localhost") != 1 || SSL_set1_host(ssl, "localhost") != 1)
		hands_die("client: no connection");
	if (SSL_connect(ssl) != 1 || SSL_read(ssl, &answer, 1) != 1 || answer != 'y')
		hands_die("client: handshake '%c'", about);
	SSL_free(ssl);
}

static double microseconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static long memory_kb(const char *key)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* Orders on standard input: "ABOUT COUNT" is answered with microseconds of CPU and of the wall, "m 0" with kB. */
static int work(uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), count;
	char order[32], about;

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		hands_die("worker: connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (fgets(order, sizeof(order), stdin) && sscanf(order, "%c %d", &about, &count) == 2) {
		double cpu, wall;

		if (about == 'm') {
			printf("%ld %ld\n", memory_kb("Rss:"), memory_kb("Anonymous:"));
		} else {
			cpu = microseconds(CLOCK_THREAD_CPUTIME_ID);
			wall = microseconds(CLOCK_MONOTONIC);
			for (int i = 0; i < count; i++)
				shake_hands(fd, about);
			printf("%.3f %.3f\n", microseconds(CLOCK_THREAD_CPUTIME_ID) - cpu,
			       microseconds(CLOCK_MONOTONIC) - wall);
		}
		fflush(stdout);
	}
	return 0;
}

/* --- who tells the workers ------------------------------------------------------ */

void worker_start(struct worker *w, uint16_t port, bool shim, const char *agent)
{
	char number[8], preload[4200], folder[4200], socket[4200], *variables[] = {preload, folder, socket, NULL};
	char name[] = "bench", role[] = "--worker", pki[4200], *argv[] = {name, role, pki, number, NULL};
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	snprintf(number, sizeof(number), "%u", port);
	snprintf(pki, sizeof(pki), "%s", hands_pki);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", shim ? hands_library : "");
	snprintf(folder, sizeof(folder), "MTLS_DIR=%s", hands_in_pki(hands_device));
	snprintf(socket, sizeof(socket), "MTLS_AGENT=%s", agent ? agent : "");
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		hands_die("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	if (posix_spawn(&w->pid, "/proc/self/exe", &actions, NULL, argv, variables) != 0)
		hands_die("cannot start a worker");
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	w->to = fdopen(in[1], "w");
	w->from = fdopen(out[0], "r");
	if (!w->to || !w->from)
		hands_die("no memory");
}

void worker_end(struct worker *w)
{
	int status;

	fclose(w->to);
	fclose(w->from);
	if (waitpid(w->pid, &status, 0) != w->pid || status != 0)
		hands_die("a worker failed");
}

static void ask(struct worker *w, char about, int count, char *answer, size_t size)
{
	fprintf(w->to, "%c %d\n", about, count);
	fflush(w->to);
	if (!fgets(answer, (int)size, w->from))
		hands_die("a worker died");
}

double worker_cpu(struct worker *w, char about, int count)
{
	char answer[64];

	ask(w, about, count, answer, sizeof(answer));
	return strtod(answer, NULL);
}

double worker_wall(struct worker *w, char about, int count)
{
	char answer[64], *end;

	ask(w, about, count, answer, sizeof(answer));
	strtod(answer, &end);
	return strtod(end, NULL);
}

void worker_memory(struct worker *w, double *resident, double *own)
{
	char answer[64], *end;

	ask(w, 'm', 0, answer, sizeof(answer));
	*resident = strtod(answer, &end);
	*own = strtod(end, NULL);
}

void hands_start(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--worker") == 0) {
		hands_pki = argv[2];
		exit(work((uint16_t)strtol(argv[3], NULL, 10)));
	}
	signal(SIGPIPE, SIG_IGN);
}

/* --- numbers -------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(const double *values, int n)
{
	double sorted[MEDIAN_MAX];

	memcpy(sorted, values, (size_t)n * sizeof(*values));
	qsort(sorted, (size_t)n, sizeof(*sorted), by_value);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}
