/* SPDX-License-Identifier: Apache-2.0 */
/* mtls-agent's options; see mtls-agent(8). */
#ifndef MTLS_AGENT_OPTIONS_H
#define MTLS_AGENT_OPTIONS_H

#include "agent/users.h"

struct agent_options {
	const char *dir, *socket, *inbox; /* of argv, or NULL */
	bool no_digest, verbose;
	struct agent_users users;
};

/* -1: go on; else exit with it: what there was to say has been said. */
int agent_options_read(struct agent_options *, int argc, char **argv);

#endif
