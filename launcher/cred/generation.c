/* SPDX-License-Identifier: Apache-2.0 */
/* Generations of a folder's credential; see generation.h and, for the order of things, store.c. */
#include "launcher/cred/generation.h"
#include "core/credential.h"
#include "launcher/cred/wipe.h"

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
#define NEW     ".current.new" /* a link before it is renamed; what a kill left of it is replaced */

static const enum mtls_part parts[] = {MTLS_CERT, MTLS_KEY, MTLS_PASS};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static bool failed(struct generations *g, const char *at)
{
	g->at = at;
	return false;
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

bool generations_put(int dir, const char *name, struct mtls_bytes data)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), error;
	bool ok;

	if (fd < 0)
		return false;
	ok = fchmod(fd, 0600) == 0 && write_all(fd, data) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	error = errno;
	if (!ok)
		cred_wipe(dir, name);
	errno = error;
	return ok;
}

/* A link's target; "" where it is no link, or its target is longer than room. */
static void target_of(int dir, const char *name, char *target, size_t room)
{
	ssize_t n = readlinkat(dir, name, target, room);

	target[n > 0 && (size_t)n < room ? n : 0] = '\0';
}

/* Puts a link in a name's place, by one rename. */
static bool put_link(int dir, const char *target, const char *name)
{
	if (unlinkat(dir, NEW, 0) != 0 && errno != ENOENT)
		return false;
	return symlinkat(target, dir, NEW) == 0 && renameat(dir, NEW, dir, name) == 0;
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
	return strlen(s) == GENERATION_NAME - 1 && strspn(s, "0123456789abcdef") == GENERATION_NAME - 1;
}

/* The link is ours, or there is none: anything else of that name is somebody's. */
static bool find_current(struct generations *g)
{
	static const char before[] = ALL "/";
	char target[sizeof(before) + GENERATION_NAME];

	g->current[0] = '\0';
	if (!exists(g->dir, CURRENT))
		return errno == ENOENT;
	target_of(g->dir, CURRENT, target, sizeof(target));
	errno = EEXIST;
	if (strncmp(target, before, sizeof(before) - 1) != 0 || !is_id(target + sizeof(before) - 1))
		return false;
	memcpy(g->current, target + sizeof(before) - 1, GENERATION_NAME);
	return true;
}

