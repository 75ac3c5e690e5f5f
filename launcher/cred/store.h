/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a credential into a folder, durably, and so that at any moment, also of a kill or a power cut, the folder has
 * the old one or the new one and nobody else can read a key.
 *
 *   client_cert.pem -> .current/client_cert.pem     private_key.pem -> .current/private_key.pem
 *   .current -> .generations/ID                     one rename of this link is the change
 *   .generations/ID/                                the files themselves, 0600
 *
 * Files that were put there by other means are taken over first, as a generation of their own, by links: their bytes
 * are not copied. The last step overwrites the generation of before and deletes it; what a kill has left of that is
 * done by the next call. No link in the folder is followed. Thread: one call at a time; other processes wait for the
 * folder: what may be replaced is asked while no other one can change it.
 */
#ifndef MTLS_LAUNCHER_CRED_STORE_H
#define MTLS_LAUNCHER_CRED_STORE_H

#include "launcher/cred/cred.h"

#define CRED_REQUEST_KEY "request_key.pem" /* the key of a request that is on its way: no part of the credential */

/*
 * Makes the folder (0700, with its parents) where it is missing. Two empty files are what is left of a credential that
 * was removed. force, subject: as for cred_may_replace. false: one line has been said; the credential is the old one,
 * unless the line says that it is done.
 */
bool cred_store(const struct cred *, const char *folder, struct mtls_bytes cert, struct mtls_bytes key, bool force,
		const char *subject);

/* Overwrites what a change that was killed has left in a folder without a credential; true where there is no folder. */
bool cred_store_clear(const struct cred *, const char *folder);

/* Puts it into the folder (0600), at once and durably; makes the folder as above. One that is there is refused, or with
 * replace overwritten. */
bool cred_store_request_key(const struct cred *, const char *folder, struct mtls_bytes, bool replace);
/* Overwrites it, and deletes it; true where it is not there. */
bool cred_wipe_request_key(const struct cred *, const char *folder);

#endif
