/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations of the credential: read once, parsed once for each TLS library,
 * shared by reference counts, replaced when the files change (contract, section 1). No lock anywhere: slots are
 * claimed and published by compare-and-swap, so that a fork in another thread's midst leaves nothing held.
 */
#ifndef MTLS_SHIM_GENERATION_H
#define MTLS_SHIM_GENERATION_H

#include "host/reading.h"

#define GENERATION_LIBRARIES 8 /* TLS library instances in one process */

struct generation;
struct outcome;

/* A TLS library instance that parses: library < GENERATION_LIBRARIES is its own number for the process's life. */
struct generation_parser {
	unsigned library;
	const struct mtls_parser *parser;
	void *context;
};

/* What one request may use. Valid between acquire and release, in one thread. */
struct credential {
	struct generation *generation;      /* private; NULL: nothing could be read */
	const struct mtls_policy *policy;   /* never NULL; its error says if a setting was not understood */
	const struct mtls_reading *reading; /* NULL as above; for mtls_reading_what */
	enum mtls_reason reason;            /* MTLS_USABLE with an identity, else why there is none */
	void *identity;                     /* the parser's, borrowed */
	struct outcome *outcome;            /* private */
};

/* Reads the bytes if nobody has yet: at the program's first TLS context, while it still may. Keeps errno. */
void generation_prime(void);

/*
 * The credential as it is now: a few stat calls, and a new reading where these differ. Logs a broken generation,
 * once. May wait up to 100 ms where files are just being written and there was no usable generation yet. Keeps errno.
 */
void generation_acquire(const struct generation_parser *, struct credential *out);
void generation_release(struct credential *);

/* true once for each identity that can be used: it is new to the log. */
bool generation_is_news(const struct credential *);

/* Tells readings apart: another number for each, from 1; 0: nothing could be read. */
unsigned generation_serial(const struct credential *);
/* Has any reading of this process found a credential, in whatever state? Looks again until one has. */
bool generation_any(void);
/* Is there a credential to all appearance, and what does MTLS_PHA say? Parses nothing; while there is one, the files
 * are looked at once a second. */
bool generation_likely(enum mtls_pha *);

#endif
