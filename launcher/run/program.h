/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file a command line ends up running: the PATH search of execvp(3), "#!"
 * lines as the kernel reads them, and env(1), which scripts use to find their
 * interpreter. It only looks; execvp does the work in the end.
 */
#ifndef MTLS_LAUNCHER_RUN_PROGRAM_H
#define MTLS_LAUNCHER_RUN_PROGRAM_H

#include "launcher/run/elf.h"

struct program {
	char *path;       /* what execvp will run */
	char *image;      /* the ELF file that it becomes: path itself or the interpreter; NULL: not to be found out */
	struct elf elf;   /* of image */
	bool preload_off; /* an env on the way clears LD_PRELOAD */
};

/*
 * Looks for argv[0], which is not NULL. 0, or the errno that execvp would give (ENOENT: not found, EACCES …);
 * then *out is empty. An image that cannot be told is no failure.
 */
int program_find(char *const argv[], struct program *out);
void program_free(struct program *);

#endif
