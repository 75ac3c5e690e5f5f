/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's life in the process: started once, when it is loaded or at the first
 * hook, whichever comes first; never stopped. No thread, no lock, no descriptor of its own.
 */
#ifndef MTLS_SHIM_SHIM_H
#define MTLS_SHIM_SHIM_H

#include "host/environment.h"

/*
 * true: the hooks act. false: behave as if not installed (AT_SECURE, MTLS_DISABLE=1, no memory, or
 * another thread is just starting the shim). Any thread; not from a signal handler the first time.
 */
bool shim_active(void);
/* Already started and active; async-signal-safe, allocates nothing. */
bool shim_started(void);
/* The environment as it was at the start; read-only. Only while shim_active(). */
const struct mtls_environment *shim_environment(void);
/* libc's own function behind one of our hooks, looked up when the shim is not started yet. */
void *shim_next(const char *name, void *known);

#endif
