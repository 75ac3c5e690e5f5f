/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and keeping the loaded TLS libraries. Some of them are out of the global scope's sight, so the object that
 * called is asked for its own dependencies; what was found is noted.
 */
#include "shim/library.h"

#include "shim/dl.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define CALLERS_MAX    128
#define CANDIDATES_MAX 8

/*
 * What a search has found for the functions of one loaded object. It is noted because searching undoes what the
 * program could still have asked dlerror(3) for, and takes time. Another object at the same place has another name.
 */
struct caller {
	const struct family *family;
	const void *base;
	const struct library *library;
	char name[];
};

static _Atomic(struct caller *) callers[CALLERS_MAX];
static _Atomic(struct library *) libraries[LIBRARIES_MAX];

/* --- tables ------------------------------------------------------------------ */

/*
 * NULL: no memory, or it is out of our namespace's sight (dlmopen): there dlopen gives another copy, whose functions
 * must not be called with the first one's objects.
 */
static struct library *make(const struct family *family, void *entry, const Dl_info *object)
{
	struct library *library = calloc(1, family->size);
	void *handle = library ? dlopen(object->dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL; /* kept: it must stay */

	if (!handle || dl_symbol(handle, family->entry) != entry) {
		free(library);
		if (handle)
			dlclose(handle);
		return NULL;
	}
	library->family = family;
	library->base = object->dli_fbase;
	library->parser.context = library;
	library->supported = family->fill(library, handle);
	return library;
}

/*
 * The first free place gets it. Two threads that meet a library at once both make a table; both offer it to the
 * places in the same order, so that the second finds the first one's.
 */
static const struct library *publish(struct library *library)
{
	for (unsigned i = 0; library && i < LIBRARIES_MAX; i++) {
		struct library *there = NULL;

		library->parser.library = i;
		if (atomic_compare_exchange_strong(&libraries[i], &there, library))
			return library;
		if (there->base == library->base && there->family == library->family)
			return there; /* ours is not freed: the TLS library may know its address */
	}
	if (library)
		library->supported = false; /* full: passed through, at the price of a table for each call */
	return library;
}

static const struct library *known_library(const struct family *family, const void *base)
{
	for (unsigned i = 0; i < LIBRARIES_MAX; i++) {
		struct library *there = atomic_load(&libraries[i]);

		if (there && there->base == base && there->family == family)
			return there;
	}
	return NULL;
}

static const struct library *library_with(const struct family *family, void *entry)
{
	const struct library *library;
	Dl_info info;

	if (!entry || !dladdr(entry, &info) || !info.dli_fname)
		return NULL;
	library = known_library(family, info.dli_fbase);
	return library ? library : publish(make(family, entry, &info));
}

const struct library *library_at(unsigned number)
{
	return atomic_load(&libraries[number]);
}

/* --- search -------------------------------------------------------------------- */

/* The entry as seen from this handle, unless that is our own export. */
static void *entry_in(const struct family *family, void *handle)
{
	void *entry = dl_symbol(handle, family->entry);

	return entry == family->export ? NULL : entry;
}

/* The same for a loaded object, by its name. */
static void *entry_of_object(const struct family *family, const char *name)
{
	void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD), *entry = NULL;

	if (handle) {
		entry = entry_in(family, handle);
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
	const struct family *family;
	char *name[CANDIDATES_MAX];
	size_t n;
};

/* Only notes names: the loader's lock is held here, and dlopen would take another one before it. */
static int note_candidate(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
	struct candidates *candidates = data;
	const char *prefix = candidates->family->prefix;

	(void)size;
	if (strncmp(name, prefix, strlen(prefix)) == 0 && candidates->n < CANDIDATES_MAX &&
	    (candidates->name[candidates->n] = strdup(info->dlpi_name)) != NULL)
		candidates->n++;
	return 0;
}

/* Any that is loaded, for a caller that has it from dlsym(3). */
static void *entry_anywhere(const struct family *family)
{
	struct candidates candidates = {family, {NULL}, 0};
	void *entry = NULL;

	dl_iterate_phdr(note_candidate, &candidates);
	for (size_t i = 0; i < candidates.n; i++) {
		if (!entry)
			entry = entry_of_object(family, candidates.name[i]);
		free(candidates.name[i]);
	}
	return entry;
}

/* The object's own dependencies come first: a plugin may have brought a library that nobody else sees. */
static const struct library *search(const struct family *family, const Dl_info *object)
{
	const char *name = object && !is_program(object->dli_fbase) ? object->dli_fname : NULL;
	void *entry = name ? entry_of_object(family, name) : NULL;
	const struct library *library;

	if (!entry)
		entry = entry_in(family, RTLD_NEXT);
	if (!entry)
		entry = entry_anywhere(family);
	library = library_with(family, entry);
	dlerror(); /* our misses are not the program's */
	return library;
}

/* NULL: not searched for yet; *end is the first free place, CALLERS_MAX where there is none. */
static const struct library *known(const struct family *family, const Dl_info *object, const char *name, unsigned *end)
{
	for (*end = 0; *end < CALLERS_MAX; (*end)++) {
		struct caller *there = atomic_load(&callers[*end]);

		if (!there)
			return NULL;
		if (there->base == object->dli_fbase && there->family == family && strcmp(there->name, name) == 0)
			return there->library;
	}
	return NULL;
}

static void note(const struct family *family, const Dl_info *object, const char *name, const struct library *library,
		 unsigned place)
{
	size_t n = strlen(name) + 1;
	struct caller *caller = malloc(sizeof(*caller) + n), *nobody = NULL;

	if (!caller)
		return;
	caller->family = family;
	caller->base = object->dli_fbase;
	caller->library = library;
	memcpy(caller->name, name, n);
	if (!atomic_compare_exchange_strong(&callers[place], &nobody, caller))
		free(caller);
}

static const struct library *look_up(const struct family *family, const Dl_info *object)
{
	const char *name = is_program(object->dli_fbase) ? "" : object->dli_fname; /* it may rename itself */
	unsigned place = CALLERS_MAX;
	const struct library *library = known(family, object, name, &place);

	if (library)
		return library;
	library = search(family, object);
	if (library && place < CALLERS_MAX)
		note(family, object, name, library, place);
	return library;
}

const struct library *library_of_caller(const struct family *family, struct origin from)
{
	const struct library *library = from.library;
	int saved = errno;
	Dl_info object;

	if (!library && dladdr(from.caller, &object) && object.dli_fname)
		library = look_up(family, &object);
	else if (!library)
		library = search(family, NULL);
	errno = saved;
	return library;
}

const struct library *library_of_address(const struct family *family, const void *address)
{
	const struct library *library = NULL;
	int saved = errno;
	Dl_info object;

	if (address && dladdr(address, &object) && object.dli_fname)
		library = look_up(family, &object);
	errno = saved;
	return library;
}
