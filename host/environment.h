/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MTLS_ variables and the default places, as they were at one moment: names
 * of folders and files only, nothing is opened. Shared by the shim and the tools.
 */
#ifndef MTLS_HOST_ENVIRONMENT_H
#define MTLS_HOST_ENVIRONMENT_H

#include "core/credential.h"
#include "core/settings.h"

#define MTLS_PLACES_MAX 3

/* One place where a credential may be. Strings are absolute paths, owned by the environment. */
struct mtls_place {
	const char *why; /* "MTLS_CERT", "MTLS_DIR", "--dir", "CREDENTIALS_DIRECTORY", "the user's configuration", "the
			    system's" */
	char *folder;    /* NULL where the files are named one by one */
	char *file[MTLS_FILES]; /* NULL: no such file belongs to this place */
	bool named;             /* by MTLS_DIR or MTLS_CERT: missing is broken */
	bool named_file[MTLS_FILES];
};

/*
 * A snapshot. Every string is malloc'ed, owned by it and free of later changes
 * of the environment; an empty variable counts as unset (NULL), but MTLS_HOSTS.
 */
struct mtls_environment {
	struct mtls_place place[MTLS_PLACES_MAX]; /* in the order of the look-up */
	size_t n_places;
	char *setting[MTLS_SETTINGS]; /* MTLS_HOSTS … MTLS_LOG; NULL: unset */
	char *log_file;               /* absolute */
	char *agent;                  /* absolute */
	bool disable;                 /* MTLS_DISABLE is "1" */
	bool bad_disable;             /* MTLS_DISABLE is neither "0" nor "1" */
	bool incomplete;              /* memory ran out or the working folder is gone: act as if not installed */
};

/* Reads envp (as environ). Not to be called twice on the same object without mtls_environment_free. Thread: the caller
 * alone. */
void mtls_environment_read(struct mtls_environment *, char *const envp[]);
/* The place that --dir names instead of any look-up. why is static. */
void mtls_environment_folder(struct mtls_environment *, const char *dir, const char *why);
void mtls_environment_free(struct mtls_environment *);

/* A policy with the environment's settings and agent; borrowed from it. */
void mtls_environment_policy(const struct mtls_environment *, struct mtls_policy *);

#endif
