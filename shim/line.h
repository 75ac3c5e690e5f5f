/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log line (contract, section 3): logfmt that no peer, file name or subject can forge. Pure.
 */
#ifndef MTLS_SHIM_LINE_H
#define MTLS_SHIM_LINE_H

#include "core/policy.h"

#define LINE_MAX_BYTES 1024

/* What happened. NULL, 0 and MTLS_REASONS leave their key out; strings are borrowed. */
struct event {
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
size_t line_format(char out[LINE_MAX_BYTES], unsigned pid, const struct event *);

#endif
