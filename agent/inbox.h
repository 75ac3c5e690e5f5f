/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder in which others leave a credential for the agent: its files are opened with suspicion, read, and in the
 * end erased through the very descriptors that were read. What they mean is not known here. What is wrong has been
 * said where a function returns false.
 */
#ifndef MTLS_AGENT_INBOX_H
#define MTLS_AGENT_INBOX_H

#include "core/reason.h"

#include <sys/stat.h>

struct inbox_file {
	int fd;              /* -1: there is none */
	struct stat st;      /* when it was read */
	unsigned char *data; /* st_size bytes */
};

struct inbox {
	const char *path;
	int dir; /* -1: there is none */
	struct stat st;
	struct inbox_file file[MTLS_FILES];
};

/*
 * Opens it, and erases what an earlier call had taken already. A folder that does not exist is fine. To be closed in
 * any case.
 */
bool inbox_open(struct inbox *, const char *path);
/* Wipes what was read from memory. */
void inbox_close(struct inbox *);

/* Opens and reads the files; a line for each that is not to be trusted. */
bool inbox_read(struct inbox *);
bool inbox_is_empty(const struct inbox *);

/*
 * Erases what was read: now that it is safe elsewhere. First all get names that say so, so that another call knows what
 * is left to do after a cut. A file that somebody has changed since stays.
 */
bool inbox_erase(struct inbox *);

#endif
