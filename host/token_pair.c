/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate and a key in a token; see token.h. */
#include "host/crypto_linked.h"
#include "host/token.h"

#include <openssl/x509.h>
#include <string.h>

enum mtls_reason mtls_token_of(const struct mtls_files *files, const struct mtls_identity *identity,
			       struct mtls_token *token, struct mtls_error *error)
{
	const struct mtls_file *pass = &files->file[MTLS_PASS];
	struct mtls_bytes pin = {NULL, 0};
	enum mtls_reason reason;
	size_t at = 0;

	if (pass->how == MTLS_FILE_OK && pass->data.n)
		pin = mtls_bytes_line(pass->data, &at);
	reason = mtls_token_open(files->file[MTLS_KEY].data, pin, token, error);
	if (reason == MTLS_USABLE && !X509_check_private_key(identity->leaf, token->key)) {
		mtls_token_close(token);
		reason = mtls_fail(error, MTLS_PAIR_MISMATCH, MTLS_KEY, mtls_bytes_of(NULL));
	}
	return reason;
}

enum mtls_reason mtls_token_pair(const struct mtls_files *files, struct mtls_identity **identity,
				 struct mtls_token *token, struct mtls_error *error)
{
	struct mtls_files without_key = *files;
	struct mtls_blocks blocks;
	enum mtls_reason reason;

	*identity = NULL;
	memset(token, 0, sizeof(*token));
	without_key.agent = true;
	reason = mtls_credential_scan(&without_key, &blocks, error);
	if (reason == MTLS_USABLE)
		reason = mtls_identity_load(&mtls_crypto_linked, &blocks, identity, error);
	if (reason == MTLS_USABLE)
		reason = mtls_token_of(files, *identity, token, error);
	if (reason != MTLS_USABLE) {
		mtls_identity_free(&mtls_crypto_linked, *identity);
		*identity = NULL;
	}
	return reason;
}
