/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As hooks.c, for GnuTLS: calls every gnutls_ function that the shim hooks, in success and in failure, each time with
 * errno set to E2BIG. Prints a line a call: what it returned and what errno is then. The same lines must come with
 * the shim and without it. Functions of the program's that GnuTLS calls change errno: a log function (but not around
 * handshakes, where GnuTLS itself logs), and one that looks on while certificates are verified, which nobody here asks
 * for.
 *
 * gnutls_hooks PORT CA, where a server listens that asks for a certificate and accepts none; CA is its own
 * link: -lgnutls
 */
#include "tests/probes/gnutls_probe.h"

#include <errno.h>
#include <signal.h>

/* Prints what a call returned, and the errno that it left. */
#define CALL(name, how, expression) \
	do { \
		long result; \
		errno = E2BIG; \
		result = (long)(expression); \
		printf("%s %s: %ld errno=%d\n", name, how, result, errno); \
	} while (0)

static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		    const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_retr2_st *out)
{
	(void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms;
	out->ncerts = 0;
	return 0;
}

static int retrieve2(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		     const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **list,
		     unsigned *length, gnutls_privkey_t *key)
{
	(void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms, (void)list, (void)key;
	*length = 0;
	return 0;
}

static int retrieve3(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **list,
		     unsigned *length, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key,
		     unsigned *flags)
{
	(void)session, (void)info, (void)list, (void)ocsp, (void)key, (void)flags;
	*length = *n_ocsp = 0;
	return 0;
}

static int message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		   const gnutls_datum_t *data)
{
	(void)session, (void)type, (void)when, (void)incoming, (void)data;
	return 0;
}

static ssize_t pull(gnutls_transport_ptr_t p, void *out, size_t n)
{
	return recv((int)(intptr_t)p, out, n, 0);
}

static void log_something(int level, const char *text)
{
	(void)level, (void)text;
	errno = ENOTTY;
}

static void set_log(bool on)
{
	gnutls_global_set_log_function(log_something);
	gnutls_global_set_log_level(on ? 3 : 0); /* 3: the library's misses */
}

static int look_on(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer, gnutls_x509_crl_t crl, unsigned output)
{
	(void)cert, (void)issuer, (void)crl, (void)output;
	errno = ENOTTY;
	return 0;
}

static void call_credentials(void)
{
	gnutls_certificate_credentials_t cred = NULL;

	set_log(true);
	CALL("gnutls_certificate_allocate_credentials", "works", gnutls_certificate_allocate_credentials(&cred));
	CALL("gnutls_certificate_set_retrieve_function", "set",
	     (gnutls_certificate_set_retrieve_function(cred, retrieve), 0));
	CALL("gnutls_certificate_set_retrieve_function", "off",
	     (gnutls_certificate_set_retrieve_function(cred, NULL), 0));
	CALL("gnutls_certificate_set_retrieve_function2", "set",
	     (gnutls_certificate_set_retrieve_function2(cred, retrieve2), 0));
	CALL("gnutls_certificate_set_retrieve_function2", "off",
	     (gnutls_certificate_set_retrieve_function2(cred, NULL), 0));
	CALL("gnutls_certificate_set_retrieve_function3", "set",
	     (gnutls_certificate_set_retrieve_function3(cred, retrieve3), 0));
	CALL("gnutls_certificate_set_retrieve_function3", "off",
	     (gnutls_certificate_set_retrieve_function3(cred, NULL), 0));
	CALL("gnutls_certificate_free_credentials", "works", (gnutls_certificate_free_credentials(cred), 0));
	set_log(false);
}

static void call_names(gnutls_session_t session)
{
	gnutls_typed_vdata_st data[] = {{.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)"localhost"}};
	char long_name[400];

	memset(long_name, 'a', sizeof(long_name));
	set_log(true);
	CALL("gnutls_server_name_set", "works", gnutls_server_name_set(session, GNUTLS_NAME_DNS, "localhost", 9));
	CALL("gnutls_server_name_set", "IDNA", gnutls_server_name_set(session, GNUTLS_NAME_DNS, "\xc3\xa4.test", 7));
	CALL("gnutls_server_name_set", "another", gnutls_server_name_set(session, GNUTLS_NAME_DNS, "a.test", 6));
	CALL("gnutls_server_name_set", "none", gnutls_server_name_set(session, GNUTLS_NAME_DNS, "", 0));
	CALL("gnutls_server_name_set", "nothing", gnutls_server_name_set(session, GNUTLS_NAME_DNS, NULL, 0));
	CALL("gnutls_server_name_set", "too long",
	     gnutls_server_name_set(session, GNUTLS_NAME_DNS, long_name, sizeof(long_name)));
	CALL("gnutls_session_set_verify_cert", "name", (gnutls_session_set_verify_cert(session, "localhost", 0), 0));
	CALL("gnutls_session_set_verify_cert", "no UTF-8", (gnutls_session_set_verify_cert(session, "\xff", 0), 0));
	CALL("gnutls_session_set_verify_cert", "no name", (gnutls_session_set_verify_cert(session, NULL, 0), 0));
	CALL("gnutls_session_set_verify_cert2", "name", (gnutls_session_set_verify_cert2(session, data, 1, 0), 0));
	CALL("gnutls_session_set_verify_cert2", "no name", (gnutls_session_set_verify_cert2(session, NULL, 0, 0), 0));
	set_log(false);
	gnutls_session_set_verify_function(session, NULL);
	gnutls_session_set_verify_output_function(session, look_on);
}

