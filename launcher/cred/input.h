/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What import was given: certificates and private keys out of files of any form that people have. PEM with anything
 * around it, DER, PKCS#12 (PFX), PKCS#7. Which of them are to be the credential is decided in pair.c.
 */
#ifndef MTLS_LAUNCHER_CRED_INPUT_H
#define MTLS_LAUNCHER_CRED_INPUT_H

#include "launcher/cred/secret.h"

#define CRED_KEYS_MAX  16
#define CRED_CERTS_MAX 500 /* somebody's whole CA bundle is a mistake */

struct cred_input {
	STACK_OF(X509) *certs; /* owned, as the keys are */
	struct {
		EVP_PKEY *key;
		const char *file;
		char *token; /* owned: the key stays in a token, this names it, and key is its public part; or NULL */
	} key[CRED_KEYS_MAX];
	size_t n_keys;
	size_t n_own;   /* the last ones of them, which were here already */
	size_t n_taken; /* certificates and keys, also those that came twice */
	struct cred_secret secret;
};

/* CRED_GO_ON, or an exit with one line said: a file that is not understood is refused, not left out. */
int cred_input_file(const struct cred *, struct cred_input *, const char *path);
/* For the readers of single forms: take over the reference, also when they fail. */
int cred_input_cert(const struct cred *, struct cred_input *, const char *path, X509 *);
int cred_input_key(const struct cred *, struct cred_input *, const char *path, EVP_PKEY *);
/* What names a key in a token: opens it, to see its public part. */
int cred_input_token(const struct cred *, struct cred_input *, const char *path, struct mtls_bytes text);
void cred_input_free(struct cred_input *);

/* PKCS#12, RFC 7292. *done is false, and nothing said, where it is none. */
int cred_input_pkcs12(const struct cred *, struct cred_input *, const char *path, struct mtls_bytes der, bool *done);

#endif
