/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All libraries that a program's start loads, and which one asks for which. The
 * program's own loader tells ("ld.so --list"), which never runs the program, unlike
 * LD_TRACE_LOADED_OBJECTS, which static programs and musl ignore.
 */
#ifndef MTLS_LAUNCHER_RUN_CLOSURE_H
#define MTLS_LAUNCHER_RUN_CLOSURE_H

#include <stdbool.h>
#include <stddef.h>

#define CLOSURE_PROGRAM (-1) /* as a parent: the program itself */
#define CLOSURE_NOBODY  (-2) /* preloaded, or asked for in a way that cannot be seen */

struct closure_node {
	char *name; /* "libssl.so.3" */
	char *path; /* NULL: not found, or not to be told */
	int parent; /* the first that asks for it, the program or nearest to it */
};

struct closure {
	struct closure_node *node; /* nearest to the program first, those of nobody at the end */
	size_t n;
	bool shim_refused; /* the loader was asked, and it does not load the shim into this program */
	const char *doubt; /* NULL: complete. Else only what the program itself asks for, and why; static */
};

/* Of the dynamic ELF file at image. shim: path of libmtls-run.so. */
void closure_read(const char *image, const char *shim, struct closure *out);
void closure_free(struct closure *);

#endif
