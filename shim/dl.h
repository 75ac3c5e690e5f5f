/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's functions by their oldest version, so that a library built on a
 * new glibc loads on an old one; musl ignores versions. Include instead of <dlfcn.h>.
 */
#ifndef MTLS_SHIM_DL_H
#define MTLS_SHIM_DL_H

#include <dlfcn.h>

#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
__asm__(".symver dlopen,dlopen@GLIBC_2.2.5");
__asm__(".symver dlclose,dlclose@GLIBC_2.2.5");
__asm__(".symver dlsym,dlsym@GLIBC_2.2.5");
__asm__(".symver dladdr,dladdr@GLIBC_2.2.5");
__asm__(".symver dlerror,dlerror@GLIBC_2.2.5");
#elif defined(__GLIBC__) && defined(__aarch64__) && !defined(__SANITIZE_ADDRESS__)
__asm__(".symver dlopen,dlopen@GLIBC_2.17");
__asm__(".symver dlclose,dlclose@GLIBC_2.17");
__asm__(".symver dlsym,dlsym@GLIBC_2.17");
__asm__(".symver dladdr,dladdr@GLIBC_2.17");
__asm__(".symver dlerror,dlerror@GLIBC_2.17");
#endif

/* The real dlsym, past any hook of ours: all look-ups of the shim go this way. As dlsym(3). */
void *dl_symbol(void *handle, const char *name);

#endif
