/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MTLS_PHA=on: post-handshake authentication for programs that know nothing of it. We offer it, and answer a request
 * when the program reads. An answer is sent, and GnuTLS allows one sender at a time and one reader at a time, often two
 * threads: whoever answers must be both. So each side notes who is inside, an answer needs both sides, and where one
 * is not free it waits until the next time that the program reads, or has sent. Sessions that offer it by themselves,
 * or where it is not offered, pass through.
 */
#include "shim/gnutls_records.h"

#include "shim/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define NOT_NOW  1 /* no word of GnuTLS's */
#define PAUSE_MS 1
#define ROOM_MS  100  /* until a socket that does not block has room for the rest of an answer */
#define TURNS    3000 /* times PAUSE_MS: a signature may take 2 s where an agent makes it */
#define WAITS    1000 /* times PAUSE_MS: so long does the peer read nothing that it must be writing */

/*
 * A side is nobody's (0), a thread's of the program's (its number, even: an address would come again with the next
 * thread), or an answer's (odd, with the process: after a fork in its midst it never ends).
 */
static __thread uintptr_t thread_number __attribute__((tls_model("initial-exec")));
static __thread bool in_answer __attribute__((tls_model("initial-exec")));

unsigned gtls_offer(unsigned flags)
{
	enum mtls_pha pha;

	if (flags & (GNUTLS_DATAGRAM | GNUTLS_ENABLE_RAWPK | GNUTLS_POST_HANDSHAKE_AUTH))
		return flags;
	return generation_likely(&pha) && pha == MTLS_PHA_ON ? flags | GNUTLS_POST_HANDSHAKE_AUTH : flags;
}

static void rest(void)
{
	static const struct timespec pause = {0, PAUSE_MS * 1000000L};

	nanosleep(&pause, NULL);
}

static bool is_non_fatal(ssize_t ret)
{
	return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED;
}

static uintptr_t this_thread(void)
{
	static atomic_uintptr_t numbers;

	if (!thread_number)
		thread_number = 2 * (atomic_fetch_add(&numbers, 1) + 1);
	return thread_number;
}

static uintptr_t answer_itself(void)
{
	return 2 * (uintptr_t)getpid() + 1;
}

/* --- the two sides --------------------------------------------------------------------- */

/*
 * False where an answer does not end. Who else is inside does not matter: the program
 * sees to it that there is one reader and one writer, so that it is one whose thread was cancelled there.
 */
static bool enter(atomic_uintptr_t *side)
{
	uintptr_t who = atomic_load(side);

	for (int i = 0; i < TURNS; i++) {
		if (who % 2 && who == answer_itself()) {
			rest();
			who = atomic_load(side);
		} else if (atomic_compare_exchange_weak(side, &who, this_thread())) {
			return true;
		}
	}
	return false;
}

static void leave(atomic_uintptr_t *side)
{
	atomic_store(side, 0);
}

/* Functions of GnuTLS call one another through our hooks. */
static bool is_inside(atomic_uintptr_t *side)
{
	return in_answer || atomic_load(side) == this_thread();
}

/* --- the answer -------------------------------------------------------------------------- */

