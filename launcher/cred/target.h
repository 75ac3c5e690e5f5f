/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that a verb writes to, and whether it may. CRED_GO_ON, or an exit with one line said. */
#ifndef MTLS_LAUNCHER_CRED_TARGET_H
#define MTLS_LAUNCHER_CRED_TARGET_H

#include "launcher/cred/cred.h"

/* Makes the folder to write the only place of the environment: the one in force, else the user's, else /etc/mtls. */
int cred_target(struct cred *);

/*
 * May what is there be replaced? A usable credential only with force, or by one with the same subject (RFC 4514, as
 * in struct mtls_identity; NULL: none); so with a broken one, whose key cannot be had again either.
 */
int cred_may_replace(const struct cred *, const struct cred_credential *, bool force, const char *subject);

#endif
