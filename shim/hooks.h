/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the list of hooks: hook_NAME, the body that does the work, and next.NAME,
 * libc's own function. A body for a TLS library is also told where the call comes from.
 */
#ifndef MTLS_SHIM_HOOKS_H
#define MTLS_SHIM_HOOKS_H

#include "shim/library.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

/* Not in the headers of OpenSSL before 3.2. */
SSL_SESSION *d2i_SSL_SESSION_ex(SSL_SESSION **session, const unsigned char **in, long n, OSSL_LIB_CTX *context,
				const char *properties);

typedef int (*mtls_client_cert_cb)(SSL *, X509 **, EVP_PKEY **);

extern const struct family openssl_family, gtls_family; /* the adapters' */

#define MTLS_PARAMETERS(...) __VA_ARGS__

#define MTLS_HOOK(result, name, parameters, ...) result hook_##name parameters;
#define MTLS_HOOK_OPENSSL(result, name, parameters, ...) \
	result hook_##name(struct origin from, MTLS_PARAMETERS parameters);
#define MTLS_HOOK_GNUTLS MTLS_HOOK_OPENSSL
#include "shim/hooks.def"

#define MTLS_HOOK(result, name, parameters, ...) result(*name) parameters;
#define MTLS_HOOK_OPENSSL(...)
#define MTLS_HOOK_GNUTLS(...)
struct mtls_next {
#include "shim/hooks.def"
};

/* Filled once, when the shim starts; a member is NULL where this libc has no such function. */
extern struct mtls_next next;

#endif
