/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device advises where a program of a machine says core/reason.def's remedies: it has an upload and no folder,
 * mtls.conf and no environment, and limits of its own. Words and sentences are the same. Static strings, never NULL.
 */
#ifndef MTLS_FIRMWARE_NET_WORDS_H
#define MTLS_FIRMWARE_NET_WORDS_H

#include "core/reason.h"

#include <stddef.h>

/*
 * part: what it is about; MTLS_FOLDER: the credential as a whole; MTLS_NOTHING: ca_certs.pem.
 * "": there is nothing to do, or no device ever has that reason.
 */
const char *words_remedy(enum mtls_reason, enum mtls_part);

/* "FILE, line N: SENTENCE: SETTING: DETAIL; REMEDY", NUL-ended, cut to size; what is not there is left out. */
void words_explain(const struct mtls_error *, char *to, size_t size);

#endif