static bool blocks(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

/* A blocking write must not wait for a peer that itself waits until we read. */
static bool has_room(const struct gtls_session *session, int timeout)
{
	struct pollfd p = {.fd = gtls_descriptor(session), .events = POLLOUT};

	return p.fd < 0 || poll(&p, 1, timeout) != 0;
}

static bool may_send(const struct gtls_session *session)
{
	return !session->half && (!blocks(gtls_descriptor(session)) || has_room(session, 0));
}

/* There is no request, or nobody is there to hear the answer, which a read may tell, or not: there may be data. */
static bool is_moot(int ret)
{
	return ret == GNUTLS_E_INVALID_REQUEST || ret == GNUTLS_E_INVALID_SESSION || ret == GNUTLS_E_PUSH_ERROR;
}

/* The caller has one side; other is the one that it has not. 0, NOT_NOW, or GnuTLS's error. */
static int answer(struct gtls_session *session, atomic_uintptr_t *other)
{
	uintptr_t nobody = 0;
	int ret = NOT_NOW;

	if (!atomic_compare_exchange_strong(other, &nobody, answer_itself()))
		return NOT_NOW;
	if (atomic_load(&session->wanted) && may_send(session)) {
		in_answer = true;
		ret = gtls_reauth(session);
		in_answer = false;
		if (is_moot(ret))
			ret = 0;
		session->answering = is_non_fatal(ret);
		atomic_store(&session->wanted, session->answering);
	}
	leave(other);
	return ret;
}

/* --- reading --------------------------------------------------------------------------------- */

/* May the program's read go on, although there is no answer yet? Only where it will not block, if that can be told. */
static bool reads_on(struct gtls_session *session)
{
	struct pollfd p = {.fd = gtls_descriptor(session), .events = POLLIN};

	if (session->library->f.gnutls_record_check_pending(session->session) > 0)
		return true;
	if (p.fd >= 0)
		return poll(&p, 1, blocks(p.fd) ? PAUSE_MS : 0) != 0;
	if (session->sends_seen != atomic_load(&session->sends)) {
		session->sends_seen = atomic_load(&session->sends);
		session->waits = 0;
	}
	if (session->waits >= WAITS)
		return true;
	session->waits++;
	rest();
	return false;
}

/* What the program gets in place of its read where an answer came out so: as after a ticket, it reads again. */
static int in_place(int answered)
{
	return answered == 0 || answered == NOT_NOW ? GNUTLS_E_AGAIN : answered;
}

/* 0: the program's read is next; else what it gets instead. */
static int begin_read(struct gtls_session *session)
{
	int saved = errno, before = shim_hold_cancel(), ret = 0, answered;

	if (!enter(&session->reader)) {
		ret = GNUTLS_E_AGAIN;
	} else if (atomic_load(&session->wanted)) {
		answered = answer(session, &session->writer);
		if ((answered != NOT_NOW && !is_non_fatal(answered)) || !reads_on(session))
			ret = in_place(answered);
		if (ret)
			leave(&session->reader);
	}
	shim_restore_cancel(before);
	errno = saved;
	return ret;
}

static ssize_t end_read(struct gtls_session *session, ssize_t ret)
{
	int saved = errno, before = shim_hold_cancel();

	if (ret == GNUTLS_E_REAUTH_REQUEST) {
		atomic_store(&session->wanted, true);
		ret = in_place(answer(session, &session->writer));
	}
	leave(&session->reader);
	shim_restore_cancel(before);
	errno = saved;
	return ret;
}

#define READ(name, ...) \
	static struct library_call call; \
	struct gtls_session *session = gtls_session_of(object); \
	__typeof__(&(name)) real = session ? session->library->f.name \
					   : (__typeof__(&(name)))library_next_of(&gtls_family, &call, from, #name); \
	int instead; \
\
	if (!real) \
		return GNUTLS_E_INTERNAL_ERROR; \
	if (!session || !session->offered || is_inside(&session->reader)) \
		return real(__VA_ARGS__); \
	instead = begin_read(session); \
	return instead ? instead : end_read(session, real(__VA_ARGS__))

ssize_t hook_gnutls_record_recv(struct origin from, gnutls_session_t object, void *data, size_t n)
{
	READ(gnutls_record_recv, object, data, n);
}

ssize_t hook_gnutls_record_recv_seq(struct origin from, gnutls_session_t object, void *data, size_t n,
				    unsigned char *sequence)
{
	READ(gnutls_record_recv_seq, object, data, n, sequence);
}

ssize_t hook_gnutls_record_recv_packet(struct origin from, gnutls_session_t object, gnutls_packet_t *packet)
{
	READ(gnutls_record_recv_packet, object, packet);
}

bool gtls_enter_read(struct gtls_session *session)
{
	return session->offered && !is_inside(&session->reader) && enter(&session->reader);
}

void gtls_leave_read(struct gtls_session *session)
{
	leave(&session->reader);
}

/* --- sending ------------------------------------------------------------------------------------ */

/* False: the program is to try again. An answer that was interrupted goes first: what is left of it is in GnuTLS. */
static bool begin_send(struct gtls_session *session)
{
	int saved = errno, before = shim_hold_cancel();
	bool free = enter(&session->writer);
	int answered = free && session->answering ? answer(session, &session->reader) : 0;

	if (answered == NOT_NOW || is_non_fatal(answered)) {
		leave(&session->writer);
		free = false;
	}
	shim_restore_cancel(before);
	errno = saved;
	return free;
}

/*
 * It may be the last that the program sends, and then nothing calls it back but what the server sends, which may wait
 * for us. An error the next read has, too.
 */
static void answer_after_send(struct gtls_session *session)
{
	if (is_non_fatal(answer(session, &session->reader)) && has_room(session, ROOM_MS))
		(void)answer(session, &session->reader);
}

/* What the program was interrupted in it repeats, and GnuTLS takes whatever comes next for that. */
static ssize_t end_send(struct gtls_session *session, ssize_t ret, bool last)
{
	int saved = errno, before = shim_hold_cancel();

	atomic_fetch_add(&session->sends, 1);
	session->half = is_non_fatal(ret);
	if (ret >= 0 && !last && atomic_load(&session->wanted))
		answer_after_send(session);
	leave(&session->writer);
	shim_restore_cancel(before);
	errno = saved;
	return ret;
}

#define SEND(type, last, name, ...) \
	static struct library_call call; \
	struct gtls_session *session = gtls_session_of(object); \
	__typeof__(&(name)) real = session ? session->library->f.name \
					   : (__typeof__(&(name)))library_next_of(&gtls_family, &call, from, #name); \
\
	if (!real) \
		return GNUTLS_E_INTERNAL_ERROR; \
	if (!session || !session->offered || is_inside(&session->writer)) \
		return real(__VA_ARGS__); \
	if (!begin_send(session)) \
		return GNUTLS_E_AGAIN; \
	return (type)end_send(session, real(__VA_ARGS__), last)

ssize_t hook_gnutls_record_send(struct origin from, gnutls_session_t object, const void *data, size_t n)
{
	SEND(ssize_t, false, gnutls_record_send, object, data, n);
}

ssize_t hook_gnutls_record_send2(struct origin from, gnutls_session_t object, const void *data, size_t n, size_t pad,
				 unsigned flags)
{
	SEND(ssize_t, false, gnutls_record_send2, object, data, n, pad, flags);
}

ssize_t hook_gnutls_record_send_range(struct origin from, gnutls_session_t object, const void *data, size_t n,
				      const gnutls_range_st *range)
{
	SEND(ssize_t, false, gnutls_record_send_range, object, data, n, range);
}

int hook_gnutls_record_uncork(struct origin from, gnutls_session_t object, unsigned flags)
{
	SEND(int, false, gnutls_record_uncork, object, flags);
}

int hook_gnutls_session_key_update(struct origin from, gnutls_session_t object, unsigned flags)
{
	SEND(int, false, gnutls_session_key_update, object, flags);
}

int hook_gnutls_alert_send(struct origin from, gnutls_session_t object, gnutls_alert_level_t level,
			   gnutls_alert_description_t alert)
{
	SEND(int, true, gnutls_alert_send, object, level, alert);
}

/* It may read, too, and what it then gets is no news for the program. */
int hook_gnutls_bye(struct origin from, gnutls_session_t object, gnutls_close_request_t how)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_bye) real = GTLS_NEXT(library, from, gnutls_bye);
	int ret;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	if (!session || !session->offered || is_inside(&session->writer))
		return real(object, how);
	if (!begin_send(session))
		return GNUTLS_E_AGAIN;
	ret = real(object, how);
	return (int)end_send(session, ret == GNUTLS_E_REAUTH_REQUEST ? GNUTLS_E_AGAIN : ret, true);
}
