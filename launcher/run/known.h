/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of TLS libraries and of programs that hide them: tables only. A
 * library that the shim learns to cover is one line here.
 */
#ifndef MTLS_LAUNCHER_RUN_KNOWN_H
#define MTLS_LAUNCHER_RUN_KNOWN_H

#include <stdbool.h>

/* A TLS implementation. name is one word. */
struct known_tls {
	const char *name;
	bool covered;
};

/* By what a library is called; NULL: it is none. Anchored: libssl3.so is NSS, not OpenSSL. */
const struct known_tls *known_soname(const char *soname);

/* Covered, but not where an agent has the key: only OpenSSL 3 takes keys of another maker's. */
bool known_needs_file(const char *soname);

/* A library whose presence means that another is loaded later, for TLS. */
struct known_host {
	const char *soname; /* how its name begins */
	const char *module; /* only if this is there, seen from the library's folder; NULL: always */
	struct known_tls tls;
	const char *how;
};

/* The entries for a library, one after the other: NULL, or the one behind `before` (NULL: the first). */
const struct known_host *known_host_next(const char *soname, const struct known_host *before);

/* A program that loads TLS as a module of its language: how, or NULL. image: its path. */
const char *known_interpreter(const char *image);

/* A program that starts another one for TLS: where that is, seen from the folder above its own; NULL: none, or no more.
 */
const char *known_helper(const char *program, int i);

/* What somebody can do whose program has this TLS, which is not covered. image: the program's path. Static. */
const char *known_remedy(const char *name, const char *image);

#endif
