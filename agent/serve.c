/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop. A connection is one question: what can be answered at once (a probe, nonsense) is; a signature waits for
 * its turn, with its question in the kernel, and one is made in each round, so that newcomers never wait for more than
 * one.
 */
#include "agent/serve.h"

#include "agent/clock.h"
#include "agent/sandbox.h"
#include "agent/say.h"
#include "host/agent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_MS   1000 /* to send the question */
#define TICK_MS  1000
#define DEAF_MS  100
#define ACCEPT_N 256 /* in a round: a few milliseconds */

/* Is the whole question of place i there? A signature is only marked; everything else is answered. true: done, drop it.
 */
static bool hear(struct agent *agent, unsigned i)
{
	struct agent_place *place = &agent->places.place[i];
	unsigned char head[MTLS_SIGNING_HEAD];
	ssize_t n = recv(place->fd, head, sizeof(head), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	if (n > MTLS_SIGNING_HEAD && n <= MTLS_SIGNING_MAX && head[0] == MTLS_SIGNING_VERSION &&
	    (head[1] == MTLS_OP_CONTENT || head[1] == MTLS_OP_DIGEST)) {
		agent_places_ask(&agent->places, i);
		return false;
	}
	if (n > 0)
		agent_answer(agent, place->fd, place->user, place->pid,
			     (struct mtls_bytes){head, (size_t)n <= sizeof(head) ? (size_t)n : 0});
	return true;
}

static void sign_one(struct agent *agent)
{
	const struct agent_place *place;
	unsigned i;
	ssize_t n;

	if (!agent_places_next(&agent->places, &i))
		return;
	place = &agent->places.place[i];
	n = recv(place->fd, agent->packet, sizeof(agent->packet), MSG_DONTWAIT);
	if (n > 0)
		agent_answer(agent, place->fd, place->user, place->pid, (struct mtls_bytes){agent->packet, (size_t)n});
	agent_places_drop(&agent->places, i);
}

static void welcome(struct agent *agent, int fd, const struct ucred *peer)
{
	struct agent_user *user = agent_users_find(&agent->options.users, peer->uid);
	unsigned victim;

	if (!user) {
		agent_tell(fd, MTLS_DENIED, NULL, 0);
		close(fd);
		agent_say_often(AGENT_SAYS_DENIED, "user %u, pid %d, is not served: --allow %u would do so",
				(unsigned)peer->uid, (int)peer->pid, (unsigned)peer->uid);
		return;
	}
	agent_places_add(&agent->places, fd, user, peer->pid, agent_now_ms());
	if (hear(agent, agent->places.n - 1)) {
		agent_places_drop(&agent->places, agent->places.n - 1);
		return;
	}
	if (!agent_places_crowded(&agent->places, &victim))
		return;
	user = agent->places.place[victim].user;
	agent_say_often(AGENT_SAYS_CROWD, "user %u holds %u connections at once: one is given up", (unsigned)user->id,
			user->held);
	agent_places_drop(&agent->places, victim);
}

static void accept_some(struct agent *agent)
{
	for (int i = 0; i < ACCEPT_N; i++) {
		int fd = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		socklen_t n = sizeof(struct ucred);
		struct ucred peer;

		if (fd < 0) {
			if (errno == EAGAIN)
				return;
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			agent_say_often(AGENT_SAYS_CROWD, "cannot accept a connection: %s", strerror(errno));
			agent->deaf_until_ms = agent_now_ms() + DEAF_MS;
			return;
		}
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0)
			welcome(agent, fd, &peer);
		else
			close(fd);
	}
}

/* Who does not ask in time goes; so does who has been waiting longer than a program waits, or has left. */
static void expire(struct agent *agent)
{
	long long now = agent_now_ms();

	for (unsigned i = agent->places.n; i-- > 0;) {
		const struct agent_place *place = &agent->places.place[i];

		if (now - place->since_ms < (place->asked ? MTLS_AGENT_SIGN_MS : ASK_MS))
			continue;
		agent_say_often(AGENT_SAYS_CROWD, "user %u, pid %d: %s", (unsigned)place->user->id, (int)place->pid,
				place->asked ? "too many wait for a signature, its time is over"
					     : "asked nothing within 1 s");
		agent_places_drop(&agent->places, i);
	}
}

/* false: end. */
static bool take_signal(struct agent *agent)
{
	struct signalfd_siginfo info;

	if (read(agent->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return true;
	if (info.ssi_signo != SIGHUP)
		return false;
	agent_keys_look(&agent->keys, true);
	return true;
}

static int time_left(const struct agent *agent)
{
	long long left = TICK_MS, now = agent_now_ms();

	if (agent->places.asked)
		return 0;
	if (agent->places.n && agent->places.place[0].since_ms + ASK_MS - now < left)
		left = agent->places.place[0].since_ms + ASK_MS - now;
	if (agent->deaf_until_ms > now && agent->deaf_until_ms - now < left)
		left = agent->deaf_until_ms - now;
	return left > 0 ? (int)left : 0;
}

enum { SIGNALS, LISTENER, PLACES };

/* As they are in poller, which is older than what happens here: from the last to the first, so that a drop moves none
 * that is still to be looked at. */
static void take_events(struct agent *agent, const struct pollfd *poller)
{
	for (unsigned i = agent->places.n; i-- > 0;) {
		short events = poller[PLACES + i].revents;

		if ((events & (POLLHUP | POLLERR)) || ((events & POLLIN) && hear(agent, i)))
			agent_places_drop(&agent->places, i);
	}
}

/*
 * Until there is a key nobody knows what it needs: a token. Which filter is chosen by the first one.
 */
static void settle(struct agent *agent)
{
	bool ready = agent->keys.state == AGENT_KEYS_READY;

	if (agent->settled)
		return;
	agent_sandbox_filter(ready && !agent->keys.now.in_token);
	agent->settled = ready;
}

void agent_serve(struct agent *agent)
{
	static struct pollfd poller[PLACES + AGENT_PLACES_MAX + 1];

	for (;;) {
		settle(agent);
		poller[SIGNALS] = (struct pollfd){.fd = agent->signals, .events = POLLIN};
		poller[LISTENER] = (struct pollfd){.fd = agent_now_ms() < agent->deaf_until_ms ? -1 : agent->listener,
						   .events = POLLIN};
		for (unsigned i = 0; i < agent->places.n; i++)
			poller[PLACES + i] = (struct pollfd){.fd = agent->places.place[i].fd,
							     .events = agent->places.place[i].asked ? 0 : POLLIN};
		if (poll(poller, PLACES + agent->places.n, time_left(agent)) < 0)
			continue;
		if (poller[SIGNALS].revents && !take_signal(agent))
			return;
		take_events(agent, poller);
		if (poller[LISTENER].revents)
			accept_some(agent);
		expire(agent);
		sign_one(agent);
		agent_keys_tick(&agent->keys);
		agent_say_counts(0);
	}
}
