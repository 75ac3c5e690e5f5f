/* SPDX-License-Identifier: Apache-2.0 */
/* Overwriting and deleting; see wipe.h. */
#include "host/wipe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool mtls_wipe_content(int fd)
{
	static const char zeros[4096];
	struct stat st;
	off_t at = 0;

	if (fstat(fd, &st) != 0)
		return false;
	while (at < st.st_size) {
		size_t n = st.st_size - at < (off_t)sizeof(zeros) ? (size_t)(st.st_size - at) : sizeof(zeros);
		ssize_t done = pwrite(fd, zeros, n, at);

		if (done < 0 && errno != EINTR)
			return false;
		at += done > 0 ? done : 0;
	}
	return fsync(fd) == 0;
}

/* It is opened for writing only after it was seen to be a file: to open a FIFO may wait. */
static bool overwrite_file(int dir, const char *name, const struct stat *seen)
{
	int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool ok;

	if (fd < 0 && errno == EACCES && seen->st_uid == geteuid() &&
	    fchmodat(dir, name, 0600, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = fstat(fd, &st) == 0;
	if (ok && S_ISREG(st.st_mode) && st.st_nlink == 1)
		ok = mtls_wipe_content(fd);
	close(fd);
	return ok;
}

bool mtls_wipe(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	if (S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size && !overwrite_file(dir, name, &st))
		return false;
	return unlinkat(dir, name, 0) == 0;
}

bool mtls_wipe_folder(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool ok = list;

	if (fd < 0)
		return (errno == ENOTDIR || errno == ELOOP) && mtls_wipe(dir, name);
	if (!list) {
		close(fd);
		return false;
	}
	while (ok && (entry = readdir(list)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			ok = mtls_wipe(fd, entry->d_name);
	closedir(list);
	return ok && unlinkat(dir, name, AT_REMOVEDIR) == 0;
}
