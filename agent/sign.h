/* SPDX-License-Identifier: Apache-2.0 */
/* One signature with a key of the agent's, wherever that is. */
#ifndef MTLS_AGENT_SIGN_H
#define MTLS_AGENT_SIGN_H

#include "core/signing.h"
#include "host/token.h"

/*
 * The question must have been judged for the key's type (mtls_question_judge). false: the key does not sign, or there
 * is none while its token is away; *n is 0. libcrypto's queue of errors is emptied.
 */
bool agent_sign(const struct mtls_token *, const struct mtls_question *, unsigned char signature[MTLS_SIGNATURE_MAX],
		size_t *n);
/* Signs something that is of use to nobody, to see whether the key does. */
bool agent_sign_works(const struct mtls_token *, enum mtls_key_type);

#endif
