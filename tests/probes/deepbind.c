/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deepbind HOW FILE WORD...: a program that knows no TLS library and has FILE (tests/probes/plugins/) talk:
 *   lazy        dlopen with RTLD_DEEPBIND: FILE looks into its own dependencies first; functions bound when called
 *   now         as lazy, all functions bound at once
 *   reload      as lazy, loaded and unloaded 10 times
 *   namespace   dlmopen: FILE has its own copy of every library
 *
 * link: -ldl
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *why)
{
	const char *error = dlerror();

	fprintf(stderr, "probe: %s: %s\n", why, error ? error : "?");
	exit(3);
}

static void *load(const char *how, const char *file)
{
	if (strcmp(how, "namespace") == 0)
		return dlmopen(LM_ID_NEWLM, file, RTLD_NOW | RTLD_LOCAL);
	return dlopen(file, (strcmp(how, "now") == 0 ? RTLD_NOW : RTLD_LAZY) | RTLD_LOCAL | RTLD_DEEPBIND);
}

int main(int argc, char *argv[])
{
	bool reload = argc > 1 && strcmp(argv[1], "reload") == 0;
	void (*run)(char **words);

	if (argc < 4)
		die("usage: deepbind lazy|now|reload|namespace FILE WORD...");
	for (int n = reload ? 10 : 1; n; n--) {
		void *handle = load(argv[1], argv[2]);

		if (!handle)
			die(argv[2]);
		*(void **)&run = dlsym(handle, "plugin_run");
		if (!run)
			die("plugin_run");
		run(argv + 3);
		if (reload)
			dlclose(handle);
	}
	return 0;
}
