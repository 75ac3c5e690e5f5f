/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other files of the same build: libmtls-run.so, which is preloaded, libmtls-audit.so beside it, which leads what
 * is loaded with RTLD_DEEPBIND to it, and mtls-cred, which knows TLS. They are found from where this program itself is.
 */
#ifndef MTLS_LAUNCHER_RUN_LIBRARY_H
#define MTLS_LAUNCHER_RUN_LIBRARY_H

#include "launcher/run/elf.h"

struct library {
	char *path; /* of libmtls-run.so, absolute, fit for LD_PRELOAD */
	struct elf elf;
	char *audit; /* of libmtls-audit.so, absolute; it may be missing */
	char *cred;  /* where mtls-cred should be; it may be missing */
};

/* false: no library that can be preloaded, which has been said; *out is empty. */
bool library_find(struct library *out);
/* Puts it into LD_PRELOAD, behind what is there, unless it is there. */
void library_preload(const struct library *);
/*
 * --audit: puts the audit library into LD_AUDIT, behind what is there, unless it is there. false: it cannot be used,
 * which has been said.
 */
bool library_audit(const struct library *);
void library_free(struct library *);

#endif
