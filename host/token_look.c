/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a PKCS#11 module itself whether the token, its PIN and the key are there. Provider and engine only say that they
 * have failed, search with and without the PIN, and try it as often as they like; here it is tried once, and they come
 * after that. Nothing of the module is kept.
 */
#include "host/token_open.h"

#include <dlfcn.h>
#include <p11-kit-1/p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 256

struct look {
	const struct token_uri *uri;
	const struct token_pin *pin;
	struct mtls_error *error;
	CK_FUNCTION_LIST *f;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO token;
	CK_SESSION_HANDLE session;
	char name[40]; /* of the token, for messages */
};

/* A field of PKCS#11: filled up with blanks, no NUL. */
static bool field_is(const struct look *l, enum token_part part, const unsigned char *field, size_t size)
{
	struct mtls_bytes value = l->uri->value[part];

	while (size && field[size - 1] == ' ')
		size--;
	return !value.p || mtls_bytes_equal(value, (struct mtls_bytes){field, size});
}

static bool fits(const struct look *l, const CK_TOKEN_INFO *t)
{
	return field_is(l, TOKEN_LABEL, t->label, sizeof(t->label)) &&
	       field_is(l, TOKEN_MANUFACTURER, t->manufacturerID, sizeof(t->manufacturerID)) &&
	       field_is(l, TOKEN_MODEL, t->model, sizeof(t->model)) &&
	       field_is(l, TOKEN_SERIAL, t->serialNumber, sizeof(t->serialNumber));
}

/* The PIN must not be tried at one token after the other. */
static enum mtls_reason find_token(struct look *l, const char *module)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX, fitting = 0;
	const char *label = (const char *)l->uri->value[TOKEN_LABEL].p;
	CK_TOKEN_INFO info;
	CK_RV rv = l->f->C_GetSlotList(CK_TRUE, slots, &n);

	if (rv != CKR_OK)
		return mtls_token_fail(l->error, MTLS_KEY_MISSING, MTLS_KEY, "PKCS#11 module %.60s: error 0x%lx",
				       module, rv);
	for (CK_ULONG i = 0; i < n; i++) {
		if (l->f->C_GetTokenInfo(slots[i], &info) != CKR_OK || !(info.flags & CKF_TOKEN_INITIALIZED) ||
		    !fits(l, &info))
			continue;
		fitting++;
		l->slot = slots[i];
		l->token = info;
	}
	if (fitting > 1)
		return mtls_token_fail(l->error, MTLS_KEY_MALFORMED, MTLS_KEY,
				       "%lu tokens fit the URI: name one with token= or serial=", fitting);
	if (fitting == 0 && label)
		return mtls_token_fail(l->error, MTLS_KEY_MISSING, MTLS_KEY, "no token %.40s", label);
	if (fitting == 0)
		return mtls_token_fail(l->error, MTLS_KEY_MISSING, MTLS_KEY, "no token that fits the URI");
	(void)snprintf(l->name, sizeof(l->name), "%.*s", (int)sizeof(l->token.label), l->token.label);
	for (size_t end = strlen(l->name); end && l->name[end - 1] == ' '; end--)
		l->name[end - 1] = '\0';
	return MTLS_USABLE;
}

/* How many keys fit, of those that can be seen now; *key is one of them. */
static CK_ULONG find_keys(struct look *l, CK_OBJECT_HANDLE *key)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_BBOOL token = CK_TRUE; /* a provider may keep copies in its sessions */
	CK_ATTRIBUTE wanted[4] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &token, sizeof(token)}};
	CK_ULONG n = 2, found = 0, all = 0;
	CK_OBJECT_HANDLE handles[2];

	if (l->uri->value[TOKEN_OBJECT].p)
		wanted[n++] =
			(CK_ATTRIBUTE){CKA_LABEL, (void *)l->uri->value[TOKEN_OBJECT].p, l->uri->value[TOKEN_OBJECT].n};
	if (l->uri->value[TOKEN_ID].p)
		wanted[n++] = (CK_ATTRIBUTE){CKA_ID, (void *)l->uri->value[TOKEN_ID].p, l->uri->value[TOKEN_ID].n};
	if (l->f->C_FindObjectsInit(l->session, wanted, n) != CKR_OK)
		return 0;
	while (l->f->C_FindObjects(l->session, handles, 2, &found) == CKR_OK && found) {
		*key = handles[0];
		all += found;
	}
	l->f->C_FindObjectsFinal(l->session);
	return all;
}

static enum mtls_reason wrong_pin(struct look *l, const char *why)
{
	return mtls_token_fail(l->error, MTLS_PASSPHRASE_WRONG, l->pin->part, "token %s: %s%s", l->name, why,
			       l->pin->where);
}

/* Once. Where one try is left a daemon does not take it. */
static enum mtls_reason log_in(struct look *l)
{
	CK_RV rv;

