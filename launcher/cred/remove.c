/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred remove: from now on there is no certificate, and the key's bytes are gone from the folder's files. Running
 * programs see it at their next request.
 */
#include "launcher/cred/store.h"
#include "launcher/cred/target.h"

#include <errno.h>
#include <string.h>

/* What a kill, or somebody else, may have left of one. */
static int clear(const struct cred *cred, const char *folder)
{
	if (!cred_store_clear(cred, folder))
		return CRED_FAILED;
	return cred_fail(cred, CRED_DONE, "%s: %s", folder, mtls_reason_sentence(MTLS_NO_CREDENTIAL));
}

static int empty(const struct cred *cred, const char *folder, const struct cred_credential *before)
{
	static const struct cred_files nothing;

	if (!cred_store(cred, folder, &nothing, true, NULL))
		return CRED_FAILED;
	cred_say(stdout, "removed: %s%s%s", folder, before->identity ? ": subject " : "",
		 before->identity ? before->identity->subject : "");
	return CRED_DONE;
}

int cred_remove(struct cred *cred, int argc, char **argv)
{
	int status = cred_begin_plain(cred, argc, argv);
	struct cred_credential before;
	const char *folder;

	if (status == CRED_GO_ON)
		status = cred_target(cred);
	if (status != CRED_GO_ON)
		return status;
	folder = cred->env.place[0].folder;
	if (!cred_open(cred, &before))
		return cred_fail(cred, CRED_FAILED, "%s: %s", folder, strerror(errno));
	if (before.reason == MTLS_FOLDER_MISSING)
		status = cred_fail(cred, CRED_FAILED, "%s: %s", folder, mtls_reason_sentence(before.reason));
	else if (mtls_reason_state(before.reason) == MTLS_STATE_ABSENT)
		status = clear(cred, folder);
	else
		status = empty(cred, folder, &before);
	cred_close(&before);
	return status;
}
