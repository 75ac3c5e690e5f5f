/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#11 by the engine of libp11 (Debian: libengine-pkcs11-openssl), for systems without pkcs11-provider. libcrypto
 * calls engines deprecated; one that was built without them has none to load.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "host/token_open.h"

#include <openssl/opensslconf.h>

#define MISSING "a pkcs11: URI needs pkcs11-provider or libengine-pkcs11-openssl"

#ifndef OPENSSL_NO_ENGINE

#include <openssl/engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "ENGINESDIR: "/usr/lib/…"" of this libcrypto, or what replaces it. */
static bool engine_path(char *path, size_t size)
{
	const char *folder = secure_getenv("OPENSSL_ENGINES"), *built = OpenSSL_version(OPENSSL_ENGINES_DIR);
	const char *begin = strchr(built, '"');
	int n = -1;

	if (folder)
		n = snprintf(path, size, "%s/pkcs11.so", folder);
	else if (begin)
		n = snprintf(path, size, "%.*s/pkcs11.so", (int)strcspn(begin + 1, "\""), begin + 1);
	return n > 0 && (size_t)n < size;
}

/* One of its own, which is in no list: each keeps one module. */
static ENGINE *load(const char *path)
{
	ENGINE *e;

	ENGINE_load_dynamic();
	e = ENGINE_by_id("dynamic");
	if (e && ENGINE_ctrl_cmd_string(e, "SO_PATH", path, 0) && ENGINE_ctrl_cmd_string(e, "ID", "pkcs11", 0) &&
	    ENGINE_ctrl_cmd_string(e, "LIST_ADD", "0", 0) && ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0))
		return e;
	ENGINE_free(e);
	return NULL;
}

/*
 * Once a process, and with one module: it cannot be loaded again. It ends its part of the module when the last key that
 * it gave out or remembers lets go of it, which nobody can see from here: so the module stays the first one.
 * (RE_ENUMERATE, its way to look at the slots again, crashes in 0.4.12.)
 */
static ENGINE *engine;
static char *engine_module;

static const char *begin(const char *module)
{
	char path[4096];

	engine = engine_path(path, sizeof(path)) ? load(path) : NULL;
	if (!engine)
		return MISSING;
	/* What it has to say it says on standard error, in many lines. */
	(void)ENGINE_ctrl_cmd_string(engine, "QUIET", NULL, 1);
	engine_module = strdup(module);
	if (engine_module && ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0))
		return NULL;
	free(engine_module);
	engine_module = NULL;
	ENGINE_free(engine);
	return "engine pkcs11 does not start";
}

const char *mtls_token_engine_start(struct token_room *room, const char *module)
{
	const char *why = engine_module ? NULL : begin(module);

	if (why)
		return why;
	if (strcmp(module, engine_module) != 0)
		return "engine pkcs11 has begun with another module-path: restart for this one";
	if (!ENGINE_init(engine))
		return "engine pkcs11 does not start";
	room->engine = engine;
	return NULL;
}

EVP_PKEY *mtls_token_engine_key(struct token_room *room, const char *uri)
{
	return ENGINE_load_private_key(room->engine, uri, mtls_token_answer_ui(), NULL);
}

void mtls_token_engine_end(struct token_room *room)
{
	if (room->engine)
		ENGINE_finish(room->engine);
	room->engine = NULL;
}

#else

const char *mtls_token_engine_start(struct token_room *room, const char *module)
{
	(void)room;
	(void)module;
	return MISSING;
}

EVP_PKEY *mtls_token_engine_key(struct token_room *room, const char *uri)
{
	(void)room;
	(void)uri;
	return NULL;
}

void mtls_token_engine_end(struct token_room *room)
{
	(void)room;
}

#endif
