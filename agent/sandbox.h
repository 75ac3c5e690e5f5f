/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent gives up: being looked into, dumping core, being swapped out, new privileges, and all system calls
 * that it does not need. Each where the machine has it; what it has not is said, and the agent goes on.
 */
#ifndef MTLS_AGENT_SANDBOX_H
#define MTLS_AGENT_SANDBOX_H

#include <stdbool.h>

/* First thing, before any secret is read. */
void agent_sandbox_begin(void);
/*
 * The system call filter. narrow: for a key in a file: no socket, no file opened for writing, no new process or
 * program, no new code. Else for what tokens' modules do: no program, no process, no network but this machine's, no
 * change of user. From wide to narrow it may be called again; other calls change nothing.
 */
void agent_sandbox_filter(bool narrow);
/* A filter is in force under which no token can be opened. */
bool agent_sandbox_is_narrow(void);

#endif
