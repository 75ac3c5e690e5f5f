/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the agent serves. Names are looked up once, at the start: afterwards the sandbox lets nobody ask NSS. */
#include "agent/users.h"

#include "agent/say.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void agent_users_start(struct agent_users *users)
{
	memset(users, 0, sizeof(*users));
	users->user[users->n++].id = geteuid();
}

struct agent_user *agent_users_find(struct agent_users *users, uid_t id)
{
	for (unsigned i = 0; i < users->n; i++)
		if (users->user[i].id == id)
			return &users->user[i];
	return NULL;
}

/* (uid_t)-1 is no user. */
static bool number(const char *text, uid_t *id)
{
	unsigned long long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	value = strtoull(text, &end, 10);
	*id = (uid_t)value;
	return *end == '\0' && value < (uid_t)-1;
}

bool agent_users_allow(struct agent_users *users, const char *name)
{
	const struct passwd *entry = getpwnam(name);
	struct agent_user *user;
	uid_t id;

	if (entry) {
		id = entry->pw_uid;
	} else if (!number(name, &id)) {
		agent_say("--allow %s: there is no such user", name);
		return false;
	}
	users->others = users->others || id != geteuid();
	user = agent_users_find(users, id);
	if (!user && users->n == AGENT_USERS_MAX) {
		agent_say("--allow %s: at most %d users", name, AGENT_USERS_MAX - 1);
		return false;
	}
	if (!user)
		user = &users->user[users->n++];
	user->id = id;
	snprintf(user->name, sizeof(user->name), "%s", name);
	return true;
}
