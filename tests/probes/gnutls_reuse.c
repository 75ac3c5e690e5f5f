/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_reuse SCENARIO PORT CERT KEY [FOLDER]: what programs do to credentials and
 * sessions that have presented already. Each connection prints what the server saw; some scenarios a number.
 *
 *   add         three connections with one credentials object; after the first the program adds CERT to it
 *   function    the same, and it sets a retrieve function that supplies CERT; before the fourth it takes it off again
 *   replace     two connections; between, the session's credentials become others, with CERT
 *   two         two sessions at once with one credentials object, CERT is added between their handshakes
 *   removed     two connections; before the second the files in FOLDER are emptied
 *   ours        gnutls_certificate_get_ours after the handshake
 *   step        the network gives a few bytes, every other time none: gnutls_handshake is called at least ten times
 *   bye         gnutls_bye, then a handshake and a deinit
 *   churn       1,000 times new credentials and a new session, in turn without and with CERT, by a function that
 *               supplies CERT and by one that supplies none: how many were wrong
 *   empty       100,000 times new credentials, a function set, freed: how many bytes more are in use
 *   fork        200 children connect, one after the other; the parent has connected before
 *
 * link: -lgnutls
 */
#include "tests/probes/gnutls_probe.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/wait.h>

#define CHILDREN 200
#define CHURN    1000
#define EMPTY    100000

static const char *port, *cert_file, *key_file, *folder;
static gnutls_pcert_st own_list[4];
static unsigned own_length = 4;
static gnutls_privkey_t own_key;
static int step_fd;

static void load(void)
{
	gnutls_datum_t cert, key;

	must("no certificate of its own", gnutls_load_file(cert_file, &cert));
	must("no key of its own", gnutls_load_file(key_file, &key));
	must("certificate", gnutls_pcert_list_import_x509_raw(own_list, &own_length, &cert, GNUTLS_X509_FMT_PEM, 0));
	must("key", gnutls_privkey_init(&own_key));
	must("key", gnutls_privkey_import_x509_raw(own_key, &key, GNUTLS_X509_FMT_PEM, NULL, 0));
	gnutls_free(cert.data);
	gnutls_free(key.data);
}

