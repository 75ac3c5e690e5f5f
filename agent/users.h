/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the agent serves: its own user, and each of --allow. */
#ifndef MTLS_AGENT_USERS_H
#define MTLS_AGENT_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#define AGENT_USERS_MAX 64

struct agent_user {
	uid_t id;
	char name[33];      /* as it was given, cut; "" for the agent's own */
	unsigned held;      /* places, see places.h */
	unsigned long turn; /* when it was last served: of those who wait, the lowest is next */
};

struct agent_users {
	struct agent_user user[AGENT_USERS_MAX];
	unsigned n;
	bool others; /* more than the agent's own */
};

void agent_users_start(struct agent_users *);
/* A name or a number. false: no such user, or too many; said. */
bool agent_users_allow(struct agent_users *, const char *name);
/* NULL: not allowed. */
struct agent_user *agent_users_find(struct agent_users *, uid_t);

#endif
