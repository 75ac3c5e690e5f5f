/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which TLS a program can reach: in itself, in the libraries that it loads, in
 * those that they load later. In that order, as what a program has inside is what it uses.
 */
#ifndef MTLS_LAUNCHER_RUN_TLS_H
#define MTLS_LAUNCHER_RUN_TLS_H

#include "launcher/run/program.h"

#define TLS_MAX 24

struct tls_found {
	const char *name; /* one word, static */
	bool covered;
	char *where; /* and what to do where it is not covered */
};

struct tls_report {
	struct tls_found found[TLS_MAX];
	size_t n;
	bool shim_refused; /* the program's loader does not load the shim */
	char *doubt;       /* NULL: all was looked at. Else what was not */
};

/*
 * Adds what this program can reach; out begins as {0}. via: NULL, or the helper through which it does.
 * library: libmtls-run.so of this file. Nothing but the program's loader is run.
 */
void tls_examine(const struct program *, const char *via, const char *shim, const struct elf *library,
		 struct tls_report *out);
void tls_report_free(struct tls_report *);

#endif
