/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is connected, and who gives way where it gets crowded: a user who holds many places, before one who holds few;
 * and who waits for a signature takes turns by user. So nobody keeps another user from being served.
 */
#ifndef MTLS_AGENT_PLACES_H
#define MTLS_AGENT_PLACES_H

#include "agent/users.h"

#define AGENT_PLACES_MAX 512

struct agent_place {
	int fd;
	pid_t pid; /* who connected, for a person */
	struct agent_user *user;
	long long since_ms;
	bool asked; /* its question waits in the kernel */
};

struct agent_places {
	struct agent_place place[AGENT_PLACES_MAX + 1]; /* the oldest first; one more than may stay */
	unsigned n, limit, asked;
	unsigned long turn;
};

/* As many places as the process may have descriptors for. */
void agent_places_start(struct agent_places *);
void agent_places_end(struct agent_places *);
/* Takes fd. There must be room: see agent_places_crowded. The place is the last one. */
void agent_places_add(struct agent_places *, int fd, struct agent_user *, pid_t, long long now_ms);
/* Marks that its question is there. */
void agent_places_ask(struct agent_places *, unsigned i);
/* Closes and removes; the later ones move up. */
void agent_places_drop(struct agent_places *, unsigned i);
/* More than may stay: who has to go? Of the user with most places the oldest that has not asked, else the newest. */
bool agent_places_crowded(const struct agent_places *, unsigned *i);
/* Whose turn is it for a signature? It must be dropped then. */
bool agent_places_next(struct agent_places *, unsigned *i);

#endif
