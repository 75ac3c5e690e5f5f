/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred: what its verbs share. A verb is one file with one function; the
 * table of them is in main.c. Exit statuses are those of the contract, section 4.
 */
#ifndef MTLS_LAUNCHER_CRED_H
#define MTLS_LAUNCHER_CRED_H

#include "host/identity.h"
#include "host/reading.h"

#include <getopt.h>
#include <stdio.h>

enum cred_exit {
	CRED_GO_ON = -1, /* not an exit: the options are fine */
	CRED_DONE = 0,
	CRED_WARNINGS = 1,
	CRED_FAILED = 2,
	CRED_ABSENT = 3,
	CRED_USAGE = 64,
};

struct cred {
	const char *verb; /* for messages; NULL before it is known */
	const char *dir;  /* --dir, or NULL */
	struct mtls_environment env;
	int failed; /* exit status of a failure of ours: CRED_FAILED, or what the verb has instead */
};

/* The credential in force, read and parsed. identity only with reason MTLS_USABLE. */
struct cred_credential {
	struct mtls_reading reading;
	struct mtls_identity *identity;
	enum mtls_reason reason;
	struct mtls_error error;
};

int cred_new(struct cred *, int argc, char **argv);
int cred_import(struct cred *, int argc, char **argv);
int cred_check(struct cred *, int argc, char **argv);
int cred_remove(struct cred *, int argc, char **argv);
int cred_path(struct cred *, int argc, char **argv);
int cred_probe(struct cred *, int argc, char **argv);
void cred_help(void);

/* Every verb takes these, beside its own; "+": stop at the first operand. */
#define CRED_SHORT       "+:d:"
#define CRED_SHORT_FILES ":d:" /* for a verb with operands */
#define CRED_COMMON_OPTIONS \
	{"dir", required_argument, NULL, 'd'}, \
	{ \
		"help", no_argument, NULL, 'h' \
	}

/* What getopt_long(3) returned and the caller does not know. CRED_GO_ON or an exit. */
int cred_common_option(struct cred *, int option, char **argv);
/* After the options: no operands, then the environment is read. CRED_GO_ON or an exit. */
int cred_begin(struct cred *, int argc, char **argv);
/* Both, for a verb without options of its own. */
int cred_begin_plain(struct cred *, int argc, char **argv);

/* One line on stream; control bytes become '?', so that no file name makes a second one. */
void cred_say(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "mtls-cred VERB: …" on standard error. Returns status. */
int cred_fail(const struct cred *, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* mtls_reading_explain's line. */
void cred_explain(FILE *stream, const struct mtls_reading *, const struct mtls_error *);

/* false: nothing could be read for want of memory or descriptors, errno tells. To be ended in any other case. */
bool cred_open(const struct cred *, struct cred_credential *);
void cred_close(struct cred_credential *);

/* "A (why), B (why)": the places looked at. The caller frees; NULL without memory. */
char *cred_places(const struct mtls_environment *);

/* "2027-03-01", UTC. */
void cred_date(const ASN1_TIME *, char text[16]);

/* One line for each thing that will or may keep the credential from being accepted; how many. */
unsigned cred_warn(FILE *stream, const struct cred_credential *, const char *agent);

#endif
