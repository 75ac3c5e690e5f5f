/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "ld.so --list PROGRAM" prints, line by line: glibc's and musl's. Pure; the
 * text is not ours and is taken for what it is: "NAME => PATH (0x…)", "NAME => not found",
 * "PATH (0x…)". Other lines are passed over.
 */
#ifndef MTLS_LAUNCHER_RUN_LISTING_H
#define MTLS_LAUNCHER_RUN_LISTING_H

#include "core/bytes.h"

struct listing_line {
	struct mtls_bytes name; /* as a library is asked for; where only a path is there, its last part */
	struct mtls_bytes path; /* absolute; n is 0: not found, or not a file (the vDSO) */
};

/* The next line of *at, which moves on. false: the end. */
bool listing_next(const char **at, struct listing_line *out);

#endif
