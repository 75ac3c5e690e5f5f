/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that stay in their token, for new and import: what private_key.pem says of them, and their PIN. It comes from
 * the URI, or from the passphrase file; nobody is asked, because a token counts wrong ones.
 */
#ifndef MTLS_LAUNCHER_CRED_TOKEN_H
#define MTLS_LAUNCHER_CRED_TOKEN_H

#include "host/token.h"
#include "launcher/cred/secret.h"

/* A pkcs11: or handle: line, or a TSS2 block? text then is that alone. */
bool cred_token_is(struct mtls_bytes *text);

/* --key-uri: the URI itself, or "file:PATH" of what private_key.pem would hold. CRED_GO_ON, or an exit with one line
 * said. To be freed with cred_bytes_free in any case. */
int cred_token_option(const struct cred *, const char *value, struct cred_bytes *text);

/* CRED_GO_ON and *out, to be closed; or an exit with one line said. pass_file: NULL: the folder's. */
int cred_token_open(const struct cred *, const char *pass_file, struct mtls_bytes text, struct mtls_token *out);

/* The folder's passphrase file, where it is the PIN of that key: it must not go with the credential of before. Else
 * nothing. To be freed with cred_bytes_free. */
void cred_token_pin(const struct cred *, struct mtls_bytes text, struct cred_bytes *out);

/* Its public key in the default context: the token is closed again. */
int cred_token_public(const struct cred *, const char *pass_file, struct mtls_bytes text, EVP_PKEY **out);

#endif
