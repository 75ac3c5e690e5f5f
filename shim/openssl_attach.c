/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches to each SSL_CTX when it is made, and keeps the program's own callbacks
 * in front of ours: setters store, getters tell the truth. libssl asks cert_cb first, then for the program's
 * certificate, then client_cert_cb; ours is the last. What is answered stands in openssl_request.c.
 */
#include "shim/openssl.h"

#include "shim/log.h"

#include <errno.h>
#include <stdlib.h>

#define PAIR_LISTS 4096

struct context *openssl_context(const struct openssl *library, const SSL_CTX *ctx)
{
	int index = library && ctx ? atomic_load(&library->context_index) : 0;

	return index ? library->f.SSL_CTX_get_ex_data(ctx, index) : NULL;
}

/* For libssl, which takes any argument; the table itself stays as it is. */
static struct chained *none_of(const struct openssl *library)
{
	return (struct chained *)(uintptr_t)&library->none; // NOLINT(performance-no-int-to-ptr)
}

/* --- callbacks that libssl calls ------------------------------------------- */

/*
 * libssl's first question at every request. It would keep what we gave at an earlier request and never ask again, so
 * that goes first; then the program's own callback chooses. A server's certificate ours shall never be.
 */
static int on_cert(SSL *ssl, void *arg)
{
	const struct chained *chained = arg;
	const struct openssl *library = chained->library;
	int answer, saved = errno;

	mtls_errors_keep(&library->crypto);
	openssl_take_off(library, ssl);
	mtls_errors_restore(&library->crypto);
	errno = saved;
	answer = chained->callback ? chained->callback(ssl, chained->arg) : 1;
	if (answer > 0 && !library->f.SSL_is_server(ssl))
		openssl_own_certificate(library, ssl);
	return answer;
}

/* libssl's last question: neither the program's certificate nor its cert_cb has answered. */
static int on_client_cert(const struct openssl *library, SSL *ssl, X509 **leaf, EVP_PKEY **key)
{
	struct context *context = openssl_context(library, library->f.SSL_get_SSL_CTX(ssl));
	mtls_client_cert_cb own = context ? atomic_load(&context->client_cert_cb) : NULL;
	int answer = own ? own(ssl, leaf, key) : 0;

	if (answer == 1)
		openssl_own_answer(library, ssl);
	return answer ? answer : openssl_answer(library, ssl, leaf, key);
}

#define CALLBACK(n) \
	static int on_client_cert_##n(SSL *ssl, X509 **leaf, EVP_PKEY **key) \
	{ \
		return on_client_cert((const struct openssl *)library_at(n), ssl, leaf, key); \
	}
CALLBACK(0)
CALLBACK(1)
CALLBACK(2)
CALLBACK(3)
CALLBACK(4)
CALLBACK(5)
CALLBACK(6)
CALLBACK(7)

mtls_client_cert_cb openssl_callback(const struct openssl *library)
{
	static const mtls_client_cert_cb callbacks[LIBRARIES_MAX] = {
		on_client_cert_0, on_client_cert_1, on_client_cert_2, on_client_cert_3,
		on_client_cert_4, on_client_cert_5, on_client_cert_6, on_client_cert_7,
	};

	return callbacks[library->is.parser.library];
}

/* --- attaching -------------------------------------------------------------- */

/* Once for each context: SSL_CTX_new may come back through our SSL_CTX_new_ex. */
static void attach(const struct openssl *library, SSL_CTX *ctx)
{
	struct context *context;
	int saved = errno;

	if (!library || !ctx)
		return;
	mtls_errors_keep(&library->crypto);
	context = openssl_start(library) && !openssl_context(library, ctx) ? calloc(1, sizeof(*context)) : NULL;
	if (context && library->f.SSL_CTX_set_ex_data(ctx, library->context_index, context) == 1) {
		library->f.SSL_CTX_set_cert_cb(ctx, on_cert, none_of(library));
		library->f.SSL_CTX_set_client_cert_cb(ctx, openssl_callback(library));
		log_hook("SSL_CTX_new");
		generation_prime();
	} else {
		free(context);
	}
	mtls_errors_restore(&library->crypto);
	errno = saved;
}

