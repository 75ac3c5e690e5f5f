/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mtls-cred show knows of the credential in force, as text, before it becomes one of three notations
 * (show_text.c, show_json.c, show_prometheus.c). The keys of --json and what they hold are those of the device's
 * `status --json` (firmware/app/status.c).
 */
#ifndef MTLS_LAUNCHER_CRED_FACTS_H
#define MTLS_LAUNCHER_CRED_FACTS_H

#include "launcher/cred/cred.h"

struct cred_list {
	char **item;
	size_t n;
};

/* Text is printable ASCII, but for why, place and agent. Without a usable credential subject to sha256 are NULL, "" and
 * empty.
 */
struct cred_facts {
	enum mtls_state state;
	const char *reason; /* word */
	char *why;          /* absent, removed, broken: one line for a person; else NULL */
	char *place;        /* "PATH (WHY)", or NULL */
	char *agent;        /* "PATH: ready, …" for one that is, else NULL */
	char *subject, *issuer, *key;
	struct cred_list names;        /* "DNS:…", "email:…", "URI:…", "IP:…", and others by their kind */
	const ASN1_TIME *from, *until; /* of the leaf, borrowed from the credential */
	char sha1[41], sha256[65];     /* of the leaf's DER, lower-case hex */
	struct cred_list chain;        /* subjects, the leaf's first */
	struct cred_list warnings;     /* where broken: why, and with a bad setting that */
	int status;                    /* as mtls-cred check's */
};

/* false: no memory. To be freed in any case; the credential must outlive it. */
bool cred_facts_gather(struct cred_facts *, const struct cred *, const struct cred_credential *);
void cred_facts_free(struct cred_facts *);

const char *cred_state_word(enum mtls_state);
/* "2027-03-01T12:00:00Z"; "" where the certificate's time makes no sense. */
void cred_moment(const ASN1_TIME *, char text[24]);

/* Each writes to standard output; false: no memory. */
bool cred_show_text(const struct cred_facts *);
bool cred_show_json(const struct cred_facts *);
bool cred_show_prometheus(const struct cred_facts *);

#endif
