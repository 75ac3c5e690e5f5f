/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_faulty PORT FAULT[:ARGUMENT]: a client whose process is in trouble, see faulty.h. GnuTLS.
 *
 * link: -lgnutls -pthread
 */
#include "tests/probes/gnutls_probe.h"

#include "tests/probes/faulty.h"

static gnutls_certificate_credentials_t cred;
static gnutls_datum_t kept;

static void library_start(void)
{
	must("no start", gnutls_global_init());
}

static void library_context(void)
{
	cred = credentials_new();
	gnutls_deinit(session_new(cred)); /* GnuTLS has no context: what is noted of the credential is noted here */
}

static void library_talk(int fd, bool keep, bool offer)
{
	gnutls_session_t session = session_new(cred);

	if (offer && kept.data)
		must("no session", gnutls_session_set_data(session, kept.data, kept.size));
	gnutls_transport_set_int(session, fd);
	must("no handshake", shake(session));
	handshake_done();
	chat(session, -1);
	fflush(stdout);
	if (keep)
		must("no session", gnutls_session_get_data2(session, &kept));
	gnutls_deinit(session);
	close(fd);
}
