/* SPDX-License-Identifier: Apache-2.0 */
/* mtls-agent's lines on standard error, for systemd's journal or a person. Never a secret. */
#ifndef MTLS_AGENT_SAY_H
#define MTLS_AGENT_SAY_H

/* Exit status where mtls-agent failed, as mtls-run has it. */
#define AGENT_FAILED 125

/* What anybody who can connect may cause, each kind counted for itself. */
enum agent_often {
	AGENT_SAYS_DENIED,
	AGENT_SAYS_NONSENSE, /* packets */
	AGENT_SAYS_REFUSED,  /* what is not TLS, other keys, digests */
	AGENT_SAYS_FAILED,   /* the key */
	AGENT_SAYS_CROWD,    /* dropped, or too slow */
	AGENT_SAYS_SIGNED,
	AGENT_SAYS_KINDS,
};

/*
 * One line "mtls-agent: …", one write(2); bytes that are not printable ASCII become '?'. Keeps errno. Never waits: a
 * line that nobody takes is lost.
 */
void agent_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The first few of a kind in 10 s are said; the rest is counted, and the count said afterwards. */
void agent_say_often(enum agent_often, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says the counts whose 10 s are over. At least once a second; all: at the end, those under way too. */
void agent_say_counts(int all);

#endif
