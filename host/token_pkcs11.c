/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11: by pkcs11-provider where it can be loaded, else by the engine. */
#include "host/token_open.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libp11-kit's: all modules that this machine has configured. */
#define PROXY "p11-kit-proxy.so"

/* What the URI names, else what provider and engine would take by themselves. */
static const char *module_of(const struct token_uri *uri)
{
	static const char *const variables[] = {"PKCS11_MODULE_PATH", "PKCS11_PROVIDER_MODULE"};
	const char *named = (const char *)uri->value[TOKEN_MODULE_PATH].p;

	for (size_t i = 0; !named && i < 2; i++)
		named = secure_getenv(variables[i]);
	return named && *named ? named : PROXY;
}

/* The provider knows no other way before OpenSSL 3.5. It reads it when it is loaded. */
static bool start_provider(struct token_room *room, const char *module)
{
	static const char variable[] = "PKCS11_PROVIDER_MODULE";
	const char *before = getenv(variable);
	char *kept = before ? strdup(before) : NULL;
	bool ok = setenv(variable, module, 1) == 0 && mtls_token_room_provider(room, "pkcs11", "?provider=pkcs11");

	if (kept)
		(void)setenv(variable, kept, 1);
	else
		(void)unsetenv(variable);
	free(kept);
	return ok;
}

static enum mtls_reason enter(const char *module, struct token_room **out, struct mtls_error *error)
{
	struct token_room *room = mtls_token_room_join(module);
	const char *why;

	*out = room;
	if (room)
		return MTLS_USABLE;
	room = mtls_token_room_new(module);
	if (!room)
		return mtls_token_fail(error, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	*out = room;
	if (start_provider(room, module))
		return MTLS_USABLE;
	/* Without a context of its own: the engine knows only the default one. */
	mtls_token_room_leave(room);
	*out = room = mtls_token_room_new(module);
	if (!room)
		return mtls_token_fail(error, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	why = mtls_token_engine_start(room, module);
	return why ? mtls_token_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "%s", why) : MTLS_USABLE;
}

/* Token, PIN and key are there by now: what still fails is that they cannot do this kind of key. */
static enum mtls_reason open_key(struct token_room *room, const char *uri, EVP_PKEY **key, struct mtls_error *error)
{
	char why[sizeof(error->detail)];

	*key = room->engine ? mtls_token_engine_key(room, uri) : mtls_token_stored_key(room, uri);
	if (*key && mtls_token_signs(room, *key))
		return MTLS_USABLE;
	mtls_token_why(why, sizeof(why));
	/* The engine reads all keys, and fails at the first of another kind. */
	if (room->engine && !*key)
		return mtls_token_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY,
				       "engine pkcs11 wants all keys of the token to be RSA or EC: %s", why);
	return mtls_token_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "%s cannot %s this key: %s",
			       room->engine ? "engine pkcs11" : "pkcs11-provider", *key ? "sign with" : "use", why);
}

/*
 * *again: the engine still has the sessions of a token that was pulled out, and lets go of them once it has failed.
 * Then the PIN must prove itself once more.
 */
static enum mtls_reason try(const struct token_uri *uri, const char *module, const struct token_pin *pin,
			    struct token_room **room, EVP_PKEY **key, bool *again, struct mtls_error *error)
{
	enum mtls_reason reason = enter(module, room, error);

	*again = false;
	if (reason == MTLS_USABLE)
		reason = mtls_token_look(uri, module, pin, error);
	if (reason == MTLS_USABLE) {
		mtls_token_answer_set(pin);
		reason = open_key(*room, uri->plain, key, error);
		*again = reason != MTLS_USABLE && (*room)->engine && (*room)->users == 1;
	}
	if (reason == MTLS_USABLE)
		return reason;
	EVP_PKEY_free(*key);
	mtls_token_room_leave(*room);
	*key = NULL;
	*room = NULL;
	return reason;
}

enum mtls_reason mtls_token_pkcs11(struct mtls_bytes text, struct mtls_bytes given, struct token_room **room,
				   EVP_PKEY **key, struct mtls_error *error)
{
	struct token_uri uri;
	struct token_pin pin = {.n = 0};
	enum mtls_reason reason = mtls_token_uri_read(text, &uri, error);
	const char *module = module_of(&uri);
	bool again = false;

	if (reason == MTLS_USABLE)
		reason = mtls_token_pin(&uri, given, &pin, error);
	if (reason == MTLS_USABLE)
		reason = try(&uri, module, &pin, room, key, &again, error);
	if (again)
		reason = try(&uri, module, &pin, room, key, &again, error);
	OPENSSL_cleanse(&pin, sizeof(pin));
	mtls_token_uri_free(&uri);
	return reason;
}
