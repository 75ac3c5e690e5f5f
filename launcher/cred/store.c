/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a certificate and its key into a folder; see store.h. All names are
 * relative to the folder's descriptor, so that nobody can swap the folder meanwhile.
 */
#include "launcher/cred/store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
	const char *name;
	char temporary[40]; /* "" until it exists */
	struct mtls_bytes data;
};

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

static int open_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make_folders(folder))
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

/* rename(2) would fail on a folder only after the other file was replaced. */
static bool replaceable(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	errno = S_ISDIR(st.st_mode) ? EISDIR : 0;
	return !errno;
}

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

static bool write_temporary(int dir, struct entry *e)
{
	unsigned char random[4];
	char name[sizeof(e->temporary)];
	bool ok;
	int fd;

	if (!replaceable(dir, e->name))
		return false;
	errno = EIO;
	if (RAND_bytes(random, sizeof(random)) != 1)
		return false;
	snprintf(name, sizeof(name), ".%s.%02x%02x%02x%02x", e->name, random[0], random[1], random[2], random[3]);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	memcpy(e->temporary, name, sizeof(name));
	ok = fchmod(fd, 0600) == 0 && write_all(fd, e->data) && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

static bool put_in_place(int dir, struct entry *e)
{
	if (renameat(dir, e->temporary, dir, e->name) != 0)
		return false;
	e->temporary[0] = '\0';
	return true;
}

bool cred_store(const struct cred *cred, const char *folder, struct mtls_bytes cert, struct mtls_bytes key)
{
	struct entry entry[] = {{mtls_part_file(MTLS_CERT), "", cert}, {mtls_part_file(MTLS_KEY), "", key}};
	const size_t n = sizeof(entry) / sizeof(entry[0]);
	bool (*const steps[])(int, struct entry *) = {write_temporary, put_in_place};
	int dir = open_folder(folder);
	bool ok = dir >= 0;

	if (!ok)
		cred_fail(cred, CRED_FAILED, "%s: %s", folder, strerror(errno));
	for (size_t step = 0; ok && step < 2; step++)
		for (size_t i = 0; ok && i < n; i++) {
			ok = steps[step](dir, &entry[i]);
			if (!ok)
				cred_fail(cred, CRED_FAILED, "%s/%s: %s", folder, entry[i].name, strerror(errno));
		}
	if (ok && fsync(dir) != 0)
		ok = !cred_fail(cred, CRED_FAILED, "%s: %s", folder, strerror(errno));
	for (size_t i = 0; i < n; i++)
		if (entry[i].temporary[0])
			unlinkat(dir, entry[i].temporary, 0);
	if (dir >= 0)
		close(dir);
	return ok;
}
