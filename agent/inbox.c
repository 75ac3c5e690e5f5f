/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox; see inbox.h. It may be another user's, who may do with it what he likes meanwhile: so all names are
 * relative to its descriptor, no link is followed, and what is overwritten is what was looked at.
 */
#include "agent/inbox.h"
#include "agent/say.h"
#include "core/credential.h"
#include "host/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define STAY "nothing was moved"

/* What has this name is in the agent's folder already, and only to be erased. */
static void name_taken(int part, char name[64])
{
	snprintf(name, 64, ".%s.taken", mtls_part_file((enum mtls_part)part));
}

static bool complain(const struct inbox *inbox, const char *name, const char *why, const char *outcome)
{
	agent_say("%s%s%s: %s; %s", inbox->path, name ? "/" : "", name ? name : "", why, outcome);
	return false;
}

/* --- opening ------------------------------------------------------------------------- */

/* "x/" would be followed where x is a link. The caller frees; NULL without memory. */
static char *without_slashes(const char *path)
{
	char *copy = strdup(path);
	size_t n = copy ? strlen(copy) : 0;

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	return copy;
}

static const char *why_not_folder(int error)
{
	return error == ELOOP || error == ENOTDIR ? "this is not a folder, but a link or a file" : strerror(error);
}

static bool open_folder(struct inbox *inbox)
{
	char *path = without_slashes(inbox->path);

	inbox->dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	free(path);
	if (inbox->dir < 0)
		return (path && errno == ENOENT) || complain(inbox, NULL, why_not_folder(errno), STAY);
	if (fstat(inbox->dir, &inbox->st) != 0)
		return complain(inbox, NULL, strerror(errno), STAY);
	if (inbox->st.st_mode & S_IWOTH)
		return complain(inbox, NULL, "everybody may write here; close it with chmod o-w", STAY);
	return true;
}

/* NULL: it is what we take. */
static const char *why_not_file(const struct inbox *inbox, const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "this is a link; put the file itself there";
	if (!S_ISREG(st->st_mode))
		return mtls_reason_sentence(MTLS_NOT_A_FILE);
	if (st->st_uid != inbox->st.st_uid)
		return "this belongs to another user than its folder; chown it";
	if (st->st_nlink != 1)
		return "this file has another name, by which the key would stay; put a copy there";
	if ((uint64_t)st->st_size > MTLS_FILE_MAX)
		return mtls_reason_sentence(MTLS_TOO_LARGE);
	return NULL;
}

/* A file of our own may be read-only: it is made writable for the moment of opening. */
static int open_for_erasure(const struct inbox *inbox, const char *name)
{
	int fd = openat(inbox->dir, name, O_RDWR | OPEN), look;
	struct stat st;

	if (fd >= 0 || errno != EACCES || inbox->st.st_uid != geteuid())
		return fd;
	look = openat(inbox->dir, name, O_RDONLY | OPEN);
	if (look < 0)
		return -1;
	if (fstat(look, &st) == 0 && !why_not_file(inbox, &st) && fchmod(look, st.st_mode | S_IRUSR | S_IWUSR) == 0) {
		fd = openat(inbox->dir, name, O_RDWR | OPEN);
		if (fchmod(look, st.st_mode) != 0) {
			close(fd);
			fd = -1;
		}
	} else {
		errno = EACCES;
	}
	close(look);
	return fd;
}

/* It is looked at before it is opened, because that may do something to a device; and again, because of the time
 * between. */
static bool open_file(const struct inbox *inbox, const char *name, struct inbox_file *file)
{
	const char *why;

	file->fd = -1;
	if (fstatat(inbox->dir, name, &file->st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || complain(inbox, name, strerror(errno), STAY);
	why = why_not_file(inbox, &file->st);
	if (why)
		return complain(inbox, name, why, STAY);
	file->fd = open_for_erasure(inbox, name);
	if (file->fd < 0 || fstat(file->fd, &file->st) != 0)
		return complain(inbox, name, strerror(errno), STAY);
	why = why_not_file(inbox, &file->st);
	return !why || complain(inbox, name, why, STAY);
}

static void close_file(struct inbox_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	if (file->data)
		OPENSSL_clear_free(file->data, (size_t)file->st.st_size + 1);
	file->data = NULL;
}

void inbox_close(struct inbox *inbox)
{
	for (int i = 0; i < MTLS_FILES; i++)
		close_file(&inbox->file[i]);
	if (inbox->dir >= 0)
		close(inbox->dir);
	inbox->dir = -1;
}

/* --- reading ------------------------------------------------------------------------- */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_rewritten(const struct stat *a, const struct stat *b)
{
	return a->st_size != b->st_size || memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) != 0;
}

/* Another name, owner or mode counts, too. */
static bool is_changed(const struct stat *a, const struct stat *b)
{
	return is_rewritten(a, b) || memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) != 0;
}

/* NULL: all of it, and it is as it was. */
static const char *read_file(struct inbox_file *file)
{
	size_t size = (size_t)file->st.st_size, n = 0;
	struct stat now;
	ssize_t got = 1;

	file->data = OPENSSL_malloc(size + 1);
	if (!file->data)
		return "out of memory";
	while (got && n <= size) {
		got = pread(file->fd, file->data + n, size + 1 - n, (off_t)n);
		if (got < 0 && errno != EINTR)
			return strerror(errno);
		n += got > 0 ? (size_t)got : 0;
	}
	if (fstat(file->fd, &now) != 0)
		return strerror(errno);
	return n != size || is_changed(&file->st, &now) ? "somebody is writing it; try again" : NULL;
}

