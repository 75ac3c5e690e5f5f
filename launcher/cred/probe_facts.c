/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe: one request of the server, as libssl tells it, and our answer. The facts are those that
 * shim/openssl_request.c gathers, in the same way (there through a table of functions, here directly); what follows
 * from them core/policy.c decides, here as there.
 */
#include "launcher/cred/probe.h"

#include "core/policy.h"
#include "host/crypto_linked.h"
#include "host/errors.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* As cred_name, but cut. */
static void name_text(const X509_NAME *name, char text[PROBE_NAME_MAX])
{
	char *whole = cred_name(name);

	if (snprintf(text, PROBE_NAME_MAX, "%s", whole ? whole : "") >= PROBE_NAME_MAX)
		memcpy(text + PROBE_NAME_MAX - 4, "...", 4);
	free(whole);
}

/* libssl has verified it by the time it asks for ours: against the default trust store, for the target's name. */
void probe_see_server(SSL *ssl, struct probe_result *result)
{
	X509 *leaf = SSL_get_peer_certificate(ssl);

	result->version = (unsigned)SSL_version(ssl);
	result->verify = leaf ? SSL_get_verify_result(ssl) : X509_V_ERR_UNSPECIFIED;
	if (leaf)
		name_text(X509_get_subject_name(leaf), result->subject);
	if (result->verify != X509_V_OK)
		snprintf(result->verify_error, PROBE_WHY, "%s", X509_verify_cert_error_string(result->verify));
	X509_free(leaf);
}

static bool names_issuer(const STACK_OF(X509_NAME) *names, X509 *certificate)
{
	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		if (X509_NAME_cmp(sk_X509_NAME_value(names, i), X509_get_issuer_name(certificate)) == 0)
			return true;
	return false;
}

static enum mtls_tri issuer_accepted(const STACK_OF(X509_NAME) *names, const struct mtls_identity *identity)
{
	if (!identity)
		return MTLS_UNKNOWN;
	if (sk_X509_NAME_num(names) <= 0 || names_issuer(names, identity->leaf))
		return MTLS_YES;
	for (int i = 0; i < sk_X509_num(identity->chain); i++)
		if (names_issuer(names, sk_X509_value(identity->chain, i)))
			return MTLS_YES;
	return MTLS_NO;
}

static void see_issuers(const STACK_OF(X509_NAME) *names, struct probe_request *request)
{
	int n = sk_X509_NAME_num(names);

	request->n_issuers = n > 0 ? (size_t)n : 0;
	for (int i = 0; i < n && i < PROBE_ISSUERS; i++)
		name_text(sk_X509_NAME_value(names, i), request->issuer[i]);
}

static void see_types(SSL *ssl, struct probe_request *request)
{
	const unsigned char *types = NULL;
	size_t n = SSL_get0_certificate_types(ssl, &types);

	request->n_types = !types ? 0 : n < PROBE_TYPES ? n : PROBE_TYPES;
	if (request->n_types)
		memcpy(request->type, types, request->n_types);
}

/* What was offered, for people; what both sides do, for the policy. */
static size_t see_schemes(SSL *ssl, struct probe_request *request, uint16_t shared[PROBE_SCHEMES])
{
	int offered = SSL_get_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);
	int common = SSL_get_shared_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);
	unsigned char low, high;
	size_t n = 0;

	request->n_schemes = 0;
	for (int i = 0; i < offered && request->n_schemes < PROBE_SCHEMES; i++)
		if (SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &low, &high) > 0)
			request->scheme[request->n_schemes++] = (uint16_t)(high << 8 | low);
	for (int i = 0; i < common && n < PROBE_SCHEMES; i++)
		if (SSL_get_shared_sigalgs(ssl, i, NULL, NULL, NULL, &low, &high) > 0)
			shared[n++] = (uint16_t)(high << 8 | low);
	return n;
}

/* TLS 1.3: signature_algorithms_cert and the chain's own signatures count too, and only libssl knows (RFC 8446 4.2.3).
 */
static bool chain_accepted(SSL *ssl, const struct mtls_identity *identity)
{
	return !identity->key || !mtls_version_13((unsigned)SSL_version(ssl)) ||
	       SSL_check_chain(ssl, identity->leaf, identity->key, identity->chain) & CERT_PKEY_EE_SIGNATURE;
}

static enum mtls_tri common_signature(SSL *ssl, const struct mtls_identity *identity, struct probe_request *request)
{
	uint16_t shared[PROBE_SCHEMES];
	size_t n = see_schemes(ssl, request, shared);

	see_types(ssl, request);
	if (!identity)
		return MTLS_UNKNOWN;
	if (!chain_accepted(ssl, identity))
		return MTLS_NO;
	return mtls_signature_common(identity->type, (unsigned)SSL_version(ssl), shared, n, request->type,
				     request->n_types);
}

static enum probe_asked when(SSL *ssl, bool later)
{
	if (!later)
		return PROBE_IN_HANDSHAKE;
	return mtls_version_13((unsigned)SSL_version(ssl)) ? PROBE_PHA : PROBE_RENEGOTIATION;
}

/* What an earlier request got must not go out again. false: libssl does not take it (its security level). */
static bool install(SSL *ssl, const struct mtls_identity *identity)
{
	return SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->chain, 1) == 1;
}

static void answer(SSL *ssl, const struct probe_facts *known)
{
	const struct probe_target *target = &known->probe->target;
	const struct cred_credential *credential = known->probe->credential;
	struct probe_request *request = &known->result->request;
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);
	const char *name = target->host;
	struct mtls_facts facts = {
		.credential = credential->reason,
		.app_certificate = MTLS_NO,
		.agent_ready = credential->agent == MTLS_AGENT_READY ? MTLS_YES : MTLS_NO,
		.issuer_accepted = issuer_accepted(names, credential->identity),
		.common_signature = common_signature(ssl, credential->identity, request),
		.names = &name,
		.n_names = target->literal ? 0 : 1,
		.peers = &known->peer,
		.n_peers = known->peer.family ? 1 : 0,
		.version = (unsigned)SSL_version(ssl),
		.post_handshake = SSL_get_finished(ssl, NULL, 0) > 0,
	};

	probe_see_server(ssl, known->result);
	see_issuers(names, request);
	facts.verified = known->result->verify == X509_V_OK ? MTLS_YES : MTLS_NO;
	request->asked |= when(ssl, facts.post_handshake);
	request->issuer_accepted = facts.issuer_accepted;
	request->decision = mtls_policy_decide(&credential->reading.policy, &facts);
	SSL_certs_clear(ssl);
	request->presented = request->decision == MTLS_PRESENTED && !known->probe->cred->env.disable &&
			     (credential->identity->key || probe_by_shim(known->probe));
	if (request->presented && credential->identity->key && !install(ssl, credential->identity)) {
		SSL_certs_clear(ssl);
		request->presented = false;
		request->decision = MTLS_KEY_UNSUPPORTED;
	}
}

/* What fails here must not stay in the error queue: SSL_get_error would take it for the handshake's. */
int probe_answer(SSL *ssl, void *known)
{
	mtls_errors_keep(&mtls_crypto_linked);
	answer(ssl, known);
	mtls_errors_restore(&mtls_crypto_linked);
	return 1; /* without a certificate libssl says so itself; 0 would end the handshake */
}
