/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reading of the credential's files: which place is in force, their bytes at
 * one consistent moment, what core/ says of them. No descriptor stays open. The
 * bytes are in memory of their own that is left out of core dumps and wiped at the end.
 */
#ifndef MTLS_HOST_READING_H
#define MTLS_HOST_READING_H

#include "host/environment.h"

/* Identity of a resolved file, from stat(2). error: 0, or an errno (ENOENT, EACCES, …) and the rest 0. */
struct mtls_file_id {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns; /* since the epoch */
	uint32_t mode, owner;
	int error;
};

/* Which place is in force and its files' identities; equal marks mean unchanged files. */
struct mtls_mark {
	const struct mtls_place *place;               /* NULL: no default place has a credential */
	struct mtls_file_id folder, file[MTLS_FILES]; /* of the folder only mode and owner count */
	unsigned blind; /* bit i: place i could not be looked into (EACCES), which says nothing about a change */
};

struct mtls_reading {
	struct mtls_mark mark;
	struct mtls_files files;
	struct mtls_blocks blocks; /* with reason MTLS_USABLE */
	enum mtls_reason reason;   /* of the credential, as far as structure goes */
	struct mtls_error error;   /* for it */
	bool unsure; /* an error that says nothing of the files (EIO, say): read again at the next request */
	bool young;  /* as the mark was before the files were read; or not all of them could be: read again */
	struct mtls_policy policy; /* environment and mtls.conf; policy.error tells of a setting */
	unsigned char *memory;     /* private */
	size_t size;               /* private */
};

/* A few stat calls. Async-signal-safe, no allocation. */
void mtls_mark_take(const struct mtls_environment *, struct mtls_mark *);
bool mtls_mark_equal(const struct mtls_mark *, const struct mtls_mark *);
/* The newest ctime is less than 2 s old (or in the future): the same mark may hide another content. */
bool mtls_mark_young(const struct mtls_mark *);
/* That place could not be looked into (EACCES; EPERM of a sandbox), as after a change of user: says nothing about a
 * change of its files. */
bool mtls_mark_blind(const struct mtls_environment *, const struct mtls_mark *, const struct mtls_place *);

/*
 * Reads everything. The environment must outlive the reading. false: no memory or no descriptor
 * to be had (errno tells); *r is then empty and need not be freed. That there is no credential is told without either.
 * Files that change meanwhile are read again, up to 10 times. Thread: *r is the caller's alone until it is published;
 * then read-only.
 */
bool mtls_reading_make(const struct mtls_environment *, struct mtls_reading *r);
/* The same bytes in every file, from the same place? */
bool mtls_reading_equal(const struct mtls_reading *, const struct mtls_reading *);
/* Wipes and frees. */
void mtls_reading_free(struct mtls_reading *);

/* The file or setting that e is about: a path, "MTLS_HOSTS", or "mtls.conf" path. Borrowed. "" where there is none. */
const char *mtls_reading_what(const struct mtls_reading *, const struct mtls_error *e);

/*
 * One line without its end, for a person: "WHAT: SENTENCE (DETAIL); REMEDY". As snprintf: returns the
 * length that it needs, cuts at size, always ends with NUL where size > 0. Also for policy errors.
 */
int mtls_reading_explain(const struct mtls_reading *, const struct mtls_error *e, char *buffer, size_t size);

#endif
