/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection begins with: the session that it offers to resume, which must not carry an old identity, and
 * whether it offers post-handshake authentication. What a session rests on is kept with the server's certificate that
 * it has: each full handshake and each restored session has an X509 of its own for it, and tickets and copies share it.
 * It is there only where the server has asked or where the session was restored. (ex_data of the session itself would
 * be copied with it, but then libssl calls the copying functions of all data of the program's that come before ours,
 * also for what is not set, and not all programs expect that.)
 */
#include "shim/openssl.h"

#include "shim/saved.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#define TURNS 1000

/* The libssl function that a hook of ours is in: it may end in a jump to the next one, whose caller seems to be us. */
static __thread void *beginning __attribute__((tls_model("initial-exec")));
/* The connection that a hook of ours has looked at and is now in libssl with: libssl calls others of these functions.
 */
static __thread const SSL *begun __attribute__((tls_model("initial-exec")));

static struct origin caller_of(struct origin from)
{
	return beginning && library_is_ours(from.caller) ? (struct origin){beginning, NULL} : from;
}

/* NULL: without one (anonymous, a pre-shared key) no server may ask, RFC 8446 4.3.2 and RFC 5246 7.4.4. */
static X509 *server_of(const struct openssl *library, const SSL_SESSION *session)
{
	return library->f.SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session); // NOLINT
}

static resumption rests_on(const struct openssl *library, const SSL_SESSION *session)
{
	int index = atomic_load(&library->session_index);
	X509 *server = index ? server_of(library, session) : NULL;

	return server ? (resumption)library->f.X509_get_ex_data(server, index) : RESUMPTION_NOT_ASKED;
}

/*
 * The first word of an X509 needs memory, and two threads whose connections share a session may both be asked: one
 * after the other. A fork may have left the turn with a thread that is no more.
 */
static bool note(const struct openssl *library, X509 *server, int index, resumption now)
{
	static atomic_int turn;
	int self = getpid(), holder = 0;
	bool noted;

	for (int i = 0; !atomic_compare_exchange_strong(&turn, &holder, self); i++) {
		if (holder == self && i == TURNS)
			return false;
		if (holder == self)
			holder = 0;
		sched_yield();
	}
	noted = library->f.X509_set_ex_data(server, index, (void *)now) == 1; // NOLINT
	atomic_store(&turn, 0);
	return noted;
}

/* false: it could not be noted. */
static bool rest_on(const struct openssl *library, SSL_SESSION *session, resumption now)
{
	int index = atomic_load(&library->session_index);
	X509 *server = index ? server_of(library, session) : NULL;

	return server && (rests_on(library, session) == now || note(library, server, index, now));
}

resumption openssl_session(const struct openssl *library, SSL *ssl)
{
	SSL_SESSION *session = library->f.SSL_get_session(ssl);

	return session ? rests_on(library, session) : RESUMPTION_NOT_ASKED;
}

bool openssl_session_rests(const struct openssl *library, SSL *ssl, resumption now)
{
	SSL_SESSION *session = library->f.SSL_get_session(ssl);

	return !session || rest_on(library, session, now);
}

/* --- what is offered ----------------------------------------------------------- */

static bool allowed(const struct openssl *library, SSL *ssl, const SSL_SESSION *session)
{
	resumption r = rests_on(library, session);

	return r == RESUMPTION_NOT_ASKED || resumption_allowed(&library->is.parser, r, openssl_has_own(library, ssl));
}

/* Programs switch it on only where they hold a certificate; where one does, what it says about it holds. */
static void offer(const struct openssl *library, SSL *ssl)
{
	enum mtls_pha pha;

	if (generation_likely(&pha) && pha != MTLS_PHA_OFF && !openssl_has_own(library, ssl))
		library->f.SSL_set_post_handshake_auth(ssl, 1);
}

/* A client's next handshake is its first, or after SSL_clear its next first one: it may have kept a session then. */
static void begin(const struct openssl *library, SSL *ssl)
{
	int saved = errno;
	SSL_SESSION *session;

	if (!library || !ssl || ssl == begun || !library->f.SSL_in_before(ssl) ||
	    !openssl_context(library, library->f.SSL_get_SSL_CTX(ssl)))
		return;
	mtls_errors_keep(&library->crypto);
	offer(library, ssl);
	session = library->f.SSL_get_session(ssl);
	if (session && !allowed(library, ssl, session))
		library->f.SSL_set_session(ssl, NULL);
	mtls_errors_restore(&library->crypto);
	errno = saved;
}

int hook_SSL_set_session(struct origin from, SSL *ssl, SSL_SESSION *session)
{
	const struct openssl *library = openssl_of_caller(from);
	__typeof__(&SSL_set_session) set = OPENSSL_NEXT(library, from, SSL_set_session);
	int saved = errno;

	if (library && session && rests_on(library, session) != RESUMPTION_NOT_ASKED) {
		mtls_errors_keep(&library->crypto);
		if (!allowed(library, ssl, session))
			session = NULL;
		mtls_errors_restore(&library->crypto);
		errno = saved;
	}
	return set ? set(ssl, session) : 0;
}

