/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GnuTLS adapter, inside: one table of functions for each libgnutls in the process, and what we keep for its
 * sessions and credentials. gnutls_library.c makes the table, gnutls_identity.c parses, gnutls_attach.c hooks,
 * gnutls_chain.c asks the program first, gnutls_request.c answers a request. Names of ours begin with gtls_, because
 * gnutls_ is GnuTLS's own.
 */
#ifndef MTLS_SHIM_GNUTLS_H
#define MTLS_SHIM_GNUTLS_H

#include "core/credential.h"
#include "core/signing.h"
#include "shim/hooks.h"
#include "shim/library.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>

#define GTLS_SUBJECT_MAX 512

/* One libgnutls (3.6.3 or newer): every function below was found, but those that are optional. */
struct gtls {
	struct library is;
	struct {
#define MTLS_GNUTLS(name) __typeof__(&name) name;
#include "shim/gnutls.def"
#undef MTLS_GNUTLS
	} f;
};

extern const struct family gtls_family;

/*
 * Certificate and key as GnuTLS takes them; immutable once made, shared by threads and sessions. It is counted apart
 * from generations, because GnuTLS borrows it as long as the session lives.
 */
struct gtls_identity {
	atomic_uint references;
	gnutls_pcert_st cert[MTLS_CHAIN_MAX];  /* leaf first */
	gnutls_datum_t issuer[MTLS_CHAIN_MAX]; /* DER of each one's issuer name */
	unsigned n_certs;
	gnutls_privkey_t key; /* NULL with an agent */
	enum mtls_key_type type;
	char subject[GTLS_SUBJECT_MAX]; /* RFC 4514, printable ASCII, cut with "..." if longer: as host/identity.h's */
	char sha256[65];                /* of the leaf's DER, lower-case hex */
	unsigned char key_id[32];       /* SHA-256 of the leaf's SubjectPublicKeyInfo: core/signing.h */
	const struct gtls *library;     /* for an agent's key */
};

/*
 * MTLS_USABLE and *out with one reference; else the first broken word that holds and *out NULL. The same words as
 * host/identity.c for the same bytes, but where GnuTLS cannot do what libcrypto can (key-unsupported). Never prompts.
 */
enum mtls_reason gtls_identity_load(const struct gtls *, const struct mtls_blocks *, struct gtls_identity **out,
				    struct mtls_error *);
void gtls_identity_keep(struct gtls_identity *);
/* Drops a reference; the last one wipes and frees. NULL is allowed. */
void gtls_identity_drop(const struct gtls *, struct gtls_identity *);

/* Gives the identity a key whose signatures an agent makes; false: it cannot have one. */
bool gtls_agent_key(const struct gtls *, struct gtls_identity *);
/* Fills key and follows, as request_methods.agent_key. */
bool gtls_agent_asks(const struct gtls_identity *, struct mtls_question *probe);
/* SignatureScheme of a GnuTLS algorithm; 0: none of ours. */
uint16_t gtls_scheme_of(gnutls_sign_algorithm_t);

#endif
