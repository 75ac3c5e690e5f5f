/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of GnuTLS that are saved, resumed, and asked after the handshake. Each word is a step:
 *
 * gnutls_session PORT FOLDER WORD...
 *   id12 ticket12 ticket13   what later sessions offer and keep
 *   offer auto h2 early      the program's own flags and protocol, for later sessions
 *   own=FOLDER               a certificate of the program's own, in the credentials from now on
 *   go                       a connection, one question, and its data saved
 *   resume                   one that offers what is saved; saves nothing
 *   renew                    the same, and its data saved then
 *   set then                 resume in two steps: the data set, and the rest of it
 *   open ask save close      go in four steps; ask may be repeated; save1 is gnutls_session_get_data
 *   send answer              ask in two steps
 *   many                     what is saved, offered on 64 connections in 8 threads
 *   crowd=N                  N other connections, each saved and forgotten
 *   write=FILE read=FILE     what is saved
 *   put=FOLDER empty         the credential in FOLDER is another one, or removed
 *   garbage                  what is saved is none
 *
 * link: -lgnutls -pthread
 */
#include "tests/probes/gnutls_probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define THREADS 8
#define EACH    8

static const char *port, *folder, *priority = "NORMAL";
static unsigned flags = GNUTLS_CLIENT;
static bool h2;
static gnutls_certificate_credentials_t cred;
static gnutls_datum_t saved;
static atomic_int good;

struct connection {
	gnutls_session_t session;
	int fd;
};

/* --- one connection ----------------------------------------------------------------- */

static struct connection begin(void)
{
	const gnutls_datum_t protocol = {(unsigned char *)"h2", 2};
	struct connection c = {.fd = -1};

	must("no session", gnutls_init(&c.session, flags));
	must("no priority", gnutls_priority_set_direct(c.session, priority, NULL));
	must("no credentials", gnutls_credentials_set(c.session, GNUTLS_CRD_CERTIFICATE, cred));
	if (h2)
		must("no ALPN", gnutls_alpn_set_protocols(c.session, &protocol, 1, 0));
	return c;
}

static void set(const struct connection *c)
{
	int ret = gnutls_session_set_data(c->session, saved.data, saved.size);

	if (ret < 0)
		printf("set=%s\n", gnutls_strerror_name(ret));
}

static void start(struct connection *c)
{
	c->fd = connect_to("127.0.0.1", port);
	gnutls_transport_set_int(c->session, c->fd);
	must("no handshake", shake(c->session));
}

static ssize_t receive(struct connection *c, char *in, size_t size)
{
	ssize_t got;

	do {
		got = gnutls_record_recv(c->session, in, size);
		if (got == GNUTLS_E_REAUTH_REQUEST) {
			if (!(flags & GNUTLS_POST_HANDSHAKE_AUTH))
				die("a request that nobody offered", 0);
			got = gnutls_reauth(c->session, 0);
			got = got < 0 ? got : GNUTLS_E_AGAIN;
		}
	} while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
	return got;
}

static void send_question(struct connection *c)
{
	must("no question", (int)gnutls_record_send(c->session, "who\n", 4));
}

static void read_answer(struct connection *c)
{
	char in[1200];
	ssize_t got = receive(c, in, sizeof(in));

	if (got <= 0)
		die("no answer", (int)got);
	printf("%.*s", (int)got, in);
}

static void question(struct connection *c)
{
	send_question(c);
	read_answer(c);
}

static void save(struct connection *c)
{
	gnutls_free(saved.data);
	must("no data", gnutls_session_get_data2(c->session, &saved));
}

static void save1(struct connection *c)
{
	size_t n = 0;

	if (gnutls_session_get_data(c->session, NULL, &n) != GNUTLS_E_SHORT_MEMORY_BUFFER)
		die("no size", 0);
	gnutls_free(saved.data);
	saved.data = gnutls_malloc(n);
	must("no data", gnutls_session_get_data(c->session, saved.data, &n));
	saved.size = (unsigned)n;
}

static void finish(struct connection *c)
{
	say_goodbye(c->session);
	gnutls_deinit(c->session);
	close(c->fd);
}

/* RFC 9113 3.4, as in gnutls_get.c. */
static void h2_question(struct connection *c)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	static const char get[] = "\0\0\3\1\5\0\0\0\1\x82\x84\x87";
	char in[4096];
	ssize_t got = 0, n = 0;

	gnutls_record_send(c->session, hello, sizeof(hello));
	got = receive(c, in, sizeof(in));
	gnutls_record_send(c->session, get, sizeof(get) - 1);
	while (got > 0 && !memmem(in, (size_t)n, "subject: ", 9)) {
		got = receive(c, in + n, sizeof(in) - (size_t)n);
		n += got > 0 ? got : 0;
	}
	if (got <= 0)
		die("no answer", (int)got);
}

static void whole(bool resume, bool keep)
{
	struct connection c = begin();

	if (resume)
		set(&c);
	start(&c);
	if (h2)
		h2_question(&c);
	else
		question(&c);
	if (keep)
		save(&c);
	finish(&c);
}

/* --- many ------------------------------------------------------------------------------ */