int hook_SSL_connect(struct origin from, SSL *ssl)
{
	const struct openssl *library = openssl_of_caller(from);
	__typeof__(&SSL_connect) handshake = OPENSSL_NEXT(library, from, SSL_connect);
	const SSL *other = begun;
	void *before = beginning;
	int done;

	if (!handshake)
		return -1;
	begin(library, ssl);
	beginning = (void *)handshake;
	begun = ssl;
	done = handshake(ssl);
	begun = other;
	beginning = before;
	return done;
}

int hook_SSL_do_handshake(struct origin from, SSL *ssl)
{
	struct origin caller = caller_of(from);
	const struct openssl *library = openssl_of_caller(caller);
	__typeof__(&SSL_do_handshake) handshake = OPENSSL_NEXT(library, caller, SSL_do_handshake);
	const SSL *other = begun;
	int done;

	if (!handshake)
		return -1;
	if (library && ssl && !library->f.SSL_is_server(ssl))
		begin(library, ssl);
	begun = ssl;
	done = handshake(ssl);
	begun = other;
	return done;
}

/* It leaves the session, for programs that only read and write then; libssl itself calls it as a handshake begins. */
int hook_SSL_clear(struct origin from, SSL *ssl)
{
	const struct openssl *library = openssl_of_caller(from);
	__typeof__(&SSL_clear) clear = OPENSSL_NEXT(library, from, SSL_clear);
	int done = clear ? clear(ssl) : 0;

	if (done && library && !library->f.SSL_is_server(ssl))
		begin(library, ssl);
	return done;
}

/* For programs that only read and write then. */
void hook_SSL_set_connect_state(struct origin from, SSL *ssl)
{
	const struct openssl *library = openssl_of_caller(from);
	__typeof__(&SSL_set_connect_state) set = OPENSSL_NEXT(library, from, SSL_set_connect_state);

	if (set)
		set(ssl);
	begin(library, ssl);
}

/* --- what is restored ------------------------------------------------------------ */

/* CPython copies every session in this way: its bytes are known again. */
static resumption known(const struct openssl *library, const SSL_SESSION *session)
{
	unsigned char *der = NULL;
	int n = library->f.i2d_SSL_SESSION(session, &der);
	resumption r = RESUMPTION_UNKNOWN;
	struct saved_key key;

	if (n > 0) {
		key = saved_key(der, (size_t)n);
		r = saved_find(&key);
		library->crypto.CRYPTO_free(der, "", 0);
	}
	return r;
}

static SSL_SESSION *restored(const struct openssl *library, SSL_SESSION *session)
{
	int saved = errno;

	if (!library || !session)
		return session;
	mtls_errors_keep(&library->crypto);
	if (server_of(library, session) &&
	    (!openssl_start(library) || !rest_on(library, session, known(library, session))))
		library->f.SSL_SESSION_set_protocol_version(session, 0); /* of no version it is never offered */
	mtls_errors_restore(&library->crypto);
	errno = saved;
	return session;
}

int hook_i2d_SSL_SESSION(struct origin from, const SSL_SESSION *session, unsigned char **out)
{
	const struct openssl *library = openssl_of_either(from);
	__typeof__(&i2d_SSL_SESSION) write = OPENSSL_NEXT(library, from, i2d_SSL_SESSION);
	const unsigned char *start = out ? *out : NULL; /* NULL: libssl allocates */
	int n = write ? write(session, out) : -1;
	struct saved_key key;

	if (library && n > 0 && out) {
		key = saved_key(start ? start : *out, (size_t)n);
		saved_note(&key, rests_on(library, session));
	}
	return n;
}

/* Each may come back through our export of another one: openssl_in_flight tells it whose it is. */
#define RESTORE(name, ...) \
	const struct openssl *library = openssl_of_either(from); \
	__typeof__(&(name)) restore = OPENSSL_NEXT(library, from, name); \
	void *before = openssl_in_flight; \
	SSL_SESSION *session; \
\
	if (!restore) \
		return NULL; \
	openssl_in_flight = (void *)restore; \
	session = restore(__VA_ARGS__); \
	openssl_in_flight = before; \
	return restored(library, session)

SSL_SESSION *hook_d2i_SSL_SESSION(struct origin from, SSL_SESSION **session_to, const unsigned char **in, long n)
{
	RESTORE(d2i_SSL_SESSION, session_to, in, n);
}

SSL_SESSION *hook_d2i_SSL_SESSION_ex(struct origin from, SSL_SESSION **session_to, const unsigned char **in, long n,
				     OSSL_LIB_CTX *context, const char *properties)
{
	RESTORE(d2i_SSL_SESSION_ex, session_to, in, n, context, properties);
}

SSL_SESSION *hook_PEM_read_bio_SSL_SESSION(struct origin from, BIO *in, SSL_SESSION **session_to, pem_password_cb *pass,
					   void *arg)
{
	RESTORE(PEM_read_bio_SSL_SESSION, in, session_to, pass, arg);
}

SSL_SESSION *hook_PEM_read_SSL_SESSION(struct origin from, FILE *in, SSL_SESSION **session_to, pem_password_cb *pass,
				       void *arg)
{
	RESTORE(PEM_read_SSL_SESSION, in, session_to, pass, arg);
}
