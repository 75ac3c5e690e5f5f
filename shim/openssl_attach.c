/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches to each SSL_CTX when it is made, and keeps the program's own callbacks
 * in front of ours: setters store, getters tell the truth. libssl asks cert_cb first, then for the program's
 * certificate, then client_cert_cb; ours is the last. What is answered stands in openssl_request.c.
 */
#include "shim/openssl.h"

#include "shim/log.h"
#include "shim/shim.h"

#include <errno.h>
#include <stdlib.h>

#define RECENT_PAIRS  16
#define KEY_TYPES_MAX 16 /* libssl keeps one certificate for each: 9 in 3.0 */

static struct context *context_of(const struct openssl *library, const SSL_CTX *ctx)
{
	return library->supported && ctx ? library->f.SSL_CTX_get_ex_data(ctx, library->context_index) : NULL;
}

struct connection *openssl_connection(const struct openssl *library, SSL *ssl, bool make)
{
	struct connection *connection = library->f.SSL_get_ex_data(ssl, library->connection_index);

	if (connection || !make)
		return connection;
	connection = calloc(1, sizeof(*connection));
	if (connection && library->f.SSL_set_ex_data(ssl, library->connection_index, connection) != 1) {
		free(connection);
		connection = NULL;
	}
	return connection;
}

/* --- taking ours off --------------------------------------------------------- */

/* A certificate of the program's, with references of our own. */
struct kept {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) *chain; /* or NULL */
};

static struct kept keep(const struct openssl *library, SSL *ssl)
{
	struct kept kept = {library->f.SSL_get_certificate(ssl), library->f.SSL_get_privatekey(ssl), NULL};

	library->f.X509_up_ref(kept.leaf);
	library->f.EVP_PKEY_up_ref(kept.key);
	library->f.SSL_ctrl(ssl, SSL_CTRL_GET_CHAIN_CERTS, 0, &kept.chain);
	if (kept.chain)
		kept.chain = library->f.X509_chain_up_ref(kept.chain);
	return kept;
}

static void put_back(const struct openssl *library, SSL *ssl, struct kept *kept)
{
	X509 *x;

	library->f.SSL_use_cert_and_key(ssl, kept->leaf, kept->key, kept->chain, 1);
	while (kept->chain && (x = library->crypto.OPENSSL_sk_pop((OPENSSL_STACK *)kept->chain)))
		library->crypto.X509_free(x);
	library->crypto.OPENSSL_sk_free((OPENSSL_STACK *)kept->chain);
	library->crypto.X509_free(kept->leaf);
	library->crypto.EVP_PKEY_free(kept->key);
}

/*
 * libssl can only drop all certificates. Of those that the program has added since, of other key types, it might
 * choose ours before them: they are put back, and the one that was current is current again.
 */
static void take_off(const struct openssl *library, SSL *ssl, X509 *ours)
{
	X509 *current = library->f.SSL_get_certificate(ssl);
	struct kept kept[KEY_TYPES_MAX];
	size_t n = 0;
	long more;

	if (!current || (current != ours && library->f.SSL_ctrl(ssl, SSL_CTRL_SELECT_CURRENT_CERT, 0, ours) != 1))
		return;
	if (current != ours) {
		more = library->f.SSL_ctrl(ssl, SSL_CTRL_SET_CURRENT_CERT, SSL_CERT_SET_FIRST, NULL);
		for (; more == 1 && n < KEY_TYPES_MAX;
		     more = library->f.SSL_ctrl(ssl, SSL_CTRL_SET_CURRENT_CERT, SSL_CERT_SET_NEXT, NULL))
			if (library->f.SSL_get_certificate(ssl) != ours)
				kept[n++] = keep(library, ssl);
	}
	library->f.SSL_certs_clear(ssl);
	for (size_t i = 0; i < n; i++)
		put_back(library, ssl, &kept[i]);
	if (n)
		library->f.SSL_ctrl(ssl, SSL_CTRL_SELECT_CURRENT_CERT, 0, current);
}

/* --- callbacks that libssl calls ------------------------------------------- */

/*
 * libssl's first question at every request. It would keep what we gave at an earlier request and never ask again, so
 * that goes first; then the program's own callback chooses.
 */
static int on_cert(SSL *ssl, void *arg)
{
	const struct chained *chained = arg;
	const struct openssl *library = chained->library;
	bool client = !library->f.SSL_is_server(ssl);
	struct connection *connection = client ? openssl_connection(library, ssl, false) : NULL;
	int answer;

	if (connection && connection->ours) {
		take_off(library, ssl, connection->ours);
		library->crypto.X509_free(connection->ours);
		connection->ours = NULL;
	}
	answer = chained->callback ? chained->callback(ssl, chained->arg) : 1;
	if (client && answer > 0 && library->f.SSL_get_certificate(ssl))
		openssl_tell_own(library, ssl);
	return answer;
}

/* libssl's last question: neither the program's certificate nor its cert_cb has answered. */
static int on_client_cert(const struct openssl *library, SSL *ssl, X509 **leaf, EVP_PKEY **key)
{
	struct context *context = context_of(library, library->f.SSL_get_SSL_CTX(ssl));
	mtls_client_cert_cb own = context ? atomic_load(&context->client_cert_cb) : NULL;
	int answer = own ? own(ssl, leaf, key) : 0;

	if (answer == 1)
		openssl_tell_own(library, ssl);
	return answer ? answer : openssl_answer(library, ssl, leaf, key);
}

