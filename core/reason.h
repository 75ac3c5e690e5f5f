/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reason words: why the credential is in its state, or why a request was
 * decided as it was. The table is reason.def; nobody else spells a word.
 * All functions are pure and may be called from any thread or signal handler.
 */
#ifndef MTLS_CORE_REASON_H
#define MTLS_CORE_REASON_H

#include "core/bytes.h"

enum mtls_reason {
#define MTLS_REASON(id, word, state, sentence, remedy) MTLS_##id,
#include "core/reason.def"
#undef MTLS_REASON
	MTLS_REASONS
};

enum mtls_state { MTLS_STATE_ABSENT, MTLS_STATE_REMOVED, MTLS_STATE_USABLE, MTLS_STATE_BROKEN };

/* What an error is about. The first four are also the indices of the folder's files. A device stores the numbers. */
enum mtls_part {
	MTLS_CERT,
	MTLS_KEY,
	MTLS_PASS,
	MTLS_CONF,
	MTLS_FOLDER,
	MTLS_SETTING,
	MTLS_NOTHING,
	MTLS_KEY_FORM, /* not the key but how its file is written: encoding, encryption; firmware only */
	MTLS_PARTS
};
#define MTLS_FILES 4

/*
 * Details of a failure, owned by the caller, who turns part into a path.
 * setting: the key as mtls.conf spells it ("hosts"), static, or NULL.
 * line: of mtls.conf, from 1; 0 where it has none (then the environment).
 * detail: what exactly, printable ASCII, NUL-ended, may be empty; never a secret.
 */
struct mtls_error {
	enum mtls_reason reason;
	enum mtls_part part;
	const char *setting;
	unsigned line;
	char detail[96];
};

/* Static strings, never NULL; a value out of range gives "unknown". */
const char *mtls_reason_word(enum mtls_reason);
const char *mtls_reason_sentence(enum mtls_reason);
/* For programs of a machine, and may be ""; a device has its own (firmware/net/words.h). */
const char *mtls_reason_remedy(enum mtls_reason);
/* The state of a credential of which this is the reason; a policy word counts as MTLS_STATE_USABLE. */
enum mtls_state mtls_reason_state(enum mtls_reason);

/* "client_cert.pem", … for MTLS_CERT to MTLS_CONF and MTLS_KEY_FORM; "" for the other parts. */
const char *mtls_part_file(enum mtls_part);

/*
 * Fills e (NULL is allowed) and returns reason. detail may be NULL; it is cut to
 * fit, and bytes that are not printable ASCII become '?'.
 */
enum mtls_reason mtls_fail(struct mtls_error *e, enum mtls_reason reason, enum mtls_part part,
			   struct mtls_bytes detail);

#endif
