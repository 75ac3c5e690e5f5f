/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe: one TLS connection, from its handshake to the moment when the server's verdict on the certificate is
 * known. In TLS 1.2 the server's Finished tells it. In TLS 1.3 our handshake is over before the server has seen our
 * certificate: the verdict comes with the first read (RFC 8446, 4.4.2.4 and appendix E.1.2), and where nothing comes,
 * one has to speak. That also brings out servers that ask only then.
 */
#include "launcher/cred/probe.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SETTLE_MS 200  /* what belongs together arrives within that: tickets and a close after them, a banner */
#define ANSWER_MS 3000 /* for an answer where nothing says that the server understands us */

/* One connection; the first member is what cert_cb gets. */
struct session {
	struct probe_facts known;
	struct probe *probe;
	struct probe_result *result;
	struct probe_wire wire;
	SSL *ssl;
	bool looked; /* at the first bytes that came: they were TLS */
};

/* --- what libssl sees ----------------------------------------------------------------- */

static void see_message(int sent, int version, int type, const void *data, size_t n, SSL *ssl, void *of)
{
	struct session *s = of;
	struct probe_result *result = s->result;
	const unsigned char *p = data;
	bool tls13 = SSL_version(ssl) == TLS1_3_VERSION;

	(void)version;
	/* libssl reads on as long as messages come that are no data, and somebody may send them for ever. */
	if (probe_now() > s->wire.deadline)
		shutdown(s->wire.fd, SHUT_RD);
	if (sent || n < 2)
		return;
	/* What came before it did not end anything: a warning, as unrecognized_name is to many. */
	if (type == SSL3_RT_HANDSHAKE && p[0] == SSL3_MT_SERVER_HELLO)
		result->alert = 0;
	/* RFC 8446, 6: all of them are fatal there, whatever the level says, but these two. */
	if (type == SSL3_RT_ALERT && (p[0] == SSL3_AL_FATAL || tls13) && p[1] != SSL_AD_CLOSE_NOTIFY &&
	    p[1] != SSL_AD_USER_CANCELLED)
		result->alert = p[1];
	else if (type == SSL3_RT_HANDSHAKE && tls13 && p[0] == SSL3_MT_NEWSESSION_TICKET)
		result->ticket = true;
}

/* --- waiting ---------------------------------------------------------------------------- */

static bool ends(struct session *s, enum probe_end end)
{
	s->result->end = end;
	return false;
}

static bool fails(struct session *s)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);

	if (s->result->alert)
		return ends(s, PROBE_ALERT);
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return ends(s, PROBE_CLOSED);
	snprintf(s->result->why, PROBE_WHY, "TLS fails here: %s", reason ? reason : "unknown error");
	return ends(s, PROBE_HERE);
}

/* After a call that did not succeed: true where it is to be made again. The call began with an empty queue and errno 0.
 */
