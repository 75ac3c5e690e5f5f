/* SPDX-License-Identifier: Apache-2.0 */
/* What mtls-cred asks and says of a change of the folder, and the key of a request; the change itself is in
 * host/store.c. */
#include "launcher/cred/store.h"
#include "host/store.h"
#include "host/wipe.h"
#include "launcher/cred/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER 0700
#define MODE   0600 /* of a file */

static bool complain(const struct cred *cred, const char *folder, const char *name)
{
	int error = errno;

	if (error == EWOULDBLOCK)
		cred_fail(cred, CRED_FAILED, "%s: another mtls-cred is at work there; try again", folder);
	else
		cred_fail(cred, CRED_FAILED, "%s%s%s: %s", folder, name ? "/" : "", name ? name : "", strerror(error));
	return false;
}

/* As it is now that the folder is ours. */
static bool may_replace(const struct cred *cred, const char *folder, bool force, const char *subject)
{
	struct cred_credential there;
	bool ok;

	if (!cred_open(cred, &there))
		return complain(cred, folder, NULL);
	ok = cred_may_replace(cred, &there, force, subject) == CRED_GO_ON;
	cred_close(&there);
	return ok;
}

/* false: one line has been said. */
static bool store(const struct cred *cred, const char *folder, int dir, const struct cred_files *f)
{
	const struct mtls_store_file file[MTLS_FILES] = {[MTLS_CERT] = {true, f->cert, MODE},
							 [MTLS_KEY] = {true, f->key, MODE},
							 [MTLS_PASS] = {f->pass.p, f->pass, MODE}};
	const char *at;

	switch (mtls_store_change(dir, file, &at)) {
	case MTLS_STORED:
		return true;
	case MTLS_NOT_STORED:
		break;
	case MTLS_STORED_UNSYNCED:
		return !cred_fail(cred, CRED_FAILED,
				  "%s: it is done, but the disk may not have it yet (%s); run it again", folder,
				  strerror(errno));
	case MTLS_STORED_UNWIPED:
		return !cred_fail(cred, CRED_FAILED,
				  "%s: it is done, but the old key could not be overwritten (%s); run it again", folder,
				  strerror(errno));
	}
	return complain(cred, folder, at);
}

bool cred_store(const struct cred *cred, const char *folder, const struct cred_files *f, bool force,
		const char *subject)
{
	int dir = mtls_store_open(folder, FOLDER);
	bool ok;

	if (dir < 0)
		return complain(cred, folder, NULL);
	ok = may_replace(cred, folder, force, subject) && store(cred, folder, dir, f);
	close(dir);
	return ok;
}

bool cred_store_clear(const struct cred *cred, const char *folder)
{
	int dir = mtls_store_open(folder, 0);
	const char *at;
	bool ok;

	if (dir < 0)
		return errno == ENOENT || complain(cred, folder, NULL);
	ok = may_replace(cred, folder, true, NULL) && (mtls_store_clear(dir, &at) || complain(cred, folder, at));
	close(dir);
	return ok;
}

/* --- the key of a request ------------------------------------------------------------ */

#define NEW "." CRED_REQUEST_KEY ".new"
#define OLD "." CRED_REQUEST_KEY ".old" /* its second name until it is overwritten */

/* The name is free, or what has it may go. */
static bool put_aside(int dir, bool replace)
{
	struct stat st;

	if (!mtls_wipe(dir, OLD))
		return false;
	if (fstatat(dir, CRED_REQUEST_KEY, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	errno = EEXIST;
	return replace && (!S_ISREG(st.st_mode) || linkat(dir, CRED_REQUEST_KEY, dir, OLD, 0) == 0);
}

bool cred_store_request_key(const struct cred *cred, const char *folder, struct mtls_bytes data, bool replace)
{
	const struct mtls_store_file file = {true, data, MODE};
	int dir = mtls_store_open(folder, FOLDER);
	bool ok;

	if (dir < 0)
		return complain(cred, folder, NULL);
	ok = mtls_wipe(dir, NEW) && mtls_store_put(dir, NEW, &file) && put_aside(dir, replace) &&
	     renameat(dir, NEW, dir, CRED_REQUEST_KEY) == 0 && fsync(dir) == 0 && mtls_wipe(dir, OLD);
	if (!ok) {
		if (errno == EEXIST && !replace)
			cred_fail(cred, CRED_FAILED,
				  "%s/" CRED_REQUEST_KEY
				  ": the key of a request that is on its way; --force replaces it",
				  folder);
		else
			complain(cred, folder, CRED_REQUEST_KEY);
		mtls_wipe(dir, NEW);
		mtls_wipe(dir, OLD);
	}
	close(dir);
	return ok;
}

bool cred_wipe_request_key(const struct cred *cred, const char *folder)
{
	int dir = mtls_store_open(folder, 0);
	bool ok = dir >= 0 && mtls_wipe(dir, CRED_REQUEST_KEY);

	if (!ok)
		complain(cred, folder, CRED_REQUEST_KEY);
	if (dir >= 0)
		close(dir);
	return ok;
}
