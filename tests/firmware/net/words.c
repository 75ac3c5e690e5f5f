/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every reason word has a remedy for a device, and none sends anybody to what only a program of a machine has. Exit 0,
 * or 1 with a line for each that is wrong; with an argument it prints them all. Link: build/firmware/host/lib*.a in a
 * group.
 */
#include "firmware/app/status.h"
#include "firmware/net/socket.h"
#include "firmware/net/words.h"
#include "firmware/vault/vault.h"

#include <stdio.h>
#include <string.h>

/* The longest that tls_why.c says before it comes to the credential. */
#define BEFORE \
	"the server refused (after the handshake, unsupported_certificate, alert 43); it had asked for a certificate " \
	"and got none: "

/* Other users, folders, agents, programs and lists of issuers are not known to a device: no row of its table. */
static const enum mtls_reason never[] = {MTLS_UNSAFE_PERMISSIONS, MTLS_FOLDER_MISSING,    MTLS_NOT_A_FILE,
					 MTLS_APP_CERTIFICATE,    MTLS_AGENT_UNAVAILABLE, MTLS_HTTP2,
					 MTLS_ISSUER_NOT_ACCEPTED};

static const char *const hosted[] = {"MTLS_",  "mtls-run", "mtls-cred", "mtls-agent", "agent",  "/etc",
				     "~/",     "chmod",    "chown",     "folder",     "user",   "program",
				     "socket", "variable", "unset",     "1 MiB",      "library"};

static int wrong;

static void must(bool good, enum mtls_reason reason, int part, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s, part %d: %s: \"%s\"; \"%s\"\n", mtls_reason_word(reason), part, what,
		mtls_reason_sentence(reason), words_remedy(reason, (enum mtls_part)part));
	wrong = 1;
}

static bool is_never(enum mtls_reason reason)
{
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (never[i] == reason)
			return true;
	return false;
}

static bool is_hosted(const char *text)
{
	for (size_t i = 0; i < sizeof(hosted) / sizeof(hosted[0]); i++)
		if (strstr(text, hosted[i]))
			return true;
	return false;
}

/* With all that an error can have it still fits into the line of status, and into a socket's reason without. */
static void check_length(enum mtls_reason reason, enum mtls_part part)
{
	struct mtls_error e = {.reason = reason, .part = part, .line = UINT32_MAX, .setting = "only_if"};
	char text[1000];

	memset(e.detail, 'x', sizeof(e.detail) - 1);
	words_explain(&e, text, sizeof(text));
	must(strlen(STATUS_REFUSED) + strlen(text) + strlen(mtls_reason_word(reason)) + 4 < VAULT_SUBJECT, reason, part,
	     "too long for status");
	e = (struct mtls_error){.reason = reason, .part = part};
	words_explain(&e, text, sizeof(text));
	must(part != MTLS_FOLDER ||
		     strlen(BEFORE) + strlen(mtls_reason_word(reason)) + 2 + strlen(text) < SOCKETS_REASON,
	     reason, part, "too long for a socket's reason");
}

static void check(enum mtls_reason reason, enum mtls_part part)
{
	const char *remedy = words_remedy(reason, part);
	bool good = reason == MTLS_USABLE || reason == MTLS_PRESENTED;

	if (is_never(reason)) {
		must(!*remedy, reason, part, "a device never has it");
		return;
	}
	must(good || *remedy, reason, part, "no remedy");
	must(!is_hosted(remedy), reason, part, "no device has that");
	check_length(reason, part);
}

static void print(enum mtls_reason reason, enum mtls_part part)
{
	printf("%-22s %-20s %s; %s\n", mtls_reason_word(reason), mtls_part_file(part), mtls_reason_sentence(reason),
	       words_remedy(reason, part));
}

int main(int argc, char **argv)
{
	(void)argv;
	for (int reason = 0; reason < MTLS_REASONS; reason++)
		for (int part = 0; part < MTLS_PARTS; part++) {
			check((enum mtls_reason)reason, (enum mtls_part)part);
			if (argc > 1)
				print((enum mtls_reason)reason, (enum mtls_part)part);
		}
	for (int i = 0; i < VAULT_RESULTS; i++)
		if (is_hosted(vault_result_sentence((enum vault_result)i))) {
			fprintf(stderr, "no device has that: %s\n", vault_result_sentence((enum vault_result)i));
			wrong = 1;
		}
	return wrong;
}
