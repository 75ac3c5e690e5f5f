/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches to GnuTLS: notes sessions and credentials when they are made, and sets our retrieve function before each
 * handshake, in front of which the program's own is asked. A retrieve function hides the certificates in the
 * credentials: where the program has one there, ours is not set, or taken back. What the program tells its sessions is
 * noted in gnutls_told.c, what is answered stands in gnutls_request.c.
 */
#include "shim/gnutls_records.h"

#include "shim/cancel.h"
#include "shim/log.h"

#include <errno.h>

static struct records sessions, credentials;

struct gtls_session *gtls_session_of(gnutls_session_t session)
{
	return (struct gtls_session *)records_find(&sessions, session);
}

static struct gtls_credentials *credentials_of(gnutls_certificate_credentials_t object)
{
	return (struct gtls_credentials *)records_find(&credentials, object);
}

const struct gtls *gtls_of(const struct gtls_session *session, struct origin from)
{
	return session ? session->library : (const struct gtls *)library_of_caller(&gtls_family, from);
}

/* --- the retrieve function ----------------------------------------------------- */

static bool has_static(const struct gtls *library, gnutls_certificate_credentials_t object)
{
	gnutls_datum_t der;

	return library->f.gnutls_certificate_get_crt_raw(object, 0, 0, &der) >= 0;
}

/*
 * Not one that takes raw public keys: with a retrieve function it would offer that type for itself too, and the server
 * might choose it. With one of the program's it does that anyway.
 */
static bool is_served(const struct gtls_session *session, const struct gtls_credentials *own)
{
	return session && own && (!session->raw || atomic_load(&own->version));
}

/*
 * The program's own answer comes first, an error of it too; then a certificate that it has put into the credentials
 * while ours was in force: it cannot be chosen from here, but it is the program's. Servers are asked of, too, but no
 * server has been asked by its peer: where the session's record is a stale one, GnuTLS itself knows that.
 */
static int on_retrieve(gnutls_session_t object, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
		       unsigned *n_certs, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key,
		       unsigned *flags)
{
	struct gtls_question q = {object, info, certs, n_certs, ocsp, n_ocsp, key, flags};
	struct gtls_credentials *own = credentials_of(info->cred);
	struct gtls_session *session = gtls_session_of(object);
	int ret = own ? gtls_ask_own(own, &q) : 0, before, saved = errno;

	if (ret < 0 || !is_served(session, own) ||
	    !own->library->f.gnutls_certificate_client_get_request_status(object))
		return ret;
	before = shim_hold_cancel();
	session->asked = true;
	if (*n_certs || has_static(own->library, info->cred))
		gtls_tell_own(session);
	else
		gtls_answer(session, &q);
	session->request_seen = false;
	shim_restore_cancel(before);
	errno = saved;
	return ret;
}

static void set_own(const struct gtls_credentials *own, gnutls_certificate_credentials_t object)
{
	const struct gtls *library = own->library;

	switch (atomic_load(&own->version)) {
	case 1:
		library->f.gnutls_certificate_set_retrieve_function(object, atomic_load(&own->own1));
		break;
	case 2:
		library->f.gnutls_certificate_set_retrieve_function2(object, atomic_load(&own->own2));
		break;
	case 3:
		library->f.gnutls_certificate_set_retrieve_function3(object, atomic_load(&own->own3));
		break;
	default:
		library->f.gnutls_certificate_set_retrieve_function3(object, NULL);
	}
}

static gnutls_certificate_credentials_t used_by(const struct gtls *library, gnutls_session_t session)
{
	void *object = NULL;

	return library->f.gnutls_credentials_get(session, GNUTLS_CRD_CERTIFICATE, &object) >= 0 ? object : NULL;
}

/*
 * The credentials' function may be set at once by us, in several threads, and by the program. Setting one twice is
 * harmless; what must not be is that the program's last setting is lost, or that ours counts as set and is not. Hence
 * the count: it has moved where a setting of the program's came between.
 */
static void put_in_front(struct gtls_credentials *own, gnutls_certificate_credentials_t object)
{
	unsigned now = atomic_load(&own->settings) + 1;

	if (atomic_load(&own->armed) == now)
		return;
	own->library->f.gnutls_certificate_set_retrieve_function3(object, on_retrieve);
	atomic_store(&own->armed, now);
}

