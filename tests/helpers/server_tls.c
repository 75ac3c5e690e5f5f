/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS side: the context that the options ask for, the handshake, requests
 * after it, and what was seen of the client's certificate. The facts come from
 * libssl's message callback and from the certificate check, so that they are
 * known where the handshake fails too.
 */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

static void name_text(const X509_NAME *name, char *out, size_t size)
{
	BIO *b = BIO_new(BIO_s_mem());
	int n = 0;

	if (b && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(b, out, (int)size - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(b);
}

static void see_certificate(struct seen *s, X509 *leaf)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	name_text(X509_get_subject_name(leaf), s->subject, sizeof(s->subject));
	name_text(X509_get_issuer_name(leaf), s->issuer, sizeof(s->issuer));
	if (X509_digest(leaf, EVP_sha256(), digest, &n))
		for (size_t i = 0; i < n; i++)
			snprintf(s->sha256 + 2 * i, 3, "%02x", digest[i]);
}

static void see_verify(struct seen *s, long error)
{
	snprintf(s->verify, sizeof(s->verify), "%s", error == X509_V_OK ? "ok" : X509_verify_cert_error_string(error));
}

/* libssl calls it for each client certificate, before it trusts it. */
static int check_certificate(X509_STORE_CTX *check, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct connection *c = SSL_get_app_data(ssl);
	int good = X509_verify_cert(check);

	(void)arg;
	see_certificate(&c->seen, X509_STORE_CTX_get0_cert(check));
	c->seen.chain = (unsigned)sk_X509_num(X509_STORE_CTX_get0_untrusted(check));
	see_verify(&c->seen, X509_STORE_CTX_get_error(check));
	return good > 0 || c->server->options.request == REQUEST_OPTIONAL;
}

static void message(int sent, int version, int type, const void *data, size_t length, SSL *ssl, void *arg)
{
	struct connection *c = arg;
	struct seen *s = &c->seen;
	int kind = length ? *(const unsigned char *)data : -1;

	(void)version;
	if (type != SSL3_RT_HANDSHAKE)
		return;
	if (sent) {
		s->asked = s->asked || kind == SSL3_MT_CERTIFICATE_REQUEST;
		if (kind == SSL3_MT_SERVER_HELLO)
			s->tls = SSL_version(ssl) == TLS1_3_VERSION ? "1.3" : "1.2";
	} else if (kind == SSL3_MT_FINISHED) {
		c->finished++;
	} else if (kind == SSL3_MT_CERTIFICATE) {
		c->certificates++;
		s->chain = 0;
		s->subject[0] = s->issuer[0] = s->sha256[0] = '\0';
		snprintf(s->verify, sizeof(s->verify), "none");
	}
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
		       unsigned in_length, void *arg)
{
	const struct server_options *o = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_length, o->alpn, (unsigned)o->alpn_length, in, in_length) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Accepting the name keeps it in TLS 1.2 sessions too. */
static int accept_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	(void)arg;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static bool set_issuers(SSL_CTX *ctx, const struct server_options *o)
{
	const char *file = o->issuers ? o->issuers : o->ca;
	STACK_OF(X509_NAME) * names;

	if (!file || strcmp(file, "none") == 0)
		return true;
	names = SSL_load_client_CA_file(file);
	if (!names)
		return false;
	SSL_CTX_set_client_CA_list(ctx, names);
	return true;
}

static int verify_mode(const struct server_options *o)
{
	if (o->request == REQUEST_NONE)
		return SSL_VERIFY_NONE;
	return SSL_VERIFY_PEER | (o->request == REQUEST_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
}

static bool configure(SSL_CTX *ctx, const struct server_options *o)
{
	if (o->tls && (!SSL_CTX_set_min_proto_version(ctx, o->tls) || !SSL_CTX_set_max_proto_version(ctx, o->tls)))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ctx, o->cert) <= 0 ||
	    SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) <= 0)
		return false;
	if ((o->ca && SSL_CTX_load_verify_locations(ctx, o->ca, NULL) <= 0) || !set_issuers(ctx, o))
		return false;
	if (o->sigalgs && SSL_CTX_set1_client_sigalgs_list(ctx, o->sigalgs) <= 0)
		return false;
	SSL_CTX_set_tlsext_servername_callback(ctx, accept_name);
	if (o->alpn_length)
		SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (void *)o);
	if (o->session_ids)
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	if (!o->tickets) {
		SSL_CTX_set_num_tickets(ctx, 0);
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	}
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"mtls-server", 11);
	SSL_CTX_set_cert_verify_callback(ctx, check_certificate, NULL);
	SSL_CTX_set_verify(ctx, o->pha ? SSL_VERIFY_NONE : verify_mode(o), NULL);
	/* io_fill must come back after a message that is not the program's data: an answer to a request */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	return true;
}

