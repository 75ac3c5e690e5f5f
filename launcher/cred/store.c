/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a change; see store.h. The new generation is written before anything that counts is touched, so that a
 * full disk is known by then.
 */
#include "launcher/cred/store.h"
#include "launcher/cred/generation.h"
#include "launcher/cred/target.h"
#include "launcher/cred/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAITS   50 /* for another mtls-cred in the same folder: 5 s */
#define WAIT_NS 100000000L

static bool make_folders(const char *folder)
{
	char *path = strdup(folder);
	bool ok = path;

	for (char *p = path + 1; ok && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		ok = mkdir(path, 0700) == 0 || errno == EEXIST;
		*p = '/';
	}
	ok = ok && (mkdir(path, 0700) == 0 || errno == EEXIST);
	free(path);
	return ok;
}

/* Locked until it is closed; -1. */
static int open_folder(const char *folder, bool make)
{
	static const struct timespec wait = {0, WAIT_NS};
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make && make_folders(folder))
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (errno == EINTR || (errno == EWOULDBLOCK && i < WAITS)) {
			nanosleep(&wait, NULL);
			continue;
		}
		close(fd);
		fd = -1;
	}
	return fd;
}

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

static bool change(struct generations *g, struct mtls_bytes cert, struct mtls_bytes key, char id[GENERATION_NAME])
{
	int error;

	id[0] = '\0';
	if (generations_sweep(g) && generations_write(g, cert, key, id) && generations_adopt(g) &&
	    generations_switch(g, id))
		return true;
	error = errno;
	if (!g->unsynced)
		generations_sweep(g); /* of what was begun */
	errno = error;
	return false;
}

/* false: one line has been said. */
static bool store(const struct cred *cred, const char *folder, int dir, struct mtls_bytes cert, struct mtls_bytes key)
{
	char id[GENERATION_NAME];
	struct generations g;
	bool ok = generations_open(&g, dir, true) && change(&g, cert, key, id);
	const char *at = g.at;

	if (!ok && g.unsynced && strcmp(g.current, id) == 0)
		cred_fail(cred, CRED_FAILED, "%s: it is done, but the disk may not have it yet (%s); run it again",
			  folder, strerror(errno));
	else if (!ok)
		complain(cred, folder, at);
	if (ok && !generations_sweep(&g))
		ok = !cred_fail(cred, CRED_FAILED,
				"%s: it is done, but the old key could not be overwritten (%s); run it again", folder,
				strerror(errno));
	generations_close(&g);
	return ok;
}

bool cred_store(const struct cred *cred, const char *folder, struct mtls_bytes cert, struct mtls_bytes key, bool force,
		const char *subject)
{
	int dir = open_folder(folder, true);
	bool ok;

	if (dir < 0)
		return complain(cred, folder, NULL);
	ok = may_replace(cred, folder, force, subject) && store(cred, folder, dir, cert, key);
	close(dir);
	return ok;
}

static bool clear(const struct cred *cred, const char *folder, int dir)
{
	struct generations g;
	bool ok = (generations_open(&g, dir, false) && generations_clear(&g)) || complain(cred, folder, g.at);

	generations_close(&g);
	return ok;
}

bool cred_store_clear(const struct cred *cred, const char *folder)
{
	int dir = open_folder(folder, false);
	bool ok;

	if (dir < 0)
		return errno == ENOENT || complain(cred, folder, NULL);
	ok = may_replace(cred, folder, true, NULL) && clear(cred, folder, dir);
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

	if (!cred_wipe(dir, OLD))
		return false;
	if (fstatat(dir, CRED_REQUEST_KEY, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	errno = EEXIST;
	return replace && (!S_ISREG(st.st_mode) || linkat(dir, CRED_REQUEST_KEY, dir, OLD, 0) == 0);
}

bool cred_store_request_key(const struct cred *cred, const char *folder, struct mtls_bytes data, bool replace)
{
	int dir = open_folder(folder, true);
	bool ok;

	if (dir < 0)
		return complain(cred, folder, NULL);
	ok = cred_wipe(dir, NEW) && generations_put(dir, NEW, data) && put_aside(dir, replace) &&
	     renameat(dir, NEW, dir, CRED_REQUEST_KEY) == 0 && fsync(dir) == 0 && cred_wipe(dir, OLD);
	if (!ok) {
		if (errno == EEXIST && !replace)
			cred_fail(cred, CRED_FAILED,
				  "%s/" CRED_REQUEST_KEY
				  ": the key of a request that is on its way; --force replaces it",
				  folder);
		else
			complain(cred, folder, CRED_REQUEST_KEY);
		cred_wipe(dir, NEW);
		cred_wipe(dir, OLD);
	}
	close(dir);
	return ok;
}

bool cred_wipe_request_key(const struct cred *cred, const char *folder)
{
	int dir = open_folder(folder, false);
	bool ok = dir >= 0 && cred_wipe(dir, CRED_REQUEST_KEY);

	if (!ok)
		complain(cred, folder, CRED_REQUEST_KEY);
	if (dir >= 0)
		close(dir);
	return ok;
}
