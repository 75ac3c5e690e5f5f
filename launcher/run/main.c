/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-run: looks whether the program will be able to present the machine's
 * certificate, says so where it will not, puts the shim into LD_PRELOAD and becomes the
 * program. Nothing is left of it: same pid, same descriptors, same signals.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/run/credential.h"
#include "launcher/run/explain.h"
#include "launcher/run/library.h"
#include "launcher/run/options.h"
#include "launcher/run/program.h"
#include "launcher/run/reach.h"
#include "launcher/run/say.h"

/*
 * Where 0, 1 or 2 is closed a file of ours would get its number, and our messages perhaps be written into
 * it. What stands in for it here takes no bytes and is closed again for the program.
 */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* 0, or why no line could be added to this file, whose name is absolute. The file is not made. */
static int log_error(const char *file)
{
	struct stat st;
	char *folder;
	int error;

	if (stat(file, &st) == 0)
		return S_ISDIR(st.st_mode) ? EISDIR : access(file, W_OK) == 0 ? 0 : errno;
	error = errno;
	if (error != ENOENT)
		return error;
	folder = text("%.*s", (int)(strrchr(file, '/') + 1 - file), file);
	error = access(folder, W_OK | X_OK) == 0 ? 0 : errno;
	free(folder);
	return error;
}

/* The shim loses what it cannot write, and has nowhere to say so. */
static void warn_of_log(void)
{
	const char *file = getenv("MTLS_LOG_FILE");
	int error = file && *file == '/' ? log_error(file) : 0;

	if (error)
		say("warning: %s: %s: the log goes nowhere", file, strerror(error));
}

/* Everything that the shim needs. false: 125, and that was the only line. */
static bool prepare(const struct options *o, const struct program *p)
{
	enum mtls_log log;
	struct library library;
	char *obstacle;
	bool ok = false;

	if (!library_find(&library))
		return false;
	obstacle = reach_obstacle(o->program, p, &library.elf);
	if (!obstacle && o->strict)
		obstacle = reach_inside(p);
	if (obstacle && o->strict) {
		say("%s (refused because of --strict)", obstacle);
		goto out;
	}
	if ((o->audit && !library_audit(&library)) || !credential_check(library.cred, &log))
		goto out;
	if (!obstacle && log >= MTLS_LOG_WARN) /* where nobody is told it is not worth the milliseconds */
		obstacle = reach_inside(p);
	if (obstacle && log >= MTLS_LOG_WARN)
		say("%s", obstacle);
	if (log >= MTLS_LOG_WARN)
		warn_of_log();
	library_preload(&library);
	ok = true;
out:
	free(obstacle);
	library_free(&library);
	return ok;
}

static int exec_failed(const char *name, int error)
{
	if (error == ENOENT && !strchr(name, '/'))
		say("%s: not found in PATH", name);
	else
		say("%s: cannot be run: %s", name, strerror(error));
	return error == ENOENT ? RUN_NOT_FOUND : RUN_NO_EXEC;
}

/* Returns only if the program cannot be run: the exit status, of which has been told. */
static int run(const struct options *o)
{
	const char *disable, *name = o->program[0];
	struct program p;
	int error, status = RUN_FAILED;

	error = program_find(o->program, &p);
	if (error)
		return exec_failed(name, error);
	disable = getenv("MTLS_DISABLE");
	if ((disable && strcmp(disable, "1") == 0) || prepare(o, &p)) {
		execvp(name, o->program);
		error = errno;
		if (error == ENOENT) {
			say("%s: its interpreter does not exist", p.path);
			status = RUN_NOT_FOUND;
		} else {
			status = exec_failed(name, error);
		}
	}
	program_free(&p);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = RUN_FAILED;

	fill_standard_descriptors();
	switch (options_read(argc, argv, &o)) {
	case OPTIONS_RUN:
		if (options_apply(&o))
			status = o.explain ? explain(&o) : run(&o);
		break;
	case OPTIONS_DONE:
		status = EXIT_SUCCESS;
		break;
	case OPTIONS_WRONG:
		break;
	}
	options_free(&o);
	return status;
}
