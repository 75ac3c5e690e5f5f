/* SPDX-License-Identifier: Apache-2.0 */
/* Which sessions may be offered: see resumption.h. A value is a generation's serial with the decision's word below it.
 */
#include "shim/resumption.h"

#define WORD_BITS 8
_Static_assert(MTLS_REASONS <= 1 << WORD_BITS, "a word fits");

static resumption join(resumption before, resumption now)
{
	bool same = before >> WORD_BITS == now >> WORD_BITS;

	return before == RESUMPTION_NOT_ASKED || (same && before != RESUMPTION_UNKNOWN) ? now : RESUMPTION_UNKNOWN;
}

static resumption rests_on(const struct credential *credential)
{
	return (resumption)generation_serial(credential) << WORD_BITS;
}

resumption resumption_after(resumption before, const struct credential *credential, enum mtls_reason decision)
{
	resumption now = rests_on(credential);

	return join(before, now ? now | (resumption)decision : RESUMPTION_UNKNOWN);
}

resumption resumption_after_own(resumption before)
{
	return join(before, RESUMPTION_OWN);
}

/* An agent that was away then may be there now: that is no part of a generation. */
static bool is_still(const struct generation_parser *parser, resumption r)
{
	struct credential credential;
	bool still;

	if ((r & ((1 << WORD_BITS) - 1)) == MTLS_AGENT_UNAVAILABLE)
		return false;
	generation_acquire(parser, &credential);
	still = rests_on(&credential) == r >> WORD_BITS << WORD_BITS;
	generation_release(&credential);
	return still;
}

bool resumption_allowed(const struct generation_parser *parser, resumption r, bool own)
{
	switch (r) {
	case RESUMPTION_NOT_ASKED:
	case RESUMPTION_OWN:
		return true;
	case RESUMPTION_UNKNOWN: /* where there was never a credential, it is as if we were not there */
		return !generation_any();
	default:
		return !own && is_still(parser, r);
	}
}
