/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine around mbedTLS. It is stepped by us and not by mbedtls_ssl_handshake, because between two steps is
 * the only moment at which the server's request is known and our answer is not yet written.
 */
#include "firmware/net/tls.h"

#include "firmware/net/shared.h"
#include "firmware/port/port.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>

#include <string.h>

/* Servers that do as they are asked never send a record that there is no room for (RFC 6066 4; for TLS 1.3 there is
 * RFC 8449 as well, which mbedTLS adds by itself). */
#if MBEDTLS_SSL_IN_CONTENT_LEN < 16384
#define FRAGMENT MBEDTLS_SSL_MAX_FRAG_LEN_4096
#else
#define FRAGMENT MBEDTLS_SSL_MAX_FRAG_LEN_NONE
#endif

/*
 * What PSA can hash: TLS 1.3 hashes with it, and mbedTLS's own list does not look. PKCS #1 comes before PSS because
 * 3.6.6 offers PSS and then refuses it in TLS 1.2 (Mbed-TLS issue 10668), where most servers take the client's order;
 * in TLS 1.3 only PSS can be chosen (RFC 8446 4.2.3).
 */
static const uint16_t schemes[] = {
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
#ifdef PSA_WANT_ECC_SECP_R1_384
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
#endif
#if defined(PSA_WANT_ALG_SHA_512) && defined(PSA_WANT_ECC_SECP_R1_521)
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
#endif
#ifdef MBEDTLS_RSA_C
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
#ifdef PSA_WANT_ALG_SHA_512
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
#endif
#endif
	MBEDTLS_TLS1_3_SIG_NONE,
};

/* --- the stream, as mbedTLS wants it ------------------------------------------------- */

/*
 * What a server says before it hangs up is worth more than that our next word did not reach it: as long as something is
 * there to be read, sending does not fail.
 */
static int stream_out(void *ctx, const unsigned char *data, size_t n)
{
	struct tls *t = ctx;
	long sent = stream_send(t->stream, data, n);

	if (sent > 0)
		return (int)sent;
	if (sent == 0)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	return t->stream->n > 0 ? (int)n : MBEDTLS_ERR_NET_CONN_RESET;
}

