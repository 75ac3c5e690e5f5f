/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions of one libgnutls, and its parser (library.c finds which libgnutls a call means). */
#include "shim/gnutls.h"

#include "shim/dl.h"

#include <string.h>

static bool find_functions(struct gtls *library, void *handle)
{
#define MTLS_GNUTLS(name)          "*" #name "\0"
#define MTLS_GNUTLS_OPTIONAL(name) "?" #name "\0"
	static const char names[] =
#include "shim/gnutls.def"
		;

	return dl_symbols(handle, names, "*", &library->f);
}

static enum mtls_reason load(void *context, const struct mtls_blocks *blocks, void **identity, struct mtls_error *error)
{
	struct gtls_identity *loaded = NULL;
	enum mtls_reason reason = gtls_identity_load(context, blocks, &loaded, error);

	if (reason == MTLS_USABLE && blocks->key_form == MTLS_KEY_NONE && !gtls_agent_key(context, loaded)) {
		gtls_identity_drop(context, loaded);
		loaded = NULL;
		reason = mtls_fail(error, MTLS_UNREADABLE, MTLS_CERT, mtls_bytes_of("out of memory"));
	}
	*identity = loaded;
	return reason;
}

static void unload(void *context, void *identity)
{
	gtls_identity_drop(context, identity);
}

static void describe(struct gtls *library)
{
	const char *version = library->f.gnutls_check_version(NULL);
	const char prefix[] = "gnutls/";
	size_t n = strnlen(version, sizeof(library->is.version) - sizeof(prefix));

	memcpy(library->is.version, prefix, sizeof(prefix) - 1);
	memcpy(library->is.version + sizeof(prefix) - 1, version, n);
}

static bool fill(struct library *is, void *handle)
{
	static const struct mtls_parser parser = {load, unload};
	struct gtls *library = (struct gtls *)is;

	if (!find_functions(library, handle))
		return false;
	is->parser.parser = &parser;
	describe(library);
	return true;
}

const struct family gtls_family = {"gnutls_init", "libgnutls", fill, sizeof(struct gtls)};
