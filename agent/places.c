/* SPDX-License-Identifier: Apache-2.0 */
/* Who is connected, in the order of coming. A few hundred at most: everything is a walk along an array. */
#include "agent/places.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SPARE 48 /* descriptors for everything else: files that are read, a token's modules */

void agent_places_start(struct agent_places *p)
{
	struct rlimit files;

	memset(p, 0, sizeof(*p));
	p->limit = AGENT_PLACES_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	if (files.rlim_cur < AGENT_PLACES_MAX + SPARE && files.rlim_max > files.rlim_cur) {
		files.rlim_cur = files.rlim_max < AGENT_PLACES_MAX + SPARE ? files.rlim_max : AGENT_PLACES_MAX + SPARE;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur < AGENT_PLACES_MAX + SPARE)
		p->limit = files.rlim_cur > SPARE + 1 ? (unsigned)files.rlim_cur - SPARE : 1;
}

void agent_places_end(struct agent_places *p)
{
	while (p->n)
		agent_places_drop(p, p->n - 1);
}

void agent_places_add(struct agent_places *p, int fd, struct agent_user *user, pid_t pid, long long now_ms)
{
	p->place[p->n++] = (struct agent_place){fd, pid, user, now_ms, false};
	user->held++;
}

void agent_places_ask(struct agent_places *p, unsigned i)
{
	p->asked += !p->place[i].asked;
	p->place[i].asked = true;
}

void agent_places_drop(struct agent_places *p, unsigned i)
{
	p->asked -= p->place[i].asked;
	p->place[i].user->held--;
	close(p->place[i].fd);
	p->n--;
	memmove(&p->place[i], &p->place[i + 1], (p->n - i) * sizeof(p->place[0]));
}

bool agent_places_crowded(const struct agent_places *p, unsigned *victim)
{
	const struct agent_user *most = NULL;

	if (p->n <= p->limit)
		return false;
	for (unsigned i = 0; i < p->n; i++)
		if (!most || p->place[i].user->held > most->held)
			most = p->place[i].user;
	for (unsigned i = 0; i < p->n; i++) {
		if (p->place[i].user != most)
			continue;
		*victim = i;
		if (!p->place[i].asked)
			break;
	}
	return true;
}

bool agent_places_next(struct agent_places *p, unsigned *next)
{
	bool found = false;

	for (unsigned i = 0; p->asked && i < p->n; i++) {
		if (!p->place[i].asked || (found && p->place[i].user->turn >= p->place[*next].user->turn))
			continue;
		*next = i;
		found = true;
	}
	if (found)
		p->place[*next].user->turn = ++p->turn;
	return found;
}
