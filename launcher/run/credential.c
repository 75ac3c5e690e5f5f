/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pre-flight of settings and credential; see credential.h. The judging itself is
 * core/'s (structure) and mtls-cred's (the rest).
 */
#include "launcher/run/credential.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/reading.h"
#include "launcher/run/deep.h"
#include "launcher/run/say.h"

#define RETRY_MS 1000 /* somebody may be writing the files */
#define POLL_MS  50

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

char *credential_sentence(const struct mtls_reading *r, const struct mtls_error *e)
{
	size_t n = (size_t)mtls_reading_explain(r, e, NULL, 0) + 1;
	char *line = text("%*s", (int)n, "");

	mtls_reading_explain(r, e, line, n);
	return line;
}

/* mtls-cred's lines that start with prefix. */
static void relay(const char *said, const char *prefix)
{
	while (*said) {
		size_t n = strcspn(said, "\n");

		if (strncmp(said, prefix, strlen(prefix)) == 0)
			say("%.*s", (int)n, said);
		said += n;
		said += strspn(said, "\n");
	}
}

char *credential_places(const struct mtls_environment *env, const struct mtls_reading *r)
{
	char *places = NULL;

	for (size_t i = 0; i < env->n_places; i++) {
		const struct mtls_place *place = &env->place[i];
		const char *name = place->folder ? place->folder : place->file[MTLS_CERT];
		char *longer = text("%s%s%s", places ? places : "", places ? ", " : "", name);

		free(places);
		places = longer;
		if (place == r->mark.place)
			break;
	}
	return places ? places : text("nowhere");
}

static void warn_nothing(const struct mtls_environment *env, const struct mtls_reading *r)
{
	char *places = credential_places(env, r);

	say("%s: %s, the program runs without it; %s", places, mtls_reason_sentence(r->reason),
	    mtls_reason_remedy(r->reason));
	free(places);
}

/* What mtls-cred said of a credential that is broken, without its name before it. */
static char *first_line(const char *said)
{
	static const char name[] = "mtls-cred: ";

	if (strncmp(said, name, sizeof(name) - 1) == 0)
		said += sizeof(name) - 1;
	return text("%.*s", (int)strcspn(said, "\n"), said);
}

/* RUN: what there was to say has been said. Else *line is the one line for it. */
enum outcome { RUN, BROKEN, REFUSED };

static enum outcome look_deep(const char *cred, enum mtls_log log, char **line)
{
	enum outcome outcome = RUN;
	char *said;

	switch (deep_check(cred, &said)) {
	case DEEP_USABLE:
		break;
	case DEEP_WARNINGS:
		if (log >= MTLS_LOG_WARN)
			relay(said, "warning");
		break;
	case DEEP_NOTHING: /* removed since we looked */
		if (log >= MTLS_LOG_WARN)
			relay(said, "");
		break;
	case DEEP_BROKEN:
		*line = first_line(said);
		outcome = BROKEN;
		break;
	case DEEP_IMPOSSIBLE:
		if (log >= MTLS_LOG_INFO)
			say("only the structure of the credential was checked, as %s does not run here", cred);
		break;
	}
	free(said);
	return outcome;
}

static enum outcome look(const struct mtls_environment *env, const char *cred, enum mtls_log *log, char **line)
{
	enum outcome outcome = RUN;
	struct mtls_reading r;

	if (env->incomplete || !mtls_reading_make(env, &r)) {
		*line = text("cannot read the credential: %s", strerror(env->incomplete ? ENOMEM : errno));
		return REFUSED; /* all paths are absolute by now, so only memory can be what lacked */
	}
	*log = r.policy.log;
	if (r.policy.error.reason != MTLS_USABLE) {
		*line = credential_sentence(&r, &r.policy.error);
		outcome = REFUSED;
		goto out;
	}
	switch (mtls_reason_state(r.reason)) {
	case MTLS_STATE_ABSENT:
	case MTLS_STATE_REMOVED:
		if (*log >= MTLS_LOG_WARN)
			warn_nothing(env, &r);
		break;
	case MTLS_STATE_BROKEN:
		*line = credential_sentence(&r, &r.error);
		outcome = BROKEN;
		break;
	case MTLS_STATE_USABLE:
		outcome = look_deep(cred, *log, line);
		break;
	}
out:
	mtls_reading_free(&r);
	return outcome;
}

bool credential_check(const char *cred, enum mtls_log *log)
{
	long long end = now_ms() + RETRY_MS;
	struct mtls_environment env;
	enum outcome outcome;
	char *line = NULL;

	mtls_environment_read(&env, environ);
	while ((outcome = look(&env, cred, log, &line)) == BROKEN && now_ms() < end) {
		free(line);
		line = NULL;
		pause_ms(POLL_MS);
	}
	if (line)
		say("%s", line);
	free(line);
	mtls_environment_free(&env);
	return outcome == RUN;
}