/* Ours is gone before it counts as gone: another thread, about to start a handshake, sees to it itself until then. */
static void take_back(struct gtls_credentials *own, gnutls_certificate_credentials_t object)
{
	unsigned before;

	do {
		before = atomic_load(&own->settings);
		set_own(own, object);
	} while (atomic_load(&own->settings) != before);
	atomic_store(&own->armed, 0);
}

/* false: the program has no certificate in the credentials. */
static bool yield_to_static(struct gtls_credentials *own, gnutls_certificate_credentials_t object)
{
	if (!has_static(own->library, object))
		return false;
	if (atomic_load(&own->armed))
		take_back(own, object);
	return true;
}

bool gtls_has_own(const struct gtls_session *session)
{
	gnutls_certificate_credentials_t used = used_by(session->library, session->session);

	return used && has_static(session->library, used);
}

void gtls_yield(const struct gtls_session *session)
{
	gnutls_certificate_credentials_t used = used_by(session->library, session->session);
	struct gtls_credentials *own = used ? credentials_of(used) : NULL;
	int saved = errno;

	if (own)
		(void)yield_to_static(own, used);
	errno = saved;
}

/* A server's session only takes back what a client's on the same credentials left. */
static void arm(const struct gtls *library, gnutls_session_t object, struct gtls_session *session)
{
	gnutls_certificate_credentials_t used = used_by(library, object);
	struct gtls_credentials *own = used ? credentials_of(used) : NULL;
	int saved = errno;

	if (own && !yield_to_static(own, used) && is_served(session, own)) {
		gtls_watch(session);
		put_in_front(own, used);
	}
	errno = saved;
}

/*
 * What is left to tell when the handshake is over: a certificate in the credentials is used without our being asked,
 * and the program may have taken our handshake hook away before it saw ours leave.
 */
static void tell_rest(struct gtls_session *session)
{
	const struct gtls *library = session->library;
	bool asked = session->asked;

	session->asked = false;
	if (session->untold)
		gtls_tell_sent(session);
	if (asked || !library->f.gnutls_certificate_client_get_request_status(session->session))
		return;
	if (gtls_has_own(session))
		gtls_tell_own(session);
}

/* In TLS 1.3 another gnutls_handshake only changes keys. */
static bool is_request_over(struct gtls_session *session)
{
	bool again = session->shaken;

	session->shaken = true;
	return !again || session->library->f.gnutls_protocol_get_version(session->session) != GNUTLS_TLS1_3;
}

int hook_gnutls_handshake(struct origin from, gnutls_session_t object)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_handshake) real = GTLS_NEXT(library, from, gnutls_handshake);
	int ret, saved;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	saved = errno;
	if (session)
		gtls_session_begin(session);
	errno = saved;
	if (library)
		arm(library, object, session);
	ret = real(object);
	saved = errno;
	if (session && ret >= 0 && is_request_over(session)) {
		gtls_session_made(session);
		tell_rest(session);
	}
	errno = saved;
	return ret;
}

int hook_gnutls_reauth(struct origin from, gnutls_session_t object, unsigned flags)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_reauth) real = GTLS_NEXT(library, from, gnutls_reauth);
	int ret, saved;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	if (library)
		arm(library, object, session);
	ret = real(object, flags);
	saved = errno;
	if (session && ret >= 0)
		tell_rest(session);
	errno = saved;
	return ret;
}

int gtls_reauth(struct gtls_session *session)
{
	return hook_gnutls_reauth((struct origin){NULL, &session->library->is}, session->session, 0);
}

/* --- sessions -------------------------------------------------------------------- */

static void give_up(struct gtls_session *session)
{
	gtls_session_drop(session);
	records_remove(&session->record, sizeof(*session));
}

/* A new session has the address of one that went without our seeing it, and with it all that had borrowed of us. */
static void forget_session(gnutls_session_t object)
{
	struct gtls_session *session = gtls_session_of(object);
	struct gtls_identity *identity = session ? session->identity : NULL;
	const struct gtls *library = session ? session->library : NULL;

	if (session)
		give_up(session);
	if (identity)
		gtls_identity_drop(library, identity);
}

