/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding libmtls-run.so, libmtls-audit.so and mtls-cred; see library.h. In a build they are
 * beside mtls-run; installed, the libraries are in ../lib/mtls-run or ../lib.
 */
#include "launcher/run/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "launcher/run/say.h"

#define LIBRARY    "libmtls-run.so"
#define AUDIT      "libmtls-audit.so"
#define SEPARATORS " :\t\n\v\f\r" /* of LD_PRELOAD: glibc splits at blank and colon, musl at any white space */

/* The folder of this program, links resolved; NULL: errno. Without /proc, by the name that it was started with. */
static char *own_folder(void)
{
	char *path = realpath("/proc/self/exe", NULL);

	if (!path)
		path = realpath((const char *)getauxval(AT_EXECFN), NULL);
	if (path)
		*strrchr(path, '/') = '\0';
	return path;
}

static int open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* A descriptor of the first of the places that has a library, else -1. *path is that place, or the last one. */
static int open_library(const char *folder, char **path)
{
	static const char *const places[] = {"", "/../lib/mtls-run", "/../lib"};
	int fd = -1;

	*path = NULL;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *up = places[i][0] ? strrchr(folder, '/') : NULL;

		free(*path);
		*path = up ? text("%.*s%s/" LIBRARY, (int)(up - folder), folder, places[i] + 3)
			   : text("%s/" LIBRARY, folder);
		fd = open_file(*path);
		if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR))
			break;
	}
	return fd;
}

bool library_find(struct library *out)
{
	char *folder = own_folder();
	int fd = -1;
	bool ok = false;

	memset(out, 0, sizeof(*out));
	if (!folder) {
		say("cannot tell where mtls-run itself is (%s); mount /proc", strerror(errno));
		return false;
	}
	fd = open_library(folder, &out->path);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		say(LIBRARY
		    ": it is neither in %s nor in ../lib/mtls-run nor in ../lib; install mtls-run again, or run "
		    "make",
		    folder);
	else if (fd < 0)
		say("%s: it cannot be read (%s); correct its permissions, or install mtls-run again", out->path,
		    strerror(errno));
	else if (!elf_read(elf_from_file, &fd, &out->elf))
		say("%s: this is not a library; install mtls-run again, or run make", out->path);
	else if (strpbrk(out->path, SEPARATORS))
		say("%s: a path with a blank or colon cannot be preloaded; move mtls-run to a folder without them",
		    out->path);
	else
		ok = true;
	if (fd >= 0)
		close(fd);
	if (out->path)
		out->audit = text("%.*s" AUDIT, (int)(strrchr(out->path, '/') + 1 - out->path), out->path);
	out->cred = text("%s/mtls-cred", folder);
	free(folder);
	if (!ok)
		library_free(out);
	return ok;
}

static bool listed(const char *list, const char *separators, const char *path)
{
	size_t n = strlen(path);

	while (*list) {
		size_t word = strcspn(list, separators);

		if (word == n && memcmp(list, path, n) == 0)
			return true;
		list += word;
		list += strspn(list, separators);
	}
	return false;
}

static void append(const char *variable, const char *separators, const char *path)
{
	const char *before = getenv(variable);
	char *value;

	if (before && listed(before, separators, path))
		return;
	value = before && *before ? text("%s:%s", before, path) : text("%s", path);
	if (setenv(variable, value, 1) != 0) {
		say("out of memory");
		exit(RUN_FAILED);
	}
	free(value);
}

void library_preload(const struct library *l)
{
	append("LD_PRELOAD", SEPARATORS, l->path);
}

bool library_audit(const struct library *l)
{
	int fd = open_file(l->audit);
	struct elf elf;
	bool ok = false;

	if (fd < 0)
		say("%s: --audit needs it, and it cannot be read (%s); install mtls-run again, or run make", l->audit,
		    strerror(errno));
	else if (!elf_read(elf_from_file, &fd, &elf) || !elf_same_machine(&elf, &l->elf))
		say("%s: this is not the library that --audit needs; install mtls-run again, or run make", l->audit);
	else
		ok = true;
	if (fd >= 0)
		close(fd);
	if (ok)
		append("LD_AUDIT", ":", l->audit);
	return ok;
}

void library_free(struct library *l)
{
	free(l->path);
	free(l->audit);
	free(l->cred);
	memset(l, 0, sizeof(*l));
}
