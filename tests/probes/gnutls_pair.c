/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_pair SCENARIO CERT KEY [OWN-KEY [FOLDER [CA]]]: a GnuTLS client and a
 * GnuTLS server in this process, over a socket pair, for what our own server does not speak. CERT and KEY are the
 * server's; OWN-KEY the client program's. The server asks for a certificate wherever it can. Prints what
 * each side made of it: the results of the handshakes, the key exchange, and whom the server saw.
 *
 *   x509           plain: nobody configured anything on the client's side
 *   anonymous psk psk13     without certificates: the sessions have credentials of another kind
 *   psk-and-x509   PSK in TLS 1.2, beside empty certificate credentials that are not used
 *   raw raw-own    a client whose certificate would be a raw public key; with one of its own
 *   raw-server     the server's is a raw public key, the client's type is X.509
 *   then-raw       x509, then other sessions with the same credentials, of which the client's allows raw public keys
 *   shared         one credentials object, with CERT, for both sides
 *   shared-empty   one object for both sides; the server's certificate comes from a retrieve function
 *   again          TLS 1.2: a second handshake on the same sessions, that the client starts
 *   hello          the same, that the server asks for
 *   again-removed  before the second the files in FOLDER are emptied
 *   datagram       DTLS
 *   wrong-key      the server signs with OWN-KEY, which is not its certificate's, and the client trusts CA
 *   signature      the client's priorities forbid ECDSA with SHA-256 as TLS 1.3 has it, and allow what TLS 1.2 has
 *
 * link: -lgnutls -pthread
 */
#include "tests/probes/gnutls_sides.h"

static const char *scenario, *cert_file, *key_file, *own_key, *folder, *ca_file;

static bool is(const char *name)
{
	return strcmp(scenario, name) == 0;
}

static bool begins(const char *name)
{
	return strncmp(scenario, name, strlen(name)) == 0;
}

/* --- credentials --------------------------------------------------------------------- */

static int give_psk(gnutls_session_t session, const char *name, gnutls_datum_t *key)
{
	(void)session, (void)name;
	key->data = gnutls_malloc(4);
	key->size = 4;
	memcpy(key->data, "\1\2\3\4", 4);
	return 0;
}

static const char *priority(bool client)
{
	if (is("anonymous"))
		return "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ANON-ECDH:+ANON-DH";
	if (is("psk") || is("psk-and-x509"))
		return "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK:+PSK";
	if (is("psk13"))
		return "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+PSK";
	if (is("raw") || is("raw-own"))
		return "NORMAL:-CTYPE-CLI-ALL:+CTYPE-CLI-RAWPK";
	if (is("raw-server"))
		return "NORMAL:-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK";
	if (begins("again") || is("hello"))
		return "NORMAL:-VERS-ALL:+VERS-TLS1.2";
	if (is("signature") && client)
		return "NORMAL:-SIGN-ECDSA-SECP256R1-SHA256";
	return "NORMAL";
}

static void set_psk(gnutls_session_t client, gnutls_session_t server)
{
	gnutls_psk_client_credentials_t of_client;
	gnutls_psk_server_credentials_t of_server;
	const gnutls_datum_t key = {(unsigned char *)"01020304", 8};

	must("psk", gnutls_psk_allocate_client_credentials(&of_client));
	must("psk", gnutls_psk_allocate_server_credentials(&of_server));
	must("psk", gnutls_psk_set_client_credentials(of_client, "someone", &key, GNUTLS_PSK_KEY_HEX));
	gnutls_psk_set_server_credentials_function(of_server, give_psk);
	must("psk", gnutls_credentials_set(client, GNUTLS_CRD_PSK, of_client));
	must("psk", gnutls_credentials_set(server, GNUTLS_CRD_PSK, of_server));
}

static void set_anonymous(gnutls_session_t client, gnutls_session_t server)
{
	gnutls_anon_client_credentials_t of_client;
	gnutls_anon_server_credentials_t of_server;

	must("anonymous", gnutls_anon_allocate_client_credentials(&of_client));
	must("anonymous", gnutls_anon_allocate_server_credentials(&of_server));
	must("anonymous", gnutls_credentials_set(client, GNUTLS_CRD_ANON, of_client));
	must("anonymous", gnutls_credentials_set(server, GNUTLS_CRD_ANON, of_server));
}

static void add_x509(gnutls_certificate_credentials_t cred, const char *cert, const char *key)
{
	must("certificate refused", gnutls_certificate_set_x509_key_file(cred, cert, key, GNUTLS_X509_FMT_PEM));
}

/* A raw public key out of a private one: nothing of the certificate is used. */
static void add_raw(gnutls_certificate_credentials_t cred, const char *key)
{
	gnutls_datum_t pem, spki;
	gnutls_privkey_t private;
	gnutls_pubkey_t public;

	must("no key", gnutls_load_file(key, &pem));
	must("key", gnutls_privkey_init(&private));
	must("key", gnutls_privkey_import_x509_raw(private, &pem, GNUTLS_X509_FMT_PEM, NULL, 0));
	must("key", gnutls_pubkey_init(&public));
	must("key", gnutls_pubkey_import_privkey(public, private, 0, 0));
	must("key", gnutls_pubkey_export2(public, GNUTLS_X509_FMT_PEM, &spki));
	must("raw key",
	     gnutls_certificate_set_rawpk_key_mem(cred, &spki, &pem, GNUTLS_X509_FMT_PEM, NULL, 0, NULL, 0, 0));
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(private);
	gnutls_free(pem.data);
	gnutls_free(spki.data);
}

