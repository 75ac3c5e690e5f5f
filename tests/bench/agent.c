/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent costs: full TLS 1.3 handshakes a second of one client with the key in a file and with the key in an
 * agent, both through the shim and with the same credential, by the clock on the wall, because the agent works in
 * another process. The two alternate every few handshakes. mtls-agent is started by who calls this.
 */
#include "tests/bench/hands.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#define ROUNDS  11
#define ROUND_N 400 /* handshakes of each side in a round */

static void compare(uint16_t port, const char *agent, double goal)
{
	double file[ROUNDS], asked[ROUNDS], ratio[ROUNDS], result;
	struct worker a, b;

	worker_start(&a, port, true, NULL);
	worker_start(&b, port, true, agent);
	worker_wall(&a, INJECTED, SLICE);
	worker_wall(&b, INJECTED, SLICE);
	for (int i = 0; i < ROUNDS; i++) {
		double us[2] = {0, 0};

		for (int n = 0; n < ROUND_N; n += SLICE) {
			for (int k = 0; k < 2; k++) {
				int now = (n / SLICE + k) % 2;

				us[now] += worker_wall(now ? &b : &a, INJECTED, SLICE);
			}
		}
		file[i] = ROUND_N / us[0] * 1e6;
		asked[i] = ROUND_N / us[1] * 1e6;
		ratio[i] = asked[i] / file[i];
	}
	result = median(ratio, ROUNDS);
	printf("%-30s %7.0f /s %7.0f /s   %.3f   goal >= %.2f %s\n   ", hands_device, median(file, ROUNDS),
	       median(asked, ROUNDS), result, goal, result >= goal ? "met" : "MISSED");
	for (int i = 0; i < ROUNDS; i++)
		printf(" %.3f", ratio[i]);
	printf("\n");
	worker_end(&a);
	worker_end(&b);
}

int main(int argc, char **argv)
{
	uint16_t port;
	pid_t server;

	hands_start(argc, argv);
	if (argc != 6) {
		fputs("usage: agent PKI-FOLDER LIBMTLS-RUN.SO CREDENTIAL SOCKET GOAL\n", stderr);
		return 64;
	}
	hands_pki = argv[1];
	hands_library = argv[2];
	hands_device = argv[3];
	server = hands_server(&port);
	compare(port, argv[4], strtod(argv[5], NULL));
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	return 0;
}
