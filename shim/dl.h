/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's functions by their oldest version, so that a library built on a
 * new glibc loads on an old one; musl ignores versions. Include instead of <dlfcn.h>.
 */
#ifndef MTLS_SHIM_DL_H
#define MTLS_SHIM_DL_H

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>

/* What a sanitizer instruments must not run before its runtime, and that looks its own functions up with dlsym. */
#if ((defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__)) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__)
#define MTLS_DLSYM 1 /* dlsym is one of our hooks: dlsym.c */
#endif

#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define MTLS_OLDEST "GLIBC_2.2.5"
#elif defined(__GLIBC__) && defined(__aarch64__) && !defined(__SANITIZE_ADDRESS__)
#define MTLS_OLDEST "GLIBC_2.17"
#endif

#ifdef MTLS_OLDEST
__asm__(".symver dlopen,dlopen@" MTLS_OLDEST);
__asm__(".symver dlclose,dlclose@" MTLS_OLDEST);
__asm__(".symver dladdr,dladdr@" MTLS_OLDEST);
__asm__(".symver dlerror,dlerror@" MTLS_OLDEST);
#ifdef MTLS_DLSYM
__asm__(".symver dlvsym,dlvsym@" MTLS_OLDEST);
#else
__asm__(".symver dlsym,dlsym@" MTLS_OLDEST);
#endif
#endif

/* libc's dlsym, past any hook of ours or of others: all look-ups of the shim go this way. As dlsym(3). */
void *dl_symbol(void *handle, const char *name);

/*
 * What an object, or the one that has this address, exports under that name, by its own symbol table: without the
 * loader's help, which takes memory even for what is loaded. NULL: nothing.
 */
void *dl_exported(const struct dl_phdr_info *, const char *name);
void *dl_beside(const void *address, const char *name);

/*
 * Fills a table of nothing but pointers to functions: names lists them, each with a mark before it and a NUL behind,
 * the list with one more. false: one is missing whose mark is among these. A missing one is NULL, and dlerror(3) has
 * it.
 */
bool dl_symbols(void *handle, const char *names, const char *marks, void *table);

#endif
