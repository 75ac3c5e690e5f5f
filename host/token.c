/* SPDX-License-Identifier: Apache-2.0 */
/* Which back end a key needs, and the rooms that they share; see token.h. */
#include "host/token.h"
#include "host/token_open.h"

#include <openssl/err.h>
#include <openssl/store.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct token_room *rooms;

enum mtls_reason mtls_token_fail(struct mtls_error *error, enum mtls_reason reason, enum mtls_part part,
				 const char *format, ...)
{
	char detail[sizeof(error->detail)];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	return mtls_fail(error, reason, part, mtls_bytes_of(detail));
}

const char *mtls_token_why(char *buffer, size_t size)
{
	const char *data = NULL, *reason;
	int flags = 0;
	unsigned long code = ERR_peek_last_error_all(NULL, NULL, NULL, &data, &flags);

	reason = code ? ERR_reason_error_string(code) : NULL;
	if ((flags & ERR_TXT_STRING) && data && *data)
		(void)snprintf(buffer, size, "%s%s%s", reason ? reason : "", reason ? ": " : "", data);
	else
		(void)snprintf(buffer, size, "%s", reason ? reason : "no reason given");
	return buffer;
}

/* --- rooms ---------------------------------------------------------------------------- */

struct token_room *mtls_token_room_join(const char *name)
{
	for (struct token_room *r = rooms; r; r = r->next)
		if (!r->dead && strcmp(r->name, name) == 0) {
			r->users++;
			return r;
		}
	return NULL;
}

struct token_room *mtls_token_room_new(const char *name)
{
	struct token_room *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->name = strdup(name);
	if (!r->name) {
		free(r);
		return NULL;
	}
	r->users = 1;
	r->next = rooms;
	rooms = r;
	return r;
}

void mtls_token_room_leave(struct token_room *room)
{
	struct token_room **at = &rooms;

	if (!room || --room->users > 0)
		return;
	while (*at != room)
		at = &(*at)->next;
	*at = room->next;
	mtls_token_engine_end(room);
	for (size_t i = 0; i < 2; i++)
		if (room->provider[i])
			OSSL_PROVIDER_unload(room->provider[i]);
	OSSL_LIB_CTX_free(room->context);
	free(room->name);
	free(room);
}

bool mtls_token_room_provider(struct token_room *room, const char *provider, const char *properties)
{
	room->context = OSSL_LIB_CTX_new();
	if (!room->context)
		return false;
	/* First: what the default one cannot do, such as a URI of a token, it then does not try. */
	room->provider[0] = OSSL_PROVIDER_load(room->context, provider);
	if (room->provider[0])
		room->provider[1] = OSSL_PROVIDER_load(room->context, "default");
	room->properties = properties;
	return room->provider[1];
}

/* --- opening ------------------------------------------------------------------------ */

/* EdDSA has its own; a curve may be allowed with that of its size alone. */
static const char *hash_for(EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		return NULL;
	if (EVP_PKEY_is_a(key, "RSA") || bits <= 256)
		return "SHA256";
	return bits <= 384 ? "SHA384" : "SHA512";
}

bool mtls_token_signs(const struct token_room *room, EVP_PKEY *key)
{
	static const unsigned char text[] = "mtls-run asks a key whether it signs";
	const char *hash = hash_for(key);
	size_t n = (size_t)EVP_PKEY_get_size(key);
	unsigned char *signature = malloc(n ? n : 1);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = signature && c &&
		  EVP_DigestSignInit_ex(c, NULL, hash, room->context, room->properties, key, NULL) > 0 &&
		  EVP_DigestSign(c, signature, &n, text, sizeof(text)) > 0;

	EVP_MD_CTX_free(c);
	free(signature);
	return ok;
}

EVP_PKEY *mtls_token_stored_key(struct token_room *room, const char *uri)
{
	OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, room->context, room->properties, mtls_token_answer_ui(), NULL,
						   NULL, NULL, NULL);
	EVP_PKEY *key = NULL;
	OSSL_STORE_INFO *info;

	if (!store)
		return NULL;
	(void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
	while (!key && !OSSL_STORE_eof(store)) {
		info = OSSL_STORE_load(store);
		if (!info && OSSL_STORE_error(store))
			break;
		if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			key = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	OSSL_STORE_close(store);
	return key;
}

enum mtls_reason mtls_token_open(struct mtls_bytes text, struct mtls_bytes pin, struct mtls_token *out,
				 struct mtls_error *error)
{
	struct token_room *room = NULL;
	EVP_PKEY *key = NULL;
	enum mtls_reason reason;

	memset(out, 0, sizeof(*out));
	mtls_bytes_take(&text, MTLS_BOM);
	text = mtls_bytes_trim(text);
	(void)ERR_set_mark();
	if (mtls_bytes_start(text, "pkcs11:"))
		reason = mtls_token_pkcs11(text, pin, &room, &key, error);
	else
		reason = mtls_token_tpm(text, pin, &room, &key, error);
	mtls_token_answer_unset();
	(void)ERR_pop_to_mark();
	if (reason != MTLS_USABLE)
		return reason;
	*out = (struct mtls_token){key, room->context, room->properties, room};
	return mtls_fail(error, MTLS_USABLE, MTLS_NOTHING, mtls_bytes_of(NULL));
}

void mtls_token_close(struct mtls_token *token)
{
	EVP_PKEY_free(token->key);
	mtls_token_room_leave(token->room);
	memset(token, 0, sizeof(*token));
}
