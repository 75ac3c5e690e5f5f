/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS libraries that are loaded in this process, whatever their kind: which one does a call mean, and what an
 * adapter made of it. Several of one kind may be there (a plugin's own, another release). What no adapter can work
 * with (other releases, look-alikes), and everything while the shim is not active, is only called, and never held.
 */
#ifndef MTLS_SHIM_LIBRARY_H
#define MTLS_SHIM_LIBRARY_H

#include "shim/generation.h"

#include <stdatomic.h>

#define LIBRARIES_MAX GENERATION_LIBRARIES

/* One that an adapter works with; the first member of its table. Immutable, never freed, and it stays loaded. */
struct library {
	const struct family *family;
	const void *base;                /* where it is loaded: its identity */
	void *handle;                    /* gives its functions, and those of the libraries that it needs */
	char version[24];                /* "openssl/3.0.22" */
	struct generation_parser parser; /* parser.library is its number, unique among all kinds */
};

/* A kind of library: one for each adapter. */
struct family {
	const char *entry;  /* a function that each of them has */
	const char *prefix; /* how the file's name begins */
	/*
	 * Fills a new table, whose common part is filled but for version and the parser's functions, with what this
	 * handle gives; false: the adapter cannot work with it, and the table goes. It calls no function of the library
	 * that would start it: a program that only asked for addresses may still want to set it up.
	 */
	bool (*fill)(struct library *, void *handle);
	size_t size; /* of the table */
};

/* Where a call to a hook comes from: the address after the call, or where known (dlsym from a handle) the library. */
struct origin {
	void *caller;
	const struct library *library;
};

/* The library that a caller means; NULL: the call is to be passed on to library_next. Keeps errno. */
const struct library *library_of_caller(const struct family *, struct origin);

/* The library of which this address, code or static data, is a part; NULL: of none of this kind. Keeps errno. */
const struct library *library_of_address(const struct family *, const void *address);

/* The one with this number, which it has been given. */
const struct library *library_at(unsigned number);

/* The function that a caller would have called without us; NULL where there is none. Keeps errno. */
void *library_next(const struct family *, struct origin, const char *name);

/*
 * The same for a function that is called for each record: the last caller's is kept, by the address of its call, for as
 * long as no object was loaded or unloaded. One for each function, static.
 */
struct library_call {
	atomic_uint turn; /* odd: it is being written */
	_Atomic(void *) caller, function;
	atomic_ullong objects;
};
void *library_next_of(const struct family *, struct library_call *, struct origin, const char *name);

/* Would this caller have found a function of that name without us: in the global scope, or in its own? Keeps errno. */
bool library_visible(void *caller, const char *name);

/* Is this address, code or static data, a part of the shim? */
bool library_is_ours(const void *address);

#endif
