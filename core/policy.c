/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract's section 2, row by row, and which facts its rows will look at.
 * Row 0 (MTLS_DISABLE) is the caller's: no hook of ours runs then. How a pattern
 * or a signature scheme matches is decided in hosts.c and signature.c.
 */
#include "core/policy.h"

static bool hosts_set(const struct mtls_policy *policy)
{
	return policy->origin[MTLS_HOSTS] != MTLS_FROM_DEFAULT;
}

unsigned mtls_policy_needs(const struct mtls_policy *policy)
{
	unsigned needs = 0;

	if (hosts_set(policy) && mtls_hosts_need_name(policy->hosts))
		needs |= MTLS_NEED_NAME;
	if (hosts_set(policy) && mtls_hosts_need_peer(policy->hosts))
		needs |= MTLS_NEED_PEER;
	/* Verified is: for the name or the address that the program asked for. */
	if (policy->only_if & MTLS_ONLY_IF_VERIFIED)
		needs |= MTLS_NEED_VERIFIED | MTLS_NEED_NAME | MTLS_NEED_PEER;
	if (policy->issuer == MTLS_ISSUER_MATCH)
		needs |= MTLS_NEED_ISSUER;
	return needs;
}

/* Every name at every peer: which of them is meant is not known. */
static bool hosts_allow(struct mtls_bytes hosts, const struct mtls_facts *facts)
{
	static const struct mtls_addr unknown;
	size_t names = facts->n_names ? facts->n_names : 1;
	size_t peers = facts->n_peers ? facts->n_peers : 1;

	for (size_t i = 0; i < names; i++) {
		const char *name = facts->n_names ? facts->names[i] : NULL;

		for (size_t j = 0; j < peers; j++) {
			if (!mtls_hosts_allow(hosts, name, facts->n_peers ? &facts->peers[j] : &unknown))
				return false;
		}
	}
	return true;
}

enum mtls_reason mtls_policy_decide(const struct mtls_policy *policy, const struct mtls_facts *facts)
{
	if (facts->app_certificate != MTLS_NO)
		return MTLS_APP_CERTIFICATE;
	if (policy->error.reason != MTLS_USABLE)
		return MTLS_BAD_SETTING;
	if (facts->credential != MTLS_USABLE)
		return facts->credential;
	if (policy->agent && facts->agent_ready != MTLS_YES)
		return MTLS_AGENT_UNAVAILABLE;
	if (facts->post_handshake && facts->http2)
		return MTLS_HTTP2;
	if (hosts_set(policy) && !hosts_allow(policy->hosts, facts))
		return MTLS_HOST_NOT_LISTED;
	if (policy->only_if & MTLS_ONLY_IF_TLS13 && !mtls_version_13(facts->version))
		return MTLS_TLS_TOO_OLD;
	if (policy->only_if & MTLS_ONLY_IF_VERIFIED && facts->verified != MTLS_YES)
		return MTLS_SERVER_NOT_VERIFIED;
	if (policy->issuer == MTLS_ISSUER_MATCH && facts->issuer_accepted != MTLS_YES)
		return MTLS_ISSUER_NOT_ACCEPTED;
	if (facts->common_signature != MTLS_YES)
		return MTLS_NO_COMMON_SIGNATURE;
	return MTLS_PRESENTED;
}
