/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exported functions: no logic here. Each hands its arguments to the body
 * hook_NAME; those for TLS libraries add who called, because several may be loaded.
 */
#include "shim/hooks.h"

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
