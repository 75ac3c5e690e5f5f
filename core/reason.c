/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reason words, sentences and states, looked up in the table reason.def, and the one function
 * that fills a struct mtls_error. No decision is taken here, and nothing is printed:
 * the callers turn a part into a path and the rest into a line.
 */
#include "core/reason.h"

static const struct {
	const char *word, *sentence;
	enum mtls_state state;
} REASONS[MTLS_REASONS] = {
#define MTLS_REASON(id, word, state, sentence, remedy) [MTLS_##id] = {word, sentence, MTLS_STATE_##state},
#include "core/reason.def"
#undef MTLS_REASON
};

static const char *const FILES[MTLS_PARTS] = {
	[MTLS_CERT] = "client_cert.pem", [MTLS_KEY] = "private_key.pem",      [MTLS_PASS] = "private_key_pass.txt",
	[MTLS_CONF] = "mtls.conf",       [MTLS_KEY_FORM] = "private_key.pem",
};

static bool is_known(enum mtls_reason reason)
{
	return (size_t)reason < MTLS_REASONS;
}

const char *mtls_reason_word(enum mtls_reason reason)
{
	return is_known(reason) ? REASONS[reason].word : "unknown";
}

const char *mtls_reason_sentence(enum mtls_reason reason)
{
	return is_known(reason) ? REASONS[reason].sentence : "unknown";
}

enum mtls_state mtls_reason_state(enum mtls_reason reason)
{
	return is_known(reason) ? REASONS[reason].state : MTLS_STATE_BROKEN;
}

const char *mtls_part_file(enum mtls_part part)
{
	return (size_t)part < MTLS_PARTS && FILES[part] ? FILES[part] : "";
}

enum mtls_reason mtls_fail(struct mtls_error *e, enum mtls_reason reason, enum mtls_part part, struct mtls_bytes detail)
{
	size_t i;

	if (!e)
		return reason;
	mtls_set(e, 0, sizeof(*e));
	e->reason = reason;
	e->part = part;
	for (i = 0; i < detail.n && i < sizeof(e->detail) - 1; i++)
		e->detail[i] = (char)(detail.p[i] >= ' ' && detail.p[i] <= '~' ? detail.p[i] : '?');
	return reason;
}
