/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between LD_PRELOAD and the program; see reach.h. Sources: ld.so(8)
 * ("Secure-execution mode"), getauxval(3) (AT_SECURE), capabilities(7), security/commoncap.c.
 */
#include "launcher/run/reach.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "launcher/run/fingerprint.h"
#include "launcher/run/known.h"
#include "launcher/run/say.h"

/* Programs that start another one without our environment: always (no options), or with one of these. */
static const struct wrapper {
	const char *name, *options[4];
} wrappers[] = {
	{"sudo", {NULL}},
	{"doas", {NULL}},
	{"pkexec", {NULL}},
	{"systemd-run", {NULL}},
	{"su", {"-", "-l", "--login"}},
	{"runuser", {"-", "-l", "--login"}},
	{"setpriv", {"--reset-env"}},
};

static bool wrapper_drops(const struct wrapper *w, char *const *words)
{
	if (!w->options[0])
		return true;
	for (; *words && **words == '-' && strcmp(*words, "--") != 0; words++)
		for (size_t i = 0; w->options[i]; i++)
			if (strcmp(*words, w->options[i]) == 0)
				return true;
	return false;
}

static const struct wrapper *find_wrapper(char *const argv[])
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

	for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
		if (strcmp(name, wrappers[i].name) == 0 && wrapper_drops(&wrappers[i], argv + 1))
			return &wrappers[i];
	return NULL;
}

/* Would exec give rights by file capabilities? What is only inheritable gives none to a process that holds none. */
static bool has_capabilities(const char *path)
{
	struct vfs_ns_cap_data data; /* the largest of the revisions; they differ at the end only */
	ssize_t n = getxattr(path, "security.capability", &data, sizeof(data));

	if (n < (ssize_t)XATTR_CAPS_SZ_1)
		return false;
	return le32toh(data.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE || data.data[0].permitted ||
	       (n >= (ssize_t)XATTR_CAPS_SZ_2 && data.data[1].permitted);
}

/* NULL, or what makes the kernel set AT_SECURE for this image. */
static const char *secure_because(const char *image)
{
	uid_t euid = geteuid();
	gid_t egid = getegid();
	struct statvfs mount;
	struct stat st;
	bool gains;

	if (stat(image, &st) != 0 || statvfs(image, &mount) != 0)
		return NULL;
	gains = !(mount.f_flag & ST_NOSUID) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
	if (gains && st.st_mode & S_ISUID)
		euid = st.st_uid;
	if (gains && (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		egid = st.st_gid;
	if (euid != getuid())
		return "setuid";
	if (egid != getgid())
		return "setgid";
	if (gains && getuid() != 0 && has_capabilities(image))
		return "file capabilities";
	return NULL;
}

static char *who_of(const struct program *p)
{
	return strcmp(p->path, p->image) == 0 ? text("%s", p->path) : text("%s (run by %s)", p->path, p->image);
}

/* Java's launcher has nothing inside, but this. */
static void look_for_java(void *context, const char *name)
{
	bool *java = context;

	*java = *java || strcmp(name, "libjli.so") == 0;
}

char *reach_inside(const struct program *p)
{
	bool cut, java = false;
	struct elf_visitor needed = {.context = &java, .needed = look_for_java};
	enum flavour flavour = FLAVOUR_NONE;
	const char *name;
	char *who, *sentence;
	int fd = p->image ? open(p->image, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;

	if (fd < 0)
		return NULL;
	elf_visit(elf_from_file, &fd, &needed);
	if (!java)
		flavour = fingerprint(fd, FINGERPRINT_QUICK, &cut);
	close(fd);
	if (!java && flavour == FLAVOUR_NONE)
		return NULL;
	name = java ? "Java" : flavour_name(flavour);
	who = who_of(p);
	sentence = text("%s has TLS of its own inside%s%s%s, so the certificate cannot reach it; %s", who,
			flavour == FLAVOUR_UNKNOWN ? "" : " (", flavour == FLAVOUR_UNKNOWN ? "" : name,
			flavour == FLAVOUR_UNKNOWN ? "" : ")", known_remedy(name, p->image));
	free(who);
	return sentence;
}

char *reach_obstacle(char *const argv[], const struct program *p, const struct elf *library)
{
	const struct wrapper *wrapper = find_wrapper(argv);
	const char *because;
	char *who, *obstacle = NULL;

	if (wrapper)
		return text("%s clears the environment, so the certificate does not get through; use: %s%s mtls-run …",
			    argv[0], wrapper->name, wrapper->options[0] ? " …" : "");
	if (p->preload_off)
		return text("%s: env takes LD_PRELOAD away, so the certificate does not get through; use: env … "
			    "mtls-run PROGRAM",
			    argv[0]);
	if (!p->image)
		return NULL;
	who = who_of(p);
	because = secure_because(p->image);
	if (!elf_same_machine(&p->elf, library))
		obstacle = text("%s is built for %s and mtls-run for %s; use the mtls-run of that architecture", who,
				elf_machine_name(&p->elf), elf_machine_name(library));
	else if (p->elf.linkage != ELF_DYNAMIC && !(obstacle = reach_inside(p)))
		obstacle = text("%s is linked statically%s, so the certificate cannot reach it; use a dynamically "
				"linked build of it",
				who, p->elf.linkage == ELF_STATIC_PIE ? " (static-PIE)" : "");
	else if (because)
		obstacle = text("%s gets other rights than yours (%s), so the loader ignores mtls-run; use: sudo "
				"mtls-run …",
				who, because);
	free(who);
	return obstacle;
}
