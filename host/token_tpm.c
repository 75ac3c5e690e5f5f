/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM 2.0 by tpm2-openssl's provider: a persistent handle, or a TSS2 block, which is the key wrapped by a TPM. Whether
 * a PIN is right only a signature tells; a TPM counts wrong ones and locks itself.
 */
#include "host/token_open.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROPERTIES "?provider=tpm2"

static const char *tpm_name(void)
{
	const char *name = secure_getenv("TPM2OPENSSL_TCTI");

	return name && *name ? name : "neither /dev/tpmrm0 nor another";
}

/* Is one of these words anywhere in libcrypto's error queue? Empties it. */
static bool said(const char *one, const char *other)
{
	const char *data, *reason;
	unsigned long code;
	int flags;

	bool yes = false;

	while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
		reason = ERR_reason_error_string(code);
		if (!(flags & ERR_TXT_STRING))
			data = "";
		yes = yes || strstr(data, one) || (other && strstr(data, other)) || (reason && strstr(reason, one));
	}
	return yes;
}

static enum mtls_reason no_tpm(struct mtls_error *error)
{
	return mtls_token_fail(error, MTLS_KEY_MISSING, MTLS_KEY, "no TPM: %.70s", tpm_name());
}

static enum mtls_reason enter(struct token_room **out, struct mtls_error *error)
{
	struct token_room *room = mtls_token_room_join("tpm2");

	*out = room;
	if (room)
		return MTLS_USABLE;
	/* The TPM's libraries write a line for each step that fails. */
	(void)setenv("TSS2_LOG", "all+NONE", 0);
	*out = room = mtls_token_room_new("tpm2");
	if (!room)
		return mtls_token_fail(error, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	if (mtls_token_room_provider(room, "tpm2", PROPERTIES))
		return MTLS_USABLE;
	mtls_token_room_leave(room);
	if (said("could not load the shared library", NULL))
		return mtls_token_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "a key of a TPM needs tpm2-openssl");
	return no_tpm(error);
}

/* "handle:0x81000001", and with a PIN "?pass" behind it: else the provider does not ask. */
static EVP_PKEY *load_handle(struct token_room *room, struct mtls_bytes text, bool pin)
{
	char uri[64];

	(void)snprintf(uri, sizeof(uri), "%.*s%s", (int)text.n, (const char *)text.p, pin ? "?pass" : "");
	return mtls_token_stored_key(room, uri);
}

static EVP_PKEY *load_block(struct token_room *room, struct mtls_bytes block)
{
	BIO *bio = BIO_new_mem_buf(block.p, (int)block.n);
	EVP_PKEY *key =
		bio ? PEM_read_bio_PrivateKey_ex(bio, NULL, mtls_token_answer_pem, NULL, room->context, PROPERTIES)
		    : NULL;

	BIO_free(bio);
	return key;
}

/* A number of the persistent range, as tpm2_evictcontrol(1) gives them, and nothing behind it. */
static bool is_handle(struct mtls_bytes text)
{
	if (!mtls_bytes_take(&text, "handle:0x") || text.n == 0 || text.n > 8)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (!memchr("0123456789abcdefABCDEF", text.p[i], 22))
			return false;
	return true;
}

/* The block that private_key.pem's text has; false: none. */
static bool find_block(struct mtls_bytes text, struct mtls_bytes *block)
{
	struct mtls_pem pem;
	size_t at = 0;

	while (mtls_pem_next(text, &at, &pem)) {
		*block = pem.whole;
		if (mtls_bytes_equal(pem.label, mtls_bytes_of("TSS2 PRIVATE KEY")))
			return pem.well_formed;
	}
	return false;
}

/* Why the key was not to be had or does not sign, from what the TPM's libraries say. */
static enum mtls_reason explain(struct token_room *room, const struct token_pin *pin, struct mtls_bytes text,
				struct mtls_error *error)
{
	char why[400];
	bool handle = mtls_bytes_start(text, "handle:");

	mtls_token_why(why, sizeof(why));
	if (strstr(why, "lockout"))
		return mtls_token_fail(error, MTLS_PASSPHRASE_WRONG, pin->part,
				       "the TPM is locked after wrong ones: tpm2_dictionarylockout");
	if (strstr(why, "authorization"))
		return pin->n ? mtls_token_fail(error, MTLS_PASSPHRASE_WRONG, pin->part, "the TPM refuses it")
			      : mtls_token_fail(error, MTLS_PASSPHRASE_MISSING, MTLS_PASS, "the TPM wants one");
	if (!pin->n && mtls_token_answer_wanted())
		return mtls_token_fail(error, MTLS_PASSPHRASE_MISSING, MTLS_PASS, "the TPM wants one");
	if (room->dead)
		return no_tpm(error);
	if (handle && strstr(why, "handle is not correct"))
		return mtls_token_fail(error, MTLS_KEY_MISSING, MTLS_KEY, "the TPM has no %.*s", (int)text.n,
				       (const char *)text.p);
	return mtls_token_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "TPM: %.90s", why);
}

/* false: the queue of errors tells why. A TPM that went away and came back knows nothing of those that it served. */
static bool open_key(struct token_room *room, struct mtls_bytes text, struct mtls_bytes block, bool pin, EVP_PKEY **key)
{
	char why[400];

	*key = block.n ? load_block(room, block) : load_handle(room, text, pin);
	if (*key && mtls_token_signs(room, *key))
		return true;
	EVP_PKEY_free(*key);
	*key = NULL;
	if (strstr(mtls_token_why(why, sizeof(why)), "tcti:"))
		room->dead = true;
	return false;
}

enum mtls_reason mtls_token_tpm(struct mtls_bytes text, struct mtls_bytes given, struct token_room **room,
				EVP_PKEY **key, struct mtls_error *error)
{
	struct token_pin pin = {.n = 0};
	struct mtls_bytes block = {NULL, 0};
	enum mtls_reason reason;
	bool again, ok;

	if (!is_handle(text) && !find_block(text, &block))
		return mtls_token_fail(error, MTLS_KEY_MALFORMED, MTLS_KEY,
				       "neither pkcs11: nor handle:0x81... nor a TSS2 block");
	reason = mtls_token_pin(NULL, given, &pin, error);
	do {
		again = ok = false;
		if (reason == MTLS_USABLE)
			reason = enter(room, error);
		if (reason != MTLS_USABLE)
			break;
		mtls_token_answer_set(&pin);
		ok = open_key(*room, text, block, pin.n, key);
		again = !ok && (*room)->dead && (*room)->users > 1; /* it is an older key's: make one that lives */
		if (!ok && !again)
			reason = explain(*room, &pin, text, error);
		if (!ok)
			mtls_token_room_leave(*room);
	} while (again);
	if (!ok)
		*room = NULL;
	OPENSSL_cleanse(&pin, sizeof(pin));
	return reason;
}
