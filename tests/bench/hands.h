/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sides that shake hands, for the benchmarks: a server, a process of its own without the shim, that checks in each
 * handshake who came; and workers, this program again with or without the shim, that do as many full TLS 1.3 handshakes
 * over one TCP connection as they are told and answer with the time they took. What fails ends the benchmark.
 */
#ifndef MTLS_BENCH_HANDS_H
#define MTLS_BENCH_HANDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SLICE 20 /* handshakes before the other side's turn */

/* What a handshake is about, told to the server in one byte before each. */
#define OWN       'o' /* asked; the program's own certificate, folder app-own */
#define INJECTED  'i' /* asked; the shim's, of hands_device */
#define NOT_ASKED 'n'

/* The certificates' folder, the shim, and the credential's folder in there, which is its subject's name too. */
extern const char *hands_pki, *hands_library, *hands_device;
/* "DIR/NAME" in hands_pki; valid until the next call. */
const char *hands_in_pki(const char *name);

_Noreturn void hands_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* main's first call: where this is a worker, it works and never returns. Else SIGPIPE is off. */
void hands_start(int argc, char **argv);

pid_t hands_server(uint16_t *port);

struct worker {
	pid_t pid;
	FILE *to, *from;
};

/* agent: the socket for MTLS_AGENT, or NULL. */
void worker_start(struct worker *, uint16_t port, bool shim, const char *agent);
void worker_end(struct worker *);
/* One handshake after the other: the client's CPU time, or the time on the wall, in microseconds. */
double worker_cpu(struct worker *, char about, int count);
double worker_wall(struct worker *, char about, int count);
/* kB: resident, and of that its own. */
void worker_memory(struct worker *, double *resident, double *own);

#define MEDIAN_MAX 32
double median(const double *values, int n);

#endif
