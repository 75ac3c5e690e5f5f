/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which libssl does a caller mean, and where are its functions? Several may be
 * loaded, some of them out of the global scope's sight. The answers are kept in a table that only grows.
 */
#include "shim/openssl.h"

#include "shim/dl.h"
#include "shim/shim.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

__thread const struct openssl *openssl_in_flight __attribute__((tls_model("initial-exec")));

static _Atomic(struct openssl *) libraries[GENERATION_LIBRARIES];

#define CALLERS_MAX 64

/*
 * What a search has found for the functions of one loaded object. It is noted because searching undoes what the
 * program could still have asked dlerror(3) for, and takes time. Another object at the same place has another name.
 */
struct caller {
	const void *base;
	const struct openssl *library;
	char name[];
};

static _Atomic(struct caller *) callers[CALLERS_MAX];

/* SSL_CTX_new as seen from this handle, unless that is our own export. */
static void *libssl_entry(void *handle)
{
	void *entry = dlsym(handle, "SSL_CTX_new");

	return entry == (void *)&SSL_CTX_new ? NULL : entry;
}

/* The caller's own dependencies come first: a plugin may have brought a libssl that nobody else sees. */
static void *entry_of_caller(void *caller)
{
	void *handle, *entry = NULL;
	Dl_info info;

	if (dladdr(caller, &info) && info.dli_fname && *info.dli_fname) {
		handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
		if (handle) {
			entry = libssl_entry(handle);
			dlclose(handle);
		}
	}
	return entry;
}

static int scan(struct dl_phdr_info *info, size_t size, void *result)
{
	const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
	void *handle;

	(void)size;
	if (strncmp(name, "libssl", 6) != 0)
		return 0;
	handle = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
	if (handle) {
		*(void **)result = libssl_entry(handle);
		dlclose(handle);
	}
	return *(void **)result != NULL;
}

static void *find_entry(void *caller)
{
	void *entry = entry_of_caller(caller);

	if (!entry) {
		entry = libssl_entry(RTLD_NEXT);
		if (!entry)
			dl_iterate_phdr(scan, &entry);
		dlerror(); /* our misses are not the program's */
	}
	return entry;
}

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

static int connection_dup(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data, int index, long number,
			  void *arg)
{
	const struct openssl *library = arg;
	struct connection *old = *data, *copy = old ? malloc(sizeof(*copy)) : NULL;

	(void)to, (void)from, (void)index, (void)number;
	*data = copy;
	if (!copy)
		return old == NULL;
	*copy = *old;
	if (copy->ours)
		library->f.X509_up_ref(copy->ours);
	if (copy->chained)
		atomic_fetch_add(&copy->chained->references, 1);
	return 1;
}

static void connection_free(void *ssl, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *arg)
{
	const struct openssl *library = arg;
	struct connection *connection = data;

	(void)ssl, (void)ex, (void)index, (void)number;
	if (!connection)
		return;
	library->crypto.X509_free(connection->ours);
	if (connection->chained && atomic_fetch_sub(&connection->chained->references, 1) == 1)
		free(connection->chained);
	free(connection);
}

static void context_free(void *ctx, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *arg)
{
	struct context *context = data;
	struct chained *chained = context ? atomic_load(&context->chain) : NULL, *next_one;

	(void)ctx, (void)ex, (void)index, (void)number, (void)arg;
	for (; chained; chained = next_one) {
		next_one = chained->next;
		free(chained);
	}
	free(context);
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
	library->supported = find_functions(library, handle) && is_openssl_3(handle) && shim_active();
	if (library->supported) {
		describe(library);
		library->context_index = library->f.CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, library, NULL,
									    NULL, context_free);
		library->connection_index = library->f.CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, library, NULL,
									       connection_dup, connection_free);
		library->supported = library->context_index >= 0 && library->connection_index >= 0;
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

static const struct openssl *search(void *caller)
{
	void *entry = find_entry(caller);
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

/* NULL: not searched for yet; *end is the first free place, CALLERS_MAX where there is none. */
static const struct openssl *known(const Dl_info *object, unsigned *end)
{
	for (*end = 0; *end < CALLERS_MAX; (*end)++) {
		struct caller *there = atomic_load(&callers[*end]);

		if (!there)
			return NULL;
		if (there->base == object->dli_fbase && strcmp(there->name, object->dli_fname) == 0)
			return there->library;
	}
	return NULL;
}

static void note(const Dl_info *object, const struct openssl *library, unsigned place)
{
	size_t n = strlen(object->dli_fname) + 1;
	struct caller *caller = malloc(sizeof(*caller) + n), *nobody = NULL;

	if (!caller)
		return;
	caller->base = object->dli_fbase;
	caller->library = library;
	memcpy(caller->name, object->dli_fname, n);
	if (!atomic_compare_exchange_strong(&callers[place], &nobody, caller))
		free(caller);
}

static const struct openssl *look_up(void *caller)
{
	const struct openssl *library;
	unsigned place = CALLERS_MAX;
	Dl_info object;

	if (!dladdr(caller, &object) || !object.dli_fname)
		return search(caller);
	library = known(&object, &place);
	if (library)
		return library;
	library = search(caller);
	if (library && place < CALLERS_MAX)
		note(&object, library, place);
	return library;
}

const struct openssl *openssl_of_caller(void *caller)
{
	int saved = errno;
	const struct openssl *library = openssl_in_flight ? openssl_in_flight : look_up(caller);

	errno = saved;
	return library;
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

	*identity = loaded;
	return reason;
}

static void unload(void *context, void *identity)
{
	const struct openssl *library = context;

	mtls_identity_free(&library->crypto, identity);
}

const struct mtls_parser openssl_parser = {load, unload};
