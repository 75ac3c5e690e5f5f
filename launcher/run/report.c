/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for a person; see report.h. The judging of the credential is core/'s and
 * mtls-cred's, as before a run.
 */
#include "launcher/run/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/run/credential.h"
#include "launcher/run/deep.h"
#include "launcher/run/say.h"

void report_line(const char *kind, const char *name, const char *state, const char *format, ...)
{
	va_list arguments;
	char *line, *rest;
	size_t n;

	va_start(arguments, format);
	if (vasprintf(&rest, format, arguments) < 0)
		rest = NULL;
	va_end(arguments);
	line = text("%-11s %-*s%s%-*s%s%s", kind, name ? 11 : 0, name ? name : "", name ? " " : "", state ? 12 : 0,
		    state ? state : "", state ? " " : "", rest ? rest : "out of memory");
	free(rest);
	for (n = strlen(line); n > 0 && line[n - 1] == ' '; n--)
		line[n - 1] = '\0';
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	puts(line);
	free(line);
}

bool report_end(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	say("cannot write to standard output: %s", strerror(errno));
	return false;
}

/* --- the credential ---------------------------------------------------------------- */

/* Its first line, without the word that we print ourselves. */
static void usable(const char *said, const char *place)
{
	static const char word[] = "usable: ";

	if (strncmp(said, word, sizeof(word) - 1) == 0)
		said += sizeof(word) - 1;
	else
		said = place;
	report_line("credential", "usable", NULL, "%.*s", (int)strcspn(said, "\n"), said);
}

/* What a line has behind prefix and the agent's socket, NULL: it is another one's. */
static const char *of_agent(const char *said, const char *prefix, const char *agent)
{
	size_t n = strlen(prefix), path = agent ? strlen(agent) : 0;

	if (!agent || strncmp(said, prefix, n) != 0 || strncmp(said + n, agent, path) != 0 ||
	    strncmp(said + n + path, ": ", 2) != 0)
		return NULL;
	return said + n + path + 2;
}

/* The lines that follow the first one. */
static void remarks(const char *said, const char *agent)
{
	while (*said) {
		const char *end = said + strcspn(said, "\n"), *ready = of_agent(said, "agent: ", agent),
			   *why = of_agent(said, "warning: ", agent);

		if (ready)
			report_line("agent", NULL, NULL, "%.*s", (int)(end - ready), ready);
		else if (why)
			report_line("agent", "unavailable", NULL, "%.*s", (int)(end - why), why);
		else if (strncmp(said, "warning", 7) == 0)
			report_line("note", NULL, NULL, "%.*s", (int)(end - said), said);
		said = end + strspn(end, "\n");
	}
}

static void look_deep(const char *cred, const char *place, const char *agent)
{
	char *said;

	switch (deep_check(cred, &said)) {
	case DEEP_USABLE:
	case DEEP_WARNINGS:
		usable(said, place);
		remarks(said, agent);
		break;
	case DEEP_BROKEN:
		report_line("credential", "broken", NULL, "%.*s", (int)strcspn(said, "\n"), said);
		break;
	case DEEP_NOTHING:
		report_line("credential", "absent", NULL, "%.*s", (int)strcspn(said, "\n"), said);
		break;
	case DEEP_IMPOSSIBLE:
		report_line("credential", "usable", NULL,
			    "%s (only its structure was checked, as %s does not run here)", place, cred);
		if (agent)
			report_line("agent", "unknown", NULL, "it was not asked");
		break;
	}
	free(said);
}

static void credential(const struct mtls_environment *env, const struct mtls_reading *r, const char *cred)
{
	const struct mtls_place *place = r->mark.place;
	char *line;

	switch (mtls_reason_state(r->reason)) {
	case MTLS_STATE_USABLE:
		look_deep(cred, place->folder ? place->folder : place->file[MTLS_CERT], env->agent);
		break;
	case MTLS_STATE_ABSENT:
	case MTLS_STATE_REMOVED:
		line = credential_places(env, r);
		report_line("credential", mtls_reason_state(r->reason) == MTLS_STATE_ABSENT ? "absent" : "removed",
			    NULL, "%s: %s; %s", line, mtls_reason_sentence(r->reason), mtls_reason_remedy(r->reason));
		free(line);
		break;
	case MTLS_STATE_BROKEN:
		line = credential_sentence(r, &r->error);
		report_line("credential", "broken", NULL, "%s", line);
		free(line);
		break;
	}
}

