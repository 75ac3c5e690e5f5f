/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a change; see store.h. The new generation is written before anything that counts is touched, so that a
 * full disk is known by then.
 */
#include "host/generations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAITS   50 /* for another process in the same folder: 5 s */
#define WAIT_NS 100000000L

/* Its name must be on the disk before the only other copy of a key is erased. Who may not look into the parent cannot
 * ask for that. */
static bool sync_parent(char *path)
{
	char *slash = strrchr(path, '/');
	bool ok = true;
	int fd;

	if (slash)
		*slash = '\0';
	fd = open(!slash ? "." : *path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (slash)
		*slash = '/';
	if (fd >= 0) {
		ok = fsync(fd) == 0;
		close(fd);
	}
	return ok;
}

static bool make_one(char *path, mode_t mode)
{
	return mkdir(path, mode) == 0 ? sync_parent(path) : errno == EEXIST;
}

static bool make_folders(const char *folder, mode_t mode)
{
	char *path = strdup(folder);
	bool ok = path;

	for (char *p = path + 1; ok && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		ok = make_one(path, mode);
		*p = '/';
	}
	ok = ok && make_one(path, mode);
	free(path);
	return ok;
}

int mtls_store_open(const char *folder, mode_t make)
{
	static const struct timespec wait = {0, WAIT_NS};
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

	if (fd < 0 && errno == ENOENT && make && make_folders(folder, make))
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		error = errno;
		if (error == EINTR || (error == EWOULDBLOCK && i < WAITS)) {
			nanosleep(&wait, NULL);
			continue;
		}
		close(fd);
		fd = -1;
		errno = error;
	}
	return fd;
}

static bool change(struct mtls_generations *g, const struct mtls_store_file file[MTLS_FILES],
		   char id[MTLS_GENERATION_NAME])
{
	int error;

	id[0] = '\0';
	if (mtls_generations_sweep(g) && mtls_generations_write(g, file, id) && mtls_generations_adopt(g, file) &&
	    mtls_generations_switch(g, id))
		return true;
	error = errno;
	if (!g->unsynced)
		mtls_generations_sweep(g); /* of what was begun */
	errno = error;
	return false;
}

enum mtls_stored mtls_store_change(int dir, const struct mtls_store_file file[MTLS_FILES], const char **at)
{
	enum mtls_stored done = MTLS_STORED;
	char id[MTLS_GENERATION_NAME];
	struct mtls_generations g;
	int error;

	if (!mtls_generations_open(&g, dir, true, file[MTLS_CONF].given) || !change(&g, file, id))
		done = g.unsynced && strcmp(g.current, id) == 0 ? MTLS_STORED_UNSYNCED : MTLS_NOT_STORED;
	*at = g.at;
	if (done == MTLS_STORED && !mtls_generations_sweep(&g))
		done = MTLS_STORED_UNWIPED;
	error = errno;
	mtls_generations_close(&g);
	errno = error;
	return done;
}

bool mtls_store_clear(int dir, const char **at)
{
	struct mtls_generations g;
	bool ok = mtls_generations_open(&g, dir, false, false) && mtls_generations_clear(&g);
	int error = errno;

	*at = g.at;
	mtls_generations_close(&g);
	errno = error;
	return ok;
}
