/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log line (contract, section 3): logfmt that no peer, file name or subject can forge. Pure.
 */
#ifndef MTLS_CORE_LINE_H
#define MTLS_CORE_LINE_H

#include "core/policy.h"

#define MTLS_LINE_MAX 1024

/* What happened. NULL, 0 and MTLS_REASONS leave their key out; strings are borrowed. */
struct mtls_event {
	const char *verb; /* "presented", "withheld", "broken", "generation", "loaded" */
	enum mtls_reason reason;
	const char *what; /* the file or setting at fault */
	const char *host;
	unsigned port;
	unsigned version; /* TLS, as on the wire */
	const char *library, *subject, *sha256;
};

/* Fills out with the line and its line feed, not NUL-ended; returns its length. A long value is cut and ends in "...".
 */
size_t mtls_line(char out[MTLS_LINE_MAX], unsigned pid, const struct mtls_event *);

#endif
