/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that talks by libgnutls, PORT [WORD=VALUE]...; prints what the server saw.
 *   version=1.2|1.3    of TLS, and no other
 *   cert=FILE key=FILE the program's own certificate
 */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void plugin_run(char **words);

static void check(int ok, const char *what)
{
	if (ok >= 0)
		return;
	fprintf(stderr, "probe: %s: %s\n", what, gnutls_strerror(ok));
	exit(3);
}

static int connect_to(const char *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(connect(fd, (struct sockaddr *)&in, sizeof(in)), "connect");
	return fd;
}

static void talk(gnutls_session_t session)
{
	char answer[1200] = "";
	int error;

	do
		error = gnutls_handshake(session);
	while (error < 0 && !gnutls_error_is_fatal(error));
	check(error, "handshake");
	check((int)gnutls_record_send(session, "who\n", 4), "send");
	do
		error = (int)gnutls_record_recv(session, answer, sizeof(answer) - 1);
	while (error == GNUTLS_E_AGAIN || error == GNUTLS_E_INTERRUPTED);
	check(error, "receive");
	fputs(answer, stdout);
	gnutls_record_send(session, "\n", 1);
	gnutls_bye(session, GNUTLS_SHUT_WR);
}

void plugin_run(char **words)
{
	const char *port = *words++, *cert = NULL, *key = NULL, *priority = "NORMAL";
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int fd;

	for (; *words; words++) {
		const char *value = strchr(*words, '=') + 1;

		if (strncmp(*words, "cert=", 5) == 0)
			cert = value;
		else if (strncmp(*words, "key=", 4) == 0)
			key = value;
		else
			priority = strcmp(value, "1.2") == 0 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2"
							     : "NORMAL:-VERS-ALL:+VERS-TLS1.3";
	}
	check(gnutls_certificate_allocate_credentials(&credentials), "credentials");
	if (cert)
		check(gnutls_certificate_set_x509_key_file(credentials, cert, key, GNUTLS_X509_FMT_PEM), cert);
	check(gnutls_init(&session, GNUTLS_CLIENT), "session");
	check(gnutls_priority_set_direct(session, priority, NULL), priority);
	check(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), "credentials");
	fd = connect_to(port);
	gnutls_transport_set_int(session, fd);
	talk(session);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	close(fd);
}
