/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_parallel N HOW HOST:PORT...: as parallel.c, for GnuTLS: 8 threads make N
 * connections in all with one credentials object, taking the servers in turn. HOW: "sni" tells GnuTLS name and
 * descriptor; "fd" the descriptor; "bio" neither: push and pull functions with a pointer that is no descriptor;
 * "churn" as fd, while each thread also makes, changes and frees credentials and a crowd of sessions of its own;
 * "function" as fd, with a retrieve function of the program's own, which has no certificate to give; "set" as fd, each
 * connection with credentials of its own, whose retrieve function (it supplies none) another thread has set again and
 * again while a handshake began. All threads do their first handshake at once. Prints how many connections worked.
 *
 * link: -lgnutls -pthread
 */
#include "tests/probes/gnutls_probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define THREADS  8
#define CROWD    100
#define SETTINGS 500

static gnutls_certificate_credentials_t cred;
static pthread_barrier_t start;
static atomic_int next_one, good;
static int total, servers;
static char **server, *how;

struct wire {
	char fill[64]; /* its address is no descriptor, and nothing that points to one */
	int fd;
};

static ssize_t pull(gnutls_transport_ptr_t p, void *out, size_t n)
{
	return recv(((struct wire *)p)->fd, out, n, 0);
}

static ssize_t push(gnutls_transport_ptr_t p, const void *in, size_t n)
{
	return send(((struct wire *)p)->fd, in, n, MSG_NOSIGNAL);
}

static int supply_none(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		       const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **list,
		       unsigned *length, gnutls_privkey_t *key)
{
	(void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms;
	(void)list, (void)key;
	*length = 0;
	return 0;
}

static void churn(void)
{
	gnutls_certificate_credentials_t mine = credentials_new();
	gnutls_session_t crowd[CROWD];

	for (int i = 0; i < CROWD; i++)
		crowd[i] = session_new(mine);
	gnutls_certificate_set_retrieve_function2(mine, supply_none);
	gnutls_certificate_set_retrieve_function2(mine, NULL);
	for (int i = 0; i < CROWD; i++)
		gnutls_deinit(crowd[i]);
	gnutls_certificate_free_credentials(mine);
}

static ssize_t pull_nothing(gnutls_transport_ptr_t p, void *out, size_t n)
{
	(void)p, (void)out, (void)n;
	errno = EAGAIN;
	return -1;
}

static ssize_t push_nowhere(gnutls_transport_ptr_t p, const void *in, size_t n)
{
	(void)p, (void)in;
	return (ssize_t)n;
}

struct setting {
	gnutls_certificate_credentials_t cred;
	atomic_bool over;
};

static void *set_again(void *arg)
{
	struct setting *setting = arg;

	for (int i = 0; i < SETTINGS; i++)
		gnutls_certificate_set_retrieve_function2(setting->cred, supply_none);
	atomic_store(&setting->over, true);
	return NULL;
}

static gnutls_certificate_credentials_t set_at_once(void)
{
	struct setting setting = {.cred = credentials_new()};
	gnutls_session_t session = session_new(setting.cred);
	pthread_t thread;

	gnutls_transport_set_pull_function(session, pull_nothing);
	gnutls_transport_set_push_function(session, push_nowhere);
	if (pthread_create(&thread, NULL, set_again, &setting) != 0)
		die("no thread", 0);
	while (!atomic_load(&setting.over))
		if (gnutls_handshake(session) != GNUTLS_E_AGAIN)
			die("somebody answered", 0);
	pthread_join(thread, NULL);
	gnutls_deinit(session);
	return setting.cred;
}

static bool one(char *name_and_port)
{
	struct wire wire = {.fd = -1};
	char *port = strchr(name_and_port, ':'), answer[1200] = "";
	gnutls_certificate_credentials_t mine = strcmp(how, "set") == 0 ? set_at_once() : NULL;
	gnutls_session_t session = session_new(mine ? mine : cred);

	wire.fd = connect_to("127.0.0.1", port + 1);
	if (strcmp(how, "sni") == 0)
		gnutls_server_name_set(session, GNUTLS_NAME_DNS, name_and_port, (size_t)(port - name_and_port));
	if (strcmp(how, "bio") == 0) {
		gnutls_transport_set_ptr(session, &wire);
		gnutls_transport_set_pull_function(session, pull);
		gnutls_transport_set_push_function(session, push);
	} else {
		gnutls_transport_set_int(session, wire.fd);
	}
	if (strcmp(how, "churn") == 0)
		churn();
	if (shake(session) == 0) {
		ask(session, answer, sizeof(answer));
		say_goodbye(session);
	}
	gnutls_deinit(session);
	if (mine)
		gnutls_certificate_free_credentials(mine);
	close(wire.fd);
	return strncmp(answer, "subject: ", 9) == 0;
}

static void *run(void *arg)
{
	int i;

	(void)arg;
	pthread_barrier_wait(&start);
	while ((i = atomic_fetch_add(&next_one, 1)) < total)
		atomic_fetch_add(&good, one(server[i % servers]));
	return NULL;
}

int main(int argc, char *argv[])
{
	pthread_t thread[THREADS];

	if (argc < 4)
		die("usage: gnutls_parallel N HOW HOST:PORT...", 0);
	total = atoi(argv[1]);
	how = argv[2];
	server = argv + 3;
	servers = argc - 3;
	cred = credentials_new();
	if (strcmp(how, "function") == 0)
		gnutls_certificate_set_retrieve_function2(cred, supply_none);
	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, run, NULL) != 0)
			die("no thread", 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("%d\n", good);
	gnutls_certificate_free_credentials(cred);
	return good == total ? 0 : 1;
}
