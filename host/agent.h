/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks an agent: the side of the programs, see core/signing.h. One connection a question, of which nothing is left
 * afterwards: no descriptor, no memory, errno as before. Only system calls and libc, for the shim and the tools.
 * Thread: any; no lock, no state. A signal is no failure.
 */
#ifndef MTLS_HOST_AGENT_H
#define MTLS_HOST_AGENT_H

#include "core/signing.h"

#define MTLS_AGENT_PROBE_MS 250
#define MTLS_AGENT_SIGN_MS  2000 /* in all: connecting, waiting for a free place, the signature */

/* MTLS_SIGNED … MTLS_BAD_PACKET are the agent's own words. */
enum mtls_agent_state {
	MTLS_AGENT_READY = MTLS_SIGNED,
	MTLS_AGENT_MISSING = MTLS_STATUSES, /* no socket, or no way to it */
	MTLS_AGENT_DOWN,                    /* nobody listens */
	MTLS_AGENT_FOREIGN,                 /* somebody else could have put the socket there, or listens */
	MTLS_AGENT_SLOW,                    /* no answer within the time */
	MTLS_AGENT_LOST,                    /* hung up, or answered nonsense */
	MTLS_AGENT_LACK,                    /* this process has no descriptor or memory to spare, or may not connect */
};

/* path: absolute. Would it sign for us with the key, when asked with that op? */
enum mtls_agent_state mtls_agent_probe(const char *path, const unsigned char key[MTLS_KEY_ID], enum mtls_signing_op);

/* MTLS_AGENT_READY and *n bytes of signature, at most MTLS_SIGNATURE_MAX; else *n is 0. */
enum mtls_agent_state mtls_agent_sign(const char *path, const struct mtls_question *,
				      unsigned char signature[MTLS_SIGNATURE_MAX], size_t *n);

/* For a person: continues "PATH: ", with the remedy. Static. */
const char *mtls_agent_sentence(enum mtls_agent_state);

#endif
