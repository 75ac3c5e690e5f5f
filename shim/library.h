/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS libraries that are loaded in this process, whatever their kind: which one does a call mean, and what an
 * adapter made of it. Several of one kind may be there (a plugin's own, another release). Made once, never freed.
 */
#ifndef MTLS_SHIM_LIBRARY_H
#define MTLS_SHIM_LIBRARY_H

#include "shim/generation.h"

#define LIBRARIES_MAX GENERATION_LIBRARIES

/* One loaded library; the first member of its adapter's own table. Immutable once it was handed out. */
struct library {
	const struct family *family;
	const void *base;                /* where it is loaded: its identity */
	void *handle;                    /* gives its functions, and those of the libraries that it needs */
	bool supported;                  /* false: every call is passed through */
	char version[24];                /* "openssl/3.0.22" */
	struct generation_parser parser; /* parser.library is its number, unique among all kinds */
};

/* A kind of library: one for each adapter. */
struct family {
	const char *entry;  /* a function that each of them has */
	const void *export; /* ours of that name */
	const char *prefix; /* how the file's name begins */
	/*
	 * Fills a new table, whose common part is filled but for supported, version and the parser's functions, with
	 * what this handle gives; true if everything that the adapter needs is there. What the hooks themselves call is
	 * to be filled in any case.
	 */
	bool (*fill)(struct library *, void *handle);
	size_t size; /* of the table */
};

/* Where a call to a hook comes from: the address after the call, or where known (dlsym from a handle) the library. */
struct origin {
	void *caller;
	const struct library *library;
};

/* The library that a caller means; NULL where there is none. Keeps errno. */
const struct library *library_of_caller(const struct family *, struct origin);

/* The library of which this address, code or static data, is a part; NULL: of none of this kind. Keeps errno. */
const struct library *library_of_address(const struct family *, const void *address);

/*
 * The number of the library of which this address, code or static data, is a part; LIBRARIES_MAX: of none of this kind,
 * of one in another namespace (dlmopen), or of one too many. None of its functions is called. Keeps errno.
 */
unsigned library_number(const struct family *, const void *address);

/* The one with this number, which it has been given; NULL without memory. Keeps errno. */
const struct library *library_at(unsigned number);

#endif
