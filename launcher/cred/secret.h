/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a file that a person names, and the passphrase: from a file, or from a terminal without echo. Never from an
 * argument or a variable.
 */
#ifndef MTLS_LAUNCHER_CRED_SECRET_H
#define MTLS_LAUNCHER_CRED_SECRET_H

#include "launcher/cred/cred.h"

/* To be freed with cred_bytes_free, which wipes; whatever happened. */
struct cred_bytes {
	unsigned char *p;
	size_t n;
};

/*
 * All of a file of at most max bytes; a pipe may take 10 s. NULL, or why it cannot be had, for a line "FILE: WHY":
 * valid until the next call of strerror.
 */
const char *cred_read(const char *path, size_t max, struct cred_bytes *out);
void cred_bytes_free(struct cred_bytes *);

/* Where passphrases come from. A file is read once. */
struct cred_secret {
	const char *file; /* --pass-file, or NULL */
	char text[MTLS_PASS_MAX + 2];
	size_t n;
	bool known;
};

/*
 * The next passphrase to try for what is encrypted: the file's once, or what a person types, three times. CRED_GO_ON
 * with text and n, or an exit with one line said. tries: how many were wrong; 0 at first.
 */
int cred_secret_next(const struct cred *, struct cred_secret *, const char *what, unsigned tries);
void cred_secret_wipe(struct cred_secret *);

#endif
