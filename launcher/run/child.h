/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a helper program and hears what it says, without a trace: afterwards no
 * descriptor, zombie, pending signal or changed disposition is left. posix_spawn, so that no code
 * of ours runs between fork and exec.
 */
#ifndef MTLS_LAUNCHER_RUN_CHILD_H
#define MTLS_LAUNCHER_RUN_CHILD_H

#include <stdbool.h>

struct child {
	int status;          /* exit status; -1: it did not start, was killed, or took longer than 5 s */
	char *output;        /* what it wrote, as one string, cut at 1 MiB; never NULL, the caller frees */
	bool error_is_empty; /* nothing came on standard error; only where it was asked for */
};

/*
 * Standard input is a dead end, as the program's input is not to be taken; standard error too, unless it is
 * listened to. envp: the whole environment. Descriptors that the caller inherited are inherited.
 */
void child_run(char *const argv[], char *const envp[], bool listen_to_error, struct child *out);

/*
 * A copy of our environment without the variables that start with one of the n prefixes, with room for one more. The
 * caller frees the array; the strings are borrowed. NULL: no memory.
 */
char **child_environment(const char *const *prefixes, int n);

#endif
