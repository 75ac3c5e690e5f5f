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

bool cred_store_clear(const struct cred *cred, const char *folder)
{
	int dir = open_folder(folder, false);
	struct generations g;
	bool ok;

	if (dir < 0)
		return errno == ENOENT || complain(cred, folder, NULL);
	ok = (generations_open(&g, dir, false) && generations_clear(&g)) || complain(cred, folder, g.at);
	generations_close(&g);
	close(dir);
	return ok;
}

/* --- other files -------------------------------------------------------------------- */

/* Its name is free. The file of before has another one until it is overwritten. */
static bool put_aside(int dir, const char *name, const char *old, bool replace)
{
	struct stat st;

	if (!cred_wipe(dir, old))
		return false;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	errno = EEXIST;
	return replace && (!S_ISREG(st.st_mode) || linkat(dir, name, dir, old, 0) == 0);
}

bool cred_store_file(const struct cred *cred, const char *folder, const char *name, struct mtls_bytes data,
		     bool replace)
{
	int dir = open_folder(folder, true);
	char temporary[64], old[64];
	bool ok;

	if (dir < 0)
		return complain(cred, folder, NULL);
	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	snprintf(old, sizeof(old), ".%s.old", name);
	ok = cred_wipe(dir, temporary) && generations_put(dir, temporary, data) && put_aside(dir, name, old, replace) &&
	     renameat(dir, temporary, dir, name) == 0 && fsync(dir) == 0 && cred_wipe(dir, old);
	if (!ok) {
		complain(cred, folder, name);
		cred_wipe(dir, temporary);
		cred_wipe(dir, old);
	}
	close(dir);
	return ok;
}

bool cred_wipe_file(const struct cred *cred, const char *folder, const char *name)
{
	int dir = open_folder(folder, false);
	bool ok = dir >= 0 && cred_wipe(dir, name);

	if (!ok)
		complain(cred, folder, name);
	if (dir >= 0)
		close(dir);
	return ok;
}
