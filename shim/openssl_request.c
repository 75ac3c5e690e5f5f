/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libssl knows of a server's request, and how the certificate is handed over; request.c does the rest. The error
 * queue and errno are left as they were.
 */
#include "shim/openssl.h"

#include "shim/log.h"
#include "shim/openssl_agent.h"
#include "shim/request.h"

#include <errno.h>
#include <string.h>

#define SCHEMES_MAX 64

/* One request of libssl. */
struct asked {
	struct request request;
	const struct openssl *library;
	SSL *ssl;
	X509 **leaf; /* where client_cert_cb is to put them */
	EVP_PKEY **key;
};

/* The names that the program verifies. */
static void names_told(const struct openssl *library, SSL *ssl, struct server *server)
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
}

/* 1.1.1 does not tell what the program verifies: there the SNI is all. */
static void names(const struct request *r, struct server *server)
{
	const struct asked *asked = (const struct asked *)r;
	const struct openssl *library = asked->library;
	const char *name;

	if (library->f.X509_VERIFY_PARAM_get0_host)
		names_told(library, asked->ssl, server);
	if (server->n_names || server->too_many)
		return;
	name = library->f.SSL_get_servername(asked->ssl, TLSEXT_NAMETYPE_host_name);
	if (name)
		server->name[server->n_names++] = name;
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

/*
 * The server's chain against the program's own trust store, with the program's own parameters but not its callbacks.
 * address: to be verified unless the program has told one. *named: the program has told names, and one of them is good.
 */
static bool chain_good(const struct openssl *library, SSL *ssl, STACK_OF(X509) *chain, const char *address, bool *named)
{
	X509 *leaf = library->f.OPENSSL_sk_value((OPENSSL_STACK *)chain, 0);
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
		       (!address || library->f.X509_VERIFY_PARAM_set1_ip_asc(param, address) == 1) &&
		       library->f.X509_VERIFY_PARAM_set1(param, library->f.SSL_get0_param(ssl)) == 1 &&
		       library->f.X509_verify_cert(verify) == 1;
		*named = library->f.X509_VERIFY_PARAM_get0_peername(param) != NULL;
	}
	library->f.X509_STORE_CTX_free(verify);
	return good;
}

/* The server's certificate and who asks. */
struct presented {
	const struct openssl *library;
	X509 *leaf;
};

static bool name_good(void *of, const char *name)
{
	const struct presented *server = of;
	struct mtls_addr figures;

	if (mtls_addr_parse(mtls_bytes_of(name), &figures))
		return server->library->f.X509_check_ip_asc(server->leaf, name, 0) == 1;
	return server->library->f.X509_check_host(server->leaf, name, 0, 0, NULL) == 1;
}

/* An address that the program gave to TLS counts before any name. */
static bool names_good(const struct openssl *library, SSL *ssl, X509 *leaf, const struct server *server)
{
	struct presented presented = {library, leaf};
	X509_VERIFY_PARAM *param = library->f.SSL_get0_param(ssl);
	char *address =
		library->f.X509_VERIFY_PARAM_get1_ip_asc ? library->f.X509_VERIFY_PARAM_get1_ip_asc(param) : NULL;
	bool good = address ? name_good(&presented, address) : request_names_good(server, name_good, &presented);

	if (address)
		library->crypto.CRYPTO_free(address, "", 0);
	return good;
}

/*
 * In 1.1.1 the program's names and address cannot be read, but the chain was good for them, so the question is only
 * whether there are any. An address gives itself away: a wrong one, for a program that has told none, spoils the chain.
 */
static bool is_told(const struct openssl *library, SSL *ssl, X509 *leaf, STACK_OF(X509) *chain, bool named)
{
	const char nobody[] = "::";

	return named ||
	       (library->f.X509_check_ip_asc(leaf, nobody, 0) != 1 && chain_good(library, ssl, chain, nobody, &named));
}

static enum mtls_tri verified(const struct request *r)
{
	const struct asked *asked = (const struct asked *)r;
	const struct openssl *library = asked->library;
	STACK_OF(X509) *chain = library->f.SSL_get_peer_cert_chain(asked->ssl); /* on a client: with the leaf */
	X509 *leaf = chain ? library->f.OPENSSL_sk_value((OPENSSL_STACK *)chain, 0) : NULL;
	bool readable = library->f.X509_VERIFY_PARAM_get0_host != NULL, named = false;

