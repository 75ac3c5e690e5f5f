/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request, see request.h. What only one TLS library knows is asked of its adapter; nothing here knows
 * which one it is.
 */
#include "shim/request.h"

#include "host/agent.h"
#include "shim/cancel.h"
#include "shim/log.h"
#include "shim/shim.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

static void gather_peers(struct request *r)
{
	struct server *server = &r->server;
	bool complete = true;

	if (r->fd >= 0) {
		peers_of(r->fd, &server->peer[0]);
		server->n_peers = server->peer[0].family != 0;
	} else {
		server->n_peers = peers_live(r->datagram ? SOCK_DGRAM : SOCK_STREAM, server->peer, &complete);
		if (!complete)
			server->n_peers = 0;
	}
}

/* Of every socket that could be meant; none if one of them has no known name. */
static void gather_look_ups(struct server *server)
{
	server->looked_up = true;
	for (size_t i = 0; i < server->n_peers; i++) {
		const char *names[NAMES_MAX];
		size_t n = names_of(&server->peer[i], names);

		if (n == 0 || server->n_names + n > NAMES_MAX) {
			server->n_names = 0;
			return;
		}
		memcpy(server->name + server->n_names, names, n * sizeof(*names));
		server->n_names += n;
	}
}

static void gather_names(struct request *r)
{
	r->methods->names(r, &r->server);
	if (!r->server.n_names && !r->server.too_many)
		gather_look_ups(&r->server);
}

bool request_names_good(const struct server *server, bool (*good)(void *of, const char *name), void *of)
{
	char text[MTLS_ADDR_TEXT];
	size_t n = 0;

	if (server->too_many)
		return false;
	for (size_t i = 0; i < server->n_names; i++)
		n += good(of, server->name[i]);
	if (server->n_names)
		return n >= (server->looked_up ? server->n_names : 1);
	for (size_t i = 0; i < server->n_peers; i++)
		n += server->peer[i].family && good(of, mtls_addr_print(&server->peer[i], text));
	return server->n_peers && n == server->n_peers;
}

/* what: for the log, where it is not ready. */
static enum mtls_tri agent_ready(const struct request *r, const void *identity, const char **what)
{
	const char *path = shim_environment()->agent;
	struct mtls_question probe;
	int cancel = shim_hold_cancel();
	bool ready = false;

	if (!r->methods->agent_key(r, identity, &probe))
		*what = "MTLS_AGENT needs OpenSSL 3";
	else if (mtls_agent_probe(path, probe.key, probe.follows) == MTLS_AGENT_READY)
		ready = true;
	else
		*what = path;
	shim_restore_cancel(cancel);
	return ready ? MTLS_YES : MTLS_NO;
}

static enum mtls_reason decide(struct request *r, const struct credential *credential, const char **what)
{
	unsigned needs = mtls_policy_needs(credential->policy);
	const void *identity = credential->identity;
	struct mtls_facts facts = {
		.credential = credential->reason,
		.app_certificate = MTLS_NO, /* else the adapter does not ask */
		.version = r->version,
		.post_handshake = r->post_handshake,
		.http2 = r->http2,
	};

	if (credential->policy->agent && identity)
		facts.agent_ready = agent_ready(r, identity, what);
	if (needs & (MTLS_NEED_PEER | MTLS_NEED_NAME)) {
		gather_peers(r);
		gather_names(r);
	}
	facts.names = r->server.name;
	facts.n_names = r->server.n_names;
	facts.peers = r->server.peer;
	facts.n_peers = r->server.n_peers;
	if (identity) {
		facts.common_signature = r->methods->common_signature(r, identity);
		if (needs & MTLS_NEED_VERIFIED)
			facts.verified = r->methods->verified(r);
		if (needs & MTLS_NEED_ISSUER)
			facts.issuer_accepted = r->methods->issuer_accepted(r, identity);
	}
	return mtls_policy_decide(credential->policy, &facts);
}

