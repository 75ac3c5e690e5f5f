/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TLS library's parser has made of one generation's bytes. The first good outcome stays for the generation's
 * life. A bad one may be the fault of a moment without memory, which no library tells apart: it is tried again at
 * the next requests, a few times, before it is final.
 */
#ifndef MTLS_SHIM_OUTCOME_H
#define MTLS_SHIM_OUTCOME_H

#include "shim/generation.h"

#include <stdatomic.h>

struct outcome {
	enum mtls_reason reason;
	struct mtls_error error;
	void *identity;
	struct generation_parser by;
	atomic_bool told;       /* its identity is in the log */
	struct outcome *before; /* private: one that was not final */
};

/*
 * The outcome in *place, which this call may have made. Immutable but for told, and lives until outcome_free. NULL: no
 * memory, nothing is known. Racing threads may parse twice and keep one.
 */
struct outcome *outcome_of(_Atomic(struct outcome *) *place, const struct mtls_blocks *,
			   const struct generation_parser *);
void outcome_free(struct outcome *);

#endif
