/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of mtls-cred probe share: whom to ask (probe.c), how (probe_net.c, starttls.c, probe_tls.c), what a
 * request said and how the policy decides it (probe_facts.c), and what is printed of it (probe_report.c).
 * One thread; nothing here is kept longer than one run of the verb.
 */
#ifndef MTLS_LAUNCHER_CRED_PROBE_H
#define MTLS_LAUNCHER_CRED_PROBE_H

#include "launcher/cred/cred.h"
#include "launcher/cred/probe_net.h"

#include <openssl/ssl.h>

#define PROBE_DEADLINE_S 10 /* for one connection, from connect(2) on; the resolver has limits of its own */
#define PROBE_VERDICT_S  1  /* TLS 1.3: how long a server that looks at a certificate may be silent before we speak */
#define PROBE_NAME_MAX   256
#define PROBE_ISSUERS    24 /* names that are kept; the rest is counted */
#define PROBE_SCHEMES    64
#define PROBE_TYPES      32

/* Contract, section 4. */
enum probe_exit {
	PROBE_ACCEPTED = 0,
	PROBE_WITHHELD = 1,
	PROBE_REFUSED = 2,
	PROBE_NOT_ASKED = 3,
	PROBE_NO_CONNECTION = 4,
};

/* When the server asked; bits, because it may ask more than once. */
enum probe_asked { PROBE_IN_HANDSHAKE = 1, PROBE_PHA = 2, PROBE_RENEGOTIATION = 4 };

/* How the connection, or the watching of it, ended. */
enum probe_end {
	PROBE_QUIET,    /* time was up */
	PROBE_ANSWERED, /* the server said something of its protocol */
	PROBE_ALERT,
	PROBE_CLOSED, /* without an alert that says why */
	PROBE_RESET,
	PROBE_HERE, /* our TLS library ended it */
};

struct probe {
	const struct cred *cred;
	const struct cred_credential *credential; /* borrowed; in any state */
	struct probe_target target;
};

/* The server's last request and our answer. */
struct probe_request {
	unsigned asked;
	char issuer[PROBE_ISSUERS][PROBE_NAME_MAX]; /* RFC 4514, printable, cut with "..." */
	size_t n_issuers;                           /* all of them */
	enum mtls_tri issuer_accepted;              /* MTLS_UNKNOWN: there is no certificate to ask about */
	uint16_t scheme[PROBE_SCHEMES];             /* as the server offered them */
	size_t n_schemes;
	unsigned char type[PROBE_TYPES]; /* ClientCertificateType, TLS 1.2 */
	size_t n_types;
	enum mtls_reason decision;
	bool presented; /* and handed to libssl, which takes it, or left to the shim, which does so */
};

/* One connection. version 0: no TLS came about, and why says so; else the members below it hold. */
struct probe_result {
	unsigned version; /* as on the wire */
	char why[PROBE_WHY];
	unsigned alert;               /* AlertDescription; 0: none that ends a connection */
	char subject[PROBE_NAME_MAX]; /* of the server's certificate, as issuer[] */
	long verify;                  /* X509_V_OK, or why it is not good for the target */
	char verify_error[PROBE_WHY]; /* in words, where it is not X509_V_OK */
	struct probe_request request;
	enum probe_end end;
	bool said;   /* it ended after we had spoken the application's protocol, or tried */
	bool ticket; /* TLS 1.3: a session ticket came, for which a server has to have our last flight */
	char answer[PROBE_ANSWER];
};

/* probe_tls.c. max: TLS1_3_VERSION or TLS1_2_VERSION. Fills *result, whose bytes were zero; presents as the policy
 * decides. */
void probe_tls(struct probe *, int max, bool alpn, struct probe_result *);

/* probe_facts.c: libssl's cert_cb, and what is seen of the server once its certificate is there. */
struct probe_facts {
	const struct probe *probe;
	struct mtls_addr peer;
	struct probe_result *result;
};
int probe_answer(SSL *, void *facts);
void probe_see_server(SSL *, struct probe_result *);

/* probe_agent.c. Are signatures made by the preloaded shim, as in any program? */
bool probe_by_shim(const struct probe *);
/* Where an agent has the key: starts this program again with the shim, which does not return, or returns. */
void probe_start_with_shim(const struct probe *);

/* probe_report.c. */
enum probe_exit probe_judge(const struct probe *, const struct probe_result *);
void probe_report_begin(const struct probe *);
void probe_report(const struct probe *, const struct probe_result *);

/* probe_names.c: names as the IANA registries and RFC 8446 spell them; NULL: not known. */
const char *probe_alert_name(unsigned description);
const char *probe_scheme_name(unsigned scheme);
const char *probe_type_name(unsigned type);

#endif
