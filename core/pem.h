/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds PEM blocks (RFC 7468) among any text: byte-order mark, CRLF, prose and
 * other people's blocks are fine. It does not decode; it checks what a decoder needs.
 */
#ifndef MTLS_CORE_PEM_H
#define MTLS_CORE_PEM_H

#include "core/bytes.h"

struct mtls_pem {
	struct mtls_bytes whole;   /* "-----BEGIN" to the end of the END line, its line end not included */
	struct mtls_bytes label;   /* "CERTIFICATE" */
	struct mtls_bytes headers; /* RFC 1421 header lines ("Proc-Type: …"), empty where there are none */
	bool well_formed;          /* END with the same label, and only base64 between */
};

/*
 * The next block at or after *at, which moves behind it; false at the end. A
 * block that never ends is reported with well_formed false, and *at moves behind its BEGIN line.
 */
bool mtls_pem_next(struct mtls_bytes text, size_t *at, struct mtls_pem *out);

#endif
