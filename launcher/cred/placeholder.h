/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a certificate that nobody chose: a tool's defaults, the documentation's examples, a template's variables. */
#ifndef MTLS_LAUNCHER_CRED_PLACEHOLDER_H
#define MTLS_LAUNCHER_CRED_PLACEHOLDER_H

#include "core/bytes.h"

/* value: one attribute of a subject, or one DNS, mail or URI name. ASCII letters count as equal, large or small. */
bool cred_is_placeholder(struct mtls_bytes value);

#endif
