/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim costs in a handshake: full TLS 1.3 handshakes, P-256, over one TCP connection of
 * the loopback, as ratios of the *client's* CPU time (hands.h). The two sides of a comparison alternate every
 * few handshakes, so that a machine that gets slower or busier meanwhile hits both.
 */
#include "tests/bench/hands.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define ROUND_S     0.5 /* client's CPU time in a round, for each side */
#define ROUNDS_MAX  9
#define SETTLED_S   2.1  /* the contract's 2 s, and some for coarse file times */
#define FRESH_S     1.0  /* older than that, a credential that is to be fresh is written again */
#define GOAL        1.02 /* injected to own certificate */
#define MEMORY_RUNS 5

/* --- the credential's age ---------------------------------------------------------- */

static double credential_age(void)
{
	static const char *const names[] = {"device/client_cert.pem", "device/private_key.pem"};
	double age = 1e9, one;
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; i < 2; i++) {
		if (stat(hands_in_pki(names[i]), &st) != 0)
			hands_die("%s is missing", hands_in_pki(names[i]));
		one = (double)(now.tv_sec - st.st_ctim.tv_sec) + (double)(now.tv_nsec - st.st_ctim.tv_nsec) / 1e9;
		age = one < age ? one : age;
	}
	return age;
}

static void credential_settle(struct worker *w)
{
	double age = credential_age();

	if (age < 0)
		hands_die("the credential's files are from the future");
	while (credential_age() < SETTLED_S)
		poll(NULL, 0, 20);
	worker_cpu(w, INJECTED, 1); /* read for the last time, parsed */
}

static void credential_refresh(struct worker *w)
{
	if (credential_age() < FRESH_S)
		return;
	if (utimensat(AT_FDCWD, hands_in_pki("device/private_key.pem"), NULL, 0) != 0)
		hands_die("cannot touch %s", hands_in_pki("device/private_key.pem"));
	worker_cpu(w, INJECTED, 1); /* a new generation, parsed */
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

			us[now] += worker_cpu(side[now]->worker, side[now]->about, SLICE);
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
	worker_cpu(c->a.worker, c->a.about, SLICE);
	worker_cpu(c->b.worker, c->b.about, SLICE);
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

	worker_start(&plain, port, false, NULL);
	worker_start(&shim, port, true, NULL);
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

	for (int i = 0; i < MEMORY_RUNS; i++) {
		worker_start(&w, port, shim, NULL);
		worker_cpu(&w, about, 10);
		worker_memory(&w, &rss[i], &dirty[i]);
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

	hands_start(argc, argv);
	if (argc != 4 || (strcmp(argv[1], "time") != 0 && strcmp(argv[1], "memory") != 0)) {
		fputs("usage: handshake time|memory PKI-FOLDER LIBMTLS-RUN.SO\n", stderr);
		return 64;
	}
	hands_pki = argv[2];
	hands_library = argv[3];
	server = hands_server(&port);
	if (strcmp(argv[1], "time") == 0)
		compare_all(port);
	else
		memory_all(port);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	return 0;
}
