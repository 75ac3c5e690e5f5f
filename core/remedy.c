/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remedies of the table reason.def. Apart from reason.c, so that an image in which nobody asks for them does not
 * have them: a device has others.
 */
#include "core/reason.h"

static const char *const REMEDIES[MTLS_REASONS] = {
#define MTLS_REASON(id, word, state, sentence, remedy) [MTLS_##id] = remedy,
#include "core/reason.def"
#undef MTLS_REASON
};

const char *mtls_reason_remedy(enum mtls_reason reason)
{
	return (size_t)reason < MTLS_REASONS ? REMEDIES[reason] : "unknown";
}
