/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks mtls-cred; see deep.h.
 */
#include "launcher/run/deep.h"

#include <stdlib.h>

#include "launcher/run/child.h"
#include "launcher/run/say.h"

/* A loader that cannot start it exits with 1 too, but says nothing on standard output. */
static enum deep_verdict verdict_of(int status, const char *said)
{
	switch (status) {
	case 0:
		return DEEP_USABLE;
	case 1:
		return *said ? DEEP_WARNINGS : DEEP_IMPOSSIBLE;
	case 2:
		return *said ? DEEP_BROKEN : DEEP_IMPOSSIBLE;
	case 3:
		return DEEP_NOTHING;
	default:
		return DEEP_IMPOSSIBLE;
	}
}

enum deep_verdict deep_check(const char *cred, char **said)
{
	static const char *const off[] = {"LD_PRELOAD=", "LD_AUDIT="};
	enum deep_verdict verdict = DEEP_IMPOSSIBLE;
	char **envp = child_environment(off, 2);
	char *path = text("%s", cred), *verb = text("check");
	struct child child;

	if (envp) {
		child_run((char *const[]){path, verb, NULL}, envp, false, &child);
		verdict = verdict_of(child.status, child.output);
		*said = child.output;
	} else {
		*said = text("%s", "");
	}
	free(envp);
	free(path);
	free(verb);
	return verdict;
}