/* mbedtls_ssl_read begins a renegotiation by itself. It gets nothing to read until it has come back to us. */
static int stream_in(void *ctx, unsigned char *data, size_t n)
{
	struct tls *t = ctx;
	long got;

	if (!t->stepping && inside_state(&t->ssl) != MBEDTLS_SSL_HANDSHAKE_OVER)
		return MBEDTLS_ERR_SSL_WANT_READ;
	got = stream_receive(t->stream, data, n);
	if (got > 0)
		return (int)got;
	if (got == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	return got == STREAM_END ? 0 : MBEDTLS_ERR_NET_CONN_RESET;
}

/* --- failures ---------------------------------------------------------------------------- */

/* What ran out before is not why the next call fails. */
static void forget_memory(void)
{
	(void)board_had_no_memory();
}

/*
 * Memory that ran out comes up here as nearly any error, or not before the server refuses what was made without it: so
 * it is noted, from forget_memory on, until the server is content.
 */
static void note_memory(struct tls *t)
{
	t->starved = board_had_no_memory() || t->starved;
}

/* TLS_WAIT, or for good. */
static int failed(struct tls *t, int ret)
{
	if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		return TLS_WAIT;
	note_memory(t);
	t->error = t->starved ? MBEDTLS_ERR_SSL_ALLOC_FAILED : ret;
	return TLS_FAILED;
}

/* --- begin and end --------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	struct mtls_addr address;

	return mtls_addr_parse(mtls_bytes_of(host), &address);
}

/* The name of RFC 5280 4.2.1.10's extension, as it stands in a certificate. */
static const unsigned char name_constraints[] = {0x06, 0x03, 0x55, 0x1d, 0x1e};

static bool is_constrained(const mbedtls_x509_crt *ca)
{
	return memmem(ca->v3_ext.p, ca->v3_ext.len, name_constraints, sizeof(name_constraints)) != NULL;
}

/* RFC 9110 4.3.4: an address is verified by the certificate's addresses alone. */
static bool has_address(const mbedtls_x509_crt *leaf, const struct mtls_addr *address)
{
	size_t n = address->family == 4 ? 4 : 16;

	for (const mbedtls_x509_sequence *name = &leaf->subject_alt_names; name; name = name->next)
		if ((name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
		    name->buf.len == n && memcmp(name->buf.p, address->ip, n) == 0)
			return true;
	return false;
}

/*
 * What mbedTLS does not look at, beside all that it does: it takes an address for a name as well, and does not know
 * name constraints, of which the critical ones never come here.
 */
static int verify_more(void *host, mbedtls_x509_crt *one, int depth, uint32_t *flags)
{
	struct mtls_addr address;

	if (depth == 0 && mtls_addr_parse(mtls_bytes_of(host), &address) && !has_address(one, &address))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	if (depth > 0 && is_constrained(one))
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
	return 0;
}

static int configure(struct tls *t, const struct tls_peer *peer)
{
	mbedtls_ssl_config *config = &t->config;
	int ret = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					      MBEDTLS_SSL_PRESET_DEFAULT);

	if (ret != 0)
		return ret;
	mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_verify(config, verify_more, (void *)(uintptr_t)peer->host);
	mbedtls_ssl_conf_ca_chain(config, &shared()->ca, NULL);
	mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	mbedtls_ssl_conf_min_tls_version(config,
					 peer->only_13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_sig_algs(config, schemes);
	mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
	return mbedtls_ssl_conf_max_frag_len(config, FRAGMENT);
}

bool tls_begin(struct tls *t, struct stream *stream, const struct tls_peer *peer)
{
	int ret;

	memset(t, 0, sizeof(*t));
	t->stream = stream;
	t->request.host = peer->host;
	t->request.peer = peer->address;
	t->request.reason = MTLS_REASONS;
	t->begun = true;
	forget_memory();
	mbedtls_ssl_init(&t->ssl);
	mbedtls_ssl_config_init(&t->config);
	ret = configure(t, peer);
	if (ret == 0)
		ret = mbedtls_ssl_setup(&t->ssl, &t->config);
	if (ret == 0 && !is_address(peer->host))
		ret = mbedtls_ssl_set_hostname(&t->ssl, peer->host);
	mbedtls_ssl_set_bio(&t->ssl, t, stream_out, stream_in, NULL);
	if (ret != 0)
		failed(t, ret);
	return t->error == 0;
}

void tls_end(struct tls *t)
{
	if (!t->begun)
		return;
	if (t->open && t->error == 0)
		(void)mbedtls_ssl_close_notify(&t->ssl);
	mbedtls_ssl_free(&t->ssl);
	mbedtls_ssl_config_free(&t->config);
	memset(t, 0, sizeof(*t));
}

/* --- handshakes -------------------------------------------------------------------------- */

static int before_step(struct tls *t, int state)
{
	/* An address must not be sent as SNI (RFC 6066 3), so it is told just in time to be verified. */
	if (state == MBEDTLS_SSL_SERVER_CERTIFICATE && is_address(t->request.host))
		return mbedtls_ssl_set_hostname(&t->ssl, t->request.host);
	if (state == MBEDTLS_SSL_CLIENT_CERTIFICATE && inside_asked(&t->ssl) && !t->request.answered)
		request_answer(&t->request, &t->ssl, &t->config);
	return 0;
}

static int step(struct tls *t)
{
	int state = inside_state(&t->ssl), ret;

	forget_memory();
	ret = before_step(t, state);
	if (ret != 0)
		return ret;
	t->stepping = true;
	ret = mbedtls_ssl_handshake_step(&t->ssl);
	t->stepping = false;
	note_memory(t);
	if (state == MBEDTLS_SSL_CLIENT_HELLO)
		inside_note_fragment(&t->ssl);
	if (ret == 0 && state == MBEDTLS_SSL_CERTIFICATE_REQUEST && inside_asked(&t->ssl) &&
	    !mtls_version_13(inside_version(&t->ssl)))
		inside_read_12(&t->ssl, &t->request.offered);
	return ret;
}

/* The next request is a new one: nothing stays attached. */
int tls_handshake(struct tls *t)
{
	int ret;

	if (t->error)
		return TLS_FAILED;
	while (inside_state(&t->ssl) != MBEDTLS_SSL_HANDSHAKE_OVER) {
		ret = step(t);
		if (ret != 0)
			return failed(t, ret);
	}
	mbedtls_ssl_conf_own_cert(&t->config, NULL, NULL);
	t->request.answered = false;
	t->open = true;
	return TLS_DONE;
}

/* --- data ---------------------------------------------------------------------------------- */

int tls_flush(struct tls *t)
{
	int ret;

	if (t->error)
		return TLS_FAILED;
	if (inside_state(&t->ssl) != MBEDTLS_SSL_HANDSHAKE_OVER) {
		ret = tls_handshake(t);
		if (ret != TLS_DONE)
			return ret;
	}
	ret = inside_flush(&t->ssl);
	return ret == 0 ? TLS_DONE : failed(t, ret);
}

/* A record that was written but has not left whole counts as taken: it cannot be taken back. */
long tls_send(struct tls *t, const void *data, size_t n)
{
	int ret = tls_flush(t), most;

	if (ret != TLS_DONE)
		return ret;
	most = mbedtls_ssl_get_max_out_record_payload(&t->ssl);
	if (most <= 0)
		return failed(t, most);
	if (n > (size_t)most)
		n = (size_t)most;
	forget_memory();
	ret = mbedtls_ssl_write(&t->ssl, data, n);
	if (ret > 0)
		return ret;
	if (ret == MBEDTLS_ERR_SSL_WANT_WRITE && inside_has_output(&t->ssl))
		return (long)n;
	return failed(t, ret);
}

/* n may be 0: then TLS_DONE says that there is something. */
static long take(struct tls *t, void *data, size_t n)
{
	int ret;

	if (t->ended)
		return TLS_END;
	do {
		ret = tls_flush(t);
		if (ret == TLS_FAILED || inside_state(&t->ssl) != MBEDTLS_SSL_HANDSHAKE_OVER)
			return ret;
		forget_memory();
		ret = mbedtls_ssl_read(&t->ssl, data, n);
		/* A renegotiation has begun: it goes on in tls_flush. */
	} while (ret == MBEDTLS_ERR_SSL_WANT_READ && inside_state(&t->ssl) != MBEDTLS_SSL_HANDSHAKE_OVER);
	if (ret > 0 || mbedtls_ssl_get_bytes_avail(&t->ssl)) {
		t->heard = true;
		t->starved = false;
		return ret > 0 ? ret : TLS_DONE;
	}
	if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		t->ended = true;
		return TLS_END;
	}
	return failed(t, ret == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : ret);
}

long tls_receive(struct tls *t, void *data, size_t n)
{
	return take(t, data, n);
}

bool tls_readable(struct tls *t)
{
	return mbedtls_ssl_get_bytes_avail(&t->ssl) || take(t, NULL, 0) != TLS_WAIT;
}
