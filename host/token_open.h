/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the back ends of host/token.h share. A room is a module of other people's that was loaded, and what it keeps:
 * a connection to a TPM, sessions of a token. Tokens of the same back end share it, because a TPM may serve one
 * connection at a time, and who ends his part of a PKCS#11 module ends it for the whole process. It goes with its last
 * token, so that the next one begins anew.
 */
#ifndef MTLS_HOST_TOKEN_OPEN_H
#define MTLS_HOST_TOKEN_OPEN_H

#include "host/token.h"
#include "host/token_uri.h"

#include <openssl/provider.h>
#include <openssl/ui.h>

struct token_room {
	char *name;            /* "tpm2", or the PKCS#11 module's path */
	OSSL_LIB_CTX *context; /* of a provider; NULL: the engine's, the default one */
	OSSL_PROVIDER *provider[2];
	const char *properties; /* static */
	void *engine;           /* ENGINE * */
	unsigned users;
	bool dead; /* what it was connected to is gone: nobody else comes in */
	struct token_room *next;
};

/* One that is there already and not dead, with a user more; else NULL. */
struct token_room *mtls_token_room_join(const char *name);
/* A new one with one user; NULL without memory. */
struct token_room *mtls_token_room_new(const char *name);
void mtls_token_room_leave(struct token_room *);
/* Loads a provider and the default one into a context of the room's own. false: why is in libcrypto's error queue. */
bool mtls_token_room_provider(struct token_room *, const char *provider, const char *properties);

/* Loads the pkcs11 engine and names its module; see token_engine.c. NULL, or why not, for a person. */
const char *mtls_token_engine_start(struct token_room *, const char *module);
EVP_PKEY *mtls_token_engine_key(struct token_room *, const char *uri);
void mtls_token_engine_end(struct token_room *);

/* The first private key under a URI, by the room's providers. */
EVP_PKEY *mtls_token_stored_key(struct token_room *, const char *uri);

/* Looks itself, by the module's own functions, whether token, PIN and key are there; see token_look.c. */
enum mtls_reason mtls_token_look(const struct token_uri *, const char *module, const struct token_pin *,
				 struct mtls_error *);

/* Answers libcrypto's question for a PIN, once. To be unset afterwards. */
void mtls_token_answer_set(const struct token_pin *);
void mtls_token_answer_unset(void);
bool mtls_token_answer_wanted(void); /* was there a question? */
UI_METHOD *mtls_token_answer_ui(void);
int mtls_token_answer_pem(char *buffer, int size, int writing, void *none); /* a pem_password_cb */

/* What the newest entry of libcrypto's error queue says, for a person; never NULL. */
const char *mtls_token_why(char *buffer, size_t size);

/* Does it sign? The room's context and properties count. */
bool mtls_token_signs(const struct token_room *, EVP_PKEY *);

enum mtls_reason mtls_token_fail(struct mtls_error *, enum mtls_reason, enum mtls_part, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The back ends: *room and *key, or a broken word and neither. */
enum mtls_reason mtls_token_pkcs11(struct mtls_bytes uri, struct mtls_bytes pin, struct token_room **, EVP_PKEY **,
				   struct mtls_error *);
enum mtls_reason mtls_token_tpm(struct mtls_bytes text, struct mtls_bytes pin, struct token_room **, EVP_PKEY **,
				struct mtls_error *);

#endif
