/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a manual page of its source: a filter from standard input to standard output, used by make only.
 * What the program itself has in a table is taken from there, so that the manual cannot say otherwise:
 *
 *   @SETTING KEY    the item of that setting: variable, key, its words, the default
 *   @SETTINGS       nothing; an error where a setting has no item
 *   @REASONS CLASS  items of all reason words of a class: absent, removed, broken or decision
 *   @AGENT          an item for each thing that a program is told of an agent which does not sign
 *   @VERSION@       in any other line: the version
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/settings.h"
#include "host/agent.h"

static unsigned line_number, described;

static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "expand: line %u: %s %s\n", line_number, what, detail);
	exit(1);
}

/* As text of roff: neither a request nor an escape, and signs that a terminal can paste. */
static void put_text(const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", stdout);
	for (; *s; s++)
		switch (*s) {
		case '\\':
			fputs("\\e", stdout);
			break;
		case '-':
			fputs("\\-", stdout);
			break;
		case '\'':
			fputs("\\(aq", stdout);
			break;
		case '~':
			fputs("\\(ti", stdout);
			break;
		default:
			putchar(*s);
		}
}

static void put_words(enum mtls_setting setting)
{
	const char *word, *next;

	puts(setting == MTLS_ONLY_IF ? "Any of" : "One of");
	for (unsigned i = 0; (word = mtls_setting_word(setting, i)) != NULL; i++) {
		next = mtls_setting_word(setting, i + 1);
		fputs(".Cm ", stdout);
		put_text(word);
		puts(next ? " ," : " ;");
	}
}

static void put_default(enum mtls_setting setting)
{
	struct mtls_policy policy;
	const char *word = "none";

	mtls_policy_init(&policy);
	if (setting == MTLS_ISSUER)
		word = mtls_setting_word(setting, (unsigned)policy.issuer);
	else if (setting == MTLS_PHA)
		word = mtls_setting_word(setting, (unsigned)policy.pha);
	else if (setting == MTLS_LOG)
		word = mtls_setting_word(setting, (unsigned)policy.log);
	else if (policy.only_if)
		fail("only_if has a default that is not known here", "");
	printf("the default is\n.Cm %s .\n", word);
}

static void put_setting(const char *key)
{
	for (int i = 0; i < MTLS_SETTINGS; i++) {
		enum mtls_setting setting = (enum mtls_setting)i;

		if (strcmp(mtls_setting_key(setting), key) != 0)
			continue;
		printf(".It Ev %s , Cm %s\n", mtls_setting_variable(setting), key);
		if (mtls_setting_word(setting, 0)) {
			put_words(setting);
			put_default(setting);
		}
		described |= 1U << i;
		return;
	}
	fail("there is no setting", key);
}

static void check_settings(void)
{
	for (int i = 0; i < MTLS_SETTINGS; i++)
		if (!(described & 1U << i))
			fail("no item for the setting", mtls_setting_key((enum mtls_setting)i));
}

/* The words of decisions are those that stand behind the broken ones; "usable" is none of either. */
static bool is_of_class(enum mtls_reason reason, const char *class)
{
	static const char *const states[] = {
		[MTLS_STATE_ABSENT] = "absent",
		[MTLS_STATE_REMOVED] = "removed",
		[MTLS_STATE_USABLE] = "decision",
		[MTLS_STATE_BROKEN] = "broken",
	};

	return reason != MTLS_USABLE && strcmp(states[mtls_reason_state(reason)], class) == 0;
}

static void put_reasons(const char *class)
{
	unsigned n = 0;

	for (int i = 0; i < MTLS_REASONS; i++) {
		enum mtls_reason reason = (enum mtls_reason)i;

		if (!is_of_class(reason, class))
			continue;
		n++;
		fputs(".It Sy ", stdout);
		put_text(mtls_reason_word(reason));
		putchar('\n');
		put_text(mtls_reason_sentence(reason));
		if (*mtls_reason_remedy(reason)) {
			puts(".\n.Em Remedy :");
			put_text(mtls_reason_remedy(reason));
		}
		puts(".");
	}
	if (!n)
		fail("there are no reasons of the class", class);
}

/* What it is, and behind the first semicolon the remedy. */
static void put_agent(void)
{
	for (int i = 0; i <= MTLS_AGENT_LACK; i++) {
		const char *sentence = mtls_agent_sentence((enum mtls_agent_state)i), *rest = strchr(sentence, ';');
		char what[256];

		if (i == MTLS_AGENT_READY)
			continue;
		snprintf(what, sizeof(what), "%.*s", rest ? (int)(rest - sentence) : 255, sentence);
		fputs(".It ", stdout);
		put_text(what);
		putchar('\n');
		if (rest) {
			puts(".Em Remedy :");
			put_text(rest + 2);
			puts(".");
		}
	}
}

static void put_line(const char *line)
{
	static const char version[] = "@VERSION@";
	const char *at = strstr(line, version);

	if (at)
		printf("%.*s%s%s\n", (int)(at - line), line, MTLS_VERSION, at + sizeof(version) - 1);
	else if (strncmp(line, "@SETTING ", 9) == 0)
		put_setting(line + 9);
	else if (strcmp(line, "@SETTINGS") == 0)
		check_settings();
	else if (strncmp(line, "@REASONS ", 9) == 0)
		put_reasons(line + 9);
	else if (strcmp(line, "@AGENT") == 0)
		put_agent();
	else if (line[0] == '@')
		fail("not understood:", line);
	else
		puts(line);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) >= 0) {
		line_number++;
		if (n && line[n - 1] == '\n')
			line[n - 1] = '\0';
		put_line(line);
	}
	free(line);
	return ferror(stdin) || fflush(stdout) != 0;
}
