/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a credential into a folder as host/store.h says, its files 0600, and asks first whether what is there may be
 * replaced, while no other process can change it.
 */
#ifndef MTLS_LAUNCHER_CRED_STORE_H
#define MTLS_LAUNCHER_CRED_STORE_H

#include "launcher/cred/cred.h"

#define CRED_REQUEST_KEY "request_key.pem" /* the key of a request that is on its way: no part of the credential */

/*
 * Makes the folder (0700, with its parents) where it is missing. Two empty files are what is left of a credential that
 * was removed. force, subject: as for cred_may_replace. pass: what private_key_pass.txt is to hold, NULL: nothing, and
 * then there is none. false: one line has been said; the credential is the old one, unless the line says that it is
 * done.
 */
struct cred_files {
	struct mtls_bytes cert, key, pass;
};
bool cred_store(const struct cred *, const char *folder, const struct cred_files *, bool force, const char *subject);

/* Overwrites what a change that was killed has left in a folder without a credential; true where there is no folder. */
bool cred_store_clear(const struct cred *, const char *folder);

/* Puts it into the folder (0600), at once and durably; makes the folder as above. One that is there is refused, or with
 * replace overwritten. */
bool cred_store_request_key(const struct cred *, const char *folder, struct mtls_bytes, bool replace);
/* Overwrites it, and deletes it; true where it is not there. */
bool cred_wipe_request_key(const struct cred *, const char *folder);

#endif
