/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmtls-audit.so, for LD_AUDIT (mtls-run --audit): leads what is loaded with RTLD_DEEPBIND to the hooks that
 * libmtls-run.so exports. A library so loaded looks into its own dependencies first, where LD_PRELOAD does not reach.
 *
 * The loader calls this before any library is relocated, under its lock, and gives it a namespace of its own: a libc in
 * it would be a second one. So it needs no library at all, and reads of the others only what the loader itself
 * has read: their dynamic sections and symbol tables.
 *
 * Not touched: what the program was started with (there the preloaded library is in front), other namespaces (dlmopen),
 * what dlsym(3) finds (the shim's own look-ups are among them, and whoever wraps a function asks for the next one),
 * and all of it where libmtls-run.so is not loaded.
 */
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

#define VERSION_MAX 2 /* of the interface; glibc before 2.35 has 1, with the same calls */

/* What an object is to us: its cookie, which the loader gives back. It has set its own, an address, for those of
 * others. */
enum { OTHER = 1, PROGRAM, SHIM, LIBC, TLS };

static struct hook {
	const char *name;
	uintptr_t whose; /* LIBC or TLS: the kind of object whose function the hook is for */
	uintptr_t at;    /* in the shim; 0: it has none */
} hooks[] = {
#define MTLS_HOOK(result, name, ...)         {#name, LIBC, 0},
#define MTLS_HOOK_LOADER(result, name, ...)  {#name, LIBC, 0},
#define MTLS_HOOK_OPENSSL(result, name, ...) {#name, TLS, 0},
#define MTLS_HOOK_GNUTLS(result, name, ...)  {#name, TLS, 0},
#include "shim/hooks.def"
};

#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))

static bool opened, shim, started;

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool begins(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix) {
		s++;
		prefix++;
	}
	return !*prefix;
}

static const ElfW(Dyn) * entry(const struct link_map *object, ElfW(Sxword) tag)
{
	for (const ElfW(Dyn) *d = object->l_ld; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == tag)
			return d;
	return NULL;
}

/* glibc has added the base already, but not where the section cannot be written, as in the kernel's own library. */
static const void *table(const struct link_map *object, ElfW(Sxword) tag)
{
	const ElfW(Dyn) *d = entry(object, tag);
	uintptr_t at = d ? d->d_un.d_ptr : 0;

	if (at && at < object->l_addr)
		at += object->l_addr;
	return (const void *)at; // NOLINT(performance-no-int-to-ptr)
}

static const char *soname(const struct link_map *object)
{
	const ElfW(Dyn) *d = entry(object, DT_SONAME);
	const char *strings = table(object, DT_STRTAB);

	return d && strings ? strings + d->d_un.d_val : "";
}

/* Where an object has its function of this name, 0 if it has none: DT_GNU_HASH, which every linker writes by default.
 */
static uintptr_t function(const struct link_map *object, const char *name)
{
	const uint32_t *hash = table(object, DT_GNU_HASH), *buckets, *chain;
	const ElfW(Sym) *symbols = table(object, DT_SYMTAB);
	const char *strings = table(object, DT_STRTAB);
	uint32_t sum = 5381, first, i;

	if (!hash || !symbols || !strings || hash[0] == 0)
		return 0;
	for (const char *c = name; *c; c++)
		sum = sum * 33 + (unsigned char)*c;
	first = hash[1];
	buckets = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / sizeof(*hash));
	chain = buckets + hash[0];
	i = buckets[sum % hash[0]];
	if (i < first)
		return 0;
	for (;; i++) {
		const ElfW(Sym) *s = &symbols[i];

		if ((chain[i - first] | 1) == (sum | 1) && s->st_shndx != SHN_UNDEF &&
		    ELF64_ST_TYPE(s->st_info) == STT_FUNC && equal(strings + s->st_name, name))
			return object->l_addr + s->st_value;
		if (chain[i - first] & 1)
			return 0;
	}
}

/* Before glibc 2.34 these three were apart, and the older two had connect(2) and dlsym(3). */
static bool is_libc(const char *name)
{
	return equal(name, "libc.so.6") || equal(name, "libpthread.so.0") || equal(name, "libdl.so.2");
}

static uintptr_t kind_of(const struct link_map *object)
{
	const char *name;

	if (!opened)
		return PROGRAM; /* the loader begins with it */
	name = soname(object);
	if (!shim && equal(name, "libmtls-run.so"))
		return SHIM;
	if (is_libc(name))
		return LIBC;
	return begins(name, "libssl") || begins(name, "libgnutls") ? TLS : OTHER;
}

EXPORT unsigned la_version(unsigned version)
{
	return version < VERSION_MAX ? version : VERSION_MAX;
}

/*
 * No flag: the loader does not even ask about references from there, or to there. Whoever was loaded before the shim
 * goes before it, by the user's own order, and nobody is led past them; the shim's own references find the real
 * functions. About dlsym(3) the loader asks where either side has a flag, so la_symbind64 must tell it apart.
 */
EXPORT unsigned la_objopen(struct link_map *object, Lmid_t namespace, uintptr_t *cookie)
{
	if (namespace != LM_ID_BASE)
		return 0;
	*cookie = kind_of(object);
	opened = true;
	if (*cookie == SHIM) {
		for (size_t i = 0; i < HOOKS; i++)
			hooks[i].at = function(object, hooks[i].name);
		shim = true;
		return 0;
	}
	if (!shim)
		return 0;
	return started ? LA_FLG_BINDTO | LA_FLG_BINDFROM : LA_FLG_BINDTO;
}

/* The first time that the base namespace is complete, all that the program starts with is there. */
EXPORT void la_activity(uintptr_t *cookie, unsigned what)
{
	if (*cookie == PROGRAM && what == LA_ACT_CONSISTENT)
		started = true;
}

/* A wrapper with functions of these names is not led past, whether around libc's or around a TLS library's. */
EXPORT uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags,
			      const char *name)
{
	(void)index, (void)from;
	if (*flags & LA_SYMB_DLSYM)
		return symbol->st_value;
	for (size_t i = 0; i < HOOKS; i++) {
		const struct hook *hook = &hooks[i];

		if (equal(name, hook->name))
			return hook->at && *to == hook->whose ? hook->at : symbol->st_value;
	}
	return symbol->st_value;
}
