/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of the credential in force, as it changes: read at the start and again when the files changed or somebody
 * asks for it, and for 10 s the key of before, for handshakes under way. A change that is broken leaves the key as it
 * is.
 */
#ifndef MTLS_AGENT_KEYS_H
#define MTLS_AGENT_KEYS_H

#include "core/signing.h"
#include "host/identity.h"
#include "host/reading.h"
#include "host/token.h"

struct agent_key {
	struct mtls_identity *identity; /* NULL: none */
	struct mtls_token token;        /* a PEM key too: its key is identity's then */
	bool in_token;
	bool failed; /* the last signature; then it is tried again from retry_ms on */
	long long retry_ms;
	bool refused; /* its token no longer takes the PIN: not tried again before the files change, or SIGHUP */
};

enum agent_keys_state {
	AGENT_KEYS_NONE,   /* absent or removed */
	AGENT_KEYS_BROKEN, /* and no key of before */
	AGENT_KEYS_READY,
};

struct agent_keys {
	struct mtls_environment *env;
	char *own_pass, *given_pass; /* the folder's passphrase file, and that of CREDENTIALS_DIRECTORY or NULL */
	enum agent_keys_state state;
	struct agent_key now, before;
	long long before_until_ms, looked_ms;
	struct mtls_mark mark;
	bool again;                /* the same mark may hide another content: read again at the next look */
	unsigned char content[32]; /* SHA-256 of what was last acted upon */
	bool known;                /* there is one */
	long long broken_ms;       /* since when; 0: not */
	bool broken_said;
	bool quiet;         /* the caller's: says nothing of a broken state */
	char sentence[768]; /* why it is broken, absent or removed */
};

/* env must live as long, and be nobody else's: which passphrase file counts is changed in it. */
void agent_keys_start(struct agent_keys *, struct mtls_environment *env);
void agent_keys_end(struct agent_keys *);

/* Reads the files if they changed since; anew: in any case, and a PIN that was wrong is tried again (SIGHUP). Says what
 * changed. */
void agent_keys_look(struct agent_keys *, bool anew);
/* Opens a key whose token was away once more. true: it signs. */
bool agent_keys_revive(struct agent_keys *, struct agent_key *);
/* Once a second at least: looks, lets the key of before go. */
void agent_keys_tick(struct agent_keys *);
/* The key with that id (core/signing.h), after a look where there is none or the last look was a second ago. NULL:
 * none. */
struct agent_key *agent_keys_find(struct agent_keys *, const unsigned char id[MTLS_KEY_ID]);

/* "subject (SHA-256 …)" of the key now; state must be AGENT_KEYS_READY. */
void agent_keys_describe(const struct agent_keys *, char *text, size_t size);

#endif