#define CALLBACK(n) \
	static int on_client_cert_##n(SSL *ssl, X509 **leaf, EVP_PKEY **key) \
	{ \
		return on_client_cert(openssl_at(n), ssl, leaf, key); \
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
	static const mtls_client_cert_cb callbacks[GENERATION_LIBRARIES] = {
		on_client_cert_0, on_client_cert_1, on_client_cert_2, on_client_cert_3,
		on_client_cert_4, on_client_cert_5, on_client_cert_6, on_client_cert_7,
	};

	return callbacks[library->number];
}

/* --- attaching -------------------------------------------------------------- */

/* Once for each context: SSL_CTX_new may come back through our SSL_CTX_new_ex. */
static void attach(const struct openssl *library, SSL_CTX *ctx)
{
	struct context *context;
	int saved = errno;

	if (!library->supported || !ctx || !shim_active())
		return;
	mtls_errors_keep(&library->crypto);
	context = context_of(library, ctx) ? NULL : calloc(1, sizeof(*context));
	if (context && library->f.SSL_CTX_set_ex_data(ctx, library->context_index, context) == 1) {
		context->none.library = library;
		library->f.SSL_CTX_set_cert_cb(ctx, on_cert, &context->none);
		library->f.SSL_CTX_set_client_cert_cb(ctx, openssl_callback(library));
		log_hook("SSL_CTX_new");
		generation_prime();
	} else {
		free(context);
	}
	mtls_errors_restore(&library->crypto);
	errno = saved;
}

SSL_CTX *hook_SSL_CTX_new(void *caller, const SSL_METHOD *method)
{
	const struct openssl *library = openssl_of_caller(caller), *before = openssl_in_flight;
	SSL_CTX *ctx;

	if (!library)
		return NULL;
	openssl_in_flight = library;
	ctx = library->f.SSL_CTX_new(method);
	openssl_in_flight = before;
	attach(library, ctx);
	return ctx;
}

SSL_CTX *hook_SSL_CTX_new_ex(void *caller, OSSL_LIB_CTX *libctx, const char *properties, const SSL_METHOD *method)
{
	const struct openssl *library = openssl_of_caller(caller), *before = openssl_in_flight;
	SSL_CTX *ctx;

	if (!library || !library->f.SSL_CTX_new_ex)
		return NULL;
	openssl_in_flight = library;
	ctx = library->f.SSL_CTX_new_ex(libctx, properties, method);
	openssl_in_flight = before;
	attach(library, ctx);
	return ctx;
}

/* --- setters and getters ----------------------------------------------------- */

void hook_SSL_CTX_set_client_cert_cb(void *caller, SSL_CTX *ctx, mtls_client_cert_cb callback)
{
	const struct openssl *library = openssl_of_caller(caller);
	struct context *context = library ? context_of(library, ctx) : NULL;

	if (context)
		atomic_store(&context->client_cert_cb, callback);
	else if (library)
		library->f.SSL_CTX_set_client_cert_cb(ctx, callback);
}

mtls_client_cert_cb hook_SSL_CTX_get_client_cert_cb(void *caller, SSL_CTX *ctx)
{
	const struct openssl *library = openssl_of_caller(caller);
	struct context *context = library ? context_of(library, ctx) : NULL;

	if (context)
		return atomic_load(&context->client_cert_cb);
	return library ? library->f.SSL_CTX_get_client_cert_cb(ctx) : NULL;
}

static struct chained *chained_new(const struct openssl *library, mtls_cert_cb callback, void *arg)
{
	struct chained *chained = calloc(1, sizeof(*chained));

	if (chained) {
		chained->library = library;
		chained->callback = callback;
		chained->arg = arg;
		atomic_store(&chained->references, 1);
	}
	return chained;
}

/*
 * The context's record of this pair; kept until the context goes, because SSL that were made meanwhile point to it.
 * A program that sets another pair each time is not worth a search through all of them.
 */
static struct chained *chained_in(struct context *context, const struct openssl *library, mtls_cert_cb callback,
				  void *arg)
{
	struct chained *chained = atomic_load(&context->chain);

	if (!callback)
		return &context->none;
	for (int i = 0; chained && i < RECENT_PAIRS; chained = chained->next, i++)
		if (chained->callback == callback && chained->arg == arg)
			return chained;
	chained = chained_new(library, callback, arg);
	if (chained) {
		chained->next = atomic_load(&context->chain);
		while (!atomic_compare_exchange_weak(&context->chain, &chained->next, chained))
			;
	}
	return chained;
}

void hook_SSL_CTX_set_cert_cb(void *caller, SSL_CTX *ctx, mtls_cert_cb callback, void *arg)
{
	const struct openssl *library = openssl_of_caller(caller);
	struct context *context = library ? context_of(library, ctx) : NULL;
	struct chained *chained = context ? chained_in(context, library, callback, arg) : NULL;

	if (chained)
		library->f.SSL_CTX_set_cert_cb(ctx, on_cert, chained);
	else if (library)
		library->f.SSL_CTX_set_cert_cb(ctx, callback, arg);
}

void hook_SSL_set_cert_cb(void *caller, SSL *ssl, mtls_cert_cb callback, void *arg)
{
	const struct openssl *library = openssl_of_caller(caller);
	struct context *context =
		library && library->supported ? context_of(library, library->f.SSL_get_SSL_CTX(ssl)) : NULL;
	struct connection *connection = context ? openssl_connection(library, ssl, true) : NULL;
	struct chained *chained = connection ? chained_new(library, callback, arg) : NULL, *before;

	if (chained) {
		before = connection->chained;
		connection->chained = chained;
		library->f.SSL_set_cert_cb(ssl, on_cert, chained);
		if (before && atomic_fetch_sub(&before->references, 1) == 1)
			free(before);
	} else if (library) {
		library->f.SSL_set_cert_cb(ssl, callback, arg);
	}
}
