/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a certificate and its key into a folder, durably and so that nobody else
 * can read the key at any moment. Whether they may replace what is there is the caller's question.
 */
#ifndef MTLS_LAUNCHER_CRED_STORE_H
#define MTLS_LAUNCHER_CRED_STORE_H

#include "launcher/cred/cred.h"

/*
 * Makes the folder (0700, with its parents) where it is missing. Both files are written under other names and then
 * renamed: first the certificate, then the key, so that what cannot be had again is replaced last. false: one line has
 * been said, and nothing was replaced but, if the second rename failed, the certificate. No link in the folder is
 * followed.
 */
bool cred_store(const struct cred *, const char *folder, struct mtls_bytes cert, struct mtls_bytes key);

#endif
