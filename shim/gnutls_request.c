/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GnuTLS and our records know of a server's request, and how the certificate is handed over; request.c does the
 * rest. In TLS 1.3 GnuTLS wants the certificate before it has seen the server's: there "verified" is answered yes for
 * the moment, gnutls_watch.c asks again in time, and the line is told when the certificate leaves.
 */
#include "shim/gnutls_records.h"

#include "shim/log.h"

#include <string.h>

/* Below it SHA-512 does not fit into a PSS signature (RFC 8017 9.1.1), but GnuTLS would try. */
#define RSA_BITS_MIN 1040

/* One request of GnuTLS. */
struct asked {
	struct request request;
	struct gtls_session *session;
	const struct gtls_question *question; /* NULL where only a line is to be told */
};

static void names(const struct request *r, struct server *server)
{
	const struct gtls_session *session = ((const struct asked *)r)->session;
	const struct gtls_name *name =
		session->verify.told && !session->verify_address ? &session->verify : &session->sni;

	if (name->told && name->text[0])
		server->name[server->n_names++] = name->text;
	else if (name->told)
		server->too_many = true;
}

/* --- verified ---------------------------------------------------------------- */

/* The chain, in the program's own trust list and with its flags, for a TLS server, and the name or address. */
static bool name_good(void *of, const char *name)
{
	const struct gtls_session *session = of;
	gnutls_typed_vdata_st wanted[] = {
		{.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)(uintptr_t)name},
		{.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER},
	};
	unsigned status = GNUTLS_CERT_INVALID;

	return session->library->f.gnutls_certificate_verify_peers(session->session, wanted, 2, &status) >= 0 &&
	       status == 0;
}

/* An address that the program gave to TLS counts before any name. */
static bool server_good(struct gtls_session *session, const struct server *server)
{
	if (session->verify.told && session->verify_address)
		return name_good(session, session->verify.text);
	return request_names_good(server, name_good, session);
}

/* The server's certificate is still to come. */
static bool is_early(const struct request *r)
{
	return mtls_version_13(r->version) && !r->post_handshake;
}

static enum mtls_tri verified(const struct request *r)
{
	struct gtls_session *session = ((const struct asked *)r)->session;

	if (!is_early(r))
		return server_good(session, &r->server) ? MTLS_YES : MTLS_NO;
	session->unverified = session->request_seen;
	return session->request_seen ? MTLS_YES : MTLS_NO;
}

/* --- issuer and signature ------------------------------------------------------ */

static bool is_named(const struct gnutls_cert_retr_st *info, const gnutls_datum_t *issuer)
{
	for (unsigned i = 0; i < info->nreqs; i++)
		if (info->req_ca_rdn[i].size == issuer->size &&
		    memcmp(info->req_ca_rdn[i].data, issuer->data, issuer->size) == 0)
			return true;
	return false;
}

/* Lists may name the root only, or any intermediate: each certificate of our chain is asked. */
static enum mtls_tri issuer_accepted(const struct request *r, const void *of)
{
	const struct gnutls_cert_retr_st *info = ((const struct asked *)r)->question->info;
	const struct gtls_identity *identity = of;

	if (info->nreqs == 0)
		return MTLS_YES;
	for (unsigned i = 0; i < identity->n_certs; i++)
		if (is_named(info, &identity->issuer[i]))
			return MTLS_YES;
	return MTLS_NO;
}

uint16_t gtls_scheme_of(gnutls_sign_algorithm_t algorithm)
{
	static const uint16_t schemes[] = {
		[GNUTLS_SIGN_RSA_SHA1] = 0x0201,
		[GNUTLS_SIGN_RSA_SHA224] = 0x0301,
		[GNUTLS_SIGN_RSA_SHA256] = 0x0401,
		[GNUTLS_SIGN_RSA_SHA384] = 0x0501,
		[GNUTLS_SIGN_RSA_SHA512] = 0x0601,
		[GNUTLS_SIGN_ECDSA_SHA1] = 0x0203,
		[GNUTLS_SIGN_ECDSA_SHA224] = 0x0303,
		[GNUTLS_SIGN_ECDSA_SHA256] = 0x0403,
		[GNUTLS_SIGN_ECDSA_SHA384] = 0x0503,
		[GNUTLS_SIGN_ECDSA_SHA512] = 0x0603,
		[GNUTLS_SIGN_ECDSA_SECP256R1_SHA256] = 0x0403,
		[GNUTLS_SIGN_ECDSA_SECP384R1_SHA384] = 0x0503,
		[GNUTLS_SIGN_ECDSA_SECP521R1_SHA512] = 0x0603,
		[GNUTLS_SIGN_RSA_PSS_RSAE_SHA256] = 0x0804,
		[GNUTLS_SIGN_RSA_PSS_RSAE_SHA384] = 0x0805,
		[GNUTLS_SIGN_RSA_PSS_RSAE_SHA512] = 0x0806,
		[GNUTLS_SIGN_EDDSA_ED25519] = 0x0807,
		[GNUTLS_SIGN_EDDSA_ED448] = 0x0808,
		[GNUTLS_SIGN_RSA_PSS_SHA256] = 0x0809,
		[GNUTLS_SIGN_RSA_PSS_SHA384] = 0x080a,
		[GNUTLS_SIGN_RSA_PSS_SHA512] = 0x080b,
	};

	return (size_t)algorithm < sizeof(schemes) / sizeof(schemes[0]) ? schemes[algorithm] : 0;
}

