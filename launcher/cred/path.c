/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred path: which folder is in force, and why, as one line
 * "PATH (WHY)". Looks, but opens nothing.
 */
#include "launcher/cred/cred.h"

#include <stdlib.h>

int cred_path(struct cred *cred, int argc, char **argv)
{
	int status = cred_begin_plain(cred, argc, argv);
	const struct mtls_place *place;
	struct mtls_mark mark;
	char *text;

	if (status != CRED_GO_ON)
		return status;
	mtls_mark_take(&cred->env, &mark);
	place = mark.place;
	if (!place) {
		text = cred_places(&cred->env);
		cred_fail(cred, CRED_ABSENT, "no place has a credential: %s", text ? text : "");
		free(text);
		return CRED_ABSENT;
	}
	text = cred_place(place);
	if (!text)
		return cred_fail(cred, CRED_FAILED, "out of memory");
	cred_say(stdout, "%s", text);
	free(text);
	return CRED_DONE;
}
