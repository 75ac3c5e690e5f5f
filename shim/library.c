/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and keeping the loaded TLS libraries. Some of them are out of the global scope's sight, so the object that
 * called is asked for its own dependencies; what was found is noted.
 */
#include "shim/library.h"

#include "shim/dl.h"
#include "shim/shim.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define NOTES_MAX      256
#define CANDIDATES_MAX 8

/*
 * What a search has found for one loaded object: a library, under its family's prefix, or a function, under its name.
 * It is noted because searching undoes what the program could still have asked dlerror(3) for, and takes time. Another
 * object at the same place has another name.
 */
struct found {
	const char *name; /* lives as long as the shim */
	const void *base;
	const struct library *library; /* NULL: one that no adapter works with */
	_Atomic(void *) function;
	char object[];
};

static _Atomic(struct found *) notes[NOTES_MAX];
static _Atomic(struct library *) libraries[LIBRARIES_MAX];

bool library_is_ours(const void *address)
{
	static const char here;
	Dl_info theirs, ours;

	return address && dladdr(address, &theirs) && dladdr(&here, &ours) && theirs.dli_fbase == ours.dli_fbase;
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

/* --- tables ------------------------------------------------------------------ */

const struct library *library_at(unsigned number)
{
	return atomic_load(&libraries[number]);
}

static struct library *known_library(const struct family *family, const void *base)
{
	for (unsigned i = 0; i < LIBRARIES_MAX; i++) {
		struct library *there = atomic_load(&libraries[i]);

		if (there && there->base == base && there->family == family)
			return there;
	}
	return NULL;
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
 * that the second finds the first one's. NULL: there is no room.
 */
static struct library *publish(struct library *library)
{
	for (unsigned i = 0; i < LIBRARIES_MAX; i++) {
		struct library *there = NULL;

		library->parser.library = i;
		if (atomic_compare_exchange_strong(&libraries[i], &there, library))
			return library;
		if (there->base == library->base && there->family == library->family)
			return there;
	}
	return NULL;
}

/* Holds the library only where it has a place. *lacking: there was no memory, which says nothing of the library. */
static struct library *make(const struct family *family, const Dl_info *object, bool *lacking)
{
	void *handle = handle_of(family, object);
	struct library *library = handle ? calloc(1, family->size) : NULL, *published = NULL;

	*lacking = handle && !library;
	if (library) {
		library->family = family;
		library->base = object->dli_fbase;
		library->handle = handle;
		library->parser.context = library;
		if (family->fill(library, handle))
			published = publish(library);
	}
	if (!published || published != library) {
		free(library);
		if (handle)
			dlclose(handle);
	}
	dlerror(); /* our misses are not the program's */
	return published;
}

/* Of a function, or of static data. */
static const struct library *library_with(const struct family *family, const void *address, bool *lacking)
{
	const struct library *library;
	Dl_info object;

	*lacking = false;
	if (!address || !dladdr(address, &object) || !object.dli_fname)
		return NULL;
	library = known_library(family, object.dli_fbase);
	return library ? library : make(family, &object, lacking);
}

const struct library *library_of_address(const struct family *family, const void *address)
{
	const struct library *library = NULL;
	int saved = errno;
	bool lacking;

	if (shim_active())
		library = library_with(family, address, &lacking);
	errno = saved;
	return library;
}

/* --- search -------------------------------------------------------------------- */

/* The function as seen from this handle, unless that is our own export. */
static void *function_in(void *handle, const char *name)
{
	void *function = dl_symbol(handle, name);

	return library_is_ours(function) ? NULL : function;
}

/* The same for a loaded object, by its own name. */
static void *function_of_object(const char *object, const char *name)
{
	void *handle = dlopen(object, RTLD_LAZY | RTLD_NOLOAD), *function = NULL;

	if (handle) {
		function = function_in(handle, name);
		dlclose(handle);
	}
	return function;
}

struct candidates {
	const struct family *family;
	char *name[CANDIDATES_MAX];
	size_t n;
	const char *wanted;
	void *found;
};

static bool is_of(const struct family *family, const struct dl_phdr_info *info)
{
	const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;

	return strncmp(name, family->prefix, strlen(family->prefix)) == 0;
}

/* Only notes names: the loader's lock is held here, and dlopen would take another one before it. */
static int note_candidate(struct dl_phdr_info *info, size_t size, void *data)
{
	struct candidates *candidates = data;

	(void)size;
	if (is_of(candidates->family, info) && candidates->n < CANDIDATES_MAX &&
	    (candidates->name[candidates->n] = strdup(info->dlpi_name)) != NULL)
		candidates->n++;
	return 0;
}

/* Where the loader has no memory for a handle: the program's own call must go on all the same. */
static int find_candidate(struct dl_phdr_info *info, size_t size, void *data)
{
	struct candidates *candidates = data;

	(void)size;
	if (is_of(candidates->family, info))
		candidates->found = dl_exported(info, candidates->wanted);
	return candidates->found != NULL;
}

/* Any that is loaded, for a caller that has it from dlsym(3). */
static void *function_anywhere(const struct family *family, const char *name)
{
	struct candidates candidates = {.family = family, .wanted = name};
	void *function = NULL;

	dl_iterate_phdr(note_candidate, &candidates);
	for (size_t i = 0; i < candidates.n; i++) {
		if (!function)
			function = function_of_object(candidates.name[i], name);
		free(candidates.name[i]);
	}
	if (!function)
		dl_iterate_phdr(find_candidate, &candidates);
	return function ? function : candidates.found;
}

/* The caller's own dependencies come first: a plugin may have brought a library that nobody else sees. */
static void *function_visible(const void *caller, const char *name)
{
	void *function = NULL;
	Dl_info object;

	if (caller && dladdr(caller, &object) && object.dli_fname && !is_program(object.dli_fbase)) {
		function = function_of_object(object.dli_fname, name);
		if (!function)
			function = dl_beside(caller, name);
		if (library_is_ours(function))
			function = NULL;
	}
	return function ? function : function_in(RTLD_NEXT, name);
}

static void *search(const struct family *family, const void *caller, const char *name)
{
	void *function = function_visible(caller, name);

	if (!function)
		function = function_anywhere(family, name);
	dlerror(); /* our misses are not the program's */
	return function;
}

bool library_visible(void *caller, const char *name)
{
	int saved = errno;
	bool visible = function_visible(caller, name) != NULL;

	errno = saved;
	return visible;
}

/* --- what was found before ------------------------------------------------------- */

/* An address in it, or in the program, and what it is called. */
struct object {
	void *address;
	const void *base;
	const char *name;
};

static bool object_of(void *address, struct object *object)
{
	Dl_info info;

	if (!address || !dladdr(address, &info) || !info.dli_fname)
		return false;
	*object = (struct object){address, info.dli_fbase, is_program(info.dli_fbase) ? "" : info.dli_fname};
	return true; /* the program may rename itself */
}

/* NULL: not searched for yet; *end is the first free place, NOTES_MAX where there is none. */
static struct found *noted(const struct object *object, const char *name, unsigned *end)
{
	for (*end = 0; *end < NOTES_MAX; (*end)++) {
		struct found *there = atomic_load(&notes[*end]);

		if (!there)
			return NULL;
		if (there->base == object->base && strcmp(there->name, name) == 0 &&
		    strcmp(there->object, object->name) == 0)
			return there;
	}
	return NULL;
}

static void note(const struct object *object, const char *name, const struct library *library, void *function,
		 unsigned place)
{
	size_t n = place < NOTES_MAX ? strlen(object->name) + 1 : 0;
	struct found *found = n ? malloc(sizeof(*found) + n) : NULL, *nobody = NULL;

	if (!found)
		return;
	found->name = name;
	found->base = object->base;
	found->library = library;
	atomic_init(&found->function, function);
	memcpy(found->object, object->name, n);
	if (!atomic_compare_exchange_strong(&notes[place], &nobody, found))
		free(found);
}

static const struct library *look_up(const struct family *family, const struct object *object)
{
	unsigned place;
	const struct found *found = noted(object, family->prefix, &place);
	const struct library *library;
	bool lacking;
	void *entry;

	if (found)
		return found->library;
	entry = search(family, object->address, family->entry);
	library = library_with(family, entry, &lacking);
	if (entry && !lacking)
		note(object, family->prefix, library, NULL, place);
	return library;
}

const struct library *library_of_caller(const struct family *family, struct origin from)
{
	const struct library *library = from.library;
	int saved = errno;
	struct object object;
	bool lacking;

	if (!library && shim_active())
		library = object_of(from.caller, &object)
				  ? look_up(family, &object)
				  : library_with(family, search(family, NULL, family->entry), &lacking);
	errno = saved;
	return library;
}

/* What it is a part of may have been unloaded since. */
static bool is_still(void *function, const char *name)
{
	Dl_info info;

	return function && dladdr(function, &info) && info.dli_saddr == function && info.dli_sname &&
	       strcmp(info.dli_sname, name) == 0;
}

static void *find_next(const struct family *family, void *caller, const char *name)
{
	struct found *found = NULL;
	unsigned place = NOTES_MAX;
	struct object object;
	void *function;

	if (object_of(caller, &object))
		found = noted(&object, name, &place);
	function = found ? atomic_load(&found->function) : NULL;
	if (is_still(function, name))
		return function;
	function = search(family, caller, name);
	if (found)
		atomic_store(&found->function, function);
	else
		note(&object, name, NULL, function, place);
	return function;
}

void *library_next(const struct family *family, struct origin from, const char *name)
{
	int saved = errno;
	void *function = from.library ? dl_symbol(from.library->handle, name) : find_next(family, from.caller, name);

	errno = saved;
	return function;
}

static int count_objects(struct dl_phdr_info *info, size_t size, void *data)
{
	unsigned long long *objects = data;

	(void)size;
	*objects = (unsigned long long)info->dlpi_adds << 32 | (unsigned)info->dlpi_subs;
	return 1;
}

static void keep_call(struct library_call *call, void *caller, void *function, unsigned long long objects)
{
	unsigned turn = atomic_load(&call->turn);

	if (turn % 2 || !atomic_compare_exchange_strong(&call->turn, &turn, turn + 1))
		return;
	atomic_store(&call->caller, caller);
	atomic_store(&call->function, function);
	atomic_store(&call->objects, objects);
	atomic_store(&call->turn, turn + 2);
}

void *library_next_of(const struct family *family, struct library_call *call, struct origin from, const char *name)
{
	unsigned turn = atomic_load(&call->turn);
	void *caller = atomic_load(&call->caller), *function = atomic_load(&call->function);
	unsigned long long objects = 0, kept = atomic_load(&call->objects);

	dl_iterate_phdr(count_objects, &objects);
	if (function && caller == from.caller && kept == objects && turn % 2 == 0 && atomic_load(&call->turn) == turn)
		return function;
	function = library_next(family, from, name);
	if (!from.library && function)
		keep_call(call, from.caller, function, objects);
	return function;
}
