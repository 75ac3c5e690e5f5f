/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_unseen SCENARIO CERT KEY: a client and a server in this process,
 * parts of which reach libgnutls past every hook, as a plugin loaded with RTLD_DEEPBIND or a user of dlvsym does.
 * CERT and KEY are the server's; the server asks for a certificate. Prints what each side made of it.
 *
 *   server         a client's session is freed unseen; the next one at its address is a server's, without a certificate
 *   server-unseen  and it is made unseen, too
 *   client         the same with another client's session, after the first one has presented
 *   hook           the client's handshake hook is set unseen, when the handshake has begun
 *
 * link: -lgnutls
 */
#include "tests/probes/gnutls_sides.h"

#include <dlfcn.h>

#define TRIES 1000

static struct {
	__typeof__(&gnutls_init) init;
	__typeof__(&gnutls_deinit) deinit;
	__typeof__(&gnutls_handshake_set_hook_function) set_hook;
} unseen;

static void *find(const char *name)
{
	void *handle = dlopen("libgnutls.so.30", RTLD_LAZY | RTLD_NOLOAD);
	void *found = handle ? dlvsym(handle, name, "GNUTLS_3_4") : NULL;

	if (!found)
		die("no libgnutls as it should be", 0);
	return found;
}

static void find_all(void)
{
	*(void **)&unseen.init = find("gnutls_init");
	*(void **)&unseen.deinit = find("gnutls_deinit");
	*(void **)&unseen.set_hook = find("gnutls_handshake_set_hook_function");
}

/* --- sessions -------------------------------------------------------------------------- */

static void set_up(gnutls_session_t session, gnutls_certificate_credentials_t cred)
{
	must("no priority", gnutls_set_default_priority(session));
	must("no credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
}

/* A new session at that address: as many as it takes. */
static gnutls_session_t session_at(gnutls_session_t address, unsigned flags, __typeof__(&gnutls_init) init)
{
	static gnutls_session_t made[TRIES];

	for (int i = 0; i < TRIES; i++) {
		must("no session", init(&made[i], flags | GNUTLS_NONBLOCK));
		if (made[i] != address)
			continue;
		while (i-- > 0)
			gnutls_deinit(made[i]);
		return address;
	}
	die("the address is not used again", 0);
	return NULL;
}

static gnutls_session_t client_new(gnutls_certificate_credentials_t cred)
{
	gnutls_session_t client;

	must("no session", gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK));
	set_up(client, cred);
	return client;
}

static gnutls_session_t server_new(gnutls_certificate_credentials_t cred)
{
	gnutls_session_t server;

	must("no session", gnutls_init(&server, GNUTLS_SERVER | GNUTLS_NONBLOCK));
	set_up(server, cred);
	watch_certificate(server);
	return server;
}

static gnutls_certificate_credentials_t server_credentials(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();

	gnutls_certificate_set_retrieve_function2(cred, supply_side);
	return cred;
}

/* --- scenarios --------------------------------------------------------------------------- */

static int supply_none(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		       const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **list,
		       unsigned *length, gnutls_privkey_t *key)
{
	(void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms, (void)list, (void)key;
	*length = 0;
	return 0;
}

static void run_server(__typeof__(&gnutls_init) init)
{
	gnutls_certificate_credentials_t of_client = credentials_new(), of_server = credentials_new();
	gnutls_session_t gone = client_new(of_client), server, client;
	unsigned n = 0;
	char text[200];

	gnutls_certificate_set_retrieve_function2(of_server, supply_none);
	unseen.deinit(gone);
	server = session_at(gone, GNUTLS_SERVER, init);
	set_up(server, of_server);
	client = client_new(of_client);
	connect_sides(client, server, SOCK_STREAM);
	shake_both(client, server);
	printf("the server showed %s\n", first_subject(gnutls_certificate_get_peers(client, &n), text, sizeof(text)));
}

static void run_server_seen(void)
{
	run_server(gnutls_init);
}

static void run_server_unseen(void)
{
	run_server(unseen.init);
}

static void run_client(void)
{
	gnutls_certificate_credentials_t of_client = credentials_new(), of_server = server_credentials();
	gnutls_session_t client = client_new(of_client), server = server_new(of_server);

	connect_sides(client, server, SOCK_STREAM);
	shake_both(client, server);
	tell_certificate(server);
	unseen.deinit(client);
	client = session_at(client, GNUTLS_CLIENT, gnutls_init);
	set_up(client, of_client);
	server = server_new(of_server);
	connect_sides(client, server, SOCK_STREAM);
	shake_both(client, server);
	tell_certificate(server);
	gnutls_deinit(client);
}

static int look(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		const gnutls_datum_t *message)
{
	(void)session, (void)type, (void)when, (void)incoming, (void)message;
	return 0;
}

static void run_hook(void)
{
	gnutls_certificate_credentials_t of_client = credentials_new(), of_server = server_credentials();
	gnutls_session_t client = client_new(of_client), server = server_new(of_server);

	connect_sides(client, server, SOCK_STREAM);
	if (gnutls_handshake(client) != GNUTLS_E_AGAIN)
		die("nothing was sent", 0);
	unseen.set_hook(client, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, look);
	shake_both(client, server);
	tell_certificate(server);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{"server", run_server_seen},
		{"server-unseen", run_server_unseen},
		{"client", run_client},
		{"hook", run_hook},
	};

	if (argc != 4)
		die("usage: gnutls_unseen SCENARIO CERT KEY", 0);
	find_all();
	load_side(argv[2], argv[3]);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0) {
			scenarios[i].run();
			return 0;
		}
	die("unknown scenario", 0);
}
