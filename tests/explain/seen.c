/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A probe to be preloaded: which TLS libraries does a program really use? At the
 * first call of one of the functions below in a process it appends a line "LIBRARY SONAME PROGRAM" to the file
 * $MTLS_SEEN, and hands the call on. It is the ground truth for `mtls-run --explain`, so it shares no
 * code with the shim. Functions that a program looks up with dlsym(3) count when they are called.
 *
 * The functions are called with up to three words and give one word back, as the prototypes below say; that
 * holds for the real ones on every ABI that Debian has.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTIONS \
	FUNCTION(OpenSSL, SSL_CTX_new) \
	FUNCTION(OpenSSL, SSL_CTX_new_ex) \
	FUNCTION(GnuTLS, gnutls_init) \
	FUNCTION(GnuTLS, gnutls_handshake) \
	FUNCTION(NSS, SSL_ImportFD) \
	FUNCTION(mbedTLS, mbedtls_ssl_setup) \
	FUNCTION(wolfSSL, wolfSSL_new)

typedef void *word_function(void *, void *, void *);

enum {
#define FUNCTION(library, name) INDEX_##name,
	FUNCTIONS
#undef FUNCTION
		COUNT
};

#define FUNCTION(library, name) word_function name;
FUNCTIONS
#undef FUNCTION
void *dlsym(void *restrict handle, const char *restrict name);

static const struct {
	const char *library, *name;
	word_function *ours;
} functions[COUNT] = {
#define FUNCTION(library, name) {#library, #name, name},
	FUNCTIONS
#undef FUNCTION
};

static _Atomic(word_function *) looked_up[COUNT]; /* what dlsym(3) gave last */
static atomic_bool told[COUNT];
static __thread struct link_map *inside; /* the library whose function runs: it may jump to another of its own */

typedef void *dlsym_function(void *restrict, const char *restrict);

static dlsym_function *real_dlsym(void)
{
	static _Atomic(dlsym_function *) real;
	static const char *const versions[] = {"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.27", "GLIBC_2.0", "GLIBC_2.34"};
	dlsym_function *found = atomic_load(&real);

	for (size_t i = 0; !found && i < sizeof(versions) / sizeof(*versions); i++)
		*(void **)&found = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
	if (!found)
		abort();
	atomic_store(&real, found);
	return found;
}

static struct link_map *map_of(const void *address)
{
	struct link_map *map = NULL;
	Dl_info info;

	return address && dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
}

/* The function as the library of that map and its dependencies have it; not ours. */
static word_function *in_scope_of(struct link_map *map, int index)
{
	void *handle = map && map->l_name[0] ? dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD) : NULL;
	word_function *found = NULL;

	if (handle) {
		*(void **)&found = real_dlsym()(handle, functions[index].name);
		dlclose(handle);
	}
	return found == functions[index].ours ? NULL : found;
}

struct any {
	int index;
	word_function *found;
};

static int look_into(struct dl_phdr_info *info, size_t size, void *data)
{
	struct any *any = data;
	void *handle = info->dlpi_name[0] ? dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD) : NULL;

	(void)size;
	if (handle) {
		*(void **)&any->found = real_dlsym()(handle, functions[any->index].name);
		dlclose(handle);
	}
	if (any->found == functions[any->index].ours)
		any->found = NULL;
	return any->found != NULL;
}

static word_function *find_real(int index, const void *caller)
{
	struct link_map *map = map_of(caller), *own = map_of((const void *)functions[index].ours);
	struct any any = {.index = index};
	word_function *found = in_scope_of(map == own ? inside : map, index);

	if (!found)
		found = atomic_load(&looked_up[index]);
	if (!found)
		*(void **)&found = real_dlsym()(RTLD_NEXT, functions[index].name);
	if (!found) {
		dl_iterate_phdr(look_into, &any);
		found = any.found;
	}
	if (!found) {
		fprintf(stderr, "seen: there is no %s\n", functions[index].name);
		abort();
	}
	return found;
}

static void tell(int index, const struct link_map *map)
{
	const char *file = getenv("MTLS_SEEN"), *soname;
	char line[2 * PATH_MAX];
	int fd, length;

	for (int i = 0; i < COUNT; i++)
		if (strcmp(functions[i].library, functions[index].library) == 0 && atomic_exchange(&told[i], true))
			return;
	soname = map && map->l_name[0] ? strrchr(map->l_name, '/') : NULL;
	length = snprintf(line, sizeof(line), "%s %s %s\n", functions[index].library, soname ? soname + 1 : "inside",
			  program_invocation_short_name);
	fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
	if (fd < 0)
		return;
	if (write(fd, line, (size_t)length) < 0)
		perror("seen");
	close(fd);
}

static void *call(int index, const void *caller, void *a, void *b, void *c)
{
	int number = errno;
	word_function *real = find_real(index, caller);
	struct link_map *outer = inside;
	void *result;

	inside = map_of((const void *)real);
	tell(index, inside);
	errno = number;
	result = real(a, b, c);
	inside = outer;
	return result;
}

#define FUNCTION(library, name) \
	void *name(void *a, void *b, void *c) \
	{ \
		return call(INDEX_##name, __builtin_return_address(0), a, b, c); \
	}
FUNCTIONS
#undef FUNCTION

static word_function *instead_of(void *handle, const char *name)
{
	for (int i = 0; i < COUNT; i++) {
		word_function *found;

		if (strcmp(name, functions[i].name) != 0)
			continue;
		*(void **)&found = real_dlsym()(handle, name);
		if (found && found != functions[i].ours)
			atomic_store(&looked_up[i], found);
		return found ? functions[i].ours : NULL;
	}
	return NULL;
}

/* The last call must be compiled to a jump (-O2): its return address tells the real one whose RTLD_NEXT is meant. */
void *dlsym(void *restrict handle, const char *restrict name)
{
	if (handle != RTLD_NEXT) {
		word_function *ours = instead_of(handle, name);

		if (ours)
			return *(void **)&ours;
	}
	return real_dlsym()(handle, name);
}