static void set_credentials(gnutls_session_t client, gnutls_session_t server)
{
	gnutls_certificate_credentials_t of_client = credentials_new(), of_server = credentials_new();

	if (is("anonymous")) {
		set_anonymous(client, server);
		return;
	}
	if (begins("psk"))
		set_psk(client, server);
	if (begins("shared"))
		of_server = of_client;
	if (is("shared-empty") || is("wrong-key")) {
		load_side(cert_file, is("wrong-key") ? own_key : key_file);
		gnutls_certificate_set_retrieve_function2(of_server, supply_side);
	} else if (is("raw-server")) {
		add_raw(of_server, key_file);
	} else {
		add_x509(of_server, cert_file, key_file);
	}
	if (is("raw-own"))
		add_raw(of_client, own_key);
	if (is("wrong-key")) {
		must("no CA", gnutls_certificate_set_x509_trust_file(of_client, ca_file, GNUTLS_X509_FMT_PEM));
		must("no SNI", gnutls_server_name_set(client, GNUTLS_NAME_DNS, "localhost", 9));
	}
	if (!begins("psk") || is("psk-and-x509"))
		must("cred", gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, of_client));
	if (!begins("psk"))
		must("cred", gnutls_credentials_set(server, GNUTLS_CRD_CERTIFICATE, of_server));
}

/* --- handshakes ------------------------------------------------------------------------ */

static void tell(gnutls_session_t client, gnutls_session_t server)
{
	unsigned n = 0;
	bool x509 = gnutls_certificate_type_get2(server, GNUTLS_CTYPE_CLIENT) == GNUTLS_CRT_X509;

	(void)gnutls_certificate_get_peers(server, &n);
	printf("kx=%s type=%s raw=%d asked=%d\n", gnutls_kx_get_name(gnutls_kx_get(server)),
	       gnutls_certificate_type_get_name(gnutls_certificate_type_get2(server, GNUTLS_CTYPE_CLIENT)), !x509 && n,
	       (int)gnutls_certificate_client_get_request_status(client));
	tell_certificate(server);
}

static void empty_file(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (truncate(path, 0) != 0)
		die("cannot empty the credential", 0);
}

/* The client's application data makes the server see the handshake; what it sends back ends the exchange. */
static void second(gnutls_session_t client, gnutls_session_t server)
{
	char in[16];
	int ret;

	if (is("again-removed")) {
		empty_file("client_cert.pem");
		empty_file("private_key.pem");
	}
	if (is("hello")) {
		must("no hello", gnutls_rehandshake(server));
		printf("hello=%s\n", name_of((int)gnutls_record_recv(client, in, sizeof(in))));
	} else {
		ret = gnutls_handshake(client);
		printf("start=%s ", name_of(ret));
		printf("asked=%s\n", name_of((int)gnutls_record_recv(server, in, sizeof(in))));
	}
	shake_both(client, server);
	tell(client, server);
}

/* The server's type is X.509 only, and so is what both agree on. */
static void then_raw(gnutls_session_t of_client, gnutls_session_t of_server)
{
	gnutls_session_t client, server;
	void *credentials;

	must("no session", gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_ENABLE_RAWPK));
	must("no session", gnutls_init(&server, GNUTLS_SERVER | GNUTLS_NONBLOCK));
	must("no priority", gnutls_priority_set_direct(client, "NORMAL:+CTYPE-CLI-RAWPK", NULL));
	must("no priority", gnutls_set_default_priority(server));
	must("cred", gnutls_credentials_get(of_client, GNUTLS_CRD_CERTIFICATE, &credentials));
	must("cred", gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, credentials));
	must("cred", gnutls_credentials_get(of_server, GNUTLS_CRD_CERTIFICATE, &credentials));
	must("cred", gnutls_credentials_set(server, GNUTLS_CRD_CERTIFICATE, credentials));
	watch_certificate(server);
	connect_sides(client, server, SOCK_STREAM);
	shake_both(client, server);
	tell(client, server);
	gnutls_deinit(client);
	gnutls_deinit(server);
}

int main(int argc, char *argv[])
{
	unsigned flags = GNUTLS_NONBLOCK;
	gnutls_session_t client, server;

	if (argc < 4)
		die("usage: gnutls_pair SCENARIO CERT KEY [OWN-KEY [FOLDER [CA]]]", 0);
	scenario = argv[1];
	cert_file = argv[2];
	key_file = argv[3];
	own_key = argc > 4 ? argv[4] : NULL;
	folder = argc > 5 ? argv[5] : NULL;
	ca_file = argc > 6 ? argv[6] : NULL;
	if (begins("raw"))
		flags |= GNUTLS_ENABLE_RAWPK;
	if (is("datagram"))
		flags |= GNUTLS_DATAGRAM;
	must("no session", gnutls_init(&client, GNUTLS_CLIENT | flags));
	must("no session", gnutls_init(&server, GNUTLS_SERVER | flags));
	must("no priority", gnutls_priority_set_direct(client, priority(true), NULL));
	must("no priority", gnutls_priority_set_direct(server, priority(false), NULL));
	set_credentials(client, server);
	watch_certificate(server);
	connect_sides(client, server, is("datagram") ? SOCK_DGRAM : SOCK_STREAM);
	shake_both(client, server);
	tell(client, server);
	if (begins("again") || is("hello"))
		second(client, server);
	if (is("then-raw"))
		then_raw(client, server);
	gnutls_deinit(client);
	gnutls_deinit(server);
	return 0;
}