/* --- the settings ------------------------------------------------------------------ */

/* What set the variable: the option or the variable itself. */
static const char *by_option(const struct options *o, enum mtls_setting which)
{
	switch (which) {
	case MTLS_HOSTS:
		return o->value[OPTION_HOST] ? "--host" : NULL;
	case MTLS_ISSUER:
		return o->value[OPTION_ISSUER] ? "--issuer" : NULL;
	case MTLS_ONLY_IF:
		return o->value[OPTION_ONLY_IF] ? "--only-if" : NULL;
	case MTLS_LOG:
		return o->level ? strcmp(o->level, "off") == 0 ? "-q" : "-v" : NULL;
	default:
		return NULL;
	}
}

static char *value_of(const struct mtls_policy *p, enum mtls_setting which)
{
	static const char *const issuer[] = {"any", "match"}, *const pha[] = {"auto", "on", "off"},
				 *const log[] = {"off", "warn", "info", "debug"};

	switch (which) {
	case MTLS_HOSTS:
		return p->origin[MTLS_HOSTS] == MTLS_FROM_DEFAULT
			       ? text("every server that asks")
			       : text("%.*s", (int)p->hosts.n, (const char *)p->hosts.p);
	case MTLS_ISSUER:
		return text("%s", issuer[p->issuer]);
	case MTLS_ONLY_IF:
		return text("%s%s%s%s", p->only_if & MTLS_ONLY_IF_VERIFIED ? "verified" : "",
			    p->only_if == (MTLS_ONLY_IF_VERIFIED | MTLS_ONLY_IF_TLS13) ? "," : "",
			    p->only_if & MTLS_ONLY_IF_TLS13 ? "tls1.3" : "", p->only_if ? "" : "no condition");
	case MTLS_PHA:
		return text("%s", pha[p->pha]);
	default:
		return text("%s", log[p->log]);
	}
}

static void setting(const struct options *o, const struct mtls_reading *r, enum mtls_setting which)
{
	char *value = value_of(&r->policy, which);
	const char *from = "default";

	if (r->policy.origin[which] == MTLS_FROM_ENVIRONMENT)
		from = by_option(o, which) ? by_option(o, which) : mtls_setting_variable(which);
	else if (r->policy.origin[which] == MTLS_FROM_CONF && r->mark.place)
		from = r->mark.place->file[MTLS_CONF];
	report_line("setting", mtls_setting_key(which), NULL, "%s (%s)", value, from);
	free(value);
}

static void settings(const struct options *o, const struct mtls_environment *env, const struct mtls_reading *r)
{
	const struct mtls_error *error = &r->policy.error;
	char *line;

	for (int i = 0; i < MTLS_SETTINGS; i++)
		setting(o, r, (enum mtls_setting)i);
	if (env->log_file)
		report_line("setting", "log_file", NULL, "%s (%s)", env->log_file,
			    o->value[OPTION_LOG] ? "--log" : "MTLS_LOG_FILE");
	if (env->agent)
		report_line("setting", "agent", NULL, "%s (%s)", env->agent,
			    o->value[OPTION_AGENT] ? "--agent" : "MTLS_AGENT");
	if (o->audit)
		report_line("setting", "audit", NULL, "on (--audit)");
	if (env->disable)
		report_line("setting", "disable", NULL, "1 (%s)", o->disable ? "--disable" : "MTLS_DISABLE");
	if (error->reason == MTLS_USABLE)
		return;
	line = credential_sentence(r, error);
	report_line("setting", error->setting ? error->setting : "mtls.conf", NULL,
		    "bad, so mtls-run refuses to start a program: %s", line);
	free(line);
}

void report_machine(const struct options *o, const char *cred)
{
	struct mtls_environment env;
	struct mtls_reading r;

	mtls_environment_read(&env, environ);
	if (env.incomplete || !mtls_reading_make(&env, &r)) {
		report_line("credential", "broken", NULL, "cannot be read: %s",
			    strerror(env.incomplete ? ENOMEM : errno));
	} else {
		credential(&env, &r, cred);
		settings(o, &env, &r);
		mtls_reading_free(&r);
	}
	mtls_environment_free(&env);
}
