/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred remove: from now on there is no certificate, and the key's bytes are gone from the folder's files. Running
 * programs see it at their next request.
 */
#include "launcher/cred/store.h"
#include "launcher/cred/target.h"

#include <errno.h>
#include <string.h>

int cred_remove(struct cred *cred, int argc, char **argv)
{
	static const struct mtls_bytes nothing = {NULL, 0};
	int status = cred_begin_plain(cred, argc, argv);
	struct cred_credential before;
	enum mtls_state state;
	const char *folder;

	if (status == CRED_GO_ON)
		status = cred_target(cred);
	if (status != CRED_GO_ON)
		return status;
	folder = cred->env.place[0].folder;
	if (!cred_open(cred, &before))
		return cred_fail(cred, CRED_FAILED, "%s: %s", folder, strerror(errno));
	state = mtls_reason_state(before.reason);
	status = cred_may_replace(cred, &before, true, NULL);
	if (status == CRED_GO_ON && state == MTLS_STATE_ABSENT && !cred_store_clear(cred, folder))
		status = CRED_FAILED;
	else if (status == CRED_GO_ON && (state == MTLS_STATE_ABSENT || before.reason == MTLS_FOLDER_MISSING))
		status = cred_fail(cred, before.reason == MTLS_FOLDER_MISSING ? CRED_FAILED : CRED_DONE, "%s: %s",
				   folder, mtls_reason_sentence(before.reason));
	else if (status == CRED_GO_ON)
		status = cred_store(cred, folder, nothing, nothing, true, NULL) ? CRED_DONE : CRED_FAILED;
	if (status == CRED_DONE && state != MTLS_STATE_ABSENT)
		cred_say(stdout, "removed: %s%s%s", folder, before.identity ? ": subject " : "",
			 before.identity ? before.identity->subject : "");
	cred_close(&before);
	return status;
}
