/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask SOCKET CERTIFICATE [OPTION...]: asks an agent as the shim does, and checks the signature with the certificate's
 * public key.
 * Prints a word (WORDS below) for the last answer and for each that is not "signed"; exit 0
 * if all were, else 1.
 * link: core/signing.c core/signature.c host/agent.c -lcrypto
 *
 *   --scheme HEX      default 0403        --op probe|content|digest     --follows content|digest (of a probe)
 *   --tls 1.2|1.3     form of a content   --size N: of the content of 1.2
 *   --count N         so often            --other-key: for a key that is not the certificate's
 *   --hostile         the content is no TLS
 *   --hold N          opens N connections, says "holding", asks nothing on them; opens them again as they are closed,
 *                     until standard input ends
 *   --flood N         the same, but asks for a signature on each and never reads the answer
 *   --send N          one packet of N bytes of nonsense
 *   --slowest         also prints the milliseconds of the slowest answer
 */
#include "host/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *const WORDS[] = {"signed",     "denied",     "other-key", "not-tls", "no-digests",
				    "key-failed", "bad-packet", "missing",   "down",    "foreign",
				    "slow",       "lost",       "lack"};

struct ask {
	const char *path;
	EVP_PKEY *key; /* public */
	struct mtls_question question;
	unsigned char content[MTLS_SIGNING_CONTENT + 64];
	size_t size;
	bool tls12, hostile, slowest;
	long count, hold, flood, send;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ask: %s\n", what);
	exit(2);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void read_certificate(struct ask *a, const char *file)
{
	FILE *f = fopen(file, "r");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	int n = x ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : -1;

	if (n <= 0 || !EVP_Digest(der, (size_t)n, a->question.key, NULL, EVP_sha256(), NULL))
		die("no certificate");
	a->key = X509_get_pubkey(x);
	OPENSSL_free(der);
	X509_free(x);
	fclose(f);
}

/* --- what is signed ------------------------------------------------------------------ */

static size_t message(unsigned char *at, unsigned type, size_t n)
{
	at[0] = (unsigned char)type;
	at[1] = (unsigned char)(n >> 16);
	at[2] = (unsigned char)(n >> 8);
	at[3] = (unsigned char)n;
	memset(at + 4, 3, n); /* a ClientHello begins with the version */
	return n + 4;
}

static size_t make_content(const struct ask *a, unsigned char *at)
{
	static const char context[] = "TLS 1.3, client CertificateVerify";
	size_t n = 0, fill = a->size > 200 ? a->size - 200 : 100;

	if (a->hostile) {
		memset(at, 'x', a->size);
		return a->size;
	}
	if (a->tls12) {
		n += message(at, 1, 60);
		n += message(at + n, 2, 70);
		n += message(at + n, 11, fill);
		n += message(at + n, 13, 10);
		return n + message(at + n, 16, 14);
	}
	memset(at, ' ', 64);
	memcpy(at + 64, context, sizeof(context));
	memset(at + 64 + sizeof(context), 7, 32);
	return 64 + sizeof(context) + 32;
}

static void make_question(struct ask *a)
{
	const struct mtls_scheme *scheme = mtls_scheme_find(a->question.scheme);
	static unsigned char digest[64];

	if (a->question.op == MTLS_OP_PROBE)
		return;
	a->question.content = (struct mtls_bytes){a->content, make_content(a, a->content)};
	if (a->question.op != MTLS_OP_DIGEST)
		return;
	if (!scheme || !scheme->hash ||
	    !EVP_Digest(a->content, a->question.content.n, digest, NULL, EVP_get_digestbyname(scheme->hash), NULL))
		die("no digest");
	a->question.content = (struct mtls_bytes){digest, a->hostile ? 7 : scheme->hash_size};
}

static bool verify(const struct ask *a, const unsigned char *signature, size_t n)
{
	const struct mtls_scheme *scheme = mtls_scheme_find(a->question.scheme);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner = NULL;
	static unsigned char content[sizeof(a->content)];
	size_t size = make_content(a, content);
	bool ok = scheme && EVP_DigestVerifyInit_ex(ctx, &inner, scheme->hash, NULL, NULL, a->key, NULL) > 0;

	if (ok && scheme->padding == MTLS_PAD_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING) > 0 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, RSA_PSS_SALTLEN_DIGEST) > 0;
	ok = ok && EVP_DigestVerify(ctx, signature, n, content, size) > 0;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static int ask(struct ask *a)
{
	unsigned char signature[MTLS_SIGNATURE_MAX];
	long long slowest = 0;
	int status = 0;

	make_question(a);
	for (long i = 0; i < a->count; i++) {
		long long start = now_ms();
		enum mtls_agent_state state;
		size_t n = 0;

		state = a->question.op == MTLS_OP_PROBE
				? mtls_agent_probe(a->path, a->question.key, a->question.follows)
				: mtls_agent_sign(a->path, &a->question, signature, &n);
		slowest = now_ms() - start > slowest ? now_ms() - start : slowest;
		if (state == MTLS_AGENT_READY && a->question.op != MTLS_OP_PROBE && !verify(a, signature, n))
			die("the signature is wrong");
		if (i == a->count - 1 || state != MTLS_AGENT_READY)
			puts(WORDS[state]);
		status |= state != MTLS_AGENT_READY;
	}
	if (a->slowest)
		printf("slowest %lld\n", slowest);
	return status;
}

/* --- what no program does -------------------------------------------------------------- */

static int reach(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !path || strlen(path) >= sizeof(at.sun_path))
		die("no socket");
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void send_question(const struct ask *a, int fd)
{
	unsigned char packet[MTLS_SIGNING_MAX];

	mtls_question_write(&a->question, packet);
	memcpy(packet + MTLS_SIGNING_HEAD, a->question.content.p, a->question.content.n);
	(void)!send(fd, packet, MTLS_SIGNING_HEAD + a->question.content.n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* As many as can be had, again and again. */
static int crowd(struct ask *a, long n, bool asks)
{
	struct pollfd *poller = calloc((size_t)n + 1, sizeof(*poller));
	struct rlimit files = {(rlim_t)n + 64, (rlim_t)n + 64};
	bool said = false;

	if (!poller)
		die("no memory");
	setrlimit(RLIMIT_NOFILE, &files);
	make_question(a);
	for (long i = 1; i <= n; i++)
		poller[i].fd = -1;
	poller[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	for (;;) {
		for (long i = 1; i <= n; i++) {
			if (poller[i].fd >= 0 && poller[i].revents) {
				close(poller[i].fd);
				poller[i].fd = -1;
			}
			if (poller[i].fd < 0)
				poller[i] = (struct pollfd){.fd = reach(a->path), .events = asks ? 0 : POLLIN};
			if (poller[i].fd >= 0 && asks)
				send_question(a, poller[i].fd);
		}
		if (!said)
			puts("holding");
		said = true;
		fflush(stdout);
		if (poll(poller, (nfds_t)n + 1, 1) > 0 && poller[0].revents)
			break;
	}
	free(poller);
	return 0;
}

static int nonsense(struct ask *a)
{
	static unsigned char packet[200000];
	struct pollfd poller = {.fd = reach(a->path), .events = POLLIN};
	struct mtls_bytes signature;
	enum mtls_signing_status status;
	ssize_t n;

	memset(packet, 0xff, sizeof(packet));
	if (poller.fd < 0 || send(poller.fd, packet, (size_t)a->send, MSG_NOSIGNAL) < 0 || poll(&poller, 1, 2500) != 1)
		die("no answer");
	n = recv(poller.fd, packet, sizeof(packet), 0);
	if (n <= 0)
		puts("lost");
	else if (mtls_answer_read((struct mtls_bytes){packet, (size_t)n}, &status, &signature))
		puts(WORDS[status]);
	return 1;
}

/* --- options ------------------------------------------------------------------------------ */

static enum mtls_signing_op op_of(const char *word)
{
	return strcmp(word, "probe") == 0    ? MTLS_OP_PROBE
	       : strcmp(word, "digest") == 0 ? MTLS_OP_DIGEST
					     : MTLS_OP_CONTENT;
}

static void take(struct ask *a, int option)
{
	switch (option) {
	case 's':
		a->question.scheme = (uint16_t)strtoul(optarg, NULL, 16);
		break;
	case 'o':
		a->question.op = op_of(optarg);
		break;
	case 'f':
		a->question.follows = op_of(optarg);
		break;
	case 't':
		a->tls12 = strcmp(optarg, "1.2") == 0;
		break;
	case 'z':
		a->size = strtoul(optarg, NULL, 10);
		break;
	case 'c':
		a->count = atol(optarg);
		break;
	case 'k':
		a->question.key[0] ^= 1;
		break;
	case 'x':
		a->hostile = true;
		break;
	case 'h':
		a->hold = atol(optarg);
		break;
	case 'F':
		a->flood = atol(optarg);
		break;
	case 'S':
		a->send = atol(optarg);
		break;
	case 'm':
		a->slowest = true;
		break;
	default:
		die("unknown option");
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"scheme", 1, NULL, 's'},    {"op", 1, NULL, 'o'},      {"follows", 1, NULL, 'f'},
		{"tls", 1, NULL, 't'},       {"size", 1, NULL, 'z'},    {"count", 1, NULL, 'c'},
		{"other-key", 0, NULL, 'k'}, {"hostile", 0, NULL, 'x'}, {"hold", 1, NULL, 'h'},
		{"flood", 1, NULL, 'F'},     {"send", 1, NULL, 'S'},    {"slowest", 0, NULL, 'm'},
		{NULL, 0, NULL, 0}};
	static struct ask a = {.count = 1, .send = -1, .size = 300};
	int option;

	if (argc < 3)
		die("usage: ask SOCKET CERTIFICATE [OPTION...]");
	a.path = argv[1];
	a.question = (struct mtls_question){.op = MTLS_OP_CONTENT, .follows = MTLS_OP_CONTENT, .scheme = 0x0403};
	read_certificate(&a, argv[2]);
	optind = 3;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take(&a, option);
	if (a.hold || a.flood)
		return crowd(&a, a.hold ? a.hold : a.flood, a.flood != 0);
	return a.send >= 0 ? nonsense(&a) : ask(&a);
}
