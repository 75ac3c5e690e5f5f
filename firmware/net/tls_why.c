/* SPDX-License-Identifier: Apache-2.0 */
/* mbedTLS's numbers as sentences for people who have a device and a server, and no debugger. */
#include "firmware/net/shared.h"
#include "firmware/net/tls.h"
#include "firmware/net/words.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/platform_time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct word {
	int number;
	const char *text;
};

/* RFC 8446 6 */
static const struct word alerts[] = {
	{40, "handshake_failure"},       {42, "bad_certificate"},
	{43, "unsupported_certificate"}, {44, "certificate_revoked"},
	{45, "certificate_expired"},     {46, "certificate_unknown"},
	{47, "illegal_parameter"},       {48, "unknown_ca"},
	{49, "access_denied"},           {50, "decode_error"},
	{51, "decrypt_error"},           {70, "protocol_version"},
	{71, "insufficient_security"},   {80, "internal_error"},
	{109, "missing_extension"},      {112, "unrecognized_name"},
	{116, "certificate_required"},
};

#define TOO_LONG "a message of the server is longer than the device has room for"

static const struct word protocol[] = {
	{MBEDTLS_ERR_SSL_INVALID_RECORD, "what the server sends is not TLS"},
	{MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE,
	 "the server sends a message that is not expected then (KeyUpdate never is)"},
	{MBEDTLS_ERR_SSL_DECODE_ERROR, "a message of the server cannot be understood"},
	{MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER, "the server chose something that was not offered"},
	{MBEDTLS_ERR_SSL_INVALID_MAC, "a record was changed on its way"},
	{MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, "the server speaks no version of TLS that is allowed here"},
	{MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, "the server and the device could not agree"},
	{MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL, TOO_LONG},
	{MBEDTLS_ERR_SSL_BAD_INPUT_DATA, TOO_LONG}, /* of several records */
	{MBEDTLS_ERR_X509_INVALID_EXTENSIONS + MBEDTLS_ERR_ASN1_UNEXPECTED_TAG,
	 "the server's certificate or a CA's has a critical extension that this device does not know"},
	{MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE, "the server wants something that this device cannot do"},
};

/* Of several faults the one that says most. */
static const struct {
	uint32_t flags;
	const char *text;
} faults[] = {
	{MBEDTLS_X509_BADCERT_EXPIRED, "has expired"},
	{MBEDTLS_X509_BADCERT_FUTURE, "is not valid yet"},
	{MBEDTLS_X509_BADCERT_NOT_TRUSTED, "was issued by nobody in ca_certs.pem"},
	{MBEDTLS_X509_BADCERT_CN_MISMATCH, "is for another name"},
	{MBEDTLS_X509_BADCERT_OTHER, "has a CA with name constraints, which this device cannot check"},
	{MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
	 "is not meant for a server"},
	{MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
	 "is too weak, or of a kind that this device does not know"},
};

static const char *find(const struct word *words, size_t n, int number)
{
	for (size_t i = 0; i < n; i++)
		if (words[i].number == number)
			return words[i].text;
	return NULL;
}

static bool is_verification(int error)
{
	return error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || error == MBEDTLS_ERR_SSL_BAD_CERTIFICATE ||
	       error == MBEDTLS_ERR_X509_FATAL_ERROR;
}

/* All bits: the check itself failed, as it does without a clock. */
static const char *fault(const struct tls *t)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);

	if (flags == UINT32_MAX)
		return mbedtls_time(NULL) < 0 ? "cannot be checked: the device does not know the time"
					      : "cannot be checked: it is malformed, or its chain is too long";
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (flags & faults[i].flags)
			return faults[i].text;
	return "cannot be used";
}

/* It ended the connection, and why may be that it did not get what it had asked for. */
static bool is_refusal(int error)
{
	return error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE || error == MBEDTLS_ERR_NET_CONN_RESET ||
	       error == MBEDTLS_ERR_SSL_CONN_EOF;
}

static int cause(const struct tls *t, char *to, size_t size)
{
	const char *text;

	if (t->error == MBEDTLS_ERR_SSL_ALLOC_FAILED) { /* tls.c makes it of whatever became of that */
		snprintf(to, size,
			 "not enough memory for TLS: close other connections, or give the firmware a larger "
			 "heap (FIRMWARE_HEAP)");
		return ENOMEM;
	}
	if (is_verification(t->error)) {
		snprintf(to, size, "the server's certificate %s", fault(t));
		return EACCES;
	}
	if (t->error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		text = find(alerts, sizeof(alerts) / sizeof(alerts[0]), (int)inside_alert(&t->ssl));
		snprintf(to, size, "the server refused (%s%.30s, alert %u)", t->open ? "after the handshake, " : "",
			 text ? text : "unknown", inside_alert(&t->ssl));
		return EPROTO;
	}
	if (t->error == MBEDTLS_ERR_NET_CONN_RESET || t->error == MBEDTLS_ERR_SSL_CONN_EOF) {
		snprintf(to, size, "the server %s", t->open ? "ended the connection without saying so" : "hung up");
		return t->open && t->error == MBEDTLS_ERR_SSL_CONN_EOF ? EPROTO : ECONNRESET;
	}
	text = find(protocol, sizeof(protocol) / sizeof(protocol[0]), t->error);
	if (text)
		snprintf(to, size, "%s", text);
	else
		snprintf(to, size, "TLS failed (mbedTLS's error -0x%04x)", (unsigned)-t->error);
	return EPROTO;
}

/* A server that wanted a certificate seldom says so in its alert. */
int tls_why(const struct tls *t, char *to, size_t size)
{
	int error = cause(t, to, size);
	struct mtls_error withheld = {.reason = t->request.reason, .part = MTLS_FOLDER};
	size_t n = strlen(to);

	if (t->heard || withheld.reason == MTLS_REASONS || !is_refusal(t->error))
		return error;
	if (withheld.reason == MTLS_PRESENTED) {
		snprintf(to + n, size - n, "; it had asked for the certificate and got it");
		return error;
	}
	snprintf(to + n, size - n,
		 "; it had asked for a certificate and got none: %s: ", mtls_reason_word(withheld.reason));
	n = strlen(to);
	words_explain(&withheld, to + n, size - n);
	return error;
}