bool inbox_is_empty(const struct inbox *inbox)
{
	bool empty = true;

	for (int i = 0; i < MTLS_FILES; i++)
		empty = empty && inbox->file[i].fd < 0;
	return empty;
}

bool inbox_read(struct inbox *inbox)
{
	bool ok = true;

	for (int i = 0; i < MTLS_FILES; i++) {
		const char *name = mtls_part_file((enum mtls_part)i), *why = NULL;

		if (!open_file(inbox, name, &inbox->file[i])) {
			ok = false;
			continue;
		}
		if (inbox->file[i].fd >= 0)
			why = read_file(&inbox->file[i]);
		ok = (!why || complain(inbox, name, why, STAY)) && ok;
	}
	if (ok && !inbox_is_empty(inbox) && faccessat(inbox->dir, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return complain(inbox, NULL, strerror(errno), "nothing could be erased here, so " STAY);
	return ok;
}

/* --- erasing ------------------------------------------------------------------------- */

#define LATER "it is safe in the agent's folder, and will be erased at the next start"

/* Also where the name has gone: the bytes are what has to go. */
static bool erase_file(const struct inbox *inbox, const char *name, const struct inbox_file *file)
{
	struct stat st;

	if (!mtls_wipe_content(file->fd))
		return complain(inbox, name, strerror(errno), LATER);
	if (fstatat(inbox->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_same(&st, &file->st) &&
	    unlinkat(inbox->dir, name, 0) != 0)
		return complain(inbox, name, strerror(errno), LATER);
	return true;
}

/* What an earlier call had taken. */
static bool erase_taken(const struct inbox *inbox)
{
	struct inbox_file file = {.fd = -1};
	bool ok = true, any = false;
	char name[64];

	for (int i = 0; i < MTLS_FILES; i++) {
		name_taken(i, name);
		if (!open_file(inbox, name, &file)) {
			ok = false;
		} else if (file.fd >= 0) {
			any = true;
			ok = erase_file(inbox, name, &file) && ok;
		}
		close_file(&file);
	}
	return (!any || fsync(inbox->dir) == 0 || complain(inbox, NULL, strerror(errno), LATER)) && ok;
}

#define CHANGED "somebody has changed it since it was read"
#define WAITS   "it waits for the next start"

/* Who puts another file in its place between our look and our rename gets it back. */
static bool give_back(const struct inbox *inbox, const char *taken, const char *name)
{
	return renameat2(inbox->dir, taken, inbox->dir, name, RENAME_NOREPLACE) == 0 ||
	       complain(inbox, taken, strerror(errno), "it was put here just now: put it here again");
}

static bool take(const struct inbox *inbox, int part, const struct inbox_file *file)
{
	const char *name = mtls_part_file((enum mtls_part)part);
	struct stat now, named;
	char taken[64];

	name_taken(part, taken);
	if (fstat(file->fd, &now) != 0)
		return complain(inbox, name, strerror(errno), LATER);
	if (now.st_nlink && is_rewritten(&file->st, &now))
		return complain(inbox, name, CHANGED, WAITS);
	if (fstatat(inbox->dir, name, &named, AT_SYMLINK_NOFOLLOW) != 0 || !is_same(&named, &file->st))
		return true;
	if (renameat(inbox->dir, name, inbox->dir, taken) != 0)
		return complain(inbox, name, strerror(errno), LATER);
	if (fstatat(inbox->dir, taken, &named, AT_SYMLINK_NOFOLLOW) == 0 && !is_same(&named, &file->st))
		return give_back(inbox, taken, name);
	return true;
}

/* Last look: of what is written in place from here on nothing is left. */
static bool erase_read(const struct inbox *inbox, int part, const struct inbox_file *file)
{
	const char *name = mtls_part_file((enum mtls_part)part);
	struct stat now;
	char taken[64];

	name_taken(part, taken);
	if (fstat(file->fd, &now) != 0)
		return complain(inbox, taken, strerror(errno), LATER);
	if (now.st_nlink && is_rewritten(&file->st, &now))
		return give_back(inbox, taken, name) && complain(inbox, name, CHANGED, WAITS);
	return erase_file(inbox, taken, file);
}

bool inbox_erase(struct inbox *inbox)
{
	bool ok = true;

	for (int i = 0; i < MTLS_FILES; i++) {
		if (inbox->file[i].fd < 0 || take(inbox, i, &inbox->file[i]))
			continue;
		close_file(&inbox->file[i]);
		ok = false;
	}
	/* Else a cut could leave the old name with a file of zeros. */
	if (fsync(inbox->dir) != 0)
		return complain(inbox, NULL, strerror(errno), LATER);
	for (int i = 0; i < MTLS_FILES; i++)
		if (inbox->file[i].fd >= 0)
			ok = erase_read(inbox, i, &inbox->file[i]) && ok;
	return (fsync(inbox->dir) == 0 || complain(inbox, NULL, strerror(errno), LATER)) && ok;
}

bool inbox_open(struct inbox *inbox, const char *path)
{
	memset(inbox, 0, sizeof(*inbox));
	inbox->path = path;
	for (int i = 0; i < MTLS_FILES; i++)
		inbox->file[i].fd = -1;
	return open_folder(inbox) && (inbox->dir < 0 || erase_taken(inbox));
}
