/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a credential into a folder, durably, and so that at any moment, also of a kill or a power cut, the folder has
 * the old one or the new one and nobody else can read a key. For the tools and the agent; never the shim.
 *
 *   client_cert.pem -> .current/client_cert.pem     private_key.pem -> .current/private_key.pem
 *   .current -> .generations/ID                     one rename of this link is the change
 *   .generations/ID/                                the files themselves
 *
 * So with private_key_pass.txt where there is one, and with mtls.conf once it was stored too. Files that were put there
 * by other means are taken over first, as a generation of their own, by links: their bytes are not copied. The last
 * step overwrites the generation of before and deletes it; what a kill has left of that is done by the next call. No
 * link in the folder is followed. Thread: one call at a time; other processes wait for the folder.
 */
#ifndef MTLS_HOST_STORE_H
#define MTLS_HOST_STORE_H

#include "core/reason.h"

#include <sys/types.h>

/* A file that was not given: the certificate and the key are empty, there is no passphrase, mtls.conf stays as it is.
 */
struct mtls_store_file {
	bool given;
	struct mtls_bytes data;
	mode_t mode; /* whatever the umask */
};

enum mtls_stored {
	MTLS_STORED,
	MTLS_NOT_STORED,      /* the credential is the old one */
	MTLS_STORED_UNSYNCED, /* it is done, but the disk may not have it yet; another call may help */
	MTLS_STORED_UNWIPED,  /* it is done, but the old key could not be overwritten; another call may help */
};

/*
 * The folder, locked until it is closed. make: the mode (less the umask) with which it is made where it is missing,
 * with its parents; 0: it is not. -1 and errno; EWOULDBLOCK: another process has been at work there for 5 s.
 */
int mtls_store_open(const char *folder, mode_t make);

/* With anything but MTLS_STORED errno tells, and *at is the file's name in the folder, or NULL. */
enum mtls_stored mtls_store_change(int dir, const struct mtls_store_file file[MTLS_FILES], const char **at);

/* Overwrites what a change that was killed has left in a folder without a credential. false: as above. */
bool mtls_store_clear(int dir, const char **at);

/* A file that is new and on the disk; unlinked again where that fails, with errno. */
bool mtls_store_put(int dir, const char *name, const struct mtls_store_file *);

#endif