bool generations_open(struct generations *g, int dir, bool make)
{
	struct stat st;

	*g = (struct generations){.dir = dir, .all = -1};
	for (size_t i = 0; i < PARTS; i++) {
		errno = EISDIR; /* rename(2) would say so only half-way */
		if (fstatat(dir, mtls_part_file(parts[i]), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return failed(g, mtls_part_file(parts[i]));
	}
	if (!find_current(g))
		return failed(g, CURRENT);
	g->all = make_inner(dir, ALL, make);
	return g->all >= 0 || (!make && errno == ENOENT) || failed(g, ALL);
}

void generations_close(struct generations *g)
{
	if (g->all >= 0)
		close(g->all);
	g->all = -1;
}

/* A folder of its own; -1. */
static int begin(struct generations *g, char id[GENERATION_NAME])
{
	unsigned char random[(GENERATION_NAME - 1) / 2];

	id[0] = '\0';
	errno = EIO;
	if (RAND_bytes(random, sizeof(random)) != 1)
		return -1;
	mtls_bytes_hex(random, sizeof(random), id);
	return make_inner(g->all, id, true);
}

bool generations_write(struct generations *g, struct mtls_bytes cert, struct mtls_bytes key, char id[GENERATION_NAME])
{
	int fd = begin(g, id);
	bool ok;

	if (fd < 0)
		return failed(g, ALL);
	ok = (generations_put(fd, mtls_part_file(MTLS_CERT), cert) || failed(g, mtls_part_file(MTLS_CERT))) &&
	     (generations_put(fd, mtls_part_file(MTLS_KEY), key) || failed(g, mtls_part_file(MTLS_KEY))) &&
	     ((fsync(fd) == 0 && fsync(g->all) == 0) || failed(g, ALL));
	close(fd);
	return ok;
}

bool generations_switch(struct generations *g, const char *id)
{
	char target[sizeof(ALL) + GENERATION_NAME];

	snprintf(target, sizeof(target), ALL "/%s", id);
	if (!put_link(g->dir, target, CURRENT))
		return failed(g, CURRENT);
	memcpy(g->current, id, GENERATION_NAME);
	g->unsynced = fsync(g->dir) != 0;
	return !g->unsynced || failed(g, CURRENT);
}

/* --- what lies there already --------------------------------------------------------- */

/* A link to somewhere leads there from two folders below, too. */
static bool adopt_link(struct generations *g, const char *name, int to)
{
	char target[PATH_MAX], moved[PATH_MAX + 8];

	target_of(g->dir, name, target, sizeof(target));
	errno = ENAMETOOLONG;
	if (!target[0])
		return false;
	snprintf(moved, sizeof(moved), "%s%s", target[0] == '/' ? "" : "../../", target);
	return symlinkat(moved, to, name) == 0;
}

static bool adopt_one(struct generations *g, const char *name, int to)
{
	struct stat st;
	char link[64];

	link_of(name, link);
	if (fstatat(g->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	if (is_ours(g->dir, name))
		return linkat(g->dir, link, to, name, 0) == 0 || errno == ENOENT;
	return S_ISLNK(st.st_mode) ? adopt_link(g, name, to) : linkat(g->dir, name, to, name, 0) == 0;
}

/* A generation of the very files that are in force now. */
static bool adopt_files(struct generations *g)
{
	char id[GENERATION_NAME];
	int fd = begin(g, id);
	bool ok = fd >= 0;

	g->at = ALL;
	for (size_t i = 0; ok && i < PARTS; i++)
		ok = adopt_one(g, mtls_part_file(parts[i]), fd) || failed(g, mtls_part_file(parts[i]));
	ok = ok && fsync(fd) == 0 && fsync(g->all) == 0;
	if (fd >= 0)
		close(fd);
	return ok && generations_switch(g, id);
}

/* A passphrase has a name only where there is one. */
static bool link_name(struct generations *g, enum mtls_part part)
{
	const char *name = mtls_part_file(part);
	char target[64];

	if (is_ours(g->dir, name) || (part == MTLS_PASS && !exists(g->dir, name)))
		return true;
	link_of(name, target);
	return put_link(g->dir, target, name) || failed(g, name);
}

bool generations_adopt(struct generations *g)
{
	bool foreign = false, ok;

	for (size_t i = 0; i < PARTS; i++)
		foreign |= exists(g->dir, mtls_part_file(parts[i])) && !is_ours(g->dir, mtls_part_file(parts[i]));
	ok = !foreign || adopt_files(g);
	for (size_t i = 0; ok && i < PARTS; i++)
		ok = link_name(g, parts[i]);
	return ok && (fsync(g->dir) == 0 || failed(g, ALL));
}

/* --- what is over ----------------------------------------------------------------------- */

/* A passphrase of before has gone with its key. */
static bool drop_passphrase(struct generations *g)
{
	const char *name = mtls_part_file(MTLS_PASS);
	struct stat st;

	if (!is_ours(g->dir, name) || fstatat(g->dir, name, &st, 0) == 0)
		return true;
	return unlinkat(g->dir, name, 0) == 0 || failed(g, name);
}

bool generations_sweep(struct generations *g)
{
	int fd = openat(g->all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool ok = list;

	while (ok && (entry = readdir(list)))
		if (is_id(entry->d_name) && strcmp(entry->d_name, g->current) != 0)
			ok = cred_wipe_folder(g->all, entry->d_name);
	if (list)
		closedir(list);
	else if (fd >= 0)
		close(fd);
	return (ok || failed(g, ALL)) && drop_passphrase(g);
}

bool generations_clear(struct generations *g)
{
	struct stat st;

	for (size_t i = 0; i < PARTS; i++) {
		const char *name = mtls_part_file(parts[i]);

		errno = EBUSY; /* somebody has put it there since */
		if (parts[i] != MTLS_PASS && fstatat(g->dir, name, &st, 0) == 0)
			return failed(g, name);
		if (is_ours(g->dir, name) && unlinkat(g->dir, name, 0) != 0)
			return failed(g, name);
	}
	if (g->current[0] && unlinkat(g->dir, CURRENT, 0) != 0)
		return failed(g, CURRENT);
	g->current[0] = '\0';
	if (g->all < 0)
		return true;
	if (!generations_sweep(g))
		return false;
	return unlinkat(g->dir, ALL, AT_REMOVEDIR) == 0 || errno == ENOTEMPTY || failed(g, ALL);
}