SSL_CTX *hook_SSL_CTX_new(struct origin from, const SSL_METHOD *method)
{
	const struct openssl *library = openssl_of_method(from, method);
	__typeof__(&SSL_CTX_new) real = OPENSSL_NEXT(library, from, SSL_CTX_new);
	void *before = openssl_in_flight;
	SSL_CTX *ctx;

	if (!real)
		return NULL;
	openssl_in_flight = (void *)real;
	ctx = real(method);
	openssl_in_flight = before;
	attach(library, ctx);
	return ctx;
}

SSL_CTX *hook_SSL_CTX_new_ex(struct origin from, OSSL_LIB_CTX *libctx, const char *properties, const SSL_METHOD *method)
{
	const struct openssl *library = openssl_of_method(from, method);
	__typeof__(&SSL_CTX_new_ex) real = OPENSSL_NEXT(library, from, SSL_CTX_new_ex);
	void *before = openssl_in_flight;
	SSL_CTX *ctx;

	if (!real)
		return NULL;
	openssl_in_flight = (void *)real;
	ctx = real(libctx, properties, method);
	openssl_in_flight = before;
	attach(library, ctx);
	return ctx;
}

/* --- the program's callbacks ------------------------------------------------ */

void hook_SSL_CTX_set_client_cert_cb(struct origin from, SSL_CTX *ctx, mtls_client_cert_cb callback)
{
	const struct openssl *library = openssl_of_caller(from);
	struct context *context = openssl_context(library, ctx);
	__typeof__(&SSL_CTX_set_client_cert_cb) set =
		context ? NULL : OPENSSL_NEXT(library, from, SSL_CTX_set_client_cert_cb);

	if (context)
		atomic_store(&context->client_cert_cb, callback);
	else if (set)
		set(ctx, callback);
}

mtls_client_cert_cb hook_SSL_CTX_get_client_cert_cb(struct origin from, SSL_CTX *ctx)
{
	const struct openssl *library = openssl_of_caller(from);
	struct context *context = openssl_context(library, ctx);
	__typeof__(&SSL_CTX_get_client_cert_cb) get =
		context ? NULL : OPENSSL_NEXT(library, from, SSL_CTX_get_client_cert_cb);

	if (context)
		return atomic_load(&context->client_cert_cb);
	return get ? get(ctx) : NULL;
}

/* The one record of this pair; NULL without memory. */
static struct chained *chained_of(const struct openssl *library, mtls_cert_cb callback, void *arg)
{
	static _Atomic(struct chained *) pairs[PAIR_LISTS];
	uintptr_t hash = ((uintptr_t)callback >> 4) * 31 + ((uintptr_t)arg >> 4);
	_Atomic(struct chained *) *list = &pairs[(hash ^ hash >> 12) % PAIR_LISTS];
	struct chained *first = atomic_load(list), *chained;

	if (!callback)
		return none_of(library);
	for (chained = first; chained; chained = chained->next)
		if (chained->callback == callback && chained->arg == arg && chained->library == library)
			return chained;
	chained = malloc(sizeof(*chained));
	if (!chained)
		return NULL;
	*chained = (struct chained){library, callback, arg, first};
	while (!atomic_compare_exchange_weak(list, &chained->next,
					     chained)) /* a second record of a pair does no harm */
		;
	return chained;
}

void hook_SSL_CTX_set_cert_cb(struct origin from, SSL_CTX *ctx, mtls_cert_cb callback, void *arg)
{
	const struct openssl *library = openssl_of_caller(from);
	struct chained *chained = openssl_context(library, ctx) ? chained_of(library, callback, arg) : NULL;
	__typeof__(&SSL_CTX_set_cert_cb) set = OPENSSL_NEXT(library, from, SSL_CTX_set_cert_cb);

	if (set)
		set(ctx, chained ? on_cert : callback, chained ? chained : arg);
}

void hook_SSL_set_cert_cb(struct origin from, SSL *ssl, mtls_cert_cb callback, void *arg)
{
	const struct openssl *library = openssl_of_caller(from);
	const SSL_CTX *ctx = library ? library->f.SSL_get_SSL_CTX(ssl) : NULL;
	struct chained *chained = openssl_context(library, ctx) ? chained_of(library, callback, arg) : NULL;
	__typeof__(&SSL_set_cert_cb) set = OPENSSL_NEXT(library, from, SSL_set_cert_cb);

	if (set)
		set(ssl, chained ? on_cert : callback, chained ? chained : arg);
}
