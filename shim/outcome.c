/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes of parsing: see outcome.h. What a parser does is the adapters' business. */
#include "shim/outcome.h"

#include <stdlib.h>

#define TRIES 3 /* of a bad one */

void outcome_free(struct outcome *outcome)
{
	while (outcome) {
		struct outcome *before = outcome->before;

		if (outcome->identity)
			outcome->by.parser->unload(outcome->by.context, outcome->identity);
		free(outcome);
		outcome = before;
	}
}

static bool is_final(const struct outcome *outcome)
{
	unsigned tries = 1;

	if (outcome->reason == MTLS_USABLE)
		return true;
	for (const struct outcome *o = outcome->before; o; o = o->before)
		tries++;
	return tries >= TRIES;
}

struct outcome *outcome_of(_Atomic(struct outcome *) *place, const struct mtls_blocks *blocks,
			   const struct generation_parser *by)
{
	struct outcome *there = atomic_load(place), *mine;

	if (there && is_final(there))
		return there;
	mine = calloc(1, sizeof(*mine));
	if (!mine)
		return there;
	mine->by = *by;
	mine->before = there;
	mine->reason = by->parser->load(by->context, blocks, &mine->identity, &mine->error);
	if (atomic_compare_exchange_strong(place, &there, mine))
		return mine;
	mine->before = NULL;
	outcome_free(mine);
	return there;
}
