/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of a server for a certificate, as far as it is the same for every TLS library: gathers the facts that
 * the policy needs, lets core/ decide, has the adapter hand over what was decided, and says so in the log.
 */
#ifndef MTLS_SHIM_REQUEST_H
#define MTLS_SHIM_REQUEST_H

#include "core/address.h"
#include "core/policy.h"
#include "core/signing.h"
#include "shim/library.h"
#include "shim/names.h"
#include "shim/peers.h"
#include "shim/resumption.h"

/* The server as far as this connection tells; names are borrowed from the TLS library, the adapter or names.c. */
struct server {
	const char *name[NAMES_MAX];
	size_t n_names;
	bool looked_up; /* the names are look-ups: the program told TLS none */
	bool too_many;  /* the program told more names than are looked at: none counts as known */
	struct mtls_addr peer[PEERS_MAX];
	size_t n_peers;
};

struct request;

/* What an adapter knows; each is asked only where the policy or the log needs it. identity: the adapter's parser's. */
struct request_methods {
	/* Fills name, n_names and too_many with what the program verifies or sends as SNI; n_names 0: none. */
	void (*names)(const struct request *, struct server *);
	enum mtls_tri (*verified)(const struct request *);
	enum mtls_tri (*issuer_accepted)(const struct request *, const void *identity);
	enum mtls_tri (*common_signature)(const struct request *, const void *identity);
	/* Fills key and follows, for an agent; false: this TLS library cannot have a key of an agent's. */
	bool (*agent_key)(const struct request *, const void *identity, struct mtls_question *probe);
	/* false: the TLS library does not take it (its security level, memory); nothing of it is left behind. */
	bool (*install)(struct request *, void *identity);
	/* For the log; borrowed from the identity. */
	const char *(*subject)(const void *identity);
	const char *(*sha256)(const void *identity);
};

/* Filled by the adapter, which may have it as the first member of its own structure. */
struct request {
	const struct library *library;
	const struct request_methods *methods;
	unsigned version; /* as on the wire */
	int fd;           /* of the connection; -1: the TLS library does not tell */
	bool datagram;    /* DTLS */
	bool post_handshake, http2;
	bool later;           /* set by install: whether it is presented shows later, and the adapter then tells */
	struct server server; /* starts empty, filled as needed */
	resumption session;   /* what the connection's session rested on before, and after the answer rests on */
};

/* The decision, carried out and told: MTLS_PRESENTED or the word of the row. Keeps errno. */
enum mtls_reason request_answer(struct request *);

/* Only the log line of a decision; identity NULL unless it is MTLS_PRESENTED. Keeps errno. */
void request_tell(struct request *, enum mtls_reason, const void *identity);

/*
 * Has the agent sign for a certificate that was presented: *n bytes, or false and a line of the log, because the
 * handshake ends with it. A scheme of 0 and a content that is too long are refused. Keeps errno.
 */
bool request_sign(const struct library *, const struct mtls_question *, unsigned char signature[MTLS_SIGNATURE_MAX],
		  size_t *n);

/*
 * For verified: does the certificate fit the server? good asks the TLS library for one name or address in figures.
 * Names that the program gave to TLS: one is enough, as for TLS libraries themselves. Look-ups: each. No name: the
 * address of each peer.
 */
bool request_names_good(const struct server *, bool (*good)(void *of, const char *name), void *of);

#endif
