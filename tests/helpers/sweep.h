/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of sweep share: options, one run of a client (sweep_client.c), what the server saw (sweep_seen.c). */
#ifndef MTLS_TESTS_SWEEP_H
#define MTLS_TESTS_SWEEP_H

#include "tests/helpers/faults.h"

#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX  65536
#define LINES_MAX 64
#define SEEN_MS   5000 /* how long the server may take to write its line */

enum kind { PRESENTED, NONE, SOME, UNREACHED, OWN, FRAIL_END, CRASH, HANG, WRONG, OTHER, FEWER, KINDS };

struct text {
	size_t n;
	char at[TEXT_MAX + 1];
};

struct options {
	const char *log, *subjects, *preload, *base, *fault, *counts;
	unsigned long first, last, step;
	bool further, record, same_subject, memory, count;
	int deadline;
	char **command;
};
extern struct options o;

/* One run, and the one without the shim. */
struct run {
	struct text out, err;
	int status;
	bool hangs;
};

/* Ends sweep, with errno's text. */
void die(const char *what);
int64_t now_ms(void);
/* Reads a piece behind what is there; false: the end. What does not fit is lost. */
bool take(struct text *, int fd);

/* From its start to its end, or the deadline. */
void run_client(struct run *, unsigned long place);
/* What faults.so has noted in that run. */
struct fault_counts counted(void);

/* From here on the log is this run's. */
void seen_begin(void);
/* Nobody knows yet how many lines there will be. */
void seen_wait(void);
/* The lines of this run: as many as without the shim, or what is there at the deadline. */
void seen_read(struct text *seen, unsigned wanted);
unsigned seen_lines(const struct text *);
/* PRESENTED, NONE, SOME, WRONG; KINDS where there is no line. */
enum kind seen_kind(const struct text *);

#endif
