/* SPDX-License-Identifier: Apache-2.0 */
/* What faults.so counts and tells sweep.c in a page of memory; and whose call it is, see faults_whose.c. */
#ifndef MTLS_TESTS_FAULTS_H
#define MTLS_TESTS_FAULTS_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum fault_class {
	ALLOC,
	FRAIL,
	MAP,
	LOOK,
	OPEN,
	READ,
	CLOSE,
	LIST,
	PEER,
	POLL,
	WRITE,
	SIGNALS,
	WAIT,
	ANY,
	CLASSES,
};
#define FAULTS_NAMES \
	{ \
		"alloc", "frail", "map", "look", "open", "read", "close", "list", "peer", "poll", "write", "signals", \
			"wait", "any" \
	}

struct fault_counts {
	_Atomic(uint32_t) calls[CLASSES];
	_Atomic(uint32_t) came;     /* the fault that was asked for */
	_Atomic(uint32_t) in_frail; /* a bad address was used in a library that does not look whether it got memory */
};

/* Once, before the others say yes. */
void faults_find_shim(void);

/* Is this return address in the shim's code? */
bool faults_direct(const void *caller);

/* Is the library function that is being called one that the shim called for itself? Allocates nothing. */
bool faults_behalf(void);

/* Is this return address in a library that ends the process where it gets no memory? */
bool faults_frail(const void *caller);

#endif
