/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of functions of one libssl, its parser, and which libssl a call means (library.c does the search).
 */
#include "shim/openssl.h"

#include "shim/dl.h"

#include <stdlib.h>
#include <string.h>

/* Every function by name, from the libssl's own scope, which has its libcrypto. */
static bool find_functions(struct openssl *library, void *handle)
{
	bool all = true;

#define MTLS_OPENSSL(name) all = ((*(void **)&library->f.name = dl_symbol(handle, #name)) != NULL) && all;
#include "shim/openssl.def"
#undef MTLS_OPENSSL
#define MTLS_CRYPTO(name) all = ((*(void **)&library->crypto.name = dl_symbol(handle, #name)) != NULL) && all;
#include "host/crypto.def"
#undef MTLS_CRYPTO
	return all;
}

/* --- the parser ------------------------------------------------------------ */

static enum mtls_reason load(void *context, const struct mtls_blocks *blocks, void **identity, struct mtls_error *error)
{
	const struct openssl *library = context;
	struct mtls_identity *loaded = NULL;
	enum mtls_reason reason = mtls_identity_load(&library->crypto, blocks, &loaded, error);

	if (reason == MTLS_USABLE && !openssl_mark(library, loaded)) {
		mtls_identity_free(&library->crypto, loaded);
		loaded = NULL;
		reason = mtls_fail(error, MTLS_UNREADABLE, MTLS_CERT, mtls_bytes_of("out of memory"));
	}
	*identity = loaded;
	return reason;
}

static void unload(void *context, void *identity)
{
	const struct openssl *library = context;

	mtls_identity_free(&library->crypto, identity);
}

static const struct mtls_parser parser = {load, unload};

/* --- the table ------------------------------------------------------------------ */

static void context_free(void *ctx, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *arg)
{
	(void)ctx, (void)ex, (void)index, (void)number, (void)arg;
	free(data);
}

/* OpenSSL 3 and newer; 1.1.1 and look-alikes (BoringSSL, LibreSSL) are passed through. */
static bool is_openssl_3(void *handle)
{
	unsigned (*major)(void);

	*(void **)&major = dl_symbol(handle, "OPENSSL_version_major");
	return major && major() >= 3;
}

static void describe(struct openssl *library)
{
	const char *version = library->f.OpenSSL_version(OPENSSL_VERSION_STRING);
	const char prefix[] = "openssl/";
	size_t n = strnlen(version, sizeof(library->is.version) - sizeof(prefix));

	memcpy(library->is.version, prefix, sizeof(prefix) - 1);
	memcpy(library->is.version + sizeof(prefix) - 1, version, n);
}

static bool fill(struct library *is, void *handle)
{
	struct openssl *library = (struct openssl *)is;
	bool all = find_functions(library, handle) && is_openssl_3(handle);

	dlerror(); /* our misses are not the program's */
	is->parser.parser = &parser;
	if (!all)
		return false;
	describe(library);
	library->context_index =
		library->f.CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, library, NULL, NULL, context_free);
	library->mark_index = library->f.CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_X509, 0, library, NULL, NULL, NULL);
	library->none.library = library;
	return library->context_index >= 0 && library->mark_index >= 0;
}

const struct family openssl_family = {"SSL_CTX_new", (const void *)&SSL_CTX_new, "libssl", fill,
				      sizeof(struct openssl)};

/* --- which one ------------------------------------------------------------------ */

__thread const struct openssl *openssl_in_flight __attribute__((tls_model("initial-exec")));

const struct openssl *openssl_of_caller(struct origin from)
{
	if (openssl_in_flight)
		return openssl_in_flight;
	return (const struct openssl *)library_of_caller(&openssl_family, from);
}

const struct openssl *openssl_of_method(struct origin from, const SSL_METHOD *method)
{
	const struct library *of_caller, *of_method;

	if (openssl_in_flight)
		return openssl_in_flight;
	of_method = from.library ? NULL : library_of_address(&openssl_family, method);
	of_caller =
		library_of_caller(&openssl_family, from); /* in any case: libssl's own start undoes dlerror(3) too */
	return (const struct openssl *)(of_method ? of_method : of_caller);
}
