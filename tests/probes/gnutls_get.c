/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_get PORT [WORD[=VALUE]...]: as get.c, for GnuTLS: one connection, with
 * as much or as little told to the library as a program may tell. Prints what the server saw.
 *
 *   address=A          connect there (127.0.0.1)
 *   lookup=FUNCTION:N  look N up first, and connect to what it gives (getaddrinfo, gethostbyname); may be repeated
 *   sni=N verify=N     names told to GnuTLS
 *   own-bio dup        push and pull functions that know the descriptor; another descriptor than the one that connected
 *   hold=PORT          hold a second connection open meanwhile
 *   ca=FILE            trust it
 *   check              verify the chain and, with verify=, the name: the handshake may fail
 *   accept-all         the program's own verify callback says yes to everything
 *   h2                 offer post-handshake authentication, speak HTTP/2 as far as one request goes
 *   after              verify the chain and the name after the handshake, as wget and curl do
 *
 * link: -lgnutls
 */
#include "tests/probes/gnutls_probe.h"

#include <netdb.h>
#include <signal.h>

struct options {
	const char *port, *address, *sni, *verify, *ca;
	bool own_bio, dup, check, accept_all, after, h2;
	char looked_up[INET_ADDRSTRLEN];
};

/* --- transport functions of the program's own -------------------------------------- */

static ssize_t own_pull(gnutls_transport_ptr_t p, void *out, size_t n)
{
	return recv(*(int *)p, out, n, 0);
}

static ssize_t own_push(gnutls_transport_ptr_t p, const void *in, size_t n)
{
	return send(*(int *)p, in, n, MSG_NOSIGNAL);
}

/* --- looking up ---------------------------------------------------------------------- */

