/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe where an agent has the key. There is nothing here to sign with, but the shim can: this program starts
 * itself again with it preloaded, and is then served as any program is. So what is presented is presented by the same
 * code, and only if the shim decides as we do.
 */
#include "launcher/cred/probe.h"

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIM "libmtls-run.so"

static int is_shim(struct dl_phdr_info *info, size_t size, void *unused)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	(void)unused;
	return slash && strcmp(slash + 1, SHIM) == 0;
}

bool probe_by_shim(const struct probe *probe)
{
	return probe->cred->env.agent && dl_iterate_phdr(is_shim, NULL);
}

/* Where mtls-run looks for it, too. The caller frees; NULL: nowhere, or what cannot stand in LD_PRELOAD. */
static char *find_shim(void)
{
	static const char *const places[] = {"/" SHIM, "/../lib/mtls-run/" SHIM, "/../lib/" SHIM};
	char *self = realpath("/proc/self/exe", NULL), *path = NULL;

	if (!self)
		return NULL;
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; !path && i < sizeof(places) / sizeof(places[0]); i++) {
		if (asprintf(&path, "%s%s", self, places[i]) < 0)
			path = NULL;
		if (path && (access(path, R_OK) != 0 || strpbrk(path, " :"))) {
			free(path);
			path = NULL;
		}
	}
	free(self);
	return path;
}

static bool preload(const char *path)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;
	bool ok;

	if (before && strstr(before, path)) /* it was, and to no effect */
		return false;
	if (asprintf(&value, "%s%s%s", before ? before : "", before && *before ? ":" : "", path) < 0)
		return false;
	ok = setenv("LD_PRELOAD", value, 1) == 0;
	free(value);
	return ok;
}

/* The folder of --dir, for the shim; and it is we who tell what was decided. */
static bool settle(const struct cred *cred)
{
	if (cred->dir && (unsetenv("MTLS_CERT") != 0 || unsetenv("MTLS_KEY") != 0 ||
			  unsetenv("MTLS_KEY_PASS_FILE") != 0 || setenv("MTLS_DIR", cred->env.place[0].folder, 1) != 0))
		return false;
	return setenv("MTLS_LOG", "off", 1) == 0;
}

void probe_start_with_shim(const struct probe *probe)
{
	const struct cred *cred = probe->cred;
	const struct cred_credential *credential = probe->credential;
	char *path;

	if (!cred->env.agent || cred->env.disable || probe_by_shim(probe) || credential->reason != MTLS_USABLE ||
	    credential->agent != MTLS_AGENT_READY || credential->reading.policy.error.reason != MTLS_USABLE)
		return;
	path = find_shim();
	if (path && preload(path) && settle(cred))
		execv("/proc/self/exe", cred->argv);
	free(path);
}
