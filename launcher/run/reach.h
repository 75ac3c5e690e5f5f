/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can LD_PRELOAD reach this program at all? What the file and the command line
 * tell before anything runs. What TLS it has, and in which libraries, is tls.h's concern.
 */
#ifndef MTLS_LAUNCHER_RUN_REACH_H
#define MTLS_LAUNCHER_RUN_REACH_H

#include "launcher/run/program.h"

/*
 * NULL: nothing stands in the way. Else the gravest obstacle and the way out in one sentence, the
 * caller frees it. library: of libmtls-run.so. Obstacles that the kernel would lift for
 * this process (root, no_new_privs, a nosuid mount) do not count.
 */
char *reach_obstacle(char *const argv[], const struct program *, const struct elf *library);

/*
 * NULL, or the sentence for a program that has TLS of its own inside, where no library can be put before it: Go,
 * rustls, Node, Java … Reads the file's constants, of an ordinary program some hundred kilobytes.
 */
char *reach_inside(const struct program *);

#endif
