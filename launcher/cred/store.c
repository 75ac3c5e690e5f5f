/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a change; see store.h. The new generation is written before anything that counts is touched, so that a
 * full disk is known by then.
 */
#include "launcher/cred/store.h"
#include "launcher/cred/generation.h"
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

static bool change(struct generations *g, struct mtls_bytes cert, struct mtls_bytes key)
{
	char id[GENERATION_NAME];
	int error;

	if (generations_sweep(g) && generations_write(g, cert, key, id) && generations_adopt(g) &&
	    generations_switch(g, id))
		return true;
	error = errno;
	if (g->all >= 0)
		generations_sweep(g); /* of what was begun */
	errno = error;
	return false;
}

bool cred_store(const struct cred *cred, const char *folder, struct mtls_bytes cert, struct mtls_bytes key)
{
	int dir = open_folder(folder, true);
	struct generations g;
	const char *at;
	bool ok;

	if (dir < 0)
		return complain(cred, folder, NULL);
	ok = generations_open(&g, dir) && change(&g, cert, key);
	at = g.at;
	if (!ok)
		complain(cred, folder, at);
	if (ok && !generations_sweep(&g))
		ok = !cred_fail(cred, CRED_FAILED,
				"%s: it is done, but the old key could not be overwritten (%s); run it again", folder,
				strerror(errno));
	generations_close(&g);
	close(dir);
	return ok;
}

/* --- other files -------------------------------------------------------------------- */

bool cred_store_file(const struct cred *cred, const char *folder, const char *name, struct mtls_bytes data)
{
	int dir = open_folder(folder, true);
	char temporary[64];
	bool ok;

	if (dir < 0)
		return complain(cred, folder, NULL);
	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	ok = cred_wipe(dir, temporary) && generations_put(dir, temporary, data) &&
	     renameat(dir, temporary, dir, name) == 0 && fsync(dir) == 0;
	if (!ok) {
		complain(cred, folder, name);
		cred_wipe(dir, temporary);
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
