/* SPDX-License-Identifier: Apache-2.0 */
/* mtls-cred show for people: one label a line, several values below each other; coloured on a terminal only. */
#include "launcher/cred/facts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GREEN  "32"
#define YELLOW "33"
#define RED    "31"

static bool coloured;

/* NO_COLOR: set and not empty means none. */
static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

/* Paths may have any byte; those that a terminal obeys become '?'. */
static void line(const char *label, const char *value, const char *colour)
{
	printf("%-12s ", label);
	if (coloured && colour)
		printf("\033[%sm", colour);
	for (; *value; value++)
		putchar((unsigned char)*value < ' ' || *value == 0x7f ? '?' : *value);
	puts(coloured && colour ? "\033[0m" : "");
}

static void lines(const char *label, const struct cred_list *values, const char *colour)
{
	for (size_t i = 0; i < values->n; i++)
		line(i ? "" : label, values->item[i], colour);
}

static void state_line(const struct cred_facts *f)
{
	static const char *const colours[] = {[CRED_DONE] = GREEN, [CRED_WARNINGS] = YELLOW, [CRED_FAILED] = RED, NULL};
	char text[80];

	if (f->state == MTLS_STATE_BROKEN)
		snprintf(text, sizeof(text), "%s: %s", cred_state_word(f->state), f->reason);
	else
		snprintf(text, sizeof(text), "%s", cred_state_word(f->state));
	line("state", text, colours[f->status]);
}

static void until_line(const ASN1_TIME *until)
{
	int days = 0, seconds = 0;
	char text[80];

	cred_moment(until, text);
	if (ASN1_TIME_diff(&days, &seconds, NULL, until)) {
		size_t n = strlen(text);

		if (days < 0 || seconds < 0)
			snprintf(text + n, sizeof(text) - n, " (expired)");
		else
			snprintf(text + n, sizeof(text) - n, " (in %d day%s)", days, days == 1 ? "" : "s");
	}
	line("valid until", text, NULL);
}

bool cred_show_text(const struct cred_facts *f)
{
	char text[24];

	coloured = wants_colour();
	state_line(f);
	if (f->place)
		line("place", f->place, NULL);
	if (f->agent)
		line("agent", f->agent, NULL);
	if (f->why && f->state != MTLS_STATE_BROKEN) /* there it is the first warning */
		line("why", f->why, NULL);
	if (f->subject) {
		line("subject", f->subject, NULL);
		line("issuer", f->issuer, NULL);
		lines("names", &f->names, NULL);
		line("key", f->key, NULL);
		cred_moment(f->from, text);
		line("valid from", text, NULL);
		until_line(f->until);
		line("sha1", f->sha1, NULL);
		line("sha256", f->sha256, NULL);
		lines("chain", &f->chain, NULL);
	}
	lines(f->state == MTLS_STATE_BROKEN ? "why" : "warnings", &f->warnings,
	      f->state == MTLS_STATE_BROKEN ? RED : YELLOW);
	return true;
}
