/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's loop: connections in, answers out, until a signal ends it. */
#ifndef MTLS_AGENT_SERVE_H
#define MTLS_AGENT_SERVE_H

#include "agent/keys.h"
#include "agent/options.h"
#include "agent/places.h"

struct agent {
	struct agent_options options;
	struct agent_keys keys;
	struct agent_places places;
	int listener, signals;   /* signals: a signalfd for SIGTERM, SIGINT, SIGHUP */
	bool settled;            /* the filter is the key's */
	long long deaf_until_ms; /* accept(2) lacked something: not asked again before */
	unsigned char packet[MTLS_SIGNING_MAX + 1];
};

/* Until SIGTERM or SIGINT. */
void agent_serve(struct agent *);

/* What becomes of a question that is whole: the answer goes to fd. */
void agent_answer(struct agent *, int fd, const struct agent_user *, pid_t, struct mtls_bytes packet);
/* Says status to fd, and ends the connection so that it arrives. */
void agent_tell(int fd, enum mtls_signing_status, const unsigned char *signature, size_t n);

#endif
