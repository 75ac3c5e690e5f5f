/* SPDX-License-Identifier: Apache-2.0 */
/* One server's request for a certificate: facts in, core/'s decision, the certificate attached or not, a log line. */
#ifndef MTLS_FIRMWARE_NET_REQUEST_H
#define MTLS_FIRMWARE_NET_REQUEST_H

#include "core/policy.h"
#include "firmware/net/inside.h"

struct request {
	const char *host;      /* the name that is verified */
	struct mtls_addr peer; /* the connected socket */
	struct inside_request offered;
	bool answered;           /* in this handshake */
	enum mtls_reason reason; /* of the last answer; MTLS_REASONS: there was none yet */
};

/*
 * To be called once for each handshake before the step that writes our Certificate message (state
 * MBEDTLS_SSL_CLIENT_CERTIFICATE), if the server has asked. config is the connection's own.
 */
void request_answer(struct request *, const mbedtls_ssl_context *, mbedtls_ssl_config *config);

#endif