SSL_CTX *server_context(const struct server_options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx && configure(ctx, o))
		return ctx;
	ERR_print_errors_fp(stderr);
	SSL_CTX_free(ctx);
	return NULL;
}

static void see_connection(struct connection *c)
{
	struct seen *s = &c->seen;
	const unsigned char *alpn;
	unsigned length;
	const char *sni = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
	X509 *leaf = SSL_get0_peer_certificate(c->ssl);

	SSL_get0_alpn_selected(c->ssl, &alpn, &length);
	snprintf(s->alpn, sizeof(s->alpn), "%.*s", (int)length, alpn ? (const char *)alpn : "");
	snprintf(s->sni, sizeof(s->sni), "%s", sni ? sni : "");
	s->resumed = SSL_session_reused(c->ssl);
	if (s->resumed && leaf) { /* who it was when the session was made */
		see_certificate(s, leaf);
		see_verify(s, SSL_get_verify_result(c->ssl));
	}
}

bool tls_accept(struct connection *c)
{
	int ret;

	SSL_set_app_data(c->ssl, c);
	SSL_set_msg_callback(c->ssl, message);
	SSL_set_msg_callback_arg(c->ssl, c);
	do {
		ERR_clear_error();
		errno = 0;
		ret = SSL_accept(c->ssl);
	} while (ret <= 0 && io_retry(c, ret));
	see_connection(c);
	if (ret > 0) {
		c->seen.result = "ok";
		c->seen.error[0] = '\0';
	}
	return ret > 0;
}

/* One request and its answer: the word for it. *sound: the connection can go on. */
static const char *ask_once(struct connection *c, bool *sound)
{
	unsigned finished = c->finished, certificates = c->certificates;
	int ret;

	*sound = true;
	SSL_set_verify(c->ssl, verify_mode(&c->server->options) | SSL_VERIFY_POST_HANDSHAKE, NULL);
	ERR_clear_error();
	if (SSL_verify_client_post_handshake(c->ssl) != 1)
		return "not-offered";
	do {
		ERR_clear_error();
		errno = 0;
		ret = SSL_do_handshake(c->ssl);
	} while (ret <= 0 && io_retry(c, ret));
	*sound = ret > 0;
	while (*sound && c->finished == finished)
		*sound = io_fill(c);
	if (c->certificates == certificates)
		return "failed";
	return c->seen.subject[0] || c->seen.chain ? "presented" : "empty";
}

bool tls_ask_again(struct connection *c)
{
	const struct server_options *o = &c->server->options;
	struct seen *s = &c->seen;
	size_t used = c->pha_done ? strlen(s->pha) : 0;
	const char *word;
	bool sound;

	if (c->pha_done >= o->pha || o->request == REQUEST_NONE)
		return true;
	s->result = "failed"; /* until it is not; io_retry may say refused */
	word = ask_once(c, &sound);
	snprintf(s->pha + used, sizeof(s->pha) - used, "%s%s", used ? "," : "", word);
	c->pha_done++;
	if (sound && strcmp(word, "not-offered") == 0 && o->request == REQUEST_REQUIRED) {
		s->result = "refused";
		snprintf(s->error, sizeof(s->error), "the client does not offer post-handshake authentication");
		sound = false;
	}
	if (sound) {
		s->result = "ok";
		s->error[0] = '\0';
	}
	if (!sound || c->pha_done == o->pha)
		log_seen(c);
	return sound;
}