static struct in_addr look_up(const char *function, const char *name)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	struct hostent *entry;
	struct in_addr address;

	if (strcmp(function, "gethostbyname") == 0) {
		entry = gethostbyname(name);
		if (!entry || entry->h_addrtype != AF_INET || !entry->h_addr_list[0])
			die("not looked up", 0);
		memcpy(&address, entry->h_addr_list[0], sizeof(address));
		return address;
	}
	if (strcmp(function, "getaddrinfo") != 0 || getaddrinfo(name, NULL, &hints, &list) != 0)
		die("not looked up", 0);
	address = ((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr;
	freeaddrinfo(list);
	return address;
}

static void set_lookup(struct options *o, char *value)
{
	char *name = strchr(value, ':');
	struct in_addr address;

	if (!name)
		die("lookup=FUNCTION:NAME", 0);
	*name++ = '\0';
	address = look_up(value, name);
	inet_ntop(AF_INET, &address, o->looked_up, sizeof(o->looked_up));
	o->address = o->looked_up;
}

/* --- the connection ------------------------------------------------------------------ */

static int yes(gnutls_session_t session)
{
	(void)session;
	return 0;
}

static void tell(const struct options *o, gnutls_session_t session)
{
	if (o->sni)
		must("no SNI", gnutls_server_name_set(session, GNUTLS_NAME_DNS, o->sni, strlen(o->sni)));
	if (o->check || (o->verify && !o->after))
		gnutls_session_set_verify_cert(session, o->verify, 0);
	/* a name that is told but does not count: GnuTLS has no other way than to check and to say yes */
	if (o->accept_all || (o->verify && !o->check && !o->after))
		gnutls_session_set_verify_function(session, yes);
}

static void look_at_the_server(const struct options *o, gnutls_session_t session)
{
	unsigned status = 0;
	int ret = gnutls_certificate_verify_peers3(session, o->verify, &status);

	if (ret < 0 || status != 0)
		die("the server does not verify", ret);
}

/* --- HTTP/2, and the requests that may come after the handshake ------------------------ */

static gnutls_session_t h2_session(gnutls_certificate_credentials_t cred)
{
	const gnutls_datum_t h2 = {(unsigned char *)"h2", 2};
	gnutls_session_t session;

	must("no session", gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_POST_HANDSHAKE_AUTH));
	must("no priority", gnutls_set_default_priority(session));
	must("no credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
	must("no ALPN", gnutls_alpn_set_protocols(session, &h2, 1, 0));
	return session;
}

static ssize_t receive(gnutls_session_t session, char *in, size_t size)
{
	ssize_t got;

	do {
		got = gnutls_record_recv(session, in, size);
		if (got == GNUTLS_E_REAUTH_REQUEST) {
			must("no answer to a request", gnutls_reauth(session, 0));
			got = GNUTLS_E_AGAIN;
		}
	} while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
	return got;
}

/* RFC 9113 3.4: preface, empty SETTINGS; then GET / in HEADERS of stream 1, by the static table of RFC 7541. */
static void h2_chat(gnutls_session_t session)
{
	static const char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	static const char get[] = "\0\0\3\1\5\0\0\0\1\x82\x84\x87";
	char in[4096], *answer = NULL;
	ssize_t got, n = 0;

	gnutls_record_send(session, start, sizeof(start)); /* the last zero of the frame is the literal's */
	got = receive(session, in, sizeof(in));
	gnutls_record_send(session, get, sizeof(get) - 1);
	while (!answer && got > 0) {
		got = receive(session, in + n, sizeof(in) - 1 - (size_t)n);
		n += got > 0 ? got : 0;
		answer = memmem(in, (size_t)n, "subject: ", 9);
	}
	if (!answer)
		die("no answer", 0);
	printf("%.*s", (int)(in + n - answer), answer);
	gnutls_bye(session, GNUTLS_SHUT_WR);
}

/* --- all of it --------------------------------------------------------------------------- */

static void get(const struct options *o)
{
	gnutls_certificate_credentials_t cred = credentials_new();
	gnutls_session_t session = o->h2 ? h2_session(cred) : session_new(cred);
	int fd = connect_to(o->address, o->port), other;

	if (o->dup) {
		other = dup(fd);
		close(fd);
		fd = other;
	}
	if (o->ca)
		must("no CA", gnutls_certificate_set_x509_trust_file(cred, o->ca, GNUTLS_X509_FMT_PEM));
	tell(o, session);
	if (o->own_bio) {
		gnutls_transport_set_ptr(session, &fd);
		gnutls_transport_set_pull_function(session, own_pull);
		gnutls_transport_set_push_function(session, own_push);
	} else {
		gnutls_transport_set_int(session, fd);
	}
	must("no handshake", shake(session));
	if (o->after)
		look_at_the_server(o, session);
	if (o->h2)
		h2_chat(session);
	else
		chat(session, fd);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(cred);
}

static void set_option(struct options *o, char *word)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	else
		value = word + strlen(word);
	if (strcmp(word, "own-bio") == 0)
		o->own_bio = true;
	else if (strcmp(word, "dup") == 0)
		o->dup = true;
	else if (strcmp(word, "check") == 0)
		o->check = true;
	else if (strcmp(word, "accept-all") == 0)
		o->accept_all = true;
	else if (strcmp(word, "h2") == 0)
		o->h2 = true;
	else if (strcmp(word, "after") == 0)
		o->after = true;
	else if (strcmp(word, "address") == 0)
		o->address = value;
	else if (strcmp(word, "lookup") == 0)
		set_lookup(o, value);
	else if (strcmp(word, "sni") == 0)
		o->sni = value;
	else if (strcmp(word, "verify") == 0)
		o->verify = value;
	else if (strcmp(word, "ca") == 0)
		o->ca = value;
	else if (strcmp(word, "hold") == 0)
		connect_to("127.0.0.1", value); /* open until the end */
	else
		die("unknown word", 0);
}

int main(int argc, char *argv[])
{
	struct options o = {.address = "127.0.0.1"};

	signal(SIGPIPE, SIG_IGN); /* the server may close first */
	if (argc < 2)
		die("usage: gnutls_get PORT [WORD[=VALUE]...]", 0);
	o.port = argv[1];
	for (int i = 2; i < argc; i++)
		set_option(&o, argv[i]);
	get(&o);
	return 0;
}