static void *run(void *arg)
{
	for (int i = 0; i < EACH; i++) {
		struct connection c = begin();
		char answer[1200];

		set(&c);
		start(&c);
		ask(c.session, answer, sizeof(answer));
		good += strncmp(answer, "subject: ", 9) == 0;
		finish(&c);
	}
	return arg;
}

static void many(void)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, run, NULL) != 0)
			die("no thread", 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("good=%d\n", good);
}

static void crowd(int n)
{
	gnutls_datum_t other;

	for (int i = 0; i < n; i++) {
		struct connection c = begin();
		char answer[1200];

		start(&c);
		ask(c.session, answer, sizeof(answer));
		must("no data", gnutls_session_get_data2(c.session, &other));
		gnutls_free(other.data);
		finish(&c);
	}
}

/* --- files ------------------------------------------------------------------------------- */

static void write_file(const char *name, const void *data, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n || close(fd) != 0)
		die("cannot write", 0);
}

/* from NULL: empty. */
static void replace(const char *name, const char *from)
{
	char path[4096], new_path[4096 + 8];
	gnutls_datum_t data = {NULL, 0};

	if (from) {
		snprintf(path, sizeof(path), "%s/%s", from, name);
		must("no credential", gnutls_load_file(path, &data));
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	write_file(new_path, data.data, data.size);
	if (rename(new_path, path) != 0)
		die("cannot replace", 0);
	gnutls_free(data.data);
}

static void put(const char *from)
{
	replace("client_cert.pem", from);
	replace("private_key.pem", from);
}

static void add_own(const char *from)
{
	char cert[4096], key[4096];

	snprintf(cert, sizeof(cert), "%s/client_cert.pem", from);
	snprintf(key, sizeof(key), "%s/private_key.pem", from);
	must("no certificate", gnutls_certificate_set_x509_key_file(cred, cert, key, GNUTLS_X509_FMT_PEM));
}

/* --- the words ------------------------------------------------------------------------------ */

static bool mode(const char *word)
{
	static const struct {
		const char *word, *priority;
		unsigned flags;
	} modes[] = {
		{"id12", "NORMAL:-VERS-ALL:+VERS-TLS1.2", GNUTLS_NO_TICKETS},
		{"ticket12", "NORMAL:-VERS-ALL:+VERS-TLS1.2", 0},
		{"ticket13", "NORMAL:-VERS-ALL:+VERS-TLS1.3", 0},
		{"offer", NULL, GNUTLS_POST_HANDSHAKE_AUTH},
		{"auto", NULL, GNUTLS_POST_HANDSHAKE_AUTH | GNUTLS_AUTO_REAUTH},
		{"early", NULL, GNUTLS_ENABLE_EARLY_DATA},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(word, modes[i].word) != 0)
			continue;
		priority = modes[i].priority ? modes[i].priority : priority;
		flags |= modes[i].flags;
		return true;
	}
	return false;
}

static bool step(struct connection *c, const char *word)
{
	static const struct {
		const char *word;
		void (*run)(struct connection *);
	} steps[] = {{"ask", question}, {"send", send_question}, {"answer", read_answer}, {"save", save},
		     {"save1", save1},  {"close", finish},       {"then", start}};

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (strcmp(word, steps[i].word) != 0)
			continue;
		steps[i].run(c);
		return true;
	}
	return false;
}

static void run_word(struct connection *c, const char *word, const char *value)
{
	if (mode(word) || step(c, word))
		return;
	if (strcmp(word, "go") == 0) {
		whole(false, true);
	} else if (strcmp(word, "resume") == 0 || strcmp(word, "renew") == 0) {
		whole(true, word[2] == 'n');
	} else if (strcmp(word, "open") == 0 || strcmp(word, "set") == 0) {
		*c = begin();
		if (word[0] == 's')
			set(c);
		else
			start(c);
	} else if (strcmp(word, "many") == 0) {
		many();
	} else if (strcmp(word, "crowd") == 0) {
		crowd(atoi(value));
	} else if (strcmp(word, "write") == 0) {
		write_file(value, saved.data, saved.size);
	} else if (strcmp(word, "read") == 0) {
		must("nothing saved", gnutls_load_file(value, &saved));
	} else if (strcmp(word, "garbage") == 0) {
		memset(saved.data, 'x', saved.size);
	} else if (strcmp(word, "put") == 0 || strcmp(word, "empty") == 0) {
		put(value);
	} else if (strcmp(word, "own") == 0) {
		add_own(value);
	} else if (strcmp(word, "h2") == 0) {
		h2 = true;
	} else {
		die("unknown word", 0);
	}
}

int main(int argc, char *argv[])
{
	struct connection c = {.fd = -1};

	signal(SIGPIPE, SIG_IGN);
	if (argc < 4)
		die("usage: gnutls_session PORT FOLDER WORD...", 0);
	port = argv[1];
	folder = argv[2];
	cred = credentials_new();
	for (int i = 3; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value)
			*value++ = '\0';
		run_word(&c, argv[i], value);
		fflush(stdout);
	}
	gnutls_certificate_free_credentials(cred);
	gnutls_free(saved.data);
	return 0;
}
