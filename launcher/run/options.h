/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of mtls-run. Most options are nothing but a way to write a
 * variable of the contract's section 3; from here on only the environment counts,
 * which the pre-flight, mtls-cred and the program's shim then all read alike.
 */
#ifndef MTLS_LAUNCHER_RUN_OPTIONS_H
#define MTLS_LAUNCHER_RUN_OPTIONS_H

#include <stdbool.h>

/* Options that set a variable. */
enum {
	OPTION_DIR,
	OPTION_CERT,
	OPTION_KEY,
	OPTION_PASS,
	OPTION_HOST,
	OPTION_ISSUER,
	OPTION_ONLY_IF,
	OPTION_LOG,
	OPTION_AGENT, /* without a value: the first of the default sockets that exists */
	OPTION_VALUES
};

struct options {
	char *value[OPTION_VALUES]; /* NULL: not given; lists are joined with commas; owned */
	const char *level;          /* of the log; NULL: not given */
	bool strict, disable, audit, explain;
	char **program; /* argv of the program, borrowed, with at least one word */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* OPTIONS_DONE: what was asked for (--help …) is done. OPTIONS_WRONG: has been said. */
enum options_result options_read(int argc, char **argv, struct options *out);
/*
 * Turns them into environment variables, and every path there, whoever gave it, into an absolute one: the
 * program may be a wrapper that changes its folder. false: has been said.
 */
bool options_apply(const struct options *);
void options_free(struct options *);

#endif
