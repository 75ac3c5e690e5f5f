/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that leave TLS to another program: scripts of sh that end in "exec
 * PROGRAM", PostgreSQL's wrapper of Debian, and programs with known helpers (git). Nothing is run;
 * of a shell's language only assignments and exec with plain words are understood.
 */
#ifndef MTLS_LAUNCHER_RUN_HANDOFF_H
#define MTLS_LAUNCHER_RUN_HANDOFF_H

#include "launcher/run/program.h"

enum handoff {
	HANDOFF_NONE,
	HANDOFF_BECOMES, /* the script becomes *other: only that one counts */
	HANDOFF_STARTS,  /* the program starts *other: both count */
};

/* *other is to be freed with program_free unless the answer is HANDOFF_NONE; it has an image. */
enum handoff handoff_find(const struct program *, struct program *other);

#endif
