/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision: facts of one request in; present or not, and the reason, out.
 * The rows of the contract's section 2 in their order. Pure: any thread.
 */
#ifndef MTLS_CORE_POLICY_H
#define MTLS_CORE_POLICY_H

#include "core/settings.h"
#include "core/signature.h"

/*
 * An adapter fills it for one request. Unknown is always the stricter answer. names: those that
 * the program verifies or sends as SNI, else those that it looked up for this address; every one must be
 * allowed. issuer_accepted is MTLS_YES too where the server names no issuer. peers: the connected socket, or where the
 * TLS library does not tell it, every live one that could be meant; every one must be allowed. Borrowed for the call.
 */
struct mtls_facts {
	enum mtls_reason credential; /* MTLS_USABLE, or why there is none */
	enum mtls_tri app_certificate, agent_ready, verified, issuer_accepted, common_signature;
	const char *const *names;
	size_t n_names;
	const struct mtls_addr *peers;
	size_t n_peers;
	unsigned version; /* as on the wire */
	bool post_handshake, http2;
};

/* Facts that cost something: gathered only where mtls_policy_needs has the bit. */
enum mtls_need { MTLS_NEED_NAME = 1, MTLS_NEED_PEER = 2, MTLS_NEED_VERIFIED = 4, MTLS_NEED_ISSUER = 8 };

unsigned mtls_policy_needs(const struct mtls_policy *);

/* MTLS_PRESENTED, or the word of the first row that holds. */
enum mtls_reason mtls_policy_decide(const struct mtls_policy *, const struct mtls_facts *);

#endif
