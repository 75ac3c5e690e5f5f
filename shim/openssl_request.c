/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of a server: gathers the facts that libssl knows, lets core/ decide,
 * hands over the certificate or nothing, and says so in the log. The error queue and errno are left as they were.
 */
#include "shim/openssl.h"

#include "shim/log.h"
#include "shim/names.h"
#include "shim/peers.h"

#include <errno.h>
#include <string.h>

#define SCHEMES_MAX 64

/* The server as far as this connection tells; names are borrowed from libssl or names.c. */
struct server {
	const char *name[NAMES_MAX];
	size_t n_names;
	bool looked_up; /* the names are look-ups: the program told TLS none */
	bool too_many;  /* the program told more names than are looked at: none counts as known */
	struct mtls_addr peer[PEERS_MAX];
	size_t n_peers;
};

static void gather_peers(const struct openssl *library, SSL *ssl, struct server *server)
{
	int fd = library->f.SSL_get_rfd(ssl);
	bool complete = true, datagram = library->f.SSL_version(ssl) >> 8 == 0xfe;

	if (fd < 0)
		fd = library->f.SSL_get_wfd(ssl);
	if (fd >= 0) {
		peers_of(fd, &server->peer[0]);
		server->n_peers = server->peer[0].family != 0;
	} else {
		server->n_peers = peers_live(datagram ? SOCK_DGRAM : SOCK_STREAM, server->peer, &complete);
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

static void gather_names(const struct openssl *library, SSL *ssl, struct server *server)
{
	X509_VERIFY_PARAM *param = library->f.SSL_get0_param(ssl);
	const char *name;

	while (server->n_names < NAMES_MAX &&
	       (name = library->f.X509_VERIFY_PARAM_get0_host(param, (int)server->n_names)) != NULL)
		server->name[server->n_names++] = name;
	if (library->f.X509_VERIFY_PARAM_get0_host(param, NAMES_MAX)) {
		server->too_many = true;
		server->n_names = 0;
	}
	if (server->n_names || server->too_many)
		return;
	name = library->f.SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	if (name)
		server->name[server->n_names++] = name;
	else
		gather_look_ups(server);
}

/* --- verified ---------------------------------------------------------------- */

static int keep(int good, X509_STORE_CTX *verify)
{
	(void)verify;
	return good;
}

/*
 * The store's own callback would come along: it may accept everything, so ours stands in for it. Others of the
 * store's functions may look for the SSL, as in libssl's own verification.
 */
static bool isolate(const struct openssl *library, SSL *ssl, X509_STORE *store, X509_STORE_CTX *verify)
{
	library->f.X509_STORE_CTX_set_verify_cb(verify, keep);
	return !library->f.X509_STORE_get_verify(store) &&
	       library->f.X509_STORE_CTX_set_ex_data(verify, library->f.SSL_get_ex_data_X509_STORE_CTX_idx(), ssl) == 1;
}

/* The server's chain against the program's own trust store, with the program's own parameters but not its callbacks. */
static bool chain_good(const struct openssl *library, SSL *ssl, X509 *leaf, STACK_OF(X509) *chain)
{
	X509_STORE_CTX *verify = library->f.X509_STORE_CTX_new();
	X509_STORE *store = NULL;
	X509_VERIFY_PARAM *param;
	bool good = false;

	library->f.SSL_ctrl(ssl, SSL_CTRL_GET_VERIFY_CERT_STORE, 0, &store);
	if (!store)
		store = library->f.SSL_CTX_get_cert_store(library->f.SSL_get_SSL_CTX(ssl));
	if (verify && store && library->f.X509_STORE_CTX_init(verify, store, leaf, chain) == 1 &&
	    isolate(library, ssl, store, verify)) {
		param = library->f.X509_STORE_CTX_get0_param(verify);
		library->f.X509_VERIFY_PARAM_set_auth_level(param, library->f.SSL_get_security_level(ssl));
		good = library->f.X509_STORE_CTX_set_default(verify, "ssl_server") == 1 &&
		       library->f.X509_VERIFY_PARAM_set1(param, library->f.SSL_get0_param(ssl)) == 1 &&
		       library->f.X509_verify_cert(verify) == 1;
	}
	library->f.X509_STORE_CTX_free(verify);
	return good;
}

static bool name_good(const struct openssl *library, X509 *leaf, const char *name)
{
	struct mtls_addr figures;

	if (mtls_addr_parse(mtls_bytes_of(name), &figures))
		return library->f.X509_check_ip_asc(leaf, name, 0) == 1;
	return library->f.X509_check_host(leaf, name, 0, 0, NULL) == 1;
}

/* Names that the program gave to TLS: one is enough, as for libssl. Look-ups: each. No name: the address of each peer.
 */
static bool names_good(const struct openssl *library, SSL *ssl, X509 *leaf, const struct server *server)
{
	char text[MTLS_ADDR_TEXT], *address = library->f.X509_VERIFY_PARAM_get1_ip_asc(library->f.SSL_get0_param(ssl));
	size_t good = 0, wanted = server->looked_up ? server->n_names : 1;

	if (server->too_many && !address)
		return false;
	if (address) {
		good = name_good(library, leaf, address);
		library->f.CRYPTO_free(address, "", 0);
		return good;
	}
	for (size_t i = 0; i < server->n_names; i++)
		good += name_good(library, leaf, server->name[i]);
	if (server->n_names)
		return good >= wanted;
	for (size_t i = 0; i < server->n_peers; i++)
		good += server->peer[i].family && name_good(library, leaf, mtls_addr_print(&server->peer[i], text));
	return server->n_peers && good == server->n_peers;
}

static enum mtls_tri verified(const struct openssl *library, SSL *ssl, const struct server *server)
{
	STACK_OF(X509) *chain = library->f.SSL_get_peer_cert_chain(ssl); /* on a client: with the leaf */
	X509 *leaf = chain ? library->f.OPENSSL_sk_value((OPENSSL_STACK *)chain, 0) : NULL;

	return leaf && names_good(library, ssl, leaf, server) && chain_good(library, ssl, leaf, chain) ? MTLS_YES
												       : MTLS_NO;
}

/* --- issuer and signature ------------------------------------------------------ */

static bool issued_by(const struct openssl *library, const STACK_OF(X509_NAME) *names, X509 *certificate)
{
	const OPENSSL_STACK *list = (const OPENSSL_STACK *)names;

	for (int i = 0; i < library->f.OPENSSL_sk_num(list); i++)
		if (library->f.X509_NAME_cmp(library->f.OPENSSL_sk_value(list, i),
					     library->f.X509_get_issuer_name(certificate)) == 0)
			return true;
	return false;
}

/* Lists may name the root only, or any intermediate: each certificate of our chain is asked. */
static enum mtls_tri issuer_accepted(const struct openssl *library, SSL *ssl, const struct mtls_identity *identity)
{
	STACK_OF(X509_NAME) *names = library->f.SSL_get_client_CA_list(ssl);
	const OPENSSL_STACK *chain = (const OPENSSL_STACK *)identity->chain;

	if (library->f.OPENSSL_sk_num((OPENSSL_STACK *)names) <= 0 || issued_by(library, names, identity->leaf))
		return MTLS_YES;
	for (int i = 0; i < library->f.OPENSSL_sk_num(chain); i++)
		if (issued_by(library, names, library->f.OPENSSL_sk_value(chain, i)))
			return MTLS_YES;
	return MTLS_NO;
}

/* More than signature schemes may keep libssl from using a certificate: what the program, or the server, asks of its
 * chain. */
static bool chain_accepted(const struct openssl *library, SSL *ssl, const struct mtls_identity *identity)
{
	long flags = library->f.SSL_ctrl(ssl, SSL_CTRL_CERT_FLAGS, 0, NULL);
	int wanted = 0;

	if (!identity->key)
		return true;
	if (flags & SSL_CERT_FLAG_TLS_STRICT)
		wanted = CERT_PKEY_VALID;
	else if (mtls_version_13((unsigned)library->f.SSL_version(ssl)))
		wanted = CERT_PKEY_EE_SIGNATURE; /* with signature_algorithms_cert, RFC 8446 4.2.3 */
	return !wanted || library->f.SSL_check_chain(ssl, identity->leaf, identity->key, identity->chain) & wanted;
}

/* libssl would stay silent and send nothing: what the server offered, less what this side does not do, decides before
 * it. */
static enum mtls_tri common_signature(const struct openssl *library, SSL *ssl, const struct mtls_identity *identity)
{
	int offered = library->f.SSL_get_shared_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);
	const unsigned char *types = NULL;
	long n_types = library->f.SSL_ctrl(ssl, SSL_CTRL_GET_CLIENT_CERT_TYPES, 0, &types);
	uint16_t schemes[SCHEMES_MAX];
	unsigned char low, high;
	size_t n = 0;

	for (int i = 0; i < offered && n < SCHEMES_MAX; i++)
		if (library->f.SSL_get_shared_sigalgs(ssl, i, NULL, NULL, NULL, &low, &high) > 0)
			schemes[n++] = (uint16_t)(high << 8 | low);
	if (!chain_accepted(library, ssl, identity))
		return MTLS_NO;
	return mtls_signature_common(identity->type, (unsigned)library->f.SSL_version(ssl), schemes, n, types,
				     n_types > 0 && types ? (size_t)n_types : 0);
}

/* --- the answer ----------------------------------------------------------------- */

static bool is_http2(const struct openssl *library, SSL *ssl)
{
	const unsigned char *protocol = NULL;
	unsigned n = 0;

	library->f.SSL_get0_alpn_selected(ssl, &protocol, &n);
	return n == 2 && memcmp(protocol, "h2", 2) == 0;
}

static enum mtls_reason decide(const struct openssl *library, SSL *ssl, const struct credential *credential,
			       struct server *server)
{
	const struct mtls_identity *identity = credential->identity;
	unsigned needs = mtls_policy_needs(credential->policy);
	struct mtls_facts facts = {
		.credential = credential->reason,
		.agent_ready = MTLS_NO,     /* there is none yet */
		.app_certificate = MTLS_NO, /* else nobody asked: see openssl_answer */
		.version = (unsigned)library->f.SSL_version(ssl),
		.post_handshake = library->f.SSL_get_finished(ssl, NULL, 0) > 0,
		.http2 = is_http2(library, ssl),
	};

	if (needs & (MTLS_NEED_PEER | MTLS_NEED_NAME)) {
		gather_peers(library, ssl, server);
		gather_names(library, ssl, server);
	}
	facts.names = server->name;
	facts.n_names = server->n_names;
	facts.peers = server->peer;
	facts.n_peers = server->n_peers;
	if (identity) {
		facts.common_signature = common_signature(library, ssl, identity);
		if (needs & MTLS_NEED_VERIFIED)
			facts.verified = verified(library, ssl, server);
		if (needs & MTLS_NEED_ISSUER)
			facts.issuer_accepted = issuer_accepted(library, ssl, identity);
	}
	return mtls_policy_decide(credential->policy, &facts);
}

/*
 * The chain stays on the SSL, so that libssl sends all of it; what was refused half-way is taken off again. The key
 * is left to libssl, which sets what client_cert_cb returns: with a key already there it compares the pair once more,
 * and clears the error queue on its way.
 */
static bool install(const struct openssl *library, SSL *ssl, const struct mtls_identity *identity, X509 **leaf,
		    EVP_PKEY **key)
{
	openssl_handed_out(library);
	if (library->f.SSL_use_certificate(ssl, identity->leaf) != 1 ||
	    library->f.SSL_ctrl(ssl, SSL_CTRL_CHAIN, 1, identity->chain) != 1) {
		library->f.SSL_certs_clear(ssl);
		return false;
	}
	library->f.X509_up_ref(identity->leaf);
	library->f.EVP_PKEY_up_ref(identity->key);
	*leaf = identity->leaf;
	*key = identity->key;
	return true;
}

/* Which of the words people are warned of; of a setting once, because nothing changes until the next start. */
static enum mtls_log level_of(enum mtls_reason reason)
{
	static atomic_bool told;

	if (reason == MTLS_BAD_SETTING)
		return atomic_exchange(&told, true) ? MTLS_LOG_INFO : MTLS_LOG_WARN;
	return reason == MTLS_NO_COMMON_SIGNATURE || reason == MTLS_AGENT_UNAVAILABLE ? MTLS_LOG_WARN : MTLS_LOG_INFO;
}

/* What the policy did not need to know of the server is looked up for the line's sake. */
static void tell(const struct openssl *library, SSL *ssl, const struct credential *credential, enum mtls_reason reason,
		 struct server *server)
{
	enum mtls_log level = level_of(reason);
	const struct mtls_identity *identity = reason == MTLS_PRESENTED ? credential->identity : NULL;
	char text[MTLS_ADDR_TEXT] = "";
	struct event event = {
		.verb = reason == MTLS_PRESENTED ? "presented" : "withheld",
		.reason = reason,
		.version = (unsigned)library->f.SSL_version(ssl),
		.library = library->version,
		.subject = identity ? identity->subject : NULL,
		.sha256 = identity ? identity->sha256 : NULL,
	};

	if (!log_wanted(level))
		return;
	if (!server->n_peers)
		gather_peers(library, ssl, server);
	if (!server->n_names)
		gather_names(library, ssl, server);
	if (server->n_peers == 1)
		event.port = server->peer[0].port;
	if (server->n_names)
		event.host = server->name[0];
	else if (server->n_peers == 1)
		event.host = mtls_addr_print(&server->peer[0], text);
	if (reason == MTLS_BAD_SETTING && credential->reading)
		event.what = mtls_reading_what(credential->reading, &credential->policy->error);
	log_event(level, &event);
}

static void tell_generation(const struct openssl *library, const struct credential *credential)
{
	const struct mtls_identity *identity = credential->identity;
	struct event event = {.verb = "generation",
			      .reason = MTLS_REASONS,
			      .library = library->version,
			      .subject = identity->subject,
			      .sha256 = identity->sha256};

	log_event(MTLS_LOG_INFO, &event);
}

static enum mtls_reason answer(const struct openssl *library, SSL *ssl, X509 **leaf, EVP_PKEY **key)
{
	struct server server = {.n_names = 0};
	struct credential credential;
	enum mtls_reason reason;

	generation_acquire(&library->parser, &credential);
	if (credential.fresh)
		tell_generation(library, &credential);
	reason = decide(library, ssl, &credential, &server);
	if (reason == MTLS_PRESENTED && !install(library, ssl, credential.identity, leaf, key))
		reason = MTLS_KEY_UNSUPPORTED; /* libssl's security level forbids it */
	tell(library, ssl, &credential, reason, &server);
	generation_release(&credential);
	return reason;
}

int openssl_answer(const struct openssl *library, SSL *ssl, X509 **leaf, EVP_PKEY **key)
{
	int saved = errno;
	bool presented = false;

	mtls_errors_keep(&library->crypto);
	/* The policy's first row: libssl cannot use what the program has, but that is the program's affair, and told
	 * already. */
	if (!openssl_has_own(library, ssl))
		presented = answer(library, ssl, leaf, key) == MTLS_PRESENTED;
	mtls_errors_restore(&library->crypto);
	errno = saved;
	return presented;
}

void openssl_tell_answered(const struct openssl *library, SSL *ssl)
{
	static const struct credential none;
	struct server server = {.n_names = 0};
	int saved = errno;

	mtls_errors_keep(&library->crypto);
	tell(library, ssl, &none, MTLS_APP_CERTIFICATE, &server);
	mtls_errors_restore(&library->crypto);
	errno = saved;
}

void openssl_tell_own(const struct openssl *library, SSL *ssl)
{
	int saved = errno;
	bool own;

	if (!log_wanted(MTLS_LOG_INFO))
		return;
	mtls_errors_keep(&library->crypto);
	own = openssl_has_own(library, ssl);
	mtls_errors_restore(&library->crypto);
	errno = saved;
	if (own)
		openssl_tell_answered(library, ssl);
}
