/* SPDX-License-Identifier: Apache-2.0 */
/* Overwrites a file's bytes before it is deleted. What a disk keeps of them elsewhere (journal, flash, snapshots)
 * stays. */
#ifndef MTLS_HOST_WIPE_H
#define MTLS_HOST_WIPE_H

#include <stdbool.h>

/*
 * A name in the folder dir. Only a regular file is overwritten, and only where it has no other name: another one may be
 * somebody else's. Links are deleted, not followed. true: it is gone; false: errno tells.
 */
bool mtls_wipe(int dir, const char *name);

/* The same with a folder and all its files; there are none in folders below it. */
bool mtls_wipe_folder(int dir, const char *name);

/* The bytes of an open file, whatever names it has, on the disk too. false: errno tells. */
bool mtls_wipe_content(int fd);

#endif
