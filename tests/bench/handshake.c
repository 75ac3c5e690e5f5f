/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim costs in a handshake: full TLS 1.3 handshakes, P-256, over one TCP connection of
 * the loopback, as ratios of the *client's* CPU time. The server is a process of its own, without the shim; it
 * checks in each handshake who came. Clients are workers, this program again with or without the shim, that do as many
 * handshakes as they are told and answer with the time they took. The two sides of a comparison alternate every
 * few handshakes, so that a machine that gets slower or busier meanwhile hits both.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define SLICE       20  /* handshakes before the other side's turn */
#define ROUND_S     0.5 /* client's CPU time in a round, for each side */
#define ROUNDS_MAX  9
#define SETTLED_S   2.1  /* the contract's 2 s, and some for coarse file times */
#define FRESH_S     1.0  /* older than that, a credential that is to be fresh is written again */
#define GOAL        1.02 /* injected to own certificate */
#define MEMORY_RUNS 5

/* What a handshake is about, told to the server in one byte before each. */
#define OWN       'o' /* asked; the program's own certificate, folder app-own */
#define INJECTED  'i' /* asked; the shim's, folder device */
#define NOT_ASKED 'n'

static char *pki, *library;

static _Noreturn void __attribute__((format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("handshake: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static const char *in_pki(const char *name)
{
	static char path[4096];

	if (snprintf(path, sizeof(path), "%s/%s", pki, name) >= (int)sizeof(path))
		die("%s: too long", pki);
	return path;
}

/* --- the server ------------------------------------------------------------- */

static SSL_CTX *server_context(bool asks)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, in_pki("server.pem")) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, in_pki("server.key"), SSL_FILETYPE_PEM) != 1)
		die("server's certificate in %s", pki);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (!asks)
		return ctx;
	if (SSL_CTX_load_verify_file(ctx, in_pki("ca.pem")) != 1)
		die("%s", in_pki("ca.pem"));
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(in_pki("ca.pem")));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return ctx;
}

static bool right_client(SSL *ssl, char about)
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	const char *expected = about == OWN ? "app-own" : "device";
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
			die("server: handshake '%c'", about);
		if (!right_client(ssl, about))
			die("server: handshake '%c': not the client, version or certificate that was expected", about);
		if (SSL_write(ssl, "y", 1) != 1)
			die("server: write");
		SSL_free(ssl);
	}
}

static pid_t server_start(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);
	pid_t pid;

	if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) != 0 || listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &n) != 0)
		die("no socket on the loopback");
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
	if (!*ctx || SSL_CTX_load_verify_file(*ctx, in_pki("ca.pem")) != 1)
		die("%s", in_pki("ca.pem"));
	SSL_CTX_set_verify(*ctx, SSL_VERIFY_PEER, NULL);
	if (about == OWN &&
	    (SSL_CTX_use_certificate_chain_file(own, in_pki("app-own/client_cert.pem")) != 1 ||
	     SSL_CTX_use_PrivateKey_file(own, in_pki("app-own/private_key.pem"), SSL_FILETYPE_PEM) != 1))
		die("own certificate in %s", in_pki("app-own"));
	return *ctx;
}

static void shake_hands(int fd, char about)
{
	SSL *ssl = SSL_new(client_context(about));
	char answer;

	if (!ssl || write(fd, &about, 1) != 1 || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_tlsext_host_name(ssl, "localhost") != 1 || SSL_set1_host(ssl, "localhost") != 1)
		die("client: no connection");
	if (SSL_connect(ssl) != 1 || SSL_read(ssl, &answer, 1) != 1 || answer != 'y')
		die("client: handshake '%c'", about);
	SSL_free(ssl);
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
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

/* Orders on standard input: "ABOUT COUNT" is answered with microseconds, "m 0" with kB. */
static int worker(uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), count;
	char order[32], about;

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("worker: connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (fgets(order, sizeof(order), stdin) && sscanf(order, "%c %d", &about, &count) == 2) {
		double start;

		if (about == 'm') {
			printf("%ld %ld\n", memory_kb("Rss:"), memory_kb("Anonymous:"));
		} else {
			start = cpu_us();
			for (int i = 0; i < count; i++)
				shake_hands(fd, about);
			printf("%.3f\n", cpu_us() - start);
		}
		fflush(stdout);
	}
	return 0;
}

