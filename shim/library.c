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

/*
 * One that was met. Its number is known before any of its functions is called, which would start it: a program that
 * only asked for their addresses may still want to set it up.
 */
struct place {
	const struct family *family;
	const void *base;
	void *handle; /* kept: it must stay */
};

static _Atomic(struct caller *) callers[CALLERS_MAX];
static _Atomic(struct place *) places[LIBRARIES_MAX];
static _Atomic(struct library *) libraries[LIBRARIES_MAX]; /* with the same numbers */

/*
 * The program itself is no object to dlopen: its name is argv[0], which may be anything, a FIFO too. Its scope is the
 * global one, which RTLD_NEXT covers.
 */
static bool is_program(const void *base)
{
	Dl_info info;

	return dladdr((void *)getauxval(AT_PHDR), &info) && info.dli_fbase == base; // NOLINT(performance-no-int-to-ptr)
}

/* --- places ------------------------------------------------------------------ */

static unsigned known_place(const struct family *family, const void *base)
{
	unsigned i;

	for (i = 0; i < LIBRARIES_MAX; i++) {
		struct place *there = atomic_load(&places[i]);

		if (there && there->base == base && there->family == family)
			break;
	}
	return i;
}

/*
 * NULL: it is out of our namespace's sight (dlmopen): there dlopen gives another copy, whose functions must not be
 * called with the first one's objects.
 */
static void *handle_of(const struct family *family, const Dl_info *object)
{
	void *handle = is_program(object->dli_fbase) ? NULL : dlopen(object->dli_fname, RTLD_LAZY | RTLD_NOLOAD),
	     *entry;
	Dl_info info;

	if (!handle)
		return NULL;
	entry = dl_symbol(handle, family->entry);
	if (entry && dladdr(entry, &info) && info.dli_fbase == object->dli_fbase)
		return handle;
	dlclose(handle);
	return NULL;
}

/*
 * The first free place gets it. Two threads that meet a library at once offer it to the places in the same order, so
 * that the second finds the first one's. LIBRARIES_MAX: there is no room, and the handle is still the caller's.
 */
static unsigned take_place(const struct family *family, const void *base, void *handle)
{
	struct place *place = malloc(sizeof(*place));
	unsigned i;

	if (!place)
		return LIBRARIES_MAX;
	*place = (struct place){family, base, handle};
	for (i = 0; i < LIBRARIES_MAX; i++) {
		struct place *there = NULL;

		if (atomic_compare_exchange_strong(&places[i], &there, place))
			return i;
		if (there->base == base && there->family == family) {
			dlclose(handle);
			break;
		}
	}
	free(place);
	return i;
}

unsigned library_number(const struct family *family, const void *address)
{
	unsigned number = LIBRARIES_MAX;
	int saved = errno;
	Dl_info object;
	void *handle;

	if (dladdr(address, &object) && object.dli_fname) {
		number = known_place(family, object.dli_fbase);
		handle = number == LIBRARIES_MAX ? handle_of(family, &object) : NULL;
		if (handle && (number = take_place(family, object.dli_fbase, handle)) == LIBRARIES_MAX)
			dlclose(handle);
		if (number == LIBRARIES_MAX)
			dlerror(); /* our misses are not the program's */
	}
	errno = saved;
	return number;
}

/* --- tables ------------------------------------------------------------------ */

/* NULL without memory. */
static struct library *make(const struct family *family, const void *base, void *handle, unsigned number)
{
	struct library *library = calloc(1, family->size);

	if (!library)
		return NULL;
	library->family = family;
	library->base = base;
	library->handle = handle;
	library->parser.context = library;
	library->parser.library = number;
	library->supported = family->fill(library, handle);
	return library;
}

/* Two threads may both make a table; the second one's is not freed: the TLS library may know its address. */
const struct library *library_at(unsigned number)
{
	struct library *library = atomic_load(&libraries[number]), *there = NULL;
	const struct place *place = library ? NULL : atomic_load(&places[number]);
	int saved = errno;

	if (place) {
		library = make(place->family, place->base, place->handle, number);
		if (library && !atomic_compare_exchange_strong(&libraries[number], &there, library))
			library = there;
		errno = saved;
	}
	return library;
}

static const struct library *library_with(const struct family *family, void *entry)
{
	struct library *library;
	unsigned number;
	Dl_info info;
	void *handle;

	if (!entry || !dladdr(entry, &info) || !info.dli_fname)
		return NULL;
	number = known_place(family, info.dli_fbase);
	if (number < LIBRARIES_MAX)
		return library_at(number);
	handle = handle_of(family, &info);
	if (!handle)
		return NULL;
	number = take_place(family, info.dli_fbase, handle);
	if (number < LIBRARIES_MAX)
		return library_at(number);
	library = make(family, info.dli_fbase, handle, LIBRARIES_MAX - 1);
	if (library)
		library->supported = false; /* no room: passed through, at the price of a table for each call */
	return library;
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
