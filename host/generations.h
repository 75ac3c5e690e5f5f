/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hidden part of a folder: generations of the credential, and the link that says which one counts. See store.h. All
 * names are relative to descriptors, so that nobody can swap the folder meanwhile. Every function: false, and errno.
 */
#ifndef MTLS_HOST_GENERATIONS_H
#define MTLS_HOST_GENERATIONS_H

#include "host/store.h"

#define MTLS_GENERATION_NAME 17 /* 16 hex digits and a NUL */

struct mtls_generations {
	int dir;                            /* the folder */
	int all;                            /* its .generations */
	char current[MTLS_GENERATION_NAME]; /* "": there is none yet */
	const char *at;                     /* the name that an error is about */
	bool conf;                          /* mtls.conf belongs to them too */
	bool unsynced;                      /* the disk may have another current one: none of them may be deleted */
};

/*
 * For the folder dir, which stays the caller's. make: its .generations, or all is -1. conf: mtls.conf will be one of
 * the files; else it is only where it was before. To be closed in any case.
 */
bool mtls_generations_open(struct mtls_generations *, int dir, bool make, bool conf);
void mtls_generations_close(struct mtls_generations *);

/* A new one of these files, on the disk; nothing refers to it yet. id is filled where it could be begun. */
bool mtls_generations_write(struct mtls_generations *, const struct mtls_store_file file[MTLS_FILES],
			    char id[MTLS_GENERATION_NAME]);
/*
 * What lies in the folder by other means becomes the current one, and its names links to that; so do those that the
 * next one needs, and lead nowhere until then.
 */
bool mtls_generations_adopt(struct mtls_generations *, const struct mtls_store_file next[MTLS_FILES]);
/* The change: one rename. */
bool mtls_generations_switch(struct mtls_generations *, const char *id);
/* Overwrites and deletes all but the current one. */
bool mtls_generations_sweep(struct mtls_generations *);

/* The same with the current one, which no name leads to any more; mtls.conf stays as a file of its own. */
bool mtls_generations_clear(struct mtls_generations *);

#endif
