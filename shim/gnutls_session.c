/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which session a connection offers to resume: it must not carry an old identity. What a session rests on is kept in
 * its record and noted for the data that the program gets of it (saved.h). Data that a program sets cannot be taken
 * back from GnuTLS: where they may have to be, we keep them, and they are set at the handshake, if then they may be.
 */
#include "shim/gnutls_records.h"

#include "shim/gnutls_block.h"
#include "shim/saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool allowed(const struct gtls_session *session, resumption r)
{
	return r == RESUMPTION_NOT_ASKED || resumption_allowed(&session->library->is.parser, r, gtls_has_own(session));
}

/* --- requests ------------------------------------------------------------------- */

/* In TLS 1.3 alone a request may come to a session that is there; any other is for a new one. */
resumption gtls_session_before(const struct gtls_session *session)
{
	bool there =
		session->shaken && session->library->f.gnutls_protocol_get_version(session->session) == GNUTLS_TLS1_3;

	return there ? session->rests : RESUMPTION_NOT_ASKED;
}

/* What the program got of it before the request is the same session's: its server may know us by it now. */
void gtls_session_rests(struct gtls_session *session, resumption now)
{
	session->rests = now;
	for (size_t i = 0; i < GTLS_GIVEN; i++)
		if (i < session->n_given)
			saved_note(&session->given[i], now);
}

void gtls_session_made(struct gtls_session *session)
{
	const struct gtls *library = session->library;

	session->n_given = 0;
	if (library->f.gnutls_session_is_resumed(session->session))
		session->rests = session->resumes;
	else if (!library->f.gnutls_certificate_client_get_request_status(session->session))
		session->rests = RESUMPTION_NOT_ASKED;
}

/* --- what the program gets ------------------------------------------------------- */

static bool is_given(const struct gtls_session *session, const struct saved_key *key)
{
	for (size_t i = 0; i < GTLS_GIVEN; i++)
		if (i < session->n_given && memcmp(&session->given[i], key, sizeof(*key)) == 0)
			return true;
	return false;
}

/* Of more than a few of one session the oldest is not followed any more, and so counts as unknown. */
static void give(struct gtls_session *session, const void *data, size_t n)
{
	size_t at = session->n_given % GTLS_GIVEN;
	struct saved_key key = saved_key(data, n);

	if (!is_given(session, &key)) {
		if (session->n_given >= GTLS_GIVEN)
			saved_note(&session->given[at], RESUMPTION_UNKNOWN);
		session->given[at] = key;
		session->n_given++;
	}
	saved_note(&key, session->rests);
}

/* It may call our own hook for the next one, which has given the same data then. */
int hook_gnutls_session_get_data(struct origin from, gnutls_session_t object, void *data, size_t *n)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_session_get_data) real = GTLS_NEXT(library, from, gnutls_session_get_data);
	int ret;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	ret = real(object, data, n);
	if (session && ret >= 0 && data)
		give(session, data, *n);
	return ret;
}

/* In TLS 1.3 it waits for a ticket, and passes over what else comes: our handshake hook sees that. */
int hook_gnutls_session_get_data2(struct origin from, gnutls_session_t object, gnutls_datum_t *data)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_session_get_data2) real = GTLS_NEXT(library, from, gnutls_session_get_data2);
	bool entered;
	int ret;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	entered = session && gtls_enter_read(session);
	ret = real(object, data);
	if (entered)
		gtls_leave_read(session);
	if (session && ret >= 0)
		give(session, data->data, data->size);
	return ret;
}

/* --- what the program sets --------------------------------------------------------- */

void gtls_session_drop(struct gtls_session *session)
{
	if (session->held.data)
		gtls_wipe(session->held.data, session->held.size);
	free(session->held.data);
	session->held = (gnutls_datum_t){NULL, 0};
}

static bool hold(struct gtls_session *session, const void *data, size_t n)
{
	session->held.data = n <= UINT32_MAX ? malloc(n) : NULL;
	if (!session->held.data)
		return false;
	memcpy(session->held.data, data, n);
	session->held.size = (unsigned)n;
	return true;
}

void gtls_session_begin(struct gtls_session *session)
{
	if (!session->held.data)
		return;
	if (allowed(session, session->held_rests) &&
	    session->library->f.gnutls_session_set_data(session->session, session->held.data, session->held.size) >= 0)
		session->resumes = session->held_rests;
	gtls_session_drop(session);
}

/* What GnuTLS would have said to data that it does not get: to garbage, to a ticket that is too old. */
static int judged(const struct gtls *library, const void *data, size_t n)
{
	gnutls_session_t nobody;
	int ret;

	if (library->f.gnutls_init(&nobody, GNUTLS_CLIENT) < 0)
		return 0;
	ret = library->f.gnutls_session_set_data(nobody, data, n);
	library->f.gnutls_deinit(nobody);
	return ret;
}

/*
 * Data that rest on a request are good, because GnuTLS made them in this process; that it may refuse them as too old is
 * found out at the handshake then. Early data needs them in GnuTLS at once. All others are the program's affair.
 */
int hook_gnutls_session_set_data(struct origin from, gnutls_session_t object, const void *data, size_t n)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_session_set_data) real = GTLS_NEXT(library, from, gnutls_session_set_data);
	resumption rests = RESUMPTION_NOT_ASKED;
	int saved = errno, ret;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	if (session && data && n) {
		struct saved_key key = saved_key(data, n);

		rests = saved_find(&key);
		gtls_session_drop(session);
		session->held_rests = rests;
		if (rests != RESUMPTION_NOT_ASKED && rests != RESUMPTION_UNKNOWN && !session->early &&
		    hold(session, data, n))
			return 0;
		if (!allowed(session, rests)) {
			ret = judged(library, data, n);
			errno = saved;
			return ret;
		}
		errno = saved;
	}
	ret = real(object, data, n);
	if (session && ret >= 0)
		session->resumes = rests;
	return ret;
}
