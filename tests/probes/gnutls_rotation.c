/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_rotation PORT: a process that stays, with one credentials object of GnuTLS for all its threads. rotation.h has
 * what it can be told.
 *
 * link: -lgnutls -pthread
 */
#include "tests/probes/gnutls_probe.h"
#include "tests/probes/rotation.h"

static gnutls_certificate_credentials_t cred;

static void rotation_handshake(const char *port, bool tls12, char *answer, size_t size)
{
	gnutls_session_t session = session_new(cred);
	int fd = connect_to("127.0.0.1", port), ret;

	if (tls12)
		must("no TLS 1.2", gnutls_priority_set_direct(session, "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL));
	gnutls_transport_set_int(session, fd);
	ret = shake(session);
	if (ret == 0)
		ask(session, answer, size);
	if (!answer[0])
		fprintf(stderr, "probe: %s\n", ret ? gnutls_strerror(ret) : "no answer");
	gnutls_deinit(session);
	close(fd);
}

int main(int argc, char *argv[])
{
	int status;

	if (argc != 2)
		die("usage: gnutls_rotation PORT", 0);
	cred = credentials_new();
	status = rotation_obey(argv[1]);
	gnutls_certificate_free_credentials(cred);
	return status;
}
