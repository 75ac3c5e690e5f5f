/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which libssl does a call mean? Several may be loaded, some of them out of the global scope's sight. The object that
 * called is asked for its own dependencies; what was found is noted. No table is made here: see openssl_library.c.
 */
#include "shim/openssl.h"

#include "shim/dl.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define CALLERS_MAX    64
#define CANDIDATES_MAX 8

__thread const struct openssl *openssl_in_flight __attribute__((tls_model("initial-exec")));

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
static void *entry_in(void *handle)
{
	void *entry = dlsym(handle, "SSL_CTX_new");

	return entry == (void *)&SSL_CTX_new ? NULL : entry;
}

/* The same for a loaded object, by its name. */
static void *entry_of_object(const char *name)
{
	void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD), *entry = NULL;

	if (handle) {
		entry = entry_in(handle);
		dlclose(handle);
	}
	return entry;
}

/*
 * The program itself is no object to dlopen: its name is argv[0], which may be anything, a FIFO too. Its scope is the
 * global one, which RTLD_NEXT covers.
 */
static bool is_program(const void *base)
{
	Dl_info info;

	return dladdr((void *)getauxval(AT_PHDR), &info) && info.dli_fbase == base; // NOLINT(performance-no-int-to-ptr)
}

struct candidates {
	char *name[CANDIDATES_MAX];
	size_t n;
};

/* Only notes names: the loader's lock is held here, and dlopen would take another one before it. */
static int note_candidate(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
	struct candidates *candidates = data;

	(void)size;
	if (strncmp(name, "libssl", 6) == 0 && candidates->n < CANDIDATES_MAX &&
	    (candidates->name[candidates->n] = strdup(info->dlpi_name)) != NULL)
		candidates->n++;
	return 0;
}

/* Any libssl that is loaded, for a caller that has it from dlsym(3). */
static void *entry_anywhere(void)
{
	struct candidates candidates = {.n = 0};
	void *entry = NULL;

	dl_iterate_phdr(note_candidate, &candidates);
	for (size_t i = 0; i < candidates.n; i++) {
		if (!entry)
			entry = entry_of_object(candidates.name[i]);
		free(candidates.name[i]);
	}
	return entry;
}

/* The object's own dependencies come first: a plugin may have brought a libssl that nobody else sees. NULL: unknown. */
static const struct openssl *search(const Dl_info *object)
{
	void *entry = object && !is_program(object->dli_fbase) ? entry_of_object(object->dli_fname) : NULL;

	if (!entry)
		entry = entry_in(RTLD_NEXT);
	if (!entry)
		entry = entry_anywhere();
	dlerror(); /* our misses are not the program's */
	return openssl_library(entry);
}

/* NULL: not searched for yet; *end is the first free place, CALLERS_MAX where there is none. */
static const struct openssl *known(const Dl_info *object, const char *name, unsigned *end)
{
	for (*end = 0; *end < CALLERS_MAX; (*end)++) {
		struct caller *there = atomic_load(&callers[*end]);

		if (!there)
			return NULL;
		if (there->base == object->dli_fbase && strcmp(there->name, name) == 0)
			return there->library;
	}
	return NULL;
}

static void note(const Dl_info *object, const char *name, const struct openssl *library, unsigned place)
{
	size_t n = strlen(name) + 1;
	struct caller *caller = malloc(sizeof(*caller) + n), *nobody = NULL;

	if (!caller)
		return;
	caller->base = object->dli_fbase;
	caller->library = library;
	memcpy(caller->name, name, n);
	if (!atomic_compare_exchange_strong(&callers[place], &nobody, caller))
		free(caller);
}

static const struct openssl *look_up(void *address, bool owner)
{
	const struct openssl *library;
	unsigned place = CALLERS_MAX;
	const char *name;
	Dl_info object;

	if (!dladdr(address, &object) || !object.dli_fname)
		return owner ? NULL : search(NULL);
	name = is_program(object.dli_fbase) ? "" : object.dli_fname; /* it may rename itself at any time */
	library = known(&object, name, &place);
	if (library)
		return library;
	library = search(&object);
	if (library && place < CALLERS_MAX)
		note(&object, name, library, place);
	return library;
}

const struct openssl *openssl_of_caller(void *caller)
{
	int saved = errno;
	const struct openssl *library = openssl_in_flight ? openssl_in_flight : look_up(caller, false);

	errno = saved;
	return library;
}

const struct openssl *openssl_of_method(void *caller, const SSL_METHOD *method)
{
	int saved = errno;
	const struct openssl *library = openssl_in_flight, *of_caller;

	if (!library) {
		if (method)
			library = look_up((void *)(uintptr_t)method, true); // NOLINT(performance-no-int-to-ptr)
		of_caller = look_up(caller, false); /* in any case: here libssl's own start undoes dlerror(3) too */
		if (!library)
			library = of_caller;
	}
	errno = saved;
	return library;
}
