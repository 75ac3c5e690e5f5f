/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc's own dlsym, where our export of that name hides it: glibc gives it to dlvsym, musl has its symbol table.
 * Nothing of the shim needs to have started: other libraries' constructors call dlsym before ours runs.
 */
#include "shim/dl.h"

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- by an object's own symbol table ------------------------------------------------ */

static bool is_in(const struct dl_phdr_info *object, uintptr_t address)
{
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && address - object->dlpi_addr - segment->p_vaddr < segment->p_memsz)
			return true;
	}
	return false;
}

static const ElfW(Dyn) * dynamic_of(const struct dl_phdr_info *object)
{
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr); // NOLINT
	return NULL;
}

/* A table of the object; musl leaves the addresses as they stand in the file, glibc does not. */
static const void *table(const struct dl_phdr_info *object, ElfW(Sxword) tag)
{
	const ElfW(Dyn) *entry = dynamic_of(object);

	while (entry && entry->d_tag != DT_NULL && entry->d_tag != tag)
		entry++;
	if (!entry || entry->d_tag != tag)
		return NULL;
	return (const void *)(entry->d_un.d_ptr +
			      (entry->d_un.d_ptr < object->dlpi_addr ? object->dlpi_addr : 0)); // NOLINT
}

/* How many symbols there are: the longest chain of a GNU hash table ends with the last one. */
static uint32_t symbols_of(const struct dl_phdr_info *object)
{
	const uint32_t *hash = table(object, DT_HASH), *gnu = table(object, DT_GNU_HASH), *buckets, *chain;
	uint32_t last = 0;

	if (hash)
		return hash[1];
	if (!gnu)
		return 0;
	buckets = gnu + 4 + gnu[2] * (sizeof(ElfW(Addr)) / sizeof(*gnu));
	for (uint32_t i = 0; i < gnu[0]; i++)
		last = buckets[i] > last ? buckets[i] : last;
	if (last < gnu[1])
		return 0;
	chain = buckets + gnu[0] - gnu[1];
	while (!(chain[last] & 1))
		last++;
	return last + 1;
}

void *dl_exported(const struct dl_phdr_info *object, const char *name)
{
	const ElfW(Sym) *symbol = table(object, DT_SYMTAB);
	const char *strings = table(object, DT_STRTAB);
	uint32_t n = symbol && strings ? symbols_of(object) : 0;

	for (uint32_t i = 0; i < n; i++)
		if (symbol[i].st_shndx != SHN_UNDEF && strcmp(strings + symbol[i].st_name, name) == 0)
			return (void *)(object->dlpi_addr + symbol[i].st_value); // NOLINT(performance-no-int-to-ptr)
	return NULL;
}

/* What to find, and where: an address in the object that is meant. */
struct wanted {
	uintptr_t neighbour;
	const char *name;
	void *found;
};

static int find_in(struct dl_phdr_info *object, size_t size, void *data)
{
	struct wanted *wanted = data;

	(void)size;
	if (!is_in(object, wanted->neighbour))
		return 0;
	wanted->found = dl_exported(object, wanted->name);
	return 1;
}

void *dl_beside(const void *address, const char *name)
{
	struct wanted wanted = {(uintptr_t)address, name, NULL};

	dl_iterate_phdr(find_in, &wanted);
	return wanted.found;
}

#ifndef MTLS_DLSYM

void *dl_symbol(void *handle, const char *name)
{
	return dlsym(handle, name);
}

#else

typedef void *(*dlsym_function)(void *, const char *);

/* Weak: musl has none. */
extern void *dlvsym(void *, const char *, const char *) __attribute__((weak));

#ifndef MTLS_OLDEST
#define MTLS_OLDEST ""
#endif

/* --- any libc ----------------------------------------------------------------------- */

static void *find_dlsym(void)
{
	if (dlvsym)
		return dlvsym(RTLD_NEXT, "dlsym", MTLS_OLDEST);
	return dl_beside((void *)&dlopen, "dlsym");
}

void *dl_symbol(void *handle, const char *name)
{
	static _Atomic(dlsym_function) known;
	dlsym_function real = atomic_load_explicit(&known, memory_order_acquire);
	void *found;

	if (!real) {
		*(void **)&real = find_dlsym();
		if (!real)
			return NULL;
		atomic_store_explicit(&known, real, memory_order_release);
	}
	found = real(handle, name);
	/* No tail call: for RTLD_NEXT it matters that the call comes from here. */
	__asm__ volatile("" : "+r"(found));
	return found;
}

#endif

bool dl_symbols(void *handle, const char *names, const char *marks, void *table)
{
	void **function = table;
	bool all = true;

	for (; *names; names += strlen(names) + 1, function++) {
		*function = dl_symbol(handle, names + 1);
		all = all && (*function || !strchr(marks, *names));
	}
	return all;
}