/* flags are the program's. false: no memory. */
static bool note_session(const struct gtls *library, gnutls_session_t object, unsigned flags, bool offered)
{
	struct gtls_session *session = (struct gtls_session *)records_add(&sessions, object, sizeof(*session));

	if (!session)
		return false;
	session->library = library;
	session->session = object;
	session->datagram = flags & GNUTLS_DATAGRAM;
	session->raw = flags & GNUTLS_ENABLE_RAWPK;
	session->early = flags & GNUTLS_ENABLE_EARLY_DATA;
	session->offered = offered;
	log_hook("gnutls_init");
	generation_prime();
	return true;
}

int hook_gnutls_init(struct origin from, gnutls_session_t *object, unsigned flags)
{
	const struct gtls *library = gtls_of(NULL, from);
	__typeof__(&gnutls_init) real = GTLS_NEXT(library, from, gnutls_init);
	bool client = library && !(flags & GNUTLS_SERVER);
	unsigned ours = client ? gtls_offer(flags) : flags;
	int ret, saved;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	ret = real(object, ours);
	saved = errno;
	if (ret >= 0)
		forget_session(*object);
	if (ret >= 0 && client && !note_session(library, *object, flags, ours != flags) && ours != flags) {
		library->f.gnutls_deinit(*object); /* the program would be asked what it knows nothing of */
		ret = real(object, flags);
	}
	errno = saved;
	return ret;
}

/*
 * The address may be another session's as soon as the real function has freed it, so the record goes before. The
 * identity goes after: until then GnuTLS has it.
 */
void hook_gnutls_deinit(struct origin from, gnutls_session_t object)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_deinit) real = GTLS_NEXT(library, from, gnutls_deinit);
	struct gtls_identity *identity = session ? session->identity : NULL;
	int saved;

	if (session)
		give_up(session);
	if (real)
		real(object);
	saved = errno;
	if (identity)
		gtls_identity_drop(library, identity);
	errno = saved;
}

/* --- credentials ------------------------------------------------------------------ */

/* library NULL: only what was kept of others at the address goes, which went without our seeing it. */
static void note_credentials(const struct gtls *library, gnutls_certificate_credentials_t object)
{
	struct gtls_credentials *own = credentials_of(object);

	if (own)
		records_remove(&own->record, sizeof(*own));
	own = library ? (struct gtls_credentials *)records_add(&credentials, object, sizeof(*own)) : NULL;
	if (own)
		own->library = library;
}

int hook_gnutls_certificate_allocate_credentials(struct origin from, gnutls_certificate_credentials_t *object)
{
	const struct gtls *library = gtls_of(NULL, from);
	__typeof__(&gnutls_certificate_allocate_credentials) real =
		GTLS_NEXT(library, from, gnutls_certificate_allocate_credentials);
	int ret, saved;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	ret = real(object);
	saved = errno;
	if (ret >= 0)
		note_credentials(library, *object);
	errno = saved;
	return ret;
}

void hook_gnutls_certificate_free_credentials(struct origin from, gnutls_certificate_credentials_t object)
{
	struct gtls_credentials *own = credentials_of(object);
	const struct gtls *library = own ? own->library : gtls_of(NULL, from);
	__typeof__(&gnutls_certificate_free_credentials) real =
		GTLS_NEXT(library, from, gnutls_certificate_free_credentials);

	if (own)
		records_remove(&own->record, sizeof(*own));
	if (real)
		real(object);
}

/*
 * The program's function stands in the record first, so that ours, if a handshake is just going on, finds it; there it
 * stays when it is taken off, for whoever has just read the version.
 */
#define SETTER(name, number, type) \
	void hook_##name(struct origin from, gnutls_certificate_credentials_t object, type *function) \
	{ \
		struct gtls_credentials *own = credentials_of(object); \
		const struct gtls *library = own ? own->library : gtls_of(NULL, from); \
		__typeof__(&name) real = GTLS_NEXT(library, from, name); \
\
		if (own) { \
			if (function) \
				atomic_store(&own->own##number, function); \
			atomic_store(&own->version, function ? number : 0); \
			atomic_fetch_add(&own->settings, 1); \
		} \
		if (real) \
			real(object, function); \
		if (own) \
			atomic_fetch_add(&own->settings, 1); \
	}
SETTER(gnutls_certificate_set_retrieve_function, 1, gnutls_certificate_retrieve_function)
SETTER(gnutls_certificate_set_retrieve_function2, 2, gnutls_certificate_retrieve_function2)
SETTER(gnutls_certificate_set_retrieve_function3, 3, gnutls_certificate_retrieve_function3)
