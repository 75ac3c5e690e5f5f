/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the GnuTLS probes share: a socket to the loopback, a session, and one
 * exchange with our server, which answers a line with the subject that it saw; and a server session in this process
 * for what our server does not speak. A probe is a program that knows nothing of the shim; each of these functions
 * ends it with a word on standard error where something fails that must not.
 */
#ifndef MTLS_TESTS_GNUTLS_PROBE_H
#define MTLS_TESTS_GNUTLS_PROBE_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static inline void die(const char *why, int error)
{
	fprintf(stderr, "probe: %s%s%s\n", why, error ? ": " : "", error ? gnutls_strerror(error) : "");
	exit(3);
}

/* What must not fail. */
static inline void must(const char *what, int ret)
{
	if (ret < 0)
		die(what, ret);
}

static inline int connect_to(const char *address, const char *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || inet_pton(AF_INET, address, &in.sin_addr) != 1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 || /* or each exchange takes 40 ms */
	    connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0)
		die("cannot connect", 0);
	return fd;
}

static inline gnutls_certificate_credentials_t credentials_new(void)
{
	gnutls_certificate_credentials_t cred;

	must("no credentials", gnutls_certificate_allocate_credentials(&cred));
	return cred;
}

/* A client's session that verifies nothing; the tests judge at the server. cred may be NULL. */
static inline gnutls_session_t session_new(gnutls_certificate_credentials_t cred)
{
	gnutls_session_t session;

	must("no session", gnutls_init(&session, GNUTLS_CLIENT));
	must("no priority", gnutls_set_default_priority(session));
	if (cred)
		must("no credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
	return session;
}

/* To its end, however often that takes; 0 or the error. */
static inline int shake(gnutls_session_t session)
{
	int ret;

	do
		ret = gnutls_handshake(session);
	while (ret < 0 && !gnutls_error_is_fatal(ret));
	return ret;
}

/* "subject: CN=…", or "" where nothing came. */
static inline void ask(gnutls_session_t session, char *answer, size_t size)
{
	size_t n = 0;
	ssize_t got = gnutls_record_send(session, "who\n", 4);

	while ((got > 0 || got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED) && n + 1 < size &&
	       (n == 0 || answer[n - 1] != '\n')) {
		got = gnutls_record_recv(session, answer + n, size - n - 1);
		n += got > 0 ? (size_t)got : 0;
	}
	answer[n ? n - 1 : 0] = '\0';
}

/* An empty line ends a conversation. The session can be freed. */
static inline void say_goodbye(gnutls_session_t session)
{
	gnutls_record_send(session, "\n", 1);
	gnutls_bye(session, GNUTLS_SHUT_WR);
}

/* Question, answer to standard output, end; fd is closed. */
static inline void chat(gnutls_session_t session, int fd)
{
	char answer[1200];

	ask(session, answer, sizeof(answer));
	if (!answer[0])
		die("no answer", 0);
	puts(answer);
	say_goodbye(session);
	close(fd);
}

/* The same, and the handshake before. The session has its socket. */
static inline void talk(gnutls_session_t session, int fd)
{
	must("no handshake", shake(session));
	chat(session, fd);
}

/* The plainest client: a new session, its descriptor told to GnuTLS, no name. */
static inline void talk_to(gnutls_certificate_credentials_t cred, const char *port)
{
	gnutls_session_t session = session_new(cred);
	int fd = connect_to("127.0.0.1", port);

	gnutls_transport_set_int(session, fd);
	talk(session, fd);
	gnutls_deinit(session);
}

/* "CN=…" of the first certificate of a list, "-" where there is none. */
static inline const char *first_subject(const gnutls_datum_t *list, char *text, size_t size)
{
	gnutls_x509_crt_t crt;

	snprintf(text, size, "-");
	if (!list || !list->size || gnutls_x509_crt_init(&crt) < 0)
		return text;
	if (gnutls_x509_crt_import(crt, list, GNUTLS_X509_FMT_DER) < 0 || gnutls_x509_crt_get_dn(crt, text, &size) < 0)
		snprintf(text, 2, "?");
	gnutls_x509_crt_deinit(crt);
	return text;
}

#endif
