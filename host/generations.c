/* SPDX-License-Identifier: Apache-2.0 */
/* Generations of a folder's credential; see generations.h and, for the order of things, store.c. */
#include "host/generations.h"
#include "core/credential.h"
#include "host/wipe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL     ".generations"
#define CURRENT ".current"
#define NEW     ".current.new" /* what is going to be renamed; what a kill left of it is replaced */

static bool failed(struct mtls_generations *g, const char *at)
{
	g->at = at;
	return false;
}

/* Its name in the folder; NULL: it is none of the generations' files. */
static const char *name_of(const struct mtls_generations *g, int part)
{
	return part == MTLS_CONF && !g->conf ? NULL : mtls_part_file((enum mtls_part)part);
}

/* --- files and links ------------------------------------------------------------ */

static bool write_all(int fd, struct mtls_bytes data)
{
	while (data.n) {
		ssize_t done = write(fd, data.p, data.n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		data.p += done;
		data.n -= (size_t)done;
	}
	return true;
}

bool mtls_store_put(int dir, const char *name, const struct mtls_store_file *file)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), error;
	bool ok;

	if (fd < 0)
		return false;
	ok = fchmod(fd, file->mode) == 0 && write_all(fd, file->data) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	error = errno;
	if (!ok)
		mtls_wipe(dir, name);
	errno = error;
	return ok;
}

/* A link's target; "" where it is no link, or its target is longer than room. */
static void target_of(int dir, const char *name, char *target, size_t room)
{
	ssize_t n = readlinkat(dir, name, target, room);

	target[n > 0 && (size_t)n < room ? n : 0] = '\0';
}

static bool new_is_free(int dir)
{
	return unlinkat(dir, NEW, 0) == 0 || errno == ENOENT;
}

/* Puts a link in a name's place, by one rename. */
static bool put_link(int dir, const char *target, const char *name)
{
	return new_is_free(dir) && symlinkat(target, dir, NEW) == 0 && renameat(dir, NEW, dir, name) == 0;
}

static void link_of(const char *name, char target[64])
{
	snprintf(target, 64, CURRENT "/%s", name);
}

static bool exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_ours(int dir, const char *name)
{
	char ours[64], target[64];

	link_of(name, ours);
	target_of(dir, name, target, sizeof(target));
	return strcmp(target, ours) == 0;
}

/* --- the hidden folder ------------------------------------------------------------- */