	if (!leaf || !chain_good(library, asked->ssl, chain, NULL, &named))
		return MTLS_NO;
	if (!readable && is_told(library, asked->ssl, leaf, chain, named))
		return MTLS_YES;
	return names_good(library, asked->ssl, leaf, &r->server) ? MTLS_YES : MTLS_NO;
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
static enum mtls_tri issuer_accepted(const struct request *r, const void *of)
{
	const struct asked *asked = (const struct asked *)r;
	const struct openssl *library = asked->library;
	const struct mtls_identity *identity = of;
	STACK_OF(X509_NAME) *names = library->f.SSL_get_client_CA_list(asked->ssl);
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
static enum mtls_tri common_signature(const struct request *r, const void *of)
{
	const struct asked *asked = (const struct asked *)r;
	const struct openssl *library = asked->library;
	const struct mtls_identity *identity = of;
	SSL *ssl = asked->ssl;
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
	return mtls_signature_common(identity->type, r->version, schemes, n, types,
				     n_types > 0 && types ? (size_t)n_types : 0);
}

static bool agent_key(const struct request *r, const void *of, struct mtls_question *probe)
{
	const struct mtls_identity *identity = of;

	memcpy(probe->key, identity->key_id, sizeof(probe->key));
	probe->follows = MTLS_OP_CONTENT;
	return openssl_agent_fits(((const struct asked *)r)->library);
}

/* --- the answer ----------------------------------------------------------------- */

static bool is_http2(const struct openssl *library, SSL *ssl)
{
	const unsigned char *protocol = NULL;
	unsigned n = 0;

	library->f.SSL_get0_alpn_selected(ssl, &protocol, &n);
	return n == 2 && memcmp(protocol, "h2", 2) == 0;
}

/*
 * The chain stays on the SSL, so that libssl sends all of it; what was refused half-way is taken off again. The key
 * is left to libssl, which sets what client_cert_cb returns: with a key already there it compares the pair once more,
 * and clears the error queue on its way.
 */
static bool install(struct request *r, void *of)
{
	const struct asked *asked = (const struct asked *)r;
	const struct openssl *library = asked->library;
	const struct mtls_identity *identity = of;

	openssl_handed_out(library);
	if (library->f.SSL_use_certificate(asked->ssl, identity->leaf) != 1 ||
	    library->f.SSL_ctrl(asked->ssl, SSL_CTRL_CHAIN, 1, identity->chain) != 1) {
		library->f.SSL_certs_clear(asked->ssl);
		return false;
	}
	library->f.X509_up_ref(identity->leaf);
	library->f.EVP_PKEY_up_ref(identity->key);
	*asked->leaf = identity->leaf;
	*asked->key = identity->key;
	return true;
}

static const char *subject(const void *identity)
{
	return ((const struct mtls_identity *)identity)->subject;
}

static const char *sha256(const void *identity)
{
	return ((const struct mtls_identity *)identity)->sha256;
}

static struct asked asked_of(const struct openssl *library, SSL *ssl)
{
	static const struct request_methods methods = {names,     verified, issuer_accepted, common_signature,
						       agent_key, install,  subject,         sha256};
	unsigned version = (unsigned)library->f.SSL_version(ssl);
	int fd = library->f.SSL_get_rfd(ssl);

	return (struct asked){
		.request = {.library = &library->is,
			    .methods = &methods,
			    .version = version,
			    .fd = fd >= 0 ? fd : library->f.SSL_get_wfd(ssl),
			    .datagram = version >> 8 == 0xfe,
			    .post_handshake = library->f.SSL_get_finished(ssl, NULL, 0) > 0,
			    .http2 = is_http2(library, ssl)},
		.library = library,
		.ssl = ssl,
	};
}

int openssl_answer(const struct openssl *library, SSL *ssl, X509 **leaf, EVP_PKEY **key)
{
	int saved = errno;
	bool presented = false;

	mtls_errors_keep(&library->crypto);
	/* The policy's first row: libssl cannot use what the program has, but that is the program's affair, and told
	 * already. */
	if (!openssl_has_own(library, ssl)) {
		struct asked asked = asked_of(library, ssl);

		asked.leaf = leaf;
		asked.key = key;
		asked.request.session = openssl_session(library, ssl);
		/* Without memory for this the session would carry our certificate on for ever: then none is given. */
		if (!openssl_session_rests(library, ssl, RESUMPTION_UNKNOWN))
			goto out;
		presented = request_answer(&asked.request) == MTLS_PRESENTED;
		openssl_session_rests(library, ssl, asked.request.session);
	}
out:
	mtls_errors_restore(&library->crypto);
	errno = saved;
	return presented;
}

void openssl_own_answer(const struct openssl *library, SSL *ssl)
{
	int saved = errno;
	struct asked asked;

	mtls_errors_keep(&library->crypto);
	openssl_session_rests(library, ssl, resumption_after_own(openssl_session(library, ssl)));
	if (log_wanted(MTLS_LOG_INFO)) {
		asked = asked_of(library, ssl);
		request_tell(&asked.request, MTLS_APP_CERTIFICATE, NULL);
	}
	mtls_errors_restore(&library->crypto);
	errno = saved;
}

void openssl_own_certificate(const struct openssl *library, SSL *ssl)
{
	int saved = errno;
	bool own;

	mtls_errors_keep(&library->crypto);
	own = openssl_has_own(library, ssl);
	mtls_errors_restore(&library->crypto);
	errno = saved;
	if (own)
		openssl_own_answer(library, ssl);
}
