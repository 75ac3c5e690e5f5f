/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of functions of one libssl, what we keep on its objects, and its parser. Tables are made once and
 * only added. Which libssl is meant is found in openssl_find.c.
 */
#include "shim/openssl.h"

#include "shim/dl.h"

#include <stdlib.h>
#include <string.h>

static _Atomic(struct openssl *) libraries[GENERATION_LIBRARIES];

/* Every function by name, from the libssl's own scope, which has its libcrypto. */
static bool find_functions(struct openssl *library, void *handle)
{
	bool all = true;

#define MTLS_OPENSSL(name) all = ((*(void **)&library->f.name = dlsym(handle, #name)) != NULL) && all;
#include "shim/openssl.def"
#undef MTLS_OPENSSL
#define MTLS_CRYPTO(name) all = ((*(void **)&library->crypto.name = dlsym(handle, #name)) != NULL) && all;
#include "host/crypto.def"
#undef MTLS_CRYPTO
	return all;
}

static void context_free(void *ctx, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *arg)
{
	(void)ctx, (void)ex, (void)index, (void)number, (void)arg;
	free(data);
}

/* OpenSSL 3 and newer; 1.1.1 and look-alikes (BoringSSL, LibreSSL) are passed through. */
static bool is_openssl_3(void *handle)
{
	unsigned (*major)(void);

	*(void **)&major = dlsym(handle, "OPENSSL_version_major");
	return major && major() >= 3;
}

static void describe(struct openssl *library)
{
	const char *version = library->f.OpenSSL_version(OPENSSL_VERSION_STRING);
	const char prefix[] = "openssl/";
	size_t n = strnlen(version, sizeof(library->version) - sizeof(prefix));

	memcpy(library->version, prefix, sizeof(prefix) - 1);
	memcpy(library->version + sizeof(prefix) - 1, version, n);
}

static struct openssl *make(const void *base, const char *path)
{
	struct openssl *library = calloc(1, sizeof(*library));
	void *handle = library ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL; /* kept: the library must stay */

	if (!handle) {
		free(library);
		return NULL;
	}
	library->base = base;
	library->parser = (struct generation_parser){0, &openssl_parser, library};
	library->supported = find_functions(library, handle) && is_openssl_3(handle);
	dlerror(); /* our misses are not the program's */
	if (library->supported) {
		describe(library);
		library->context_index = library->f.CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, library, NULL,
									    NULL, context_free);
		library->mark_index =
			library->f.CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_X509, 0, library, NULL, NULL, NULL);
		library->none.library = library;
		library->supported = library->context_index >= 0 && library->mark_index >= 0;
	}
	return library;
}

/*
 * The first free place gets it. Two threads that meet a libssl at once both make a table; both offer it to the
 * places in the same order, so that the second finds the first one's.
 */
static const struct openssl *publish(struct openssl *library)
{
	for (unsigned i = 0; library && i < GENERATION_LIBRARIES; i++) {
		struct openssl *there = NULL;

		library->number = i;
		library->parser.library = i;
		if (atomic_compare_exchange_strong(&libraries[i], &there, library))
			return library;
		if (there->base == library->base)
			return there; /* ours is not freed: libcrypto knows its address from the ex_data indices */
	}
	if (library)
		library->supported =
			false; /* the table is full: passed through, at the price of a table for each call */
	return library;
}

const struct openssl *openssl_library(void *entry)
{
	Dl_info info;

	if (!entry || !dladdr(entry, &info))
		return NULL;
	for (unsigned i = 0; i < GENERATION_LIBRARIES; i++) {
		struct openssl *there = atomic_load(&libraries[i]);

		if (there && there->base == info.dli_fbase)
			return there;
	}
	return publish(make(info.dli_fbase, info.dli_fname));
}

const struct openssl *openssl_at(unsigned number)
{
	return atomic_load(&libraries[number]);
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

const struct mtls_parser openssl_parser = {load, unload};
