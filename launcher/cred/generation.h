/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hidden part of a folder: generations of the credential, and the link that says which one counts. See store.h. All
 * names are relative to descriptors, so that nobody can swap the folder meanwhile. Every function: false, and errno.
 */
#ifndef MTLS_LAUNCHER_CRED_GENERATION_H
#define MTLS_LAUNCHER_CRED_GENERATION_H

#include "core/bytes.h"

#include <stdbool.h>

#define GENERATION_NAME 17 /* 16 hex digits and a NUL */

struct generations {
	int dir;                       /* the folder */
	int all;                       /* its .generations */
	char current[GENERATION_NAME]; /* "": there is none yet */
	const char *at;                /* the name that an error is about */
	bool unsynced;                 /* the disk may have another current one: none of them may be deleted */
};

/* For the folder dir, which stays the caller's. make: its .generations, or all is -1. To be closed in any case. */
bool generations_open(struct generations *, int dir, bool make);
void generations_close(struct generations *);

/* A new one of these files, on the disk; nothing refers to it yet. id is filled where it could be begun. */
bool generations_write(struct generations *, struct mtls_bytes cert, struct mtls_bytes key, char id[GENERATION_NAME]);
/* What lies in the folder by other means becomes the current one, and its names links to that. */
bool generations_adopt(struct generations *);
/* The change: one rename. */
bool generations_switch(struct generations *, const char *id);
/* Overwrites and deletes all but the current one. */
bool generations_sweep(struct generations *);

/* The same with the current one, which no name leads to any more. */
bool generations_clear(struct generations *);

/* A file that is new, 0600, and on the disk; unlinked again where that fails. */
bool generations_put(int dir, const char *name, struct mtls_bytes);

#endif