static bool go_on(struct session *s, int ret, int64_t until)
{
	int saved = errno;

	switch (SSL_get_error(s->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return probe_wait(s->wire.fd, POLLIN, until) || ends(s, PROBE_QUIET);
	case SSL_ERROR_WANT_WRITE:
		return probe_wait(s->wire.fd, POLLOUT, until) || ends(s, PROBE_QUIET);
	case SSL_ERROR_ZERO_RETURN:
		return ends(s, PROBE_CLOSED);
	case SSL_ERROR_SYSCALL:
		return ends(s, s->result->alert ? PROBE_ALERT : saved ? PROBE_RESET : PROBE_CLOSED);
	default:
		return fails(s);
	}
}

/* --- the handshake ------------------------------------------------------------------------ */

static void copy_line(char out[PROBE_ANSWER], const char *text, size_t n)
{
	size_t length = 0;

	while (length < n && length < PROBE_ANSWER - 1 && text[length] != '\n' && text[length] != '\r') {
		out[length] = text[length];
		if (text[length] < ' ' || text[length] > '~')
			out[length] = '?';
		length++;
	}
	out[length] = '\0';
}

/* A record of TLS begins with its type, and only these two can come first. */
static bool is_tls(struct session *s)
{
	char text[PROBE_ANSWER], line[PROBE_ANSWER];
	const char *advice = "";
	ssize_t n = recv(s->wire.fd, text, sizeof(text), MSG_PEEK);

	if (n < 0 && errno != EAGAIN)
		return ends(s, PROBE_RESET); /* libssl would not see it any more */
	s->looked = n > 0;
	if (n <= 0 || text[0] == SSL3_RT_HANDSHAKE || text[0] == SSL3_RT_ALERT)
		return true;
	copy_line(line, text, (size_t)n);
	if (strncmp(line, "220", 3) == 0)
		advice = "; --starttls smtp?";
	else if (strncasecmp(line, "* OK", 4) == 0)
		advice = "; --starttls imap?";
	snprintf(s->result->why, PROBE_WHY, "connected, but %s: it answered \"%s\"%s",
		 strncmp(line, "HTTP/", 5) == 0 ? "the server speaks HTTP there, not TLS"
						: "the server speaks no TLS there",
		 line, advice);
	return ends(s, PROBE_HERE);
}

/* Before the server asked: there is no connection, in words. */
static void say_why(struct session *s)
{
	struct probe_result *result = s->result;
	const char *name = probe_alert_name(result->alert);
	bool begun = s->looked;

	if (result->end == PROBE_ALERT)
		snprintf(result->why, PROBE_WHY, "the server ended the TLS handshake: alert %s (%u)",
			 name ? name : "unknown", result->alert);
	else if (result->end == PROBE_QUIET)
		snprintf(result->why, PROBE_WHY,
			 begun ? "connected, but the TLS handshake did not end within %d s"
			       : "connected, but no TLS answer within %d s",
			 PROBE_DEADLINE_S);
	else if (result->end == PROBE_CLOSED || result->end == PROBE_RESET)
		snprintf(result->why, PROBE_WHY, "connected, but the server %s the connection %s",
			 result->end == PROBE_RESET ? "reset" : "closed",
			 begun ? "in the TLS handshake" : "without a TLS answer");
	result->version = 0;
}

/*
 * Until the first bytes were looked at, libssl reads from an empty BIO: it would take them before we see them. They are
 * TLS: from now on it reads the socket, which it writes already.
 */
static bool let_it_read(struct session *s)
{
	BIO *socket = SSL_get_wbio(s->ssl);

	if (!is_tls(s))
		return false;
	BIO_up_ref(socket);
	SSL_set0_rbio(s->ssl, socket);
	return true;
}

static bool shake_hands(struct session *s)
{
	bool reading = false;
	int ret;

	for (;;) {
		ERR_clear_error();
		errno = 0;
		ret = SSL_connect(s->ssl);
		if (ret > 0) {
			probe_see_server(s->ssl, s->result);
			return true;
		}
		if (!go_on(s, ret, s->wire.deadline))
			break;
		if (!reading && !let_it_read(s))
			break;
		reading = true;
	}
	/* After its request, an end is the server's answer to ours, and a verdict. */
	if (!s->result->request.asked || s->result->end == PROBE_QUIET || s->result->end == PROBE_HERE)
		say_why(s);
	return false;
}

/* --- after it ------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Reads until a line of an answer is there, or until then. settle: a ticket is news enough to stop soon. */
static void hear(struct session *s, int64_t until, bool settle)
{
	char text[PROBE_ANSWER * 2];
	size_t n = 0;
	int ret;

	until = earlier(until, s->wire.deadline);
	do {
		ERR_clear_error();
		errno = 0;
		ret = SSL_read(s->ssl, text + n, (int)(sizeof(text) - n));
		if (ret > 0) {
			n += (size_t)ret;
			if (n == sizeof(text) || memchr(text, '\n', n))
				break;
		} else if (settle && s->result->ticket) {
			settle = false;
			until = earlier(until, probe_now() + SETTLE_MS);
		}
	} while (ret > 0 || go_on(s, ret, until));
	if (n == 0 || s->result->end == PROBE_ALERT)
		return;
	s->result->end = PROBE_ANSWERED;
	copy_line(s->result->answer, text, n);
}

static bool speaks_http(SSL *ssl)
{
	const unsigned char *protocol = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(ssl, &protocol, &n);
	return n > 0;
}

/* Harmless in each protocol; "" where nothing is. */
static void words(const struct session *s, char text[PROBE_HOST_MAX + 160])
{
	const struct probe_target *target = &s->probe->target;
	bool asked = s->result->request.asked;

	text[0] = '\0';
	if (target->kind == PROBE_PLAIN)
		snprintf(text, PROBE_HOST_MAX + 160,
			 "HEAD / HTTP/1.1\r\nHost: %s\r\nUser-Agent: mtls-cred/" MTLS_VERSION
			 "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
			 target->text);
	else if (target->kind == PROBE_SMTP && asked)
		probe_smtp_hello(&s->wire, text);
	else if (target->kind == PROBE_IMAP && asked)
		snprintf(text, PROBE_HOST_MAX + 160, "a2 NOOP\r\n");
}

/* A write that fails is not the verdict: that may wait to be read. */
static void speak(struct session *s, const char *text)
{
	int ret;

	do {
		ERR_clear_error();
		errno = 0;
		ret = SSL_write(s->ssl, text, (int)strlen(text));
	} while (ret <= 0 && go_on(s, ret, s->wire.deadline));
}

static void hear_verdict(struct session *s)
{
	struct probe_result *result = s->result;
	bool due = result->request.asked && result->version == TLS1_3_VERSION;
	char text[PROBE_HOST_MAX + 160];

	hear(s, probe_now() + (due ? PROBE_VERDICT_S * 1000 : SETTLE_MS), due);
	words(s, text);
	if (result->end != PROBE_QUIET || !*text)
		return;
	result->said = true;
	speak(s, text);
	if (result->end == PROBE_ALERT)
		return;
	result->end = PROBE_QUIET;
	hear(s, speaks_http(s->ssl) ? s->wire.deadline : probe_now() + ANSWER_MS, false);
}

/* --- setting up ------------------------------------------------------------------------------- */

/* SSL_CERT_FILE and SSL_CERT_DIR count, as for any program. Whatever the result is, the handshake goes on. */
static SSL_CTX *context(const struct session *s, int max)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool offer = s->probe->credential->reading.policy.pha != MTLS_PHA_OFF;

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || !SSL_CTX_set_max_proto_version(ctx, max) ||
	    !SSL_CTX_set_default_verify_paths(ctx)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_post_handshake_auth(ctx, offer);
	SSL_CTX_set_cert_cb(ctx, probe_answer, (void *)&s->known);
	SSL_CTX_set_msg_callback(ctx, see_message);
	return ctx;
}

