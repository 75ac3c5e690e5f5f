/* SPDX-License-Identifier: Apache-2.0 */
/* What a person registers at a server, after a credential was written. */
#ifndef MTLS_LAUNCHER_CRED_REPORT_H
#define MTLS_LAUNCHER_CRED_REPORT_H

#include "launcher/cred/cred.h"

/* Six lines on standard output, from the files as the shim will find them. An exit. */
int cred_report(const struct cred *);

/* The bytes of a memory BIO, borrowed. */
struct mtls_bytes cred_content(BIO *);

#endif
