/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client and a server of GnuTLS in one process, over a socket pair, for gnutls_pair.c and gnutls_unseen.c: both go on
 * step by step, and both are asked what came of it.
 */
#ifndef MTLS_TESTS_GNUTLS_SIDES_H
#define MTLS_TESTS_GNUTLS_SIDES_H

#include "tests/probes/gnutls_probe.h"

static inline const char *name_of(int ret)
{
	return ret == 0 ? "0" : gnutls_strerror_name(ret);
}

static inline bool over(int ret)
{
	return ret == 0 || (ret < 0 && gnutls_error_is_fatal(ret));
}

static inline void connect_sides(gnutls_session_t client, gnutls_session_t server, int type)
{
	int pair[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair) != 0)
		die("no sockets", 0);
	gnutls_transport_set_int(client, pair[0]);
	gnutls_transport_set_int(server, pair[1]);
}

/* Both step by step, until both are over or nothing moves. */
static inline void shake_both(gnutls_session_t client, gnutls_session_t server)
{
	int a = GNUTLS_E_AGAIN, b = GNUTLS_E_AGAIN;

	for (int i = 0; i < 1000 && !(over(a) && over(b)); i++) {
		if (!over(a))
			a = gnutls_handshake(client);
		if (!over(b))
			b = gnutls_handshake(server);
		if (over(a) && a < 0)
			gnutls_alert_send_appropriate(client, a);
		if (over(b) && b < 0)
			gnutls_alert_send_appropriate(server, b);
	}
	printf("client=%s server=%s\n", name_of(a), name_of(b));
}

/*
 * The client's Certificate message: an empty one leaves the server's gnutls_certificate_get_peers as it was in the
 * last handshake. Without certificates it has 4 (TLS 1.3) or 3 bytes.
 */
static const char *certificate = "none";

static inline int on_certificate(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
				 const gnutls_datum_t *message)
{
	(void)session, (void)type, (void)when;
	if (incoming)
		certificate = message->size > 8 ? "some" : "empty";
	return 0;
}

/* From now on the server's session asks and looks. */
static inline void watch_certificate(gnutls_session_t server)
{
	gnutls_certificate_server_set_request(server, GNUTLS_CERT_REQUEST);
	gnutls_handshake_set_hook_function(server, GNUTLS_HANDSHAKE_CERTIFICATE_PKT, GNUTLS_HOOK_POST, on_certificate);
}

static inline void tell_certificate(gnutls_session_t server)
{
	unsigned n = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(server, &n);
	bool x509 = gnutls_certificate_type_get2(server, GNUTLS_CTYPE_CLIENT) == GNUTLS_CRT_X509;
	char text[200];

	if (strcmp(certificate, "some") != 0)
		list = NULL;
	printf("saw %s %u %s\n", certificate, list ? n : 0, x509 ? first_subject(list, text, sizeof(text)) : "");
	certificate = "none";
}

/* What a retrieve function of the program's may give. */
static gnutls_pcert_st side_list[4];
static unsigned side_length = 4;
static gnutls_privkey_t side_key;

static inline void load_side(const char *cert_file, const char *key_file)
{
	gnutls_datum_t cert, key;

	must("no certificate", gnutls_load_file(cert_file, &cert));
	must("no key", gnutls_load_file(key_file, &key));
	must("cert", gnutls_pcert_list_import_x509_raw(side_list, &side_length, &cert, GNUTLS_X509_FMT_PEM, 0));
	must("key", gnutls_privkey_init(&side_key));
	must("key", gnutls_privkey_import_x509_raw(side_key, &key, GNUTLS_X509_FMT_PEM, NULL, 0));
	gnutls_free(cert.data);
	gnutls_free(key.data);
}

/* A server's retrieve function: what was loaded. A client on the same credentials gives none. */
static inline int supply_side(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
			      const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **list,
			      unsigned *length, gnutls_privkey_t *key)
{
	(void)names, (void)n_names, (void)algorithms, (void)n_algorithms;
	*length = 0;
	if (gnutls_certificate_client_get_request_status(session))
		return 0;
	*list = side_list;
	*length = side_length;
	*key = side_key;
	return 0;
}

#endif
