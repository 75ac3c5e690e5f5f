/* SPDX-License-Identifier: Apache-2.0 */
/* STUB */
#include "host/token.h"

#include <string.h>

enum mtls_reason mtls_token_open(struct mtls_bytes text, struct mtls_bytes pin, struct mtls_token *out,
				 struct mtls_error *error)
{
	(void)text, (void)pin;
	memset(out, 0, sizeof(*out));
	return mtls_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, mtls_bytes_of("stub"));
}

void mtls_token_close(struct mtls_token *t)
{
	memset(t, 0, sizeof(*t));
}
