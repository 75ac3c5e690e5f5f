/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred show --prometheus: the text exposition format, version 0.0.4, for the textfile collector of node_exporter.
 * The times and the info metric are only there with a usable credential: a 0 would be a date in 1970.
 */
#include "launcher/cred/facts.h"

#include <inttypes.h>
#include <time.h>

#define PREFIX "mtls_credential_"

static void head(const char *name, const char *help)
{
	printf("# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", name, help, name);
}

/* The format escapes these three; values are printable ASCII, so that there is no newline. */
static void label(const char *value)
{
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
}

static void moment(const char *name, const char *help, const ASN1_TIME *time)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm))
		return;
	head(name, help);
	printf(PREFIX "%s %" PRIdMAX "\n", name, (intmax_t)timegm(&tm));
}

bool cred_show_prometheus(const struct cred_facts *f)
{
	head("state", "1 for the state that the client certificate of this machine is in.");
	for (int state = MTLS_STATE_ABSENT; state <= MTLS_STATE_BROKEN; state++)
		printf(PREFIX "state{state=\"%s\"} %d\n", cred_state_word((enum mtls_state)state),
		       (enum mtls_state)state == f->state);
	head("warnings", "How many warnings mtls-cred show has about it.");
	printf(PREFIX "warnings %zu\n", f->warnings.n);
	if (!f->subject)
		return true;
	moment("not_before_timestamp_seconds", "From when it is valid, in seconds since 1970.", f->from);
	moment("not_after_timestamp_seconds", "Until when it is valid, in seconds since 1970.", f->until);
	head("info", "Whose it is, and the SHA-256 of its DER.");
	printf(PREFIX "info{subject=\"");
	label(f->subject);
	printf("\",sha256=\"%s\"} 1\n", f->sha256);
	return true;
}