/* What the program's priorities forbid its ClientHello did not offer. */
static bool is_enabled(const struct gtls_session *session, uint16_t scheme)
{
	for (size_t i = 0; i < session->n_schemes; i++)
		if (session->scheme[i] == scheme)
			return true;
	return session->n_schemes == 0;
}

/* The one digest that a key of type id-RSASSA-PSS may be bound to (RFC 4055 1.2); GNUTLS_DIG_UNKNOWN: any. */
static gnutls_digest_algorithm_t digest_of(const struct gtls *library, const struct gtls_identity *identity)
{
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_UNKNOWN;
	gnutls_x509_spki_t spki;

	if (identity->type != MTLS_KEY_RSA_PSS || library->f.gnutls_x509_spki_init(&spki) < 0)
		return digest;
	if (library->f.gnutls_pubkey_get_spki(identity->cert[0].pubkey, spki, 0) < 0 ||
	    library->f.gnutls_x509_spki_get_rsa_pss_params(spki, &digest, NULL) < 0)
		digest = GNUTLS_DIG_UNKNOWN;
	library->f.gnutls_x509_spki_deinit(spki);
	return digest;
}

/* What the server offered, less what this side or the key does not do. */
static size_t common_schemes(const struct gtls_session *session, const struct gtls_identity *identity,
			     uint16_t schemes[GTLS_SCHEMES])
{
	const struct gtls *library = session->library;
	gnutls_digest_algorithm_t digest = digest_of(library, identity);
	gnutls_sign_algorithm_t offered;
	size_t n = 0;

	for (size_t i = 0; n < GTLS_SCHEMES; i++) {
		if (library->f.gnutls_sign_algorithm_get_requested(session->session, i, &offered) < 0)
			break;
		schemes[n] = gtls_scheme_of(offered);
		if (schemes[n] && is_enabled(session, schemes[n]) &&
		    (!digest || digest == library->f.gnutls_sign_get_hash_algorithm(offered)))
			n++;
	}
	return n;
}

/* The CertificateRequest's types, as far as GnuTLS tells them. */
static size_t types_of(const struct gnutls_cert_retr_st *info, unsigned char types[2])
{
	bool rsa = false, ecdsa = false;
	size_t n = 0;

	for (unsigned i = 0; i < info->pk_algos_length; i++) {
		rsa = rsa || info->pk_algos[i] == GNUTLS_PK_RSA;
		ecdsa = ecdsa || info->pk_algos[i] == GNUTLS_PK_ECDSA;
	}
	if (rsa)
		types[n++] = 1; /* rsa_sign, RFC 5246 7.4.4 */
	if (ecdsa)
		types[n++] = 64; /* ecdsa_sign, RFC 8422 5.5 */
	return n;
}

/* In TLS 1.2 GnuTLS would end the handshake over a certificate that cannot sign what the server takes. */
static enum mtls_tri common_signature(const struct request *r, const void *of)
{
	const struct asked *asked = (const struct asked *)r;
	const struct gtls_identity *identity = of;
	uint16_t schemes[GTLS_SCHEMES];
	unsigned char types[2];
	size_t n = common_schemes(asked->session, identity, schemes);
	size_t n_types = types_of(asked->question->info, types);

	if (!mtls_version_13(r->version) && n_types == 0)
		return MTLS_NO; /* only types that no key of ours has, such as dss_sign */
	return mtls_signature_common(identity->type, r->version, schemes, n, types, n_types);
}

static bool agent_key(const struct request *r, const void *identity, struct mtls_question *probe)
{
	(void)r;
	return gtls_agent_asks(identity, probe);
}

/* --- the answer ----------------------------------------------------------------- */

/* GnuTLS finds these out when it has sent the certificate, and ends the handshake. */
static bool may_sign(const struct gtls *library, const struct gtls_identity *identity)
{
	gnutls_pubkey_t key = identity->cert[0].pubkey;
	unsigned usage = 0, bits = 0;

	if (library->f.gnutls_pubkey_get_key_usage(key, &usage) >= 0 && usage &&
	    !(usage & GNUTLS_KEY_DIGITAL_SIGNATURE))
		return false;
	if (identity->type != MTLS_KEY_RSA && identity->type != MTLS_KEY_RSA_PSS)
		return true;
	return library->f.gnutls_pubkey_get_pk_algorithm(key, &bits) >= 0 && bits >= RSA_BITS_MIN;
}

