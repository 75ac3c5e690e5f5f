/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key that stays in its token: what private_key.pem names instead of holding (contract, section 1). PKCS#11 (a
 * pkcs11: URI, RFC 7512) by pkcs11-provider where it is installed, else by the engine; TPM 2.0 (handle:0x81000001, or a
 * TSS2 PRIVATE KEY block) by tpm2-openssl. For programs that link libcrypto 3; never the shim. Loads other people's
 * modules into this process. Thread: one call at a time.
 */
#ifndef MTLS_HOST_TOKEN_H
#define MTLS_HOST_TOKEN_H

#include "core/credential.h"
#include "host/identity.h"

#include <openssl/evp.h>

/* Operations with key want context and properties: EVP_DigestSignInit_ex, EVP_PKEY_CTX_new_from_pkey, X509_REQ_new_ex.
 */
struct mtls_token {
	EVP_PKEY *key;
	OSSL_LIB_CTX *context;  /* NULL: the default one */
	const char *properties; /* or NULL */
	void *room;             /* private */
};

/*
 * text: what private_key.pem holds, as a whole. pin: the passphrase file's line; n == 0: none. A pin-source or
 * pin-value in the URI comes before it. MTLS_USABLE, and *out to be closed; else a broken word with a detail for a
 * person, and *out empty: key-malformed (no such URI or block), key-unsupported (the module that it needs is not
 * installed: which package), key-missing (no such token or key), passphrase-missing, passphrase-wrong (the PIN).
 * Never prompts, and never tries a PIN twice: tokens lock. The key has signed once when it is given out. One whose
 * token went away stays dead when that comes back: close it, then open it again.
 */
enum mtls_reason mtls_token_open(struct mtls_bytes text, struct mtls_bytes pin, struct mtls_token *out,
				 struct mtls_error *);
/*
 * For files of which core/ says key-needs-agent: certificate, token (the passphrase file's line is its PIN), and that
 * they belong together; the certificate first, because a PIN is not to be tried in vain. MTLS_USABLE with *identity, to
 * be freed, without a key, and *token, to be closed; else a broken word and neither.
 */
enum mtls_reason mtls_token_pair(const struct mtls_files *, struct mtls_identity **identity, struct mtls_token *token,
				 struct mtls_error *);
/* The token alone, for an identity that is there already. */
enum mtls_reason mtls_token_of(const struct mtls_files *, const struct mtls_identity *, struct mtls_token *,
			       struct mtls_error *);

/* Also an empty one. */
void mtls_token_close(struct mtls_token *);

#endif