/* --- who tells the workers ------------------------------------------------------ */

struct worker {
	pid_t pid;
	FILE *to, *from;
};

static void worker_start(struct worker *w, uint16_t port, bool shim)
{
	char number[8], preload[4200], folder[4200], *variables[] = {preload, folder, NULL};
	char name[] = "handshake", role[] = "--worker", *argv[] = {name, role, pki, number, NULL};
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	snprintf(number, sizeof(number), "%u", port);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", shim ? library : "");
	snprintf(folder, sizeof(folder), "MTLS_DIR=%s", in_pki("device"));
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		die("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	if (posix_spawn(&w->pid, "/proc/self/exe", &actions, NULL, argv, variables) != 0)
		die("cannot start a worker");
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	w->to = fdopen(in[1], "w");
	w->from = fdopen(out[0], "r");
	if (!w->to || !w->from)
		die("no memory");
}

static void worker_end(struct worker *w)
{
	int status;

	fclose(w->to);
	fclose(w->from);
	if (waitpid(w->pid, &status, 0) != w->pid || status != 0)
		die("a worker failed");
}

static void ask(struct worker *w, char about, int count, char *answer, size_t size)
{
	fprintf(w->to, "%c %d\n", about, count);
	fflush(w->to);
	if (!fgets(answer, (int)size, w->from))
		die("a worker died");
}

/* Client's CPU time in microseconds. */
static double time_of(struct worker *w, char about, int count)
{
	char answer[64];

	ask(w, about, count, answer, sizeof(answer));
	return strtod(answer, NULL);
}

/* --- the credential's age ---------------------------------------------------------- */

static double credential_age(void)
{
	static const char *const names[] = {"device/client_cert.pem", "device/private_key.pem"};
	double age = 1e9, one;
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; i < 2; i++) {
		if (stat(in_pki(names[i]), &st) != 0)
			die("%s is missing", in_pki(names[i]));
		one = (double)(now.tv_sec - st.st_ctim.tv_sec) + (double)(now.tv_nsec - st.st_ctim.tv_nsec) / 1e9;
		age = one < age ? one : age;
	}
	return age;
}

static void credential_settle(struct worker *w)
{
	double age = credential_age();

	if (age < 0)
		die("the credential's files are from the future");
	while (credential_age() < SETTLED_S)
		poll(NULL, 0, 20);
	time_of(w, INJECTED, 1); /* read for the last time, parsed */
}

static void credential_refresh(struct worker *w)
{
	if (credential_age() < FRESH_S)
		return;
	if (utimensat(AT_FDCWD, in_pki("device/private_key.pem"), NULL, 0) != 0)
		die("cannot touch %s", in_pki("device/private_key.pem"));
	time_of(w, INJECTED, 1); /* a new generation, parsed */
}

/* --- comparisons --------------------------------------------------------------------- */

struct side {
	struct worker *worker;
	char about;
};

struct comparison {
	const char *title;
	struct side a, b;
	int rounds;
	double goal; /* 0: none */
	bool fresh;  /* the credential stays younger than 2 s */
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, (size_t)n * sizeof(*values));
	qsort(sorted, (size_t)n, sizeof(*sorted), by_value);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Microseconds for each handshake, [0] of a and [1] of b; returns how many of each. */
static int play_round(const struct comparison *c, double us[2])
{
	const struct side *side[2] = {&c->a, &c->b};
	int n = 0;

	us[0] = us[1] = 0;
	for (int turn = 0; us[0] < ROUND_S * 1e6 || us[1] < ROUND_S * 1e6; turn++) {
		if (c->fresh)
			credential_refresh(c->b.worker);
		for (int k = 0; k < 2; k++) {
			int now = (turn + k) % 2;

			us[now] += time_of(side[now]->worker, side[now]->about, SLICE);
		}
		n += SLICE;
	}
	us[0] /= n;
	us[1] /= n;
	return n;
}

