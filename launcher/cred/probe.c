/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe: does a server ask for a certificate, whom does it name, would ours be presented, and what does the
 * server make of it? One connection as a program makes it, and where that is TLS 1.3, another one limited to TLS 1.2.
 * The exit status is the first one's.
 */
#include "launcher/cred/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct kind {
	const char *word;
	const char *port;
	enum probe_kind kind;
};

static const struct kind kinds[] = {
	{"smtp", "25", PROBE_SMTP},
	{"imap", "143", PROBE_IMAP},
	{"postgres", "5432", PROBE_POSTGRES},
};

/* --- the command line ------------------------------------------------------------------- */

static const struct kind *find_kind(const char *word)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(word, kinds[i].word) == 0)
			return &kinds[i];
	return NULL;
}

static bool is_port(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= 5 && strspn(text, "0123456789") == n && atoi(text) > 0 && atoi(text) <= 65535;
}

static bool is_address(struct mtls_bytes host)
{
	const unsigned char *zone = host.n ? memchr(host.p, '%', host.n) : NULL; /* RFC 4007, 11 */
	struct mtls_addr address;

	if (zone)
		host.n = (size_t)(zone - host.p);
	return mtls_addr_parse(host, &address);
}

/* What is pasted with a host (a path, a user), and what the resolver would not say no to ("*" is an address to it). */
static bool is_no_name(struct mtls_bytes host)
{
	static const char never[] = "/@*?#\\\"'<>";

	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] <= ' ' || host.p[i] == 0x7f || memchr(never, host.p[i], sizeof(never) - 1))
			return true;
	return false;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. NULL, or what is wrong with it. An address of IPv6 may do without
 * brackets. */
static const char *read_target(const char *operand, const char *port, struct probe_target *target)
{
	const char *end = operand + strcspn(operand, ":");
	bool brackets = operand[0] == '[';
	struct mtls_bytes host;

	if (brackets) {
		operand++;
		end = strchr(operand, ']');
		if (!end || (end[1] && end[1] != ':'))
			return "an address in brackets does not end as it should";
	} else if (is_address(mtls_bytes_of(operand))) {
		end = operand + strlen(operand);
	}
	host = (struct mtls_bytes){(const unsigned char *)operand, (size_t)(end - operand)};
	end += brackets;
	target->literal = is_address(host);
	if (brackets && !target->literal)
		return "what stands in brackets is no address";
	if (host.n && !target->literal && host.p[host.n - 1] == '.')
		host.n--;
	if (strstr(operand, "://"))
		return "this is a URL; give its HOST or HOST:PORT";
	if (host.n == 0 || host.n >= sizeof(target->host) || is_no_name(host))
		return "not HOST or HOST:PORT";
	if (*end && !is_port(end + 1))
		return "a port is a number from 1 to 65535";
	snprintf(target->host, sizeof(target->host), "%.*s", (int)host.n, operand);
	snprintf(target->port, sizeof(target->port), "%s", *end ? end + 1 : port);
	snprintf(target->text, sizeof(target->text), strchr(target->host, ':') ? "[%s]:%s" : "%s:%s", target->host,
		 target->port);
	return NULL;
}

static int begin(struct cred *cred, int argc, char **argv, const char *operand, const struct kind *kind,
		 struct probe_target *target)
{
	const char *wrong;

	if (!operand && optind < argc) /* behind "--" */
		operand = argv[optind++];
	if (!operand)
		return cred_fail(cred, CRED_USAGE, "which server? See mtls-cred --help");
	wrong = read_target(operand, kind ? kind->port : "443", target);
	if (wrong)
		return cred_fail(cred, CRED_USAGE, "%s: %s; see mtls-cred --help", operand, wrong);
	target->kind = kind ? kind->kind : PROBE_PLAIN;
	return cred_begin(cred, argc, argv);
}

/* "-": operands may stand before options. */
static int read_options(struct cred *cred, int argc, char **argv, struct probe_target *target)
{
	static const struct option options[] = {
		{"starttls", required_argument, NULL, 's'}, CRED_COMMON_OPTIONS, {NULL, 0, NULL, 0}};
	int option, status = CRED_GO_ON;
	const struct kind *kind = NULL;
	const char *operand = NULL;

	while (status == CRED_GO_ON && (option = getopt_long(argc, argv, "-:d:", options, NULL)) != -1) {
		if (option == 's') {
			kind = optarg ? find_kind(optarg) : NULL;
			if (!kind)
				return cred_fail(cred, CRED_USAGE, "--starttls %s: not one of smtp, imap, postgres",
						 optarg);
		} else if (option != 1) {
			status = cred_common_option(cred, option, argv);
		} else if (operand) {
			return cred_fail(cred, CRED_USAGE, "%s: one argument too many; see mtls-cred --help", optarg);
		} else {
			operand = optarg;
		}
	}
	return status == CRED_GO_ON ? begin(cred, argc, argv, operand, kind, target) : status;
}

/* --- two connections ----------------------------------------------------------------------- */

/* A server that only knows other protocols of ALPN than HTTP says so (RFC 7301, 3.2): then none is offered. */
static void connect_once(struct probe *probe, int max, struct probe_result *result)
{
	memset(result, 0, sizeof(*result));
	probe_tls(probe, max, true, result);
	if (!result->version && result->alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
		memset(result, 0, sizeof(*result));
		probe_tls(probe, max, false, result);
	}
}

static int run(struct probe *probe)
{
	struct probe_result *result = calloc(1, sizeof(*result));
	int status = PROBE_NO_CONNECTION;

	if (!result)
		return cred_fail(probe->cred, status, "out of memory");
	connect_once(probe, TLS1_3_VERSION, result);
	if (!result->version) {
		cred_fail(probe->cred, status, "%s: %s", probe->target.text, result->why);
		goto out;
	}
	probe_report_begin(probe);
	status = probe_judge(probe, result);
	if (result->version != TLS1_3_VERSION)
		cred_say(stdout, "TLS 1.3: not spoken");
	probe_report(probe, result);
	if (result->version != TLS1_3_VERSION)
		goto out;
	connect_once(probe, TLS1_2_VERSION, result);
	if (result->version)
		probe_report(probe, result);
	else if (result->alert == SSL_AD_PROTOCOL_VERSION)
		cred_say(stdout, "TLS 1.2: not spoken");
	else
		cred_say(stdout, "TLS 1.2: %s", result->why);
out:
	free(result);
	return status;
}

int cred_probe(struct cred *cred, int argc, char **argv)
{
	struct cred_credential credential;
	struct probe probe = {.cred = cred, .credential = &credential};
	void (*before)(int);
	int status;

	cred->failed = PROBE_NO_CONNECTION;
	status = read_options(cred, argc, argv, &probe.target);
	if (status != CRED_GO_ON)
		return status;
	if (!cred_open(cred, &credential))
		return cred_fail(cred, cred->failed, "the credential cannot be read now: %s", strerror(errno));
	probe_start_with_shim(&probe);
	before = signal(SIGPIPE, SIG_IGN); /* libssl writes with write(2) */
	status = run(&probe);
	signal(SIGPIPE, before);
	cred_close(&credential);
	return status;
}
