/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we keep for GnuTLS's sessions and credentials, which have no getter for most of what we need to know, and what
 * the adapter's files do with it. A record is made where its object is made (gnutls_init,
 * gnutls_certificate_allocate_credentials), before other threads can have it. An object without a record is left alone.
 */
#ifndef MTLS_SHIM_GNUTLS_RECORDS_H
#define MTLS_SHIM_GNUTLS_RECORDS_H

#include "shim/gnutls.h"
#include "shim/records.h"
#include "shim/request.h"
#include "shim/saved.h"

#define GTLS_NAME_MAX 256 /* bytes, the NUL included; RFC 1035 allows 253 */
#define GTLS_SCHEMES  64
#define GTLS_GIVEN    4 /* serialised forms of one session that are followed */

/* A name as the program gave it; told and empty: it cannot be kept. */
struct gtls_name {
	bool told;
	char text[GTLS_NAME_MAX];
};

/* A client's session. GnuTLS allows one thread at a time in all that fills or reads it. */
struct gtls_session {
	struct record record;
	const struct gtls *library;
	gnutls_session_t session;
	bool datagram, own_pull;
	bool raw;    /* it allows raw public keys, RFC 7250 */
	bool early;  /* it may send early data */
	bool shaken; /* a handshake has ended well: any further request comes after it */
	bool asked;  /* the request under way came to our retrieve function, which tells its line */

	struct gtls_name sni, verify;
	bool verify_address; /* verify is an address in figures */

	/* The program's handshake hook, behind ours; watched: ours is set. */
	gnutls_handshake_hook_func own_hook;
	unsigned own_type;
	int own_when;
	bool watched;
	bool request_seen; /* ours has just seen the request, so it is in force whatever watched says */

	uint16_t scheme[GTLS_SCHEMES]; /* what the program's ClientHello offered; none: not seen */
	size_t n_schemes;

	struct gtls_identity *identity; /* GnuTLS borrows it until the next request, or the session's end */
	bool untold;                    /* its line is told when it leaves */
	bool unverified;                /* it must not leave before the server is verified */
	struct server server;           /* for both */

	/* gnutls_session.c: what it rests on, what those data rest on that were set, and those that are still to be. */
	resumption rests, resumes, held_rests;
	gnutls_datum_t held; /* malloc'ed */
	struct saved_key given[GTLS_GIVEN];
	size_t n_given;

	/* gnutls_reauth.c: we offered post-handshake authentication, and the program knows nothing of it. */
	bool offered;
	atomic_bool wanted; /* the server has asked, and has no answer yet */
	bool answering;     /* GnuTLS was interrupted in the answer */
	bool half;          /* the program was interrupted in its own sending */
	atomic_uint sends;  /* of the program's, that have ended */
	unsigned sends_seen, waits;
	atomic_uintptr_t reader, writer; /* who is inside */
};

/* The credentials' one retrieve function in force, by the version of its setter; 0: the program has none. */
struct gtls_credentials {
	struct record record;
	const struct gtls *library;
	atomic_uint version;
	_Atomic(gnutls_certificate_retrieve_function *) own1;
	_Atomic(gnutls_certificate_retrieve_function2 *) own2;
	_Atomic(gnutls_certificate_retrieve_function3 *) own3;
	atomic_uint settings; /* counts the program's settings of a function, before and after each */
	atomic_uint armed;    /* settings when ours was set, plus one: only then is ours the last; 0: it is not set */
};

/* The request as GnuTLS puts it to a retrieve function, and where the answer goes. */
struct gtls_question {
	gnutls_session_t session;
	const struct gnutls_cert_retr_st *info;
	gnutls_pcert_st **certs;
	unsigned *n_certs;
	gnutls_ocsp_data_st **ocsp;
	unsigned *n_ocsp;
	gnutls_privkey_t *key;
	unsigned *flags;
};

/* gnutls_attach.c: the record of a client's session; NULL: it is a server's, or not ours to touch. */
struct gtls_session *gtls_session_of(gnutls_session_t);
/* The libgnutls of a session, or without a record the one that the caller means; NULL: GTLS_NEXT knows what to call. */
const struct gtls *gtls_of(const struct gtls_session *, struct origin);

/* The function to call, of that libgnutls, or without one the caller's; NULL where there is none. */
#define GTLS_NEXT(library, from, name) \
	((library) ? (library)->f.name : (__typeof__(&name))library_next(&gtls_family, from, #name))

/* gnutls_attach.c: where the program has put a certificate into the credentials, GnuTLS is to choose itself. */
void gtls_yield(const struct gtls_session *);

/* gnutls_attach.c: has the program put a certificate of its own into the credentials? */
bool gtls_has_own(const struct gtls_session *);
/* gnutls_attach.c: gnutls_reauth with all that belongs to it. */
int gtls_reauth(struct gtls_session *);

/* gnutls_session.c: before each handshake, after a whole one; what it rests on before a request, and after. */
void gtls_session_begin(struct gtls_session *);
void gtls_session_made(struct gtls_session *);
resumption gtls_session_before(const struct gtls_session *);
void gtls_session_rests(struct gtls_session *, resumption);
/* gnutls_session.c: before the record goes. */
void gtls_session_drop(struct gtls_session *);

/* gnutls_reauth.c: the flags for a session that begins with those of the program. */
unsigned gtls_offer(unsigned flags);
/* gnutls_reauth.c: for a function that reads beside those that it hooks; true: leave again. */
bool gtls_enter_read(struct gtls_session *);
void gtls_leave_read(struct gtls_session *);

/* gnutls_chain.c: asks the program's own retrieve function, whatever its version; negative: GnuTLS's error. */
int gtls_ask_own(struct gtls_credentials *, const struct gtls_question *);

/* gnutls_watch.c: stands in front of the program's handshake hook from now on, where that is possible. */
void gtls_watch(struct gtls_session *);

/* gnutls_request.c: the socket; -1: GnuTLS does not know it. */
int gtls_descriptor(const struct gtls_session *);

/* gnutls_request.c, all of which may change errno: a request that the program left unanswered. */
void gtls_answer(struct gtls_session *, const struct gtls_question *);
/* The log line for a request that the program answers itself. */
void gtls_tell_own(struct gtls_session *);
/* Is the server verified, now that its certificate is known? If not, that is told. */
bool gtls_verify_later(struct gtls_session *);
/* The line of an untold identity, once the Certificate message is made. */
void gtls_tell_sent(struct gtls_session *);

#endif
