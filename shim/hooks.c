/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exported functions: no logic here. Each hands its arguments to the body
 * hook_NAME; those for TLS libraries add who called, because several may be loaded.
 */
#include "shim/hooks.h"

#include "shim/dlsym.h"

#include <string.h>

#define EXPORT __attribute__((visibility("default")))

#define MTLS_HOOK(result, name, parameters, ...) \
	EXPORT result name parameters \
	{ \
		return hook_##name(__VA_ARGS__); \
	}
#define MTLS_HOOK_OPENSSL(result, name, parameters, ...) \
	EXPORT result name parameters \
	{ \
		return hook_##name((struct origin){__builtin_return_address(0), NULL}, __VA_ARGS__); \
	}
#define MTLS_HOOK_GNUTLS MTLS_HOOK_OPENSSL
#include "shim/hooks.def"

/* The same for a program that took the function from a library's own handle: there is no doubt which one it means. */
#define AT(n, result, name, parameters, ...) \
	static result name##_at_##n parameters \
	{ \
		return hook_##name((struct origin){NULL, library_at(n)}, __VA_ARGS__); \
	}
#define MTLS_HOOK(...)
#define MTLS_HOOK_OPENSSL(...) \
	AT(0, __VA_ARGS__) \
	AT(1, __VA_ARGS__) \
	AT(2, __VA_ARGS__) \
	AT(3, __VA_ARGS__) \
	AT(4, __VA_ARGS__) \
	AT(5, __VA_ARGS__) \
	AT(6, __VA_ARGS__) \
	AT(7, __VA_ARGS__)
#define MTLS_HOOK_GNUTLS MTLS_HOOK_OPENSSL
#include "shim/hooks.def"
_Static_assert(LIBRARIES_MAX == 8, "a function for each");

/* Code and not a table, whose addresses would be work for the loader at every start. */
#define HOOK(of, function) \
	if (strcmp(name, #function) == 0) \
		return (struct dlsym_hook){#function, &(of), \
					   number == 0   ? (void *)function##_at_0 \
					   : number == 1 ? (void *)function##_at_1 \
					   : number == 2 ? (void *)function##_at_2 \
					   : number == 3 ? (void *)function##_at_3 \
					   : number == 4 ? (void *)function##_at_4 \
					   : number == 5 ? (void *)function##_at_5 \
					   : number == 6 ? (void *)function##_at_6 \
							 : (void *)function##_at_7};
#define MTLS_HOOK(...)
#define MTLS_HOOK_OPENSSL(result, function, ...) HOOK(openssl_family, function)
#define MTLS_HOOK_GNUTLS(result, function, ...)  HOOK(gtls_family, function)
struct dlsym_hook dlsym_hook(const char *name, unsigned number)
{
#include "shim/hooks.def"
	return (struct dlsym_hook){NULL, NULL, NULL};
}