/* Who may pass is the folder's own mode to say, as with files that lie in it: that of the files is 0600. */
static int make_inner(int outer, const char *name, bool make)
{
	bool made = make && mkdirat(outer, name, 0700) == 0;
	int fd;

	if (make && !made && errno != EEXIST)
		return -1;
	fd = openat(outer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && made && fchmod(fd, 0755) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_id(const char *s)
{
	return strlen(s) == MTLS_GENERATION_NAME - 1 && strspn(s, "0123456789abcdef") == MTLS_GENERATION_NAME - 1;
}

/* The link is ours, or there is none: anything else of that name is somebody's. */
static bool find_current(struct mtls_generations *g)
{
	static const char before[] = ALL "/";
	char target[sizeof(before) + MTLS_GENERATION_NAME];

	g->current[0] = '\0';
	if (!exists(g->dir, CURRENT))
		return errno == ENOENT;
	target_of(g->dir, CURRENT, target, sizeof(target));
	errno = EEXIST;
	if (strncmp(target, before, sizeof(before) - 1) != 0 || !is_id(target + sizeof(before) - 1))
		return false;
	memcpy(g->current, target + sizeof(before) - 1, MTLS_GENERATION_NAME);
	return true;
}

bool mtls_generations_open(struct mtls_generations *g, int dir, bool make, bool conf)
{
	struct stat st;

	*g = (struct mtls_generations){.dir = dir, .all = -1, .conf = conf || is_ours(dir, mtls_part_file(MTLS_CONF))};
	for (int i = 0; i < MTLS_FILES; i++) {
		const char *name = name_of(g, i);

		errno = EISDIR; /* rename(2) would say so only half-way */
		if (name && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return failed(g, name);
	}
	if (!find_current(g))
		return failed(g, CURRENT);
	g->all = make_inner(dir, ALL, make);
	return g->all >= 0 || (!make && errno == ENOENT) || failed(g, ALL);
}

void mtls_generations_close(struct mtls_generations *g)
{
	if (g->all >= 0)
		close(g->all);
	g->all = -1;
}

/* A folder of its own; -1. */
static int begin(struct mtls_generations *g, char id[MTLS_GENERATION_NAME])
{
	unsigned char random[(MTLS_GENERATION_NAME - 1) / 2];

	id[0] = '\0';
	errno = EIO;
	if (RAND_bytes(random, sizeof(random)) != 1)
		return -1;
	mtls_bytes_hex(random, sizeof(random), id);
	return make_inner(g->all, id, true);
}

/* The very file that is in force: another change of it is another file. */
static bool keep(struct mtls_generations *g, const char *name, int to)
{
	char ours[64];

	link_of(name, ours);
	return linkat(g->dir, ours, to, name, 0) == 0 || errno == ENOENT;
}

static bool write_one(struct mtls_generations *g, int part, const struct mtls_store_file *file, int to)
{
	static const struct mtls_store_file nothing = {.mode = 0600};
	const char *name = name_of(g, part);
	bool ok = true;

	if (file->given || part == MTLS_CERT || part == MTLS_KEY)
		ok = mtls_store_put(to, name, file->given ? file : &nothing);
	else if (part == MTLS_CONF && name)
		ok = keep(g, name, to);
	return ok || failed(g, name);
}

bool mtls_generations_write(struct mtls_generations *g, const struct mtls_store_file file[MTLS_FILES],
			    char id[MTLS_GENERATION_NAME])
{
	int fd = begin(g, id);
	bool ok = true;

	if (fd < 0)
		return failed(g, ALL);
	for (int i = 0; ok && i < MTLS_FILES; i++)
		ok = write_one(g, i, &file[i], fd);
	ok = ok && ((fsync(fd) == 0 && fsync(g->all) == 0) || failed(g, ALL));
	close(fd);
	return ok;
}

bool mtls_generations_switch(struct mtls_generations *g, const char *id)
{
	char target[sizeof(ALL) + MTLS_GENERATION_NAME];

	snprintf(target, sizeof(target), ALL "/%s", id);
	if (!put_link(g->dir, target, CURRENT))
		return failed(g, CURRENT);
	memcpy(g->current, id, MTLS_GENERATION_NAME);
	g->unsynced = fsync(g->dir) != 0;
	return !g->unsynced || failed(g, CURRENT);
}

/* --- what lies there already --------------------------------------------------------- */

/* A link to somewhere leads there from two folders below, too. */
static bool adopt_link(struct mtls_generations *g, const char *name, int to)
{
	char target[PATH_MAX], moved[PATH_MAX + 8];

	target_of(g->dir, name, target, sizeof(target));
	errno = ENAMETOOLONG;
	if (!target[0])
		return false;
	snprintf(moved, sizeof(moved), "%s%s", target[0] == '/' ? "" : "../../", target);
	return symlinkat(moved, to, name) == 0;
}

static bool adopt_one(struct mtls_generations *g, const char *name, int to)
{
	struct stat st;

	if (fstatat(g->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	if (is_ours(g->dir, name))
		return keep(g, name, to);
	return S_ISLNK(st.st_mode) ? adopt_link(g, name, to) : linkat(g->dir, name, to, name, 0) == 0;
}

/* A generation of the very files that are in force now. */
static bool adopt_files(struct mtls_generations *g)
{
	char id[MTLS_GENERATION_NAME];
	int fd = begin(g, id);
	bool ok = fd >= 0;

	g->at = ALL;
	for (int i = 0; ok && i < MTLS_FILES; i++) {
		const char *name = name_of(g, i);

		ok = !name || adopt_one(g, name, fd) || failed(g, name);
	}
	ok = ok && fsync(fd) == 0 && fsync(g->all) == 0;
	if (fd >= 0)
		close(fd);
	return ok && mtls_generations_switch(g, id);
}

/* Passphrase and settings have a name only where there are any. */
static bool link_name(struct mtls_generations *g, int part, bool needed)
{
	const char *name = name_of(g, part);
	char target[64];

	if (!name || is_ours(g->dir, name))
		return true;
	if ((part == MTLS_PASS || part == MTLS_CONF) && !needed && !exists(g->dir, name))
		return true;
	link_of(name, target);
	return put_link(g->dir, target, name) || failed(g, name);
}

bool mtls_generations_adopt(struct mtls_generations *g, const struct mtls_store_file next[MTLS_FILES])
{
	bool foreign = false, ok;

	for (int i = 0; i < MTLS_FILES; i++) {
		const char *name = name_of(g, i);

		foreign |= name && exists(g->dir, name) && !is_ours(g->dir, name);
	}
	ok = !foreign || adopt_files(g);
	for (int i = 0; ok && i < MTLS_FILES; i++)
		ok = link_name(g, i, next[i].given);
	return ok && (fsync(g->dir) == 0 || failed(g, ALL));
}

/* --- what is over ----------------------------------------------------------------------- */

/* The name of a passphrase or of settings that are in no generation: they have gone, or never came. */
static bool drop_name(struct mtls_generations *g, enum mtls_part part)
{
	const char *name = mtls_part_file(part);
	struct stat st;

	if (!is_ours(g->dir, name) || fstatat(g->dir, name, &st, 0) == 0)
		return true;
	return unlinkat(g->dir, name, 0) == 0 || failed(g, name);
}

bool mtls_generations_sweep(struct mtls_generations *g)
{
	int fd = openat(g->all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool ok = list;

	while (ok && (entry = readdir(list)))
		if (is_id(entry->d_name) && strcmp(entry->d_name, g->current) != 0)
			ok = mtls_wipe_folder(g->all, entry->d_name);
	if (list)
		closedir(list);
	else if (fd >= 0)
		close(fd);
	return (ok || failed(g, ALL)) && drop_name(g, MTLS_PASS) && drop_name(g, MTLS_CONF);
}

/* The settings are no secret, and outlive the credential. */
static bool release_conf(struct mtls_generations *g)
{
	const char *name = mtls_part_file(MTLS_CONF);
	char ours[64];

	link_of(name, ours);
	if (!is_ours(g->dir, name) || !exists(g->dir, ours))
		return true;
	return (new_is_free(g->dir) && linkat(g->dir, ours, g->dir, NEW, 0) == 0 &&
		renameat(g->dir, NEW, g->dir, name) == 0 && fsync(g->dir) == 0) ||
	       failed(g, name);
}

bool mtls_generations_clear(struct mtls_generations *g)
{
	struct stat st;

	if (!release_conf(g))
		return false;
	for (int i = 0; i < MTLS_FILES; i++) {
		const char *name = mtls_part_file((enum mtls_part)i);

		errno = EBUSY; /* somebody has put it there since */
		if ((i == MTLS_CERT || i == MTLS_KEY) && fstatat(g->dir, name, &st, 0) == 0)
			return failed(g, name);
		if (is_ours(g->dir, name) && unlinkat(g->dir, name, 0) != 0)
			return failed(g, name);
	}
	if (g->current[0] && unlinkat(g->dir, CURRENT, 0) != 0)
		return failed(g, CURRENT);
	g->current[0] = '\0';
	if (g->all < 0)
		return true;
	if (!mtls_generations_sweep(g))
		return false;
	return unlinkat(g->dir, ALL, AT_REMOVEDIR) == 0 || errno == ENOTEMPTY || failed(g, ALL);
}
