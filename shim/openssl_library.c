/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of functions of one libssl, its parser, and which libssl a call means (library.c does the search).
 */
#include "shim/openssl.h"

#include "shim/dl.h"
#include "shim/openssl_agent.h"

#include <stdlib.h>
#include <string.h>

/* Every function by name, from the libssl's own scope, which has its libcrypto. */
static bool find_functions(struct openssl *library, void *handle, bool is_3)
{
#define MTLS_OPENSSL(name)    "*" #name "\0"
#define MTLS_OPENSSL_3(name)  "3" #name "\0"
#define MTLS_OPENSSL_32(name) "?" #name "\0"
	static const char names[] =
#include "shim/openssl.def"
		;
#define MTLS_CRYPTO(name) "*" #name "\0"
	static const char crypto[] =
#include "host/crypto.def"
		;
#undef MTLS_CRYPTO

	return dl_symbols(handle, names, is_3 ? "*3" : "*", &library->f) &&
	       dl_symbols(handle, crypto, "*", &library->crypto);
}

/* --- the parser ------------------------------------------------------------ */

static enum mtls_reason load(void *context, const struct mtls_blocks *blocks, void **identity, struct mtls_error *error)
{
	const struct openssl *library = context;
	struct mtls_identity *loaded = NULL;
	enum mtls_reason reason = mtls_identity_load(&library->crypto, blocks, &loaded, error);

	if (reason == MTLS_USABLE &&
	    (!openssl_mark(library, loaded) || (blocks->key_form == MTLS_KEY_NONE && openssl_agent_fits(library) &&
						!openssl_agent_key(library, loaded)))) {
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

/* OpenSSL 3 and newer. */
static bool is_openssl_3(void *handle)
{
	unsigned (*major)(void);

	*(void **)&major = dl_symbol(handle, "OPENSSL_version_major");
	return major && major() >= 3;
}

/* Look-alikes (LibreSSL, BoringSSL) have numbers of their own or ours, but their names differ. */
static bool is_openssl_111(const struct openssl *library)
{
	const char name[] = "OpenSSL 1.1.1";
	const char *text = library->f.OpenSSL_version(OPENSSL_VERSION);

	return strncmp(text, name, sizeof(name) - 1) == 0 && !strchr(text, '(');
}

/* The second word of "OpenSSL 3.0.22 1 Jan 2026"; 1.1.1 has no text with the number alone. */
static void describe(struct openssl *library)
{
	const char *text = library->f.OpenSSL_version(OPENSSL_VERSION), *blank = strchr(text, ' ');
	const char *version = blank ? blank + 1 : text;
	const char prefix[] = "openssl/";
	size_t n = strcspn(version, " ");

	if (n > sizeof(library->is.version) - sizeof(prefix))
		n = sizeof(library->is.version) - sizeof(prefix);
	memcpy(library->is.version, prefix, sizeof(prefix) - 1);
	memcpy(library->is.version + sizeof(prefix) - 1, version, n);
}

static bool fill(struct library *is, void *handle)
{
	struct openssl *library = (struct openssl *)is;
	bool is_3 = is_openssl_3(handle);

	if (!find_functions(library, handle, is_3) || !(is_3 || is_openssl_111(library)))
		return false;
	is->parser.parser = &parser;
	library->none.library = library;
	describe(library);
	return true;
}

const struct family openssl_family = {"SSL_CTX_new", "libssl", fill, sizeof(struct openssl)};

/* --- which one ------------------------------------------------------------------ */

__thread void *openssl_in_flight __attribute__((tls_model("initial-exec")));

static struct origin origin_of(struct origin from)
{
	return openssl_in_flight && !from.library ? (struct origin){openssl_in_flight, NULL} : from;
}

const struct openssl *openssl_of_caller(struct origin from)
{
	return (const struct openssl *)library_of_caller(&openssl_family, origin_of(from));
}

const struct openssl *openssl_of_either(struct origin from)
{
	Dl_info caller, crypto;

	for (unsigned i = 0; !openssl_in_flight && !from.library && i < LIBRARIES_MAX; i++) {
		const struct library *library = library_at(i);
		const struct openssl *openssl = (const struct openssl *)library;

		if (library && library->family == &openssl_family && dladdr(from.caller, &caller) &&
		    dladdr((void *)openssl->crypto.ERR_set_mark, &crypto) && caller.dli_fbase == crypto.dli_fbase)
			return openssl;
	}
	return openssl_of_caller(from);
}

void *openssl_next(struct origin from, const char *name)
{
	return library_next(&openssl_family, origin_of(from), name);
}

const struct openssl *openssl_of_method(struct origin from, const SSL_METHOD *method)
{
	const struct openssl *of_caller =
		openssl_of_caller(from); /* in any case: libssl's own start undoes dlerror(3) too */
	const struct library *of_method =
		from.library || openssl_in_flight ? NULL : library_of_address(&openssl_family, method);

	return of_method ? (const struct openssl *)of_method : of_caller;
}

/* --- what it needs of a libssl that is in use ------------------------------------- */

/* Another thread may be there first; then its index counts. 0 is nobody's: OpenSSL keeps it for itself. */
static bool have_index(const struct openssl *library, atomic_int *index, int class, CRYPTO_EX_free *on_free)
{
	void *arg = library->is.parser.context;
	int none = 0, made;

	if (atomic_load(index))
		return true;
	made = library->f.CRYPTO_get_ex_new_index(class, 0, arg, NULL, NULL, on_free);
	if (made > 0)
		atomic_compare_exchange_strong(index, &none, made);
	return made > 0;
}

bool openssl_start(const struct openssl *library)
{
	struct openssl *started = library->is.parser.context;

	return have_index(library, &started->mark_index, CRYPTO_EX_INDEX_X509, NULL) &&
	       have_index(library, &started->session_index, CRYPTO_EX_INDEX_X509, NULL) &&
	       have_index(library, &started->context_index, CRYPTO_EX_INDEX_SSL_CTX, context_free);
}
