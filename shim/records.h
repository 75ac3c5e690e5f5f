/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an adapter keeps for objects of a TLS library that have no room for it: records by the object's address. No
 * lock: the places are never freed, only given to another object, so that a reader meets nothing but whole ones, and a
 * fork in another thread's midst leaves nothing held. An object must not be shared among threads before its record is
 * there, and not be used any more when it is given up: so nobody asks for one that is just coming or going.
 */
#ifndef MTLS_SHIM_RECORDS_H
#define MTLS_SHIM_RECORDS_H

#include <stdatomic.h>
#include <stddef.h>

#define RECORDS_LISTS 1024

/* The first member of an adapter's own structure. */
struct record {
	_Atomic(const void *) object; /* NULL: the place is free */
	struct record *next;          /* with the same hash; as long as the process lives */
};

/* All of one kind; zeroed at first, and so no part of the library's file. */
struct records {
	_Atomic(struct record *) list[RECORDS_LISTS];
};

/* NULL: there is none. Any thread. */
struct record *records_find(struct records *, const void *object);
/*
 * A new one, zeroed but for its head; records_find must have said that there is none. NULL without memory. size: of the
 * adapter's structure, the same for all of one kind.
 */
struct record *records_add(struct records *, const void *object, size_t size);
/* Before the object's address can be another's. */
void records_remove(struct record *, size_t size);

#endif