static void call_sessions(gnutls_session_t session, bool made)
{
	const char *how = made ? "works" : "too early";
	gnutls_datum_t data = {NULL, 0};
	size_t n = 0;

	CALL("gnutls_session_get_data", how, gnutls_session_get_data(session, NULL, &n));
	CALL("gnutls_session_get_data2", how, gnutls_session_get_data2(session, &data));
	CALL("gnutls_session_set_data", "nothing", gnutls_session_set_data(session, NULL, 0));
	if (made)
		CALL("gnutls_session_set_data", how, gnutls_session_set_data(session, data.data, data.size));
	gnutls_free(data.data);
}

static void call_records(gnutls_session_t session)
{
	const gnutls_range_st range = {4, 4};
	unsigned char sequence[8], answer[200];
	gnutls_packet_t packet = NULL;
	ssize_t got;

	CALL("gnutls_record_send", "works", gnutls_record_send(session, "who\n", 4));
	do
		got = gnutls_record_recv(session, answer, sizeof(answer)); /* tickets first, or not */
	while (got == GNUTLS_E_AGAIN);
	CALL("gnutls_record_send2", "works", gnutls_record_send2(session, "who\n", 4, 0, 0));
	CALL("gnutls_record_recv_seq", "works", gnutls_record_recv_seq(session, answer, sizeof(answer), sequence) > 0);
	CALL("gnutls_record_send_range", "works", gnutls_record_send_range(session, "who\n", 4, &range));
	CALL("gnutls_record_recv_packet", "works", gnutls_record_recv_packet(session, &packet) > 0);
	gnutls_packet_deinit(packet);
	gnutls_record_cork(session);
	CALL("gnutls_record_send", "corked", gnutls_record_send(session, "who\n", 4));
	CALL("gnutls_record_uncork", "works", gnutls_record_uncork(session, GNUTLS_RECORD_WAIT));
	CALL("gnutls_session_key_update", "works", gnutls_session_key_update(session, 0));
	CALL("gnutls_record_recv", "works", gnutls_record_recv(session, answer, sizeof(answer)) > 0);
	CALL("gnutls_record_recv", "no room", gnutls_record_recv(session, NULL, 0));
	CALL("gnutls_alert_send", "a warning", gnutls_alert_send(session, GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY));
	CALL("gnutls_bye", "works", gnutls_bye(session, GNUTLS_SHUT_WR));
	CALL("gnutls_record_send", "after the end", gnutls_record_send(session, "who\n", 4));
}

static void call_handshake(gnutls_certificate_credentials_t cred, const char *port)
{
	gnutls_session_t session = NULL, idle = NULL;
	int fd = connect_to("127.0.0.1", port), dead[2];

	CALL("gnutls_init", "client", gnutls_init(&session, GNUTLS_CLIENT));
	must("priority", gnutls_set_default_priority(session));
	must("credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
	call_names(session);
	CALL("gnutls_handshake_set_hook_function", "set",
	     (gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, message), 0));
	CALL("gnutls_handshake_set_hook_function", "off",
	     (gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, NULL), 0));
	gnutls_transport_set_int(session, fd);
	CALL("gnutls_transport_set_pull_function", "set", (gnutls_transport_set_pull_function(session, pull), 0));
	CALL("gnutls_reauth", "too early", gnutls_reauth(session, 0));
	call_sessions(session, false);
	CALL("gnutls_handshake", "works", gnutls_handshake(session));
	CALL("gnutls_reauth", "nobody asked", gnutls_reauth(session, 0));
	call_sessions(session, true);
	call_records(session);
	CALL("gnutls_deinit", "works", (gnutls_deinit(session), 0));
	close(fd);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, dead) != 0)
		die("no sockets", 0);
	close(dead[1]);
	CALL("gnutls_init", "client again", gnutls_init(&idle, GNUTLS_CLIENT | GNUTLS_NONBLOCK));
	CALL("gnutls_handshake", "no priority", gnutls_handshake(idle));
	must("priority", gnutls_set_default_priority(idle));
	gnutls_transport_set_int(idle, dead[0]);
	CALL("gnutls_handshake", "nobody there", gnutls_handshake(idle));
	CALL("gnutls_deinit", "unused", (gnutls_deinit(idle), 0));
	close(dead[0]);
}

int main(int argc, char *argv[])
{
	gnutls_certificate_credentials_t cred;
	gnutls_session_t session = NULL;

	if (argc != 3)
		die("usage: gnutls_hooks PORT CA", 0);
	signal(SIGPIPE, SIG_IGN);
	cred = credentials_new();
	must("no CA", gnutls_certificate_set_x509_trust_file(cred, argv[2], GNUTLS_X509_FMT_PEM));
	call_credentials();
	call_handshake(cred, argv[1]);
	CALL("gnutls_init", "server", gnutls_init(&session, GNUTLS_SERVER));
	CALL("gnutls_deinit", "server", (gnutls_deinit(session), 0));
	CALL("gnutls_deinit", "nothing", (gnutls_deinit(NULL), 0));
	gnutls_certificate_free_credentials(cred);
	return 0;
}
