/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook of dlsym: programs that take a TLS library's functions from its own handle get hooks that know
 * which library is meant. All else is libc's, called as if the program had called it.
 */
#ifndef MTLS_SHIM_DLSYM_H
#define MTLS_SHIM_DLSYM_H

#include "shim/library.h"

/* For the exported dlsym, which is assembler: in two registers. */
struct dlsym_answer {
	void *address;
	long known; /* 0: libc is to answer */
};

/* As dlsym(3), called from that address; errno is kept. Any thread, also before the shim has started. */
struct dlsym_answer dlsym_want(void *handle, const char *name, void *caller);

/* One hook of a TLS library's function. */
struct dlsym_hook {
	const char *name; /* NULL: there is none of that name */
	const struct family *family;
	void *at; /* for the library with the number that was asked for */
};

/* hooks.c */
struct dlsym_hook dlsym_hook(const char *name, unsigned number);

#endif
