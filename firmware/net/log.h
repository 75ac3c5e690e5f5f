/* SPDX-License-Identifier: Apache-2.0 */
/* Where the lines of the contract's section 3 go on a device: to whoever the program names. */
#ifndef MTLS_FIRMWARE_NET_LOG_H
#define MTLS_FIRMWARE_NET_LOG_H

#include "core/line.h"

/* line: n bytes, the line feed included; valid for the call. */
typedef void log_to(const char *line, size_t n);

/* to: NULL for nowhere. */
void log_open(log_to *to, enum mtls_log level);
void log_event(enum mtls_log level, struct mtls_event *);

#endif
