/* SPDX-License-Identifier: Apache-2.0 */
/* Where mtls-cred writes; see target.h. */
#include "launcher/cred/target.h"
#include "host/crypto_linked.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cred_target(struct cred *cred)
{
	const struct mtls_place *place, *places = cred->env.place;
	size_t last = cred->env.n_places - 1;
	struct mtls_mark mark;
	char *folder;

	/* With an agent the key in the folder would not count, and be overwritten. */
	free(cred->env.agent);
	cred->env.agent = NULL;
	mtls_mark_take(&cred->env, &mark);
	place = mark.place;
	if (place && !place->folder)
		return cred_fail(cred, CRED_FAILED, "MTLS_CERT names single files: say -d FOLDER");
	if (!place && geteuid() == 0)
		place = &places[last];
	else if (!place && last > 0 && strcmp(places[last - 1].why, "CREDENTIALS_DIRECTORY") != 0)
		place = &places[last - 1];
	if (!place)
		return cred_fail(cred, CRED_FAILED, "HOME is not set: say -d FOLDER");
	folder = strdup(place->folder);
	if (folder)
		mtls_environment_folder(&cred->env, folder, place->why);
	free(folder);
	if (!folder || cred->env.incomplete)
		return cred_fail(cred, CRED_FAILED, "out of memory");
	return CRED_GO_ON;
}

/* A key in a token cannot be used here, but whose certificate it is can be told. */
static bool is_renewal(const struct cred_credential *credential, const char *subject)
{
	struct mtls_files files = credential->reading.files;
	struct mtls_identity *id = NULL;
	struct mtls_blocks blocks;
	struct mtls_error error;
	bool same;

	files.agent = true;
	if (!subject || credential->reason != MTLS_KEY_NEEDS_AGENT ||
	    mtls_credential_scan(&files, &blocks, &error) != MTLS_USABLE)
		return false;
	same = mtls_identity_load(&mtls_crypto_linked, &blocks, &id, &error) == MTLS_USABLE &&
	       strcmp(subject, id->subject) == 0;
	mtls_identity_free(&mtls_crypto_linked, id);
	return same;
}

int cred_may_replace(const struct cred *cred, const struct cred_credential *credential, bool force, const char *subject)
{
	const char *folder = cred->env.place[0].folder;
	enum mtls_state state = mtls_reason_state(credential->reason);

	if (credential->reading.files.folder_unsafe)
		return cred_fail(cred, CRED_FAILED, "%s: everybody may write here; make it yours with chmod go-w",
				 folder);
	if (force || is_renewal(credential, subject))
		return CRED_GO_ON;
	if (state == MTLS_STATE_USABLE && (!subject || strcmp(subject, credential->identity->subject) != 0))
		return cred_fail(cred, CRED_FAILED, "%s: has a usable credential (%s); --force replaces it", folder,
				 credential->identity->subject);
	if (state == MTLS_STATE_BROKEN && credential->reason != MTLS_FOLDER_MISSING)
		return cred_fail(cred, CRED_FAILED, "%s: has a credential that is not usable (%s); --force replaces it",
				 folder, mtls_reason_word(credential->reason));
	return CRED_GO_ON;
}
