/* SPDX-License-Identifier: Apache-2.0 */
/* The device's twin of shim/request.c: the same facts for the same decision. */
#include "firmware/net/request.h"

#include "firmware/net/log.h"
#include "firmware/net/shared.h"

static enum mtls_tri common_signature(const struct request *r, unsigned version)
{
	const struct inside_request *offered = &r->offered;

	return mtls_signature_common(shared()->type, version, offered->schemes, offered->n_schemes, offered->types,
				     offered->n_types);
}

static enum mtls_reason decide(const struct request *r, const mbedtls_ssl_context *ssl)
{
	const struct shared *device = shared();
	struct mtls_facts facts = {
		.credential = device->credential,
		.agent_ready = MTLS_NO,
		.app_certificate = MTLS_NO,      /* an application has no way to bring one */
		.issuer_accepted = MTLS_UNKNOWN, /* issuer = match is refused */
		.names = &r->host,
		.n_names = 1,
		.peers = &r->peer,
		.n_peers = 1,
		.version = inside_version(ssl),
	};

	if (device->credential == MTLS_USABLE) {
		facts.common_signature = common_signature(r, facts.version);
		/* It has to be by now, in both versions: RFC 5246 7.3, RFC 8446 2. */
		facts.verified = mbedtls_ssl_get_verify_result(ssl) == 0 ? MTLS_YES : MTLS_NO;
	}
	return mtls_policy_decide(&device->policy, &facts);
}

/* The same for all handshakes until the next boot is news once. */
static enum mtls_log level_of(enum mtls_reason reason)
{
	static bool told;
	bool first = !told;

	if (reason == MTLS_NO_COMMON_SIGNATURE)
		return MTLS_LOG_WARN;
	if (reason != MTLS_BAD_SETTING && mtls_reason_state(reason) != MTLS_STATE_BROKEN)
		return MTLS_LOG_INFO;
	told = true;
	return first ? MTLS_LOG_WARN : MTLS_LOG_INFO;
}

static void tell(const struct request *r, const mbedtls_ssl_context *ssl)
{
	const struct shared *device = shared();
	bool presented = r->reason == MTLS_PRESENTED;
	struct mtls_event event = {
		.verb = presented ? "presented" : "withheld",
		.reason = r->reason,
		.what = r->reason == MTLS_BAD_SETTING ? "mtls.conf" : NULL,
		.host = r->host,
		.port = r->peer.port,
		.version = inside_version(ssl),
		.subject = presented ? device->subject : NULL,
		.sha256 = presented ? device->sha256 : NULL,
	};

	if (r->reason == device->credential && *mtls_part_file(device->what))
		event.what = mtls_part_file(device->what);
	log_event(level_of(r->reason), &event);
}

void request_answer(struct request *r, const mbedtls_ssl_context *ssl, mbedtls_ssl_config *config)
{
	struct shared *device = shared();

	if (mtls_version_13(inside_version(ssl)))
		inside_read_13(ssl, &r->offered);
	r->answered = true;
	r->reason = decide(r, ssl);
	if (r->reason == MTLS_PRESENTED && mbedtls_ssl_conf_own_cert(config, &device->chain, &device->key) != 0)
		r->reason = MTLS_UNREADABLE; /* no memory */
	tell(r, ssl);
}