static bool install(struct request *r, void *of)
{
	const struct asked *asked = (const struct asked *)r;
	const struct gtls_question *q = asked->question;
	struct gtls_session *session = asked->session;
	struct gtls_identity *identity = of;

	if (!identity->key || !may_sign(session->library, identity))
		return false;
	gtls_identity_keep(identity);
	r->later = is_early(r) && session->request_seen;
	session->identity = identity;
	session->untold = r->later;
	session->server = r->server;
	*q->certs = identity->cert;
	*q->n_certs = identity->n_certs;
	*q->key = identity->key;
	*q->ocsp = NULL;
	*q->n_ocsp = 0;
	*q->flags = 0; /* GnuTLS borrows them */
	return true;
}

static const char *subject(const void *identity)
{
	return ((const struct gtls_identity *)identity)->subject;
}

static const char *sha256(const void *identity)
{
	return ((const struct gtls_identity *)identity)->sha256;
}

static unsigned version_of(const struct gtls_session *session)
{
	switch (session->library->f.gnutls_protocol_get_version(session->session)) {
	case GNUTLS_SSL3:
		return 0x0300;
	case GNUTLS_TLS1_0:
		return 0x0301;
	case GNUTLS_TLS1_1:
		return 0x0302;
	case GNUTLS_TLS1_2:
		return 0x0303;
	case GNUTLS_TLS1_3:
		return 0x0304;
	case GNUTLS_DTLS1_0:
		return 0xfeff;
	case GNUTLS_DTLS1_2:
		return 0xfefd;
	default:
		return 0;
	}
}

/* The transport's pointer is a descriptor where GnuTLS itself reads from it. */
int gtls_descriptor(const struct gtls_session *session)
{
	intptr_t value = (intptr_t)session->library->f.gnutls_transport_get_ptr(session->session);

	return !session->own_pull && value >= 0 && value <= INT32_MAX ? (int)value : -1;
}

static bool is_http2(const struct gtls_session *session)
{
	gnutls_datum_t protocol = {NULL, 0};

	return session->library->f.gnutls_alpn_get_selected_protocol(session->session, &protocol) >= 0 &&
	       protocol.size == 2 && memcmp(protocol.data, "h2", 2) == 0;
}

static struct asked asked_of(struct gtls_session *session)
{
	static const struct request_methods methods = {names,     verified, issuer_accepted, common_signature,
						       agent_key, install,  subject,         sha256};

	return (struct asked){
		.request = {.library = &session->library->is,
			    .methods = &methods,
			    .version = version_of(session),
			    .fd = gtls_descriptor(session),
			    .datagram = session->datagram,
			    .post_handshake = session->shaken,
			    .http2 = is_http2(session),
			    .session = gtls_session_before(session)},
		.session = session,
	};
}

/* The identity of an earlier request goes when GnuTLS is about to have another answer. */
void gtls_answer(struct gtls_session *session, const struct gtls_question *q)
{
	struct gtls_identity *before = session->identity;

	session->identity = NULL;
	session->untold = session->unverified = false;
	if (session->library->f.gnutls_certificate_type_get2(session->session, GNUTLS_CTYPE_CLIENT) ==
	    GNUTLS_CRT_X509) {
		struct asked asked = asked_of(session);

		asked.question = q;
		if (request_answer(&asked.request) != MTLS_PRESENTED)
			session->unverified = false;
		gtls_session_rests(session, asked.request.session);
	}
	gtls_identity_drop(session->library, before);
}

void gtls_tell_own(struct gtls_session *session)
{
	struct asked asked;

	session->untold = session->unverified = false;
	gtls_session_rests(session, resumption_after_own(gtls_session_before(session)));
	if (!log_wanted(MTLS_LOG_INFO))
		return;
	asked = asked_of(session);
	request_tell(&asked.request, MTLS_APP_CERTIFICATE, NULL);
}

static void tell_later(struct gtls_session *session, enum mtls_reason reason)
{
	struct asked asked = asked_of(session);

	session->untold = false;
	asked.request.server = session->server;
	request_tell(&asked.request, reason, reason == MTLS_PRESENTED ? session->identity : NULL);
}

bool gtls_verify_later(struct gtls_session *session)
{
	session->unverified = !server_good(session, &session->server);
	if (session->unverified)
		tell_later(session, MTLS_SERVER_NOT_VERIFIED);
	return !session->unverified;
}

/* GnuTLS drops what it finds no signature algorithm for, and sends none. */
void gtls_tell_sent(struct gtls_session *session)
{
	const gnutls_datum_t *leaf = session->library->f.gnutls_certificate_get_ours(session->session);
	bool ours = leaf && leaf->data == session->identity->cert[0].cert.data;

	tell_later(session, ours ? MTLS_PRESENTED : MTLS_NO_COMMON_SIGNATURE);
}
