/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pkcs11: URI (RFC 7512) in its parts, and where its PIN comes from. Only what is needed to find one private key is
 * understood; a part that would narrow the search and is not understood is refused, not left out.
 */
#ifndef MTLS_HOST_TOKEN_URI_H
#define MTLS_HOST_TOKEN_URI_H

#include "core/credential.h"

enum token_part {
	TOKEN_LABEL,
	TOKEN_MANUFACTURER,
	TOKEN_MODEL,
	TOKEN_SERIAL,
	TOKEN_OBJECT,
	TOKEN_ID,
	TOKEN_TYPE,
	TOKEN_MODULE_PATH, /* from here on: of the query */
	TOKEN_PIN_SOURCE,
	TOKEN_PIN_VALUE,
	TOKEN_PARTS,
};

struct token_uri {
	char *plain;                          /* without the query, where a PIN may stand: to show and to pass on */
	struct mtls_bytes value[TOKEN_PARTS]; /* decoded, with a NUL behind; p == NULL: not given */
	char *memory;                         /* private, as the rest is */
	size_t size;
};

/* MTLS_USABLE, or key-malformed with what is wrong; to be freed in any case. */
enum mtls_reason mtls_token_uri_read(struct mtls_bytes text, struct token_uri *, struct mtls_error *);
/* Wipes. */
void mtls_token_uri_free(struct token_uri *);

/* Where a PIN is, for messages: in the URI, in the file that it names, or with the credential. */
struct token_pin {
	char text[MTLS_PASS_MAX + 1];
	size_t n; /* 0: there is none */
	enum mtls_part part;
	char where[64]; /* " in FILE", or "" */
};

/* The URI's own, else pin. MTLS_USABLE also without any. To be wiped by the caller. */
enum mtls_reason mtls_token_pin(const struct token_uri *, struct mtls_bytes pin, struct token_pin *,
				struct mtls_error *);

#endif