	if (l->token.flags & CKF_USER_PIN_LOCKED)
		return wrong_pin(l, "the PIN is locked");
	if (!l->pin->n)
		return mtls_token_fail(l->error, MTLS_PASSPHRASE_MISSING, MTLS_PASS, "token %s: it wants a PIN",
				       l->name);
	if (l->token.flags & CKF_USER_PIN_FINAL_TRY)
		return wrong_pin(l, "one try is left, not taken; log in by hand first");
	rv = l->f->C_Login(l->session, CKU_USER, (CK_UTF8CHAR *)l->pin->text, l->pin->n);
	switch (rv) {
	case CKR_OK:
	case CKR_USER_ALREADY_LOGGED_IN: /* by a key of this process that is open already */
		return MTLS_USABLE;
	case CKR_PIN_LOCKED:
		return wrong_pin(l, "the PIN is locked");
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		return wrong_pin(l, "wrong PIN");
	case CKR_PIN_EXPIRED:
		return wrong_pin(l, "the PIN has expired");
	case CKR_USER_PIN_NOT_INITIALIZED:
		return wrong_pin(l, "no PIN was set on it");
	default:
		return mtls_token_fail(l->error, MTLS_KEY_MISSING, MTLS_KEY, "token %s: login: error 0x%lx", l->name,
				       rv);
	}
}

static enum mtls_reason no_key(struct look *l)
{
	const unsigned char *object = l->uri->value[TOKEN_OBJECT].p;
	struct mtls_bytes id = l->uri->value[TOKEN_ID];
	char figures[2 * 8 + 1] = "";

	mtls_bytes_hex(id.p, id.n < 8 ? id.n : 8, figures);
	return mtls_token_fail(l->error, MTLS_KEY_MISSING, MTLS_KEY, "token %s: no private key%s%.20s%s%s", l->name,
			       object ? " " : "", object ? (const char *)object : "", id.p ? " with id " : "", figures);
}

static enum mtls_reason look_at(struct look *l, CK_OBJECT_HANDLE key)
{
	CK_BBOOL sign = CK_TRUE, always = CK_FALSE;
	CK_ATTRIBUTE a = {CKA_SIGN, &sign, sizeof(sign)}, b = {CKA_ALWAYS_AUTHENTICATE, &always, sizeof(always)};

	(void)l->f->C_GetAttributeValue(l->session, key, &a, 1);
	(void)l->f->C_GetAttributeValue(l->session, key, &b, 1);
	if (!sign)
		return mtls_token_fail(l->error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "token %s: this key may not sign",
				       l->name);
	if (always)
		return mtls_token_fail(l->error, MTLS_KEY_UNSUPPORTED, MTLS_KEY,
				       "token %s: this key wants its PIN at each signature", l->name);
	return MTLS_USABLE;
}

/* Keys that anybody may see need no PIN, and then none is tried. */
static enum mtls_reason look_for_key(struct look *l)
{
	CK_OBJECT_HANDLE key = 0;
	CK_ULONG n = find_keys(l, &key);
	enum mtls_reason reason = MTLS_USABLE;

	if (n == 0 && (l->token.flags & CKF_LOGIN_REQUIRED)) {
		reason = log_in(l);
		if (reason == MTLS_USABLE)
			n = find_keys(l, &key);
	}
	if (reason != MTLS_USABLE)
		return reason;
	if (n > 1)
		return mtls_token_fail(l->error, MTLS_KEY_MALFORMED, MTLS_KEY,
				       "%lu keys fit the URI: name one with object= or id=", n);
	return n ? look_at(l, key) : no_key(l);
}

static CK_FUNCTION_LIST *load(const char *module, struct mtls_error *error)
{
	void *handle = dlopen(module, RTLD_NOW | RTLD_LOCAL),
	     *function = handle ? dlsym(handle, "C_GetFunctionList") : NULL;
	CK_FUNCTION_LIST *f = NULL;
	CK_C_GetFunctionList get;

	if (function) {
		memcpy(&get, &function, sizeof(get));
		if (get(&f) == CKR_OK && f)
			return f; /* it stays loaded: some have threads */
	}
	if (handle)
		dlclose(handle);
	mtls_token_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, "PKCS#11 module %.50s: %s", module,
			handle ? "is none" : "cannot be loaded");
	return NULL;
}

enum mtls_reason mtls_token_look(const struct token_uri *uri, const char *module, const struct token_pin *pin,
				 struct mtls_error *error)
{
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
	struct look l = {.uri = uri, .pin = pin, .error = error, .f = load(module, error)};
	enum mtls_reason reason;
	CK_RV begun, rv;

	if (!l.f)
		return MTLS_KEY_UNSUPPORTED;
	begun = l.f->C_Initialize(&arguments);
	if (begun == CKR_CANT_LOCK)
		begun = l.f->C_Initialize(NULL);
	if (begun != CKR_OK && begun != CKR_CRYPTOKI_ALREADY_INITIALIZED)
		return mtls_token_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY,
				       "PKCS#11 module %.50s does not start: error 0x%lx", module, begun);
	reason = find_token(&l, module);
	if (reason == MTLS_USABLE) {
		rv = l.f->C_OpenSession(l.slot, CKF_SERIAL_SESSION, NULL, NULL, &l.session);
		if (rv != CKR_OK)
			reason =
				mtls_token_fail(error, MTLS_KEY_MISSING, MTLS_KEY, "token %s: error 0x%lx", l.name, rv);
		else
			reason = look_for_key(&l);
		if (rv == CKR_OK)
			l.f->C_CloseSession(l.session); /* the last one: logs out */
	}
	if (begun == CKR_OK)
		l.f->C_Finalize(NULL);
	return reason;
}
