/* SPDX-License-Identifier: Apache-2.0 */
/* mbedTLS 3.6's own structures. Its headers call them internal: they may change with any release. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "firmware/net/inside.h"

#include <mbedtls/version.h>
#include <ssl_misc.h>

#if MBEDTLS_VERSION_NUMBER < 0x03060000 || MBEDTLS_VERSION_NUMBER >= 0x03070000
#error "read what this file uses of mbedTLS's internals again for this release"
#endif

#define SIGNATURE_RSA   1 /* SignatureAlgorithm, RFC 5246 7.4.1.4.1 */
#define SIGNATURE_ECDSA 3

int inside_state(const mbedtls_ssl_context *ssl)
{
	return ssl->state;
}

unsigned inside_version(const mbedtls_ssl_context *ssl)
{
	return (unsigned)ssl->tls_version;
}

bool inside_asked(const mbedtls_ssl_context *ssl)
{
	return ssl->handshake && ssl->handshake->client_auth;
}

static void add_scheme(struct inside_request *request, uint16_t scheme)
{
	if (request->n_schemes < INSIDE_SCHEMES)
		request->schemes[request->n_schemes++] = scheme;
}

/* mbedTLS signs with the hash of the cipher suite and PKCS #1 v1.5 whatever the server says (ssl_tls12_client.c). */
static bool can_12(const mbedtls_ssl_context *ssl, uint16_t scheme)
{
	bool sha384 = ssl->handshake->ciphersuite_info->mac == MBEDTLS_MD_SHA384;
	unsigned signature = scheme & 0xff;

	return scheme >> 8 == (sha384 ? MBEDTLS_SSL_HASH_SHA384 : MBEDTLS_SSL_HASH_SHA256) &&
	       (signature == SIGNATURE_RSA || signature == SIGNATURE_ECDSA);
}

/* RFC 5246 7.4.4. ssl_parse_certificate_request has checked all lengths; what it did not is not looked at. */
void inside_read_12(const mbedtls_ssl_context *ssl, struct inside_request *request)
{
	const unsigned char *p = ssl->in_msg + mbedtls_ssl_hs_hdr_len(ssl);
	const unsigned char *end = ssl->in_msg + ssl->in_hslen;
	size_t n;

	*request = (struct inside_request){.n_types = 0};
	if (end - p < 1 || end - p < 3 + p[0])
		return;
	n = p[0];
	for (size_t i = 0; i < n && i < INSIDE_TYPES; i++)
		request->types[request->n_types++] = p[1 + i];
	p += 1 + n;
	n = MBEDTLS_GET_UINT16_BE(p, 0);
	p += 2;
	for (size_t i = 0; i + 1 < n && end - p >= 2; i += 2, p += 2)
		if (can_12(ssl, MBEDTLS_GET_UINT16_BE(p, 0)))
			add_scheme(request, MBEDTLS_GET_UINT16_BE(p, 0));
}

/* What ssl_tls13_write_certificate_verify_body will choose from. */
void inside_read_13(const mbedtls_ssl_context *ssl, struct inside_request *request)
{
	const uint16_t *scheme = ssl->handshake->received_sig_algs;

	*request = (struct inside_request){.n_types = 0};
	for (; *scheme != MBEDTLS_TLS1_3_SIG_NONE; scheme++)
		if (mbedtls_ssl_sig_alg_is_offered(ssl, *scheme) &&
		    mbedtls_ssl_tls13_sig_alg_for_cert_verify_is_supported(*scheme))
			add_scheme(request, *scheme);
}

/* ssl_tls12_client.c writes it, whenever TLS 1.2 is offered too; ssl_tls13_client.c allows it and ignores it. */
void inside_note_fragment(mbedtls_ssl_context *ssl)
{
	if (ssl->conf->mfl_code != MBEDTLS_SSL_MAX_FRAG_LEN_NONE &&
	    ssl->handshake->min_tls_version <= MBEDTLS_SSL_VERSION_TLS1_2)
		ssl->handshake->sent_extensions |= MBEDTLS_SSL_EXT_MASK(MAX_FRAGMENT_LENGTH);
}

int inside_flush(mbedtls_ssl_context *ssl)
{
	return mbedtls_ssl_flush_output(ssl);
}

bool inside_has_output(const mbedtls_ssl_context *ssl)
{
	return ssl->out_left > 0;
}

unsigned inside_alert(const mbedtls_ssl_context *ssl)
{
	return ssl->in_msg[1];
}
