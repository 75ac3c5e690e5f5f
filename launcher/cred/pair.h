/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of certificates and keys in any order: the one pair, and its chain from the leaf upwards. The root is left out
 * (RFC 8446, 4.4.2: the server has it), as is what does not belong to the chain.
 */
#ifndef MTLS_LAUNCHER_CRED_PAIR_H
#define MTLS_LAUNCHER_CRED_PAIR_H

#include "launcher/cred/input.h"

struct cred_pair {
	X509 *leaf; /* borrowed from the input, as the rest is */
	EVP_PKEY *key;
	const char *token;     /* the key is in one: what names it; else NULL */
	STACK_OF(X509) *chain; /* the intermediates, in order; to be freed */
	X509 *root;            /* that was left out; NULL: there was none */
	unsigned left_out;     /* certificates that are none of these */
};

/* CRED_GO_ON, or an exit with one line said. folder is where a key was looked for, too. */
int cred_pair_choose(const struct cred *, const struct cred_input *, const char *folder, struct cred_pair *);
void cred_pair_free(struct cred_pair *);

/* Says of a chain that ends where nobody knows the issuer that an intermediate may be missing, and where to get it. */
void cred_pair_note_gap(const struct cred *, const struct cred_pair *);

#endif
