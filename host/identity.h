/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser for libcrypto (1.1.1 and 3.x): blocks in, a checked pair of chain
 * and key out. The one place that reads keys for OpenSSL; shim, tools and agent use it.
 */
#ifndef MTLS_HOST_IDENTITY_H
#define MTLS_HOST_IDENTITY_H

#include "core/credential.h"
#include "core/signature.h"
#include "host/crypto.h"

#define MTLS_SUBJECT_MAX 512

/* Immutable once made; its objects may be shared among threads by up_ref. */
struct mtls_identity {
	X509 *leaf;
	EVP_PKEY *key;         /* NULL with an agent */
	STACK_OF(X509) *chain; /* the intermediates, without the leaf; may be empty, never NULL */
	enum mtls_key_type type;
	char subject[MTLS_SUBJECT_MAX]; /* RFC 4514, printable ASCII, cut with "..." if longer */
	char sha256[65];                /* of the leaf's DER, lower-case hex */
	unsigned char key_id[32];       /* SHA-256 of the leaf's SubjectPublicKeyInfo: core/signing.h */
};

/*
 * MTLS_USABLE and *out, owned by the caller; else the first broken word that holds and *out NULL.
 * Never prompts. The thread's error queue is left as it was.
 */
enum mtls_reason mtls_identity_load(const struct mtls_crypto *, const struct mtls_blocks *, struct mtls_identity **out,
				    struct mtls_error *);
void mtls_identity_free(const struct mtls_crypto *, struct mtls_identity *);

#endif
