/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our handshake hook, in front of the program's. It sees what the program's ClientHello offers, which GnuTLS tells
 * nowhere else, and in TLS 1.3, where a certificate must be chosen before the server's is seen, it stops a handshake
 * whose server turns out not to be verified before our certificate leaves, and says when it does leave.
 */
#include "shim/gnutls_records.h"

#include <errno.h>

#define EXTENSION_SIGNATURE_ALGORITHMS 13 /* RFC 8446 4.2 */
#define COMPRESSED_CERTIFICATE         25 /* RFC 8879; 3.7.4 and newer send it */

static int on_extension(void *of, unsigned id, const unsigned char *data, unsigned n)
{
	struct gtls_session *session = of;

	if (id != EXTENSION_SIGNATURE_ALGORITHMS)
		return 0;
	for (unsigned i = 2; i + 1 < n && session->n_schemes < GTLS_SCHEMES; i += 2)
		session->scheme[session->n_schemes++] = (uint16_t)(data[i] << 8 | data[i + 1]);
	return 0;
}

static void read_hello(struct gtls_session *session, const gnutls_datum_t *message)
{
	unsigned flags =
		session->datagram ? GNUTLS_EXT_RAW_FLAG_DTLS_CLIENT_HELLO : GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO;

	session->n_schemes = 0;
	if (session->library->f.gnutls_ext_raw_parse(session, on_extension, message, flags) < 0)
		session->n_schemes = 0;
}

/* The server's certificate is known from its CertificateVerify on; ours must not leave before, whatever the order. */
static int watch(struct gtls_session *session, unsigned type, bool post, bool incoming, const gnutls_datum_t *message)
{
	bool leaves = (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT || type == COMPRESSED_CERTIFICATE) && !incoming;

	if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO && !incoming && !post)
		read_hello(session, message);
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_REQUEST && incoming) {
		session->request_seen = true;
		if (session->offered && session->shaken)
			atomic_store(&session->wanted, true);
	}
	if (session->unverified && type == GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY && incoming && post)
		return gtls_verify_later(session) ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	if (session->unverified && leaves)
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	if (session->untold && leaves && post)
		gtls_tell_sent(session);
	return 0;
}

/* GnuTLS's own rule of which messages a hook is for. */
static bool wanted(const struct gtls_session *session, unsigned type, unsigned when)
{
	return session->own_hook && (session->own_type == type || session->own_type == GNUTLS_HANDSHAKE_ANY) &&
	       (session->own_when == (int)when || session->own_when == GNUTLS_HOOK_BOTH);
}

/* Before GnuTLS looks for a certificate it shows the request, our last chance to step back. */
static int on_message(gnutls_session_t object, unsigned type, unsigned when, unsigned incoming,
		      const gnutls_datum_t *message)
{
	struct gtls_session *session = gtls_session_of(object);
	int ret, saved = errno;

	if (!session)
		return 0;
	ret = watch(session, type, when == GNUTLS_HOOK_POST, incoming, message);
	errno = saved;
	if (ret >= 0 && wanted(session, type, when))
		ret = session->own_hook(object, type, when, incoming, message);
	if (ret >= 0 && type == GNUTLS_HANDSHAKE_CERTIFICATE_REQUEST && incoming)
		gtls_yield(session);
	return ret;
}

/* GnuTLS gives this one to a hook that asks for it by name, and to no other: such a hook cannot stand behind ours. */
static bool own_is_alone(const struct gtls_session *session)
{
	return session->own_hook && session->own_type == GNUTLS_HANDSHAKE_CHANGE_CIPHER_SPEC && !session->unverified;
}

void gtls_watch(struct gtls_session *session)
{
	if (session->watched || own_is_alone(session))
		return;
	session->library->f.gnutls_handshake_set_hook_function(session->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH,
							       on_message);
	session->watched = true;
}

void hook_gnutls_handshake_set_hook_function(struct origin from, gnutls_session_t object, unsigned type, int when,
					     gnutls_handshake_hook_func function)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_handshake_set_hook_function) real =
		GTLS_NEXT(library, from, gnutls_handshake_set_hook_function);

	if (session) {
		session->own_hook = function;
		session->own_type = type;
		session->own_when = when;
		if (session->watched && !own_is_alone(session))
			return;
		session->watched = session->request_seen = false;
	}
	if (real)
		real(object, type, when, function);
}