static int supply(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		  const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **list, unsigned *length,
		  gnutls_privkey_t *key)
{
	(void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms;
	*list = own_list;
	*length = own_length;
	*key = own_key;
	return 0;
}

static int supply_none(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		       const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_retr2_st *out)
{
	(void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms;
	out->ncerts = 0;
	return 0;
}

static void add(gnutls_certificate_credentials_t cred)
{
	must("certificate refused",
	     gnutls_certificate_set_x509_key_file(cred, cert_file, key_file, GNUTLS_X509_FMT_PEM));
}

static void empty_file(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (truncate(path, 0) != 0)
		die("cannot empty the credential", 0);
}

/* --- one credentials object again ------------------------------------------------------ */

static void run_add(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();

	talk_to(cred, port);
	add(cred);
	talk_to(cred, port);
	talk_to(cred, port);
	gnutls_certificate_free_credentials(cred);
}

static void run_function(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();

	talk_to(cred, port);
	gnutls_certificate_set_retrieve_function2(cred, supply);
	talk_to(cred, port);
	talk_to(cred, port);
	gnutls_certificate_set_retrieve_function2(cred, NULL);
	talk_to(cred, port);
	gnutls_certificate_free_credentials(cred);
}

static void run_replace(void)
{
	gnutls_certificate_credentials_t first = credentials_new(), second = credentials_new();
	gnutls_session_t session;
	int fd;

	talk_to(first, port);
	session = session_new(first);
	add(second);
	fd = connect_to("127.0.0.1", port);
	must("no credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, second));
	gnutls_certificate_free_credentials(first);
	gnutls_transport_set_int(session, fd);
	talk(session, fd);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(second);
}

static void run_two(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();
	gnutls_session_t a = session_new(cred), b = session_new(cred);
	int fd_a = connect_to("127.0.0.1", port), fd_b = connect_to("127.0.0.1", port);

	gnutls_transport_set_int(a, fd_a);
	gnutls_transport_set_int(b, fd_b);
	must("no handshake", shake(a));
	chat(a, fd_a); /* now, so that the server's lines have an order */
	add(cred);
	must("no handshake", shake(b));
	chat(b, fd_b);
	gnutls_deinit(b);
	gnutls_deinit(a);
	gnutls_certificate_free_credentials(cred);
}

static void run_removed(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();

	talk_to(cred, port);
	empty_file("client_cert.pem");
	empty_file("private_key.pem");
	talk_to(cred, port);
	gnutls_certificate_free_credentials(cred);
}

/* --- one session ------------------------------------------------------------------------ */

static void run_ours(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();
	gnutls_session_t session = session_new(cred);
	int fd = connect_to("127.0.0.1", port);
	char text[200];

	gnutls_transport_set_int(session, fd);
	must("no handshake", shake(session));
	printf("ours=%s\n", first_subject(gnutls_certificate_get_ours(session), text, sizeof(text)));
	say_goodbye(session);
	gnutls_deinit(session);
	close(fd);
	gnutls_certificate_free_credentials(cred);
}

/* A network that gives nothing every other time, and little then. */
static ssize_t pull_little(gnutls_transport_ptr_t p, void *out, size_t n)
{
	gnutls_session_t session = p;
	static int calls;

	if (calls++ % 2 == 0) {
		gnutls_transport_set_errno(session, EAGAIN);
		return -1;
	}
	return recv(step_fd, out, n < 100 ? n : 100, 0);
}

static ssize_t push_all(gnutls_transport_ptr_t p, const void *in, size_t n)
{
	(void)p;
	return send(step_fd, in, n, MSG_NOSIGNAL);
}

static void run_step(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();
	gnutls_session_t session = session_new(cred);
	int ret, calls = 0;

	step_fd = connect_to("127.0.0.1", port);
	gnutls_transport_set_ptr(session, session);
	gnutls_transport_set_pull_function(session, pull_little);
	gnutls_transport_set_push_function(session, push_all);
	for (;; calls++) {
		ret = gnutls_handshake(session);
		if (ret >= 0 || gnutls_error_is_fatal(ret))
			break;
	}
	must("no handshake", ret);
	printf("many=%d\n", calls >= 10);
	chat(session, step_fd);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(cred);
}

static void run_bye(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();
	gnutls_session_t session = session_new(cred);
	int fd = connect_to("127.0.0.1", port);
	char answer[1200];

	gnutls_transport_set_int(session, fd);
	must("no handshake", shake(session));
	ask(session, answer, sizeof(answer));
	puts(answer);
	say_goodbye(session);
	printf("again=%d\n", shake(session) < 0);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(cred); /* while nobody uses it any more */
	close(fd);
}

/* --- again and again --------------------------------------------------------------------- */

/* What the server saw, of a connection like talk_to's. */
static void answer_to(gnutls_certificate_credentials_t cred, char *answer, size_t size)
{
	gnutls_session_t session = session_new(cred);
	int fd = connect_to("127.0.0.1", port);

	gnutls_transport_set_int(session, fd);
	must("no handshake", shake(session));
	ask(session, answer, size);
	say_goodbye(session);
	gnutls_deinit(session);
	close(fd);
}

static void run_churn(void)
{
	char answer[1200], first[1200] = "";
	uintptr_t last[16] = {0};
	int wrong = 0, same = 0;

	for (int i = 0; i < CHURN; i++) {
		gnutls_certificate_credentials_t cred = credentials_new();
		bool own = i % 2;

		for (int j = 0; j < 16; j++)
			same += (uintptr_t)cred == last[j];
		last[i % 16] = (uintptr_t)cred;
		if (i % 4 == 1)
			add(cred);
		if (i % 4 == 2)
			gnutls_certificate_set_retrieve_function(cred, supply_none);
		if (i % 4 == 3)
			gnutls_certificate_set_retrieve_function2(cred, supply);
		answer_to(cred, answer, sizeof(answer));
		if (i == 0)
			snprintf(first, sizeof(first), "%s", answer);
		wrong += strcmp(answer, own ? "subject: CN=app-own" : first) != 0;
		gnutls_certificate_free_credentials(cred);
	}
	printf("%s wrong=%d addresses=%s\n", first, wrong, same > CHURN / 4 ? "same" : "others");
}

static size_t in_use(void)
{
	return mallinfo2().uordblks;
}

static void run_empty(void)
{
	size_t before = 0;

	for (int i = 0; i < EMPTY; i++) {
		gnutls_certificate_credentials_t cred = credentials_new();

		gnutls_certificate_set_retrieve_function(cred, supply_none);
		gnutls_certificate_set_retrieve_function2(cred, supply);
		gnutls_certificate_free_credentials(cred);
		if (i == EMPTY / 2)
			before = in_use();
	}
	printf("more=%zd\n", (ssize_t)(in_use() - before));
	run_ours();
}

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		die("no /proc", 0);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void run_fork(void)
{
	gnutls_certificate_credentials_t cred = credentials_new();
	int before, good = 0, status;

	talk_to(cred, port);
	fflush(stdout);
	before = descriptors();
	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();

		if (child < 0)
			die("no child", 0);
		if (child == 0) {
			talk_to(cred, port);
			fflush(stdout);
			_exit(0);
		}
		good += waitpid(child, &status, 0) == child && status == 0;
	}
	printf("good=%d descriptors=%d zombies=%d\n", good, descriptors() - before,
	       waitpid(-1, &status, WNOHANG) != -1 || errno != ECHILD);
	gnutls_certificate_free_credentials(cred);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{"add", run_add},         {"function", run_function}, {"replace", run_replace}, {"two", run_two},
		{"removed", run_removed}, {"ours", run_ours},         {"step", run_step},       {"bye", run_bye},
		{"churn", run_churn},     {"empty", run_empty},       {"fork", run_fork},
	};

	if (argc < 5)
		die("usage: gnutls_reuse SCENARIO PORT CERT KEY [FOLDER]", 0);
	port = argv[2];
	cert_file = argv[3];
	key_file = argv[4];
	folder = argv[5];
	load();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0) {
			scenarios[i].run();
			return 0;
		}
	die("unknown scenario", 0);
}
