/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenSSL adapter, inside: one table of functions for each libssl in the process, and what we keep on its
 * contexts and connections. openssl_library.c makes the table, openssl_attach.c hooks and chains callbacks,
 * openssl_certificate.c knows ours from the program's, openssl_session.c looks after what a connection offers,
 * openssl_request.c answers a request.
 */
#ifndef MTLS_SHIM_OPENSSL_H
#define MTLS_SHIM_OPENSSL_H

#include "host/errors.h"
#include "host/identity.h"
#include "shim/hooks.h"
#include "shim/library.h"
#include "shim/resumption.h"

#include <openssl/provider.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

typedef int (*mtls_cert_cb)(SSL *, void *);

struct openssl;

/*
 * A cert_cb of the program behind ours. Never freed, and made once for each pair: libssl lets connections share the
 * argument in ways that nobody can follow (SSL_copy_session_id, then another setter), so it must outlive them all.
 */
struct chained {
	const struct openssl *library;
	mtls_cert_cb callback; /* NULL: the program has none */
	void *arg;
	struct chained *next; /* with the same hash */
};

/* One libssl with its libcrypto: every function below was found, but those that are newer than it. */
struct openssl {
	struct library is;
	atomic_int context_index; /* ex_data of an SSL_CTX: struct context; 0: not yet */
	atomic_int mark_index;    /* ex_data of an X509: this struct, on the certificates that we hand over */
	atomic_int session_index; /* ex_data of a server's X509: a resumption */
	struct chained none;      /* for a program without a cert_cb */
	_Atomic(OSSL_LIB_CTX *) agent_context; /* openssl_agent.c's */
	struct mtls_crypto crypto;
	struct {
#define MTLS_OPENSSL(name)   __typeof__(&name) name;
#define MTLS_OPENSSL_3(name) __typeof__(&name) name;
#define MTLS_OPENSSL_32      MTLS_OPENSSL_3
#include "shim/openssl.def"
	} f;
};

/* On each SSL_CTX that was made under our eyes. */
struct context {
	_Atomic(mtls_client_cert_cb) client_cert_cb; /* the program's */
};

/* The libssl function on this thread's stack, which may come back through our exports by a tail jump. */
extern __thread void *openssl_in_flight __attribute__((tls_model("initial-exec")));

/* The libssl that the caller of an exported function means; NULL: OPENSSL_NEXT knows the function to call. */
const struct openssl *openssl_of_caller(struct origin);

/* The same for a function whose address a program may give to libcrypto, which then is the caller. */
const struct openssl *openssl_of_either(struct origin);

/* The libssl to which an SSL_METHOD belongs: its static data, a better witness than the caller. Else the caller's. */
const struct openssl *openssl_of_method(struct origin, const SSL_METHOD *);

/* The function to call, of that libssl, or without one the caller's; NULL where there is none. */
#define OPENSSL_NEXT(library, from, name) ((library) ? (library)->f.name : (__typeof__(&name))openssl_next(from, #name))
void *openssl_next(struct origin, const char *name);

/* What the adapter needs of a libssl that the program is using; false: it cannot be had. */
bool openssl_start(const struct openssl *);

/* Our client_cert_cb for a libssl: it has no argument, hence one function for each. */
mtls_client_cert_cb openssl_callback(const struct openssl *);

/* What we keep on a context; NULL: it was not made under our eyes. */
struct context *openssl_context(const struct openssl *, const SSL_CTX *);

/*
 * What the connection's session rests on, before a request is answered and after. false: no memory to note it, which
 * is only wanted the first time.
 */
resumption openssl_session(const struct openssl *, SSL *);
bool openssl_session_rests(const struct openssl *, SSL *, resumption);

/* Takes every certificate of ours off the SSL; the program's stay, and the current one stays current. */
void openssl_take_off(const struct openssl *, SSL *);
/* Has the program put a certificate of its own on it, of whatever key type? */
bool openssl_has_own(const struct openssl *, SSL *);
/* From now on a certificate of ours may be on some SSL. */
void openssl_handed_out(const struct openssl *);
/* Marks the certificates of an identity as ours; false without memory. */
bool openssl_mark(const struct openssl *, const struct mtls_identity *);

/* A server's request that the program left unanswered: as client_cert_cb, 1 with *leaf and *key, or 0. */
int openssl_answer(const struct openssl *, SSL *, X509 **leaf, EVP_PKEY **key);
/* A request that the program answered itself, by its callback, or, if it has one, by its certificate: what follows. */
void openssl_own_answer(const struct openssl *, SSL *);
void openssl_own_certificate(const struct openssl *, SSL *);

#endif