static void compare(const struct comparison *c)
{
	double a[ROUNDS_MAX], b[ROUNDS_MAX], ratio[ROUNDS_MAX], us[2], result;
	int n = 0;

	if (!c->fresh && c->b.about == INJECTED)
		credential_settle(c->b.worker);
	time_of(c->a.worker, c->a.about, SLICE);
	time_of(c->b.worker, c->b.about, SLICE);
	for (int i = 0; i < c->rounds; i++) {
		n += play_round(c, us);
		a[i] = us[0];
		b[i] = us[1];
		ratio[i] = us[1] / us[0];
	}
	result = median(ratio, c->rounds);
	printf("%-58s %6.0f us %6.0f us   %.3f", c->title, median(a, c->rounds), median(b, c->rounds), result);
	if (c->goal > 0)
		printf("   goal <= %.2f %s", c->goal, result <= c->goal ? "met" : "MISSED");
	printf("\n    %d rounds of %d + %d:", c->rounds, n / c->rounds, n / c->rounds);
	for (int i = 0; i < c->rounds; i++)
		printf(" %.3f", ratio[i]);
	printf("\n");
	fflush(stdout);
}

static void compare_all(uint16_t port)
{
	struct worker plain, shim;

	worker_start(&plain, port, false);
	worker_start(&shim, port, true);
	printf("%-58s %9s %9s   %s\n", "client's CPU time for each handshake, A -> B", "A", "B", "B/A");
	compare(&(struct comparison){"own certificate -> injected (one process, with the shim)",
				     {&shim, OWN},
				     {&shim, INJECTED},
				     9,
				     GOAL,
				     false});
	compare(&(struct comparison){
		"control: own -> own, the noise of this machine", {&shim, OWN}, {&shim, OWN}, 3, 0, false});
	compare(&(struct comparison){
		"own, without the shim -> injected (two processes)", {&plain, OWN}, {&shim, INJECTED}, 5, 0, false});
	compare(&(struct comparison){
		"server does not ask: without -> with the shim", {&plain, NOT_ASKED}, {&shim, NOT_ASKED}, 9, 0, false});
	compare(&(struct comparison){
		"own -> injected, credential younger than 2 s", {&shim, OWN}, {&shim, INJECTED}, 3, 0, true});
	worker_end(&plain);
	worker_end(&shim);
}

/* --- memory ---------------------------------------------------------------------------- */

static void memory_of(const char *title, uint16_t port, bool shim, char about)
{
	double rss[MEMORY_RUNS], dirty[MEMORY_RUNS];
	struct worker w;
	char answer[64], *end;

	for (int i = 0; i < MEMORY_RUNS; i++) {
		worker_start(&w, port, shim);
		time_of(&w, about, 10);
		ask(&w, 'm', 0, answer, sizeof(answer));
		rss[i] = (double)strtol(answer, &end, 10);
		dirty[i] = (double)strtol(end, NULL, 10);
		worker_end(&w);
	}
	printf("%-58s %6.0f kB %6.0f kB\n", title, median(rss, MEMORY_RUNS), median(dirty, MEMORY_RUNS));
}

static void memory_all(uint16_t port)
{
	printf("%-58s %9s %9s\n", "a TLS client's memory after 10 handshakes (median of 5)", "resident", "its own");
	memory_of("server does not ask, without the shim", port, false, NOT_ASKED);
	memory_of("server does not ask, with the shim", port, true, NOT_ASKED);
	memory_of("own certificate, without the shim", port, false, OWN);
	memory_of("injected certificate", port, true, INJECTED);
}

int main(int argc, char **argv)
{
	uint16_t port;
	pid_t server;

	if (argc == 4 && strcmp(argv[1], "--worker") == 0) {
		pki = argv[2];
		return worker((uint16_t)strtol(argv[3], NULL, 10));
	}
	if (argc != 4 || (strcmp(argv[1], "time") != 0 && strcmp(argv[1], "memory") != 0)) {
		fputs("usage: handshake time|memory PKI-FOLDER LIBMTLS-RUN.SO\n", stderr);
		return 64;
	}
	pki = argv[2];
	library = argv[3];
	signal(SIGPIPE, SIG_IGN);
	server = server_start(&port);
	if (strcmp(argv[1], "time") == 0)
		compare_all(port);
	else
		memory_all(port);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	return 0;
}
