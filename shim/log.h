/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where log lines go: a file that is opened for each line, or standard error as
 * long as it is still the one that the program was started with. Never blocks, raises no signal, keeps errno.
 */
#ifndef MTLS_SHIM_LOG_H
#define MTLS_SHIM_LOG_H

#include "host/environment.h"
#include "core/line.h"

/* asked: somebody named the library in LD_PRELOAD; else the default level is off. Once, before any other call. */
void log_start(const struct mtls_environment *, bool asked);
/* The debug line "loaded". */
void log_loaded(void);
/* The level of this policy from now on; called for each new generation. Any thread. */
void log_follow(const struct mtls_policy *);
bool log_wanted(enum mtls_log level);
/* One line, if the level is wanted. Any thread. */
void log_event(enum mtls_log level, const struct mtls_event *);
/* A debug line for a hook: "mtls-run[PID] hook what=NAME". */
void log_hook(const char *name);

#endif