/* --- the log --------------------------------------------------------------------- */

/* Which of the words people are warned of; of a setting once, because nothing changes until the next start. */
static enum mtls_log level_of(enum mtls_reason reason)
{
	static atomic_bool told;

	if (reason == MTLS_BAD_SETTING)
		return atomic_exchange(&told, true) ? MTLS_LOG_INFO : MTLS_LOG_WARN;
	return reason == MTLS_NO_COMMON_SIGNATURE || reason == MTLS_AGENT_UNAVAILABLE ? MTLS_LOG_WARN : MTLS_LOG_INFO;
}

/* What the policy did not need to know of the server is looked up for the line's sake. */
static void tell(struct request *r, enum mtls_reason reason, const void *identity, const char *what)
{
	enum mtls_log level = level_of(reason);
	char text[MTLS_ADDR_TEXT] = "";
	struct mtls_event event = {
		.verb = reason == MTLS_PRESENTED ? "presented" : "withheld",
		.reason = reason,
		.what = what,
		.version = r->version,
		.library = r->library->version,
		.subject = identity ? r->methods->subject(identity) : NULL,
		.sha256 = identity ? r->methods->sha256(identity) : NULL,
	};

	if (!log_wanted(level))
		return;
	if (!r->server.n_peers)
		gather_peers(r);
	if (!r->server.n_names)
		gather_names(r);
	if (r->server.n_peers == 1)
		event.port = r->server.peer[0].port;
	if (r->server.n_names)
		event.host = r->server.name[0];
	else if (r->server.n_peers == 1)
		event.host = mtls_addr_print(&r->server.peer[0], text);
	log_event(level, &event);
}

void request_tell(struct request *r, enum mtls_reason reason, const void *identity)
{
	int saved = errno;

	tell(r, reason, identity, NULL);
	errno = saved;
}

bool request_sign(const struct library *library, const struct mtls_question *q,
		  unsigned char signature[MTLS_SIGNATURE_MAX], size_t *n)
{
	const char *path = shim_environment()->agent;
	struct mtls_event event = {
		.verb = "withheld", .reason = MTLS_AGENT_UNAVAILABLE, .what = path, .library = library->version};
	int saved = errno, cancel = shim_hold_cancel();
	bool ok = q->scheme && q->content.n <= MTLS_SIGNING_CONTENT &&
		  mtls_agent_sign(path, q, signature, n) == MTLS_AGENT_READY;

	if (!ok)
		log_event(MTLS_LOG_WARN, &event);
	shim_restore_cancel(cancel);
	errno = saved;
	return ok;
}

static void tell_generation(const struct request *r, const void *identity)
{
	struct mtls_event event = {.verb = "generation",
				   .reason = MTLS_REASONS,
				   .library = r->library->version,
				   .subject = r->methods->subject(identity),
				   .sha256 = r->methods->sha256(identity)};

	log_event(MTLS_LOG_INFO, &event);
}

enum mtls_reason request_answer(struct request *r)
{
	struct credential credential;
	enum mtls_reason reason;
	const char *what = NULL;
	int saved = errno;

	generation_acquire(&r->library->parser, &credential);
	if (generation_is_news(&credential))
		tell_generation(r, credential.identity);
	reason = decide(r, &credential, &what);
	if (reason == MTLS_PRESENTED && !r->methods->install(r, credential.identity))
		reason = MTLS_KEY_UNSUPPORTED; /* the library's security level forbids it */
	if (reason == MTLS_BAD_SETTING && credential.reading)
		what = mtls_reading_what(credential.reading, &credential.policy->error);
	r->session = resumption_after(r->session, &credential, reason);
	if (!(reason == MTLS_PRESENTED && r->later))
		tell(r, reason, reason == MTLS_PRESENTED ? credential.identity : NULL, what);
	generation_release(&credential);
	errno = saved;
	return reason;
}
