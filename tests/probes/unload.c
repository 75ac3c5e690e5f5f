/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program that unloads its plugins, or has very many, must not notice.
 *
 *   unload twice PLUGIN        loads it, runs it and unloads it, twice; so too by dlsym of "gnutls_init"
 *   unload many PLUGIN FOLDER  loads 300 copies of it, runs each of them once, then the last one 2,000 times: how many
 *                              bytes more are in use after the first 1,000 of these
 *
 * link: -ldl
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPIES 300
#define RUNS   1000

typedef int plugin_run(void);

static void die(const char *why)
{
	fprintf(stderr, "unload: %s\n", why);
	exit(3);
}

static plugin_run *load(const char *file, void **handle)
{
	plugin_run *run;

	*handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!*handle)
		die(dlerror());
	*(void **)&run = dlsym(*handle, "plugin_run");
	if (!run)
		die(dlerror());
	return run;
}

static void tell(const char *file)
{
	void *still = dlopen(file, RTLD_NOW | RTLD_NOLOAD);

	printf("%s\n", still ? "still there" : "gone");
	if (still)
		dlclose(still);
}

static void twice(const char *file)
{
	void *handle;

	for (int i = 0; i < 2; i++) {
		printf("run=%d ", load(file, &handle)());
		dlclose(handle);
		tell(file);
	}
	load(file, &handle);
	printf("found=%d ", dlsym(handle, "gnutls_init") != NULL);
	dlclose(handle);
	tell(file);
}

static plugin_run *load_copy(const char *file, const char *folder, int number)
{
	char command[8192], name[4096];
	void *handle;

	snprintf(name, sizeof(name), "%s/%d.so", folder, number);
	snprintf(command, sizeof(command), "cp '%s' '%s'", file, name);
	if (system(command) != 0)
		die("cannot copy the plugin");
	return load(name, &handle);
}

static long run_often(plugin_run *run)
{
	for (int i = 0; i < RUNS; i++)
		if (run() <= 0)
			die("a run failed");
	return (long)mallinfo2().uordblks;
}

static void many(const char *file, const char *folder)
{
	plugin_run *run = NULL;
	long before, after;

	for (int i = 0; i < COPIES; i++) {
		run = load_copy(file, folder, i);
		if (run() <= 0)
			die("a run failed");
	}
	before = run_often(run);
	after = run_often(run);
	printf("more=%ld\n", after - before);
}

int main(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[1], "twice") == 0)
		twice(argv[2]);
	else if (argc == 4 && strcmp(argv[1], "many") == 0)
		many(argv[2], argv[3]);
	else
		die("usage: unload twice PLUGIN, or: unload many PLUGIN FOLDER");
	return 0;
}
