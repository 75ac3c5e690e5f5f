/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-run --explain PROGRAM: what a run of it would reach, with which credential
 * and settings, on standard output; the program is not run.
 */
#ifndef MTLS_LAUNCHER_RUN_EXPLAIN_H
#define MTLS_LAUNCHER_RUN_EXPLAIN_H

#include "launcher/run/options.h"

/* Of the TLS libraries that the program can reach. It is the exit status. */
enum explain_verdict {
	EXPLAIN_COVERED = 0,
	EXPLAIN_PARTLY = 1, /* or nothing is known: no TLS library was found, and the shim reaches the program */
	EXPLAIN_NOT = 2,
};

/* After options_apply. The exit status: of enum explain_verdict, or 125 and one line has been said. */
int explain(const struct options *);

#endif
