/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred: what its verbs share. A verb is one file with one function; the
 * table of them is in main.c. Exit statuses are those of the contract, section 4.
 */
#ifndef MTLS_LAUNCHER_CRED_H
#define MTLS_LAUNCHER_CRED_H

#include "host/agent.h"
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
	char **argv;      /* main's */
	struct mtls_environment env;
	int failed; /* exit status of a failure of ours: CRED_FAILED, or what the verb has instead */
};

/* The credential in force, read and parsed. identity only with reason MTLS_USABLE. */
struct cred_credential {
	struct mtls_reading reading;
	struct mtls_identity *identity;
	enum mtls_reason reason;
	struct mtls_error error;
	/* With MTLS_USABLE and an agent: would it sign for us, and where it would, for GnuTLS programs too? */
	enum mtls_agent_state agent;
	bool agent_gnutls;
};

int cred_new(struct cred *, int argc, char **argv);
int cred_import(struct cred *, int argc, char **argv);
int cred_show(struct cred *, int argc, char **argv);
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
/* mtls_reading_explain's line; the caller frees, NULL without memory. cred_explain says it on stream. */
char *cred_sentence(const struct mtls_reading *, const struct mtls_error *);
void cred_explain(FILE *stream, const struct mtls_reading *, const struct mtls_error *);

/* false: nothing could be read for want of memory or descriptors, errno tells. To be ended in any other case. */
bool cred_open(const struct cred *, struct cred_credential *);
void cred_close(struct cred_credential *);
/* For a key in a token (key-needs-agent): the certificate alone, as with an agent. */
void cred_without_key(struct cred_credential *);

/* Why there is nothing to use (absent, removed or broken), as one line; the caller frees, NULL without memory. */
char *cred_why(const struct cred *, const struct cred_credential *);

/* "PATH (WHY)": the place in force, which is not NULL. The caller frees; NULL without memory. */
char *cred_place(const struct mtls_place *);
/* "A (why), B (why)": the places looked at. The caller frees; NULL without memory. */
char *cred_places(const struct mtls_environment *);

/* The thumbprint that some registries want: of the DER, lower-case hex; "" where it cannot be had. */
void cred_sha1(X509 *, char text[41]);

/* "2027-03-01", UTC. */
void cred_date(const ASN1_TIME *, char text[16]);

/* "PATH: ready, …" for an agent that is; the caller frees, NULL without memory. */
char *cred_agent_ready(const char *agent, const struct cred_credential *);

/* In place, bytes that are not printable ASCII become '?'. */
void cred_printable(char *text);

/* RFC 4514, printable ASCII, as long as it is. The caller frees; NULL without memory. */
char *cred_name(const X509_NAME *);

/*
 * Things that will or may keep a usable credential from being accepted. Each goes to take, with the file that it is
 * about (MTLS_NOTHING: the text says it); text is borrowed, printable ASCII, without an end. Returns how many.
 * agent: its socket, or NULL.
 */
typedef void cred_warning(void *context, enum mtls_part, const char *text);
unsigned cred_warnings(const struct cred_credential *, const char *agent, cred_warning *take, void *context);
/* The same, as lines "warning: FILE: TEXT" on stream. */
unsigned cred_warn(FILE *stream, const struct cred_credential *, const char *agent);

#endif
