/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of its own for each test, and ways to fill it: shared by the suites
 * that read real files. Whatever a test leaves in it goes with it.
 */
#ifndef MTLS_TESTS_FOLDER_FIXTURE_H
#define MTLS_TESTS_FOLDER_FIXTURE_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOBODY      65534
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define E(...)      ((char *const *)(const char *const[]){__VA_ARGS__, NULL}) /* an environment */

static char folder[32];

static inline void folder_make(void)
{
	strcpy(folder, "/tmp/mtls-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	umask(022);
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void folder_remove(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path in the folder; the last eight stay valid. Not for two threads. */
static inline const char *in(const char *name)
{
	static char path[8][512];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	return p;
}

/* Writes in place, as careless writers do. Any thread. */
static inline void put_at(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t n = strlen(text);

	ck_assert_msg(fd >= 0 && write(fd, text, n) == (ssize_t)n && close(fd) == 0, "%s: %s", path, strerror(errno));
}

static inline void put(const char *name, const char *text)
{
	put_at(in(name), text);
}

/* Puts a new file in its place. */
static inline void put_renamed(const char *name, const char *text)
{
	put(".new", text);
	ck_assert_int_eq(rename(in(".new"), in(name)), 0);
}

/* *name becomes a link to target, at once. */
static inline void point(const char *name, const char *target)
{
	ck_assert_int_eq(symlink(target, in(".new")), 0);
	ck_assert_int_eq(rename(in(".new"), in(name)), 0);
}

static inline unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Of address space: what is mapped is no leak to ASan. */
static inline int pages(void)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	return atoi(text);
}

/*
 * Can this process become another user who still sees the files? Not without root, and not in a root folder that is
 * closed to others (a chroot made by mktemp): then the test is passed over, with a line that says so.
 */
static inline bool is_root(const char *test)
{
	struct stat root;
	bool can = geteuid() == 0 && stat("/", &root) == 0 && (root.st_mode & S_IXOTH);

	if (!can)
		fprintf(stderr, "skip: %s needs root, and a root folder open to others\n", test);
	return can;
}

static inline int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