static bool set_up(struct session *s, int max, bool alpn)
{
	static const unsigned char http[] = "\x08http/1.1";
	const struct probe_target *target = &s->probe->target;
	char address[PROBE_HOST_MAX];
	SSL_CTX *ctx = context(s, max);
	BIO *nothing = BIO_new(BIO_s_mem()), *socket = BIO_new_socket(s->wire.fd, BIO_NOCLOSE);

	s->ssl = ctx ? SSL_new(ctx) : NULL;
	SSL_CTX_free(ctx);
	if (!s->ssl || !nothing || !socket) {
		BIO_free(nothing);
		BIO_free(socket);
		return false;
	}
	SSL_set_bio(s->ssl, nothing, socket);
	SSL_set_msg_callback_arg(s->ssl, s);
	if (alpn && target->kind == PROBE_PLAIN && SSL_set_alpn_protos(s->ssl, http, sizeof(http) - 1) != 0)
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)strcspn(target->host, "%"),
		 target->host); /* without the zone */
	if (target->literal)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), address);
	return SSL_set1_host(s->ssl, target->host) && SSL_set_tlsext_host_name(s->ssl, target->host);
}

/* It was to present and to have the agent sign: did it? */
static void look_after_shim(struct session *s)
{
	struct probe_result *result = s->result;

	if (!SSL_get_certificate(s->ssl)) {
		result->request.presented = false;
		result->request.decision = MTLS_AGENT_UNAVAILABLE;
	} else if (result->end == PROBE_HERE) {
		snprintf(result->why, PROBE_WHY,
			 "the agent did not make the signature that it had promised; see what "
			 "mtls-agent says");
	}
}

void probe_tls(struct probe *probe, int max, bool alpn, struct probe_result *result)
{
	struct session s = {.probe = probe, .result = result};

	if (!probe_connect(&probe->target, PROBE_DEADLINE_S, &s.wire, result->why))
		return;
	s.known = (struct probe_facts){probe, s.wire.peer, result};
	if (probe_starttls(probe->target.kind, &s.wire, result->why)) {
		if (!set_up(&s, max, alpn))
			fails(&s);
		else if (shake_hands(&s))
			hear_verdict(&s);
		if (s.ssl && result->request.presented && !probe->credential->identity->key)
			look_after_shim(&s);
		if (s.ssl && SSL_is_init_finished(s.ssl))
			SSL_shutdown(s.ssl);
		SSL_free(s.ssl);
	}
	close(s.wire.fd);
	ERR_clear_error();
}
