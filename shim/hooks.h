/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the list of hooks: hook_NAME, the body that does the work, and next.NAME,
 * libc's own function. A body for libssl also gets the return address of the exported function: the caller.
 */
#ifndef MTLS_SHIM_HOOKS_H
#define MTLS_SHIM_HOOKS_H

#include <netdb.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

typedef int (*mtls_client_cert_cb)(SSL *, X509 **, EVP_PKEY **);

#define MTLS_PARAMETERS(...) __VA_ARGS__

#define MTLS_HOOK(result, name, parameters, ...)     result hook_##name parameters;
#define MTLS_HOOK_TLS(result, name, parameters, ...) result hook_##name(void *caller, MTLS_PARAMETERS parameters);
#define MTLS_HOOK_TLS_VOID                           MTLS_HOOK_TLS
#include "shim/hooks.def"
#undef MTLS_HOOK
#undef MTLS_HOOK_TLS
#undef MTLS_HOOK_TLS_VOID

#define MTLS_HOOK(result, name, parameters, ...) result(*name) parameters;
#define MTLS_HOOK_TLS(...)
#define MTLS_HOOK_TLS_VOID(...)
struct mtls_next {
#include "shim/hooks.def"
};
#undef MTLS_HOOK
#undef MTLS_HOOK_TLS
#undef MTLS_HOOK_TLS_VOID

/* Filled once, when the shim starts; a member is NULL where this libc has no such function. */
extern struct mtls_next next;

#endif
