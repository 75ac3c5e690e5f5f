/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mbedTLS 3.6 knows of a connection and does not tell: the one place that looks into its structures, for whoever
 * ports this to the next release.
 */
#ifndef MTLS_FIRMWARE_NET_INSIDE_H
#define MTLS_FIRMWARE_NET_INSIDE_H

#include <mbedtls/ssl.h>
#include <stdbool.h>

#define INSIDE_SCHEMES 40
#define INSIDE_TYPES   8

/* A CertificateRequest, as far as our side can fulfil it. */
struct inside_request {
	uint16_t schemes[INSIDE_SCHEMES];
	unsigned char types[INSIDE_TYPES]; /* ClientCertificateType, TLS 1.2 */
	size_t n_schemes, n_types;
};

/* enum mbedtls_ssl_states: what the next handshake step does. */
int inside_state(const mbedtls_ssl_context *);
/* As on the wire. */
unsigned inside_version(const mbedtls_ssl_context *);
/* In a handshake: the server has asked for a certificate. */
bool inside_asked(const mbedtls_ssl_context *);
/*
 * After the step that read a CertificateRequest, and before the next: in TLS 1.2 the message is gone after that. Or, in
 * TLS 1.3, at any later time of the handshake. *request is complete after one of the two.
 */
void inside_read_12(const mbedtls_ssl_context *, struct inside_request *request);
void inside_read_13(const mbedtls_ssl_context *, struct inside_request *request);
/*
 * After each step that wrote a ClientHello: mbedTLS forgets that it has sent max_fragment_length, and would take the
 * answer of a TLS 1.3 server for one that it never asked for. Where it has not sent it nothing happens.
 */
void inside_note_fragment(mbedtls_ssl_context *);
/* What was written and is still here goes on its way. 0, or mbedTLS's error. */
int inside_flush(mbedtls_ssl_context *);
bool inside_has_output(const mbedtls_ssl_context *);
/* The description (RFC 8446 6) of the alert that was received last: after MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE alone. */
unsigned inside_alert(const mbedtls_ssl_context *);

#endif
