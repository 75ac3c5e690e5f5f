/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get PORT [WORD[=VALUE]...]: one connection, with as much or as little told to
 * libssl as a program may tell. Prints what the server saw.
 *
 *   address=A          connect there (127.0.0.1)
 *   lookup=FUNCTION:N  look N up first, and connect to what it gives; may be repeated
 *   sni=N verify=N     names told to libssl; verify: or an address
 *   own-bio dup        libssl does not learn the descriptor; the descriptor is another than the one that connected
 *   unix               the connection is a Unix socket, at whose other end a child passes everything on
 *   again              connect twice, the second time to an address where nobody is
 *   hold=PORT          hold a second connection open meanwhile
 *   ca=FILE            trust it
 *   check              verify the chain and, with verify=, the name: the handshake may fail
 *   accept-all store-accept-all   the program's own verify callback says yes to everything
 *
 * link: -lssl -lcrypto
 */
#include <signal.h>
#include "tests/probes/probe.h"

#include <netdb.h>
#include <poll.h>
#include <sys/un.h>

struct options {
	const char *port, *address, *sni, *verify, *ca;
	bool own_bio, dup, local, again, check, accept_all, store_accept_all;
	char looked_up[INET_ADDRSTRLEN];
};

/* --- a BIO of the program's own, as curl has it ------------------------------ */

static int own_read(BIO *bio, char *out, int n)
{
	return (int)read(*(int *)BIO_get_data(bio), out, (size_t)n);
}

static int own_write(BIO *bio, const char *in, int n)
{
	return (int)write(*(int *)BIO_get_data(bio), in, (size_t)n);
}

static long own_ctrl(BIO *bio, int what, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return what == BIO_CTRL_FLUSH;
}

static BIO *own_bio(int *fd)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "own");
	BIO *bio;

	if (!method || !BIO_meth_set_read(method, own_read) || !BIO_meth_set_write(method, own_write) ||
	    !BIO_meth_set_ctrl(method, own_ctrl) || !(bio = BIO_new(method)))
		die("no BIO");
	BIO_set_data(bio, fd);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- looking up -------------------------------------------------------------- */

static const struct in_addr *first(const struct hostent *entry)
{
	if (!entry || entry->h_addrtype != AF_INET || !entry->h_addr_list[0])
		die("not looked up");
	return (const struct in_addr *)(const void *)entry->h_addr_list[0];
}

static struct in_addr look_up(const char *function, const char *name)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	struct hostent entry, *found = NULL;
	struct in_addr address;
	char buffer[4096];
	int error;

	if (strcmp(function, "getaddrinfo") == 0) {
		if (getaddrinfo(name, NULL, &hints, &list) != 0)
			die("not looked up");
		address = ((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr;
		freeaddrinfo(list);
		return address;
	}
	if (strcmp(function, "gethostbyname") == 0)
		return *first(gethostbyname(name));
	if (strcmp(function, "gethostbyname2") == 0)
		return *first(gethostbyname2(name, AF_INET));
	if (strcmp(function, "gethostbyname_r") == 0)
		gethostbyname_r(name, &entry, buffer, sizeof(buffer), &found, &error);
	else if (strcmp(function, "gethostbyname2_r") == 0)
		gethostbyname2_r(name, AF_INET, &entry, buffer, sizeof(buffer), &found, &error);
	return *first(found);
}

static void set_lookup(struct options *o, char *value)
{
	char *name = strchr(value, ':');
	struct in_addr address;

	if (!name)
		die("lookup=FUNCTION:NAME");
	*name++ = '\0';
	address = look_up(value, name);
	inet_ntop(AF_INET, &address, o->looked_up, sizeof(o->looked_up));
	o->address = o->looked_up;
}

/* --- the connection ---------------------------------------------------------- */

static int yes(int ok, X509_STORE_CTX *check)
{
	(void)ok;
	X509_STORE_CTX_set_error(check, X509_V_OK);
	return 1;
}

/* A store's callback that knows it is called from a handshake, as real ones do. */
static int store_yes(int ok, X509_STORE_CTX *check)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());

	if (SSL_version(ssl) == 0)
		return ok;
	return yes(ok, check);
}

static SSL_CTX *context(const struct options *o)
{
	SSL_CTX *ctx = context_new();

	if (o->ca && SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1)
		die("no CA");
	if (o->check || o->store_accept_all)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (o->accept_all)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, yes);
	if (o->store_accept_all)
		X509_STORE_set_verify_cb(SSL_CTX_get_cert_store(ctx), store_yes);
	return ctx;
}

static void pass_on(int a, int b)
{
	struct pollfd two[] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
	char buffer[4096];
	ssize_t n;

	while (poll(two, 2, -1) > 0)
		for (int i = 0; i < 2; i++) {
			if (!two[i].revents)
				continue;
			n = read(two[i].fd, buffer, sizeof(buffer));
			if (n <= 0 || write(two[!i].fd, buffer, (size_t)n) != n)
				return;
		}
}

/* As through a proxy at a Unix socket. */
static int connect_locally(const char *address, const char *port)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "mtls-get-%d", (int)getpid());
	if (bind(listening, (struct sockaddr *)&un, sizeof(un)) != 0 || listen(listening, 1) != 0 ||
	    connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		die("cannot connect locally");
	if (fork() == 0) {
		close(fd);
		pass_on(accept(listening, NULL, NULL), connect_to(address, port));
		_exit(0);
	}
	close(listening);
	return fd;
}

static int connected(const struct options *o)
{
	struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = o->local ? connect_locally(o->address, o->port) : connect_to(o->address, o->port), other;

	if (o->again && connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)) == 0)
		die("connected twice");
	if (o->dup) {
		other = dup(fd);
		close(fd);
		fd = other;
	}
	return fd;
}

/* SSL_set1_host knows addresses only from 3.0 on. */
static bool verify_address(SSL *ssl, const char *address)
{
	struct in_addr figures;

	return inet_pton(AF_INET, address, &figures) == 1 &&
	       X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address) == 1;
}

static void get(const struct options *o)
{
	SSL_CTX *ctx = context(o);
	SSL *ssl = ssl_new(ctx);
	int fd = connected(o);

	if (o->sni && SSL_set_tlsext_host_name(ssl, o->sni) != 1)
		die("no SNI");
	if (o->verify && !verify_address(ssl, o->verify) && SSL_set1_host(ssl, o->verify) != 1)
		die("no name");
	if (o->own_bio) {
		BIO *bio = own_bio(&fd);

		SSL_set_bio(ssl, bio, bio);
	} else {
		SSL_set_fd(ssl, fd);
	}
	talk(ssl, fd);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
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
	else if (strcmp(word, "unix") == 0)
		o->local = true;
	else if (strcmp(word, "again") == 0)
		o->again = true;
	else if (strcmp(word, "check") == 0)
		o->check = true;
	else if (strcmp(word, "accept-all") == 0)
		o->accept_all = true;
	else if (strcmp(word, "store-accept-all") == 0)
		o->store_accept_all = true;
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
		die("unknown word");
}

int main(int argc, char *argv[])
{
	struct options o = {.address = "127.0.0.1"};

	signal(SIGPIPE, SIG_IGN); /* the server, or our own child, may close first */
	if (argc < 2)
		die("usage: get PORT [WORD[=VALUE]...]");
	o.port = argv[1];
	for (int i = 2; i < argc; i++)
		set_option(&o, argv[i]);
	get(&o);
	return 0;
}
