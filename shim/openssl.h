/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenSSL adapter, inside: one table of functions for each libssl in the
 * process, and what we keep on its contexts and connections. Three files: openssl_library.c finds the libssl that a
 * caller means, openssl_attach.c hooks and chains callbacks, openssl_request.c answers a request.
 */
#ifndef MTLS_SHIM_OPENSSL_H
#define MTLS_SHIM_OPENSSL_H

#include "host/errors.h"
#include "host/identity.h"
#include "shim/generation.h"
#include "shim/hooks.h"

#include <openssl/x509v3.h>
#include <stdatomic.h>

typedef int (*mtls_cert_cb)(SSL *, void *);

/* One libssl with its libcrypto. Made once and never freed; both libraries stay loaded. Immutable but for the table's
 * own fields. */
struct openssl {
	const void *base;     /* where the libssl is loaded: its identity */
	bool supported;       /* every function below was found; else only the hooks' own are there */
	unsigned number;      /* below GENERATION_LIBRARIES; chooses the callback */
	int context_index;    /* ex_data of an SSL_CTX: struct context */
	int connection_index; /* ex_data of an SSL: struct connection */
	char version[24];     /* "openssl/3.0.22" */
	struct generation_parser parser;
	struct mtls_crypto crypto;
	struct {
#define MTLS_OPENSSL(name) __typeof__(&name) name;
#include "shim/openssl.def"
#undef MTLS_OPENSSL
	} f;
};

/* The program's cert_cb behind ours. Several SSL may share one. */
struct chained {
	const struct openssl *library;
	mtls_cert_cb callback; /* NULL: the program has none */
	void *arg;
	atomic_uint references;
	struct chained *next; /* in its context's list */
};

/* On each SSL_CTX that was made under our eyes. */
struct context {
	struct chained none;                         /* for a program without a cert_cb */
	_Atomic(struct chained *) chain;             /* every other that was set here: existing SSL may still use it */
	_Atomic(mtls_client_cert_cb) client_cert_cb; /* the program's */
};

/* On an SSL once there is something to remember. */
struct connection {
	X509 *ours;              /* with a reference of its own: the address cannot be reused meanwhile */
	struct chained *chained; /* the program's cert_cb for this SSL alone, or NULL */
};

/*
 * The libssl that the caller of an exported function means; NULL where there is
 * none. in_flight: a call into a libssl is on this thread's stack, which may come back through our exports by a tail
 * jump.
 */
const struct openssl *openssl_of_caller(void *caller);
extern __thread const struct openssl *openssl_in_flight __attribute__((tls_model("initial-exec")));

/* The libssl with this number; it has one, because its callback is called. */
const struct openssl *openssl_at(unsigned number);

/* Our client_cert_cb for a libssl: it has no argument, hence one function for each. */
mtls_client_cert_cb openssl_callback(const struct openssl *);

/* The parser for generation.c, over host/identity.c. context is the struct openssl. */
extern const struct mtls_parser openssl_parser;

/* The SSL's connection; made if need be, NULL without memory. */
struct connection *openssl_connection(const struct openssl *, SSL *, bool make);

/* A server's request that the program left unanswered: as client_cert_cb, 1 with *leaf and *key, or 0. */
int openssl_answer(const struct openssl *, SSL *, X509 **leaf, EVP_PKEY **key);
/* The log line for a request that the program answered itself. */
void openssl_tell_own(const struct openssl *, SSL *);

#endif
