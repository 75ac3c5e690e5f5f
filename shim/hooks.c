/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exported functions: no logic here. Each hands its arguments to the body
 * hook_NAME; those for libssl add who called, because several libssl may be loaded.
 */
#include "shim/hooks.h"

#define EXPORT __attribute__((visibility("default")))

#define MTLS_HOOK(result, name, parameters, ...) \
	EXPORT result name parameters \
	{ \
		return hook_##name(__VA_ARGS__); \
	}
#define MTLS_HOOK_TLS(result, name, parameters, ...) \
	EXPORT result name parameters \
	{ \
		return hook_##name(__builtin_return_address(0), __VA_ARGS__); \
	}
#define MTLS_HOOK_TLS_VOID(result, name, parameters, ...) \
	EXPORT result name parameters \
	{ \
		hook_##name(__builtin_return_address(0), __VA_ARGS__); \
	}
#include "shim/hooks.def"
