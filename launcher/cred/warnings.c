/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may keep a usable credential from being accepted, or from staying the
 * user's own: dates, purposes, strength, order of the chain, file modes. One line each. It
 * never changes the credential's state: servers differ in what they accept.
 */
#include "launcher/cred/cred.h"

#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SOON_DAYS 30
#define RSA_BITS  2048 /* NIST SP 800-57: less than 112 bits of security below that */

struct warnings {
	FILE *stream;
	const struct cred_credential *credential;
	unsigned n;
};

static void warn(struct warnings *w, enum mtls_part part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void warn(struct warnings *w, enum mtls_part part, const char *format, ...)
{
	va_list arguments;
	char *text;

	w->n++;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	cred_say(w->stream, "warning: %s: %s", w->credential->reading.mark.place->file[part], text ? text : "?");
	free(text);
}

static void check_dates(struct warnings *w, X509 *x, unsigned number)
{
	const ASN1_TIME *from = X509_get0_notBefore(x), *to = X509_get0_notAfter(x);
	int days = 0, seconds = 0;
	char date[16];

	cred_date(from, date);
	if (X509_cmp_current_time(from) > 0)
		warn(w, MTLS_CERT, "certificate %u is not valid before %s", number, date);
	cred_date(to, date);
	if (X509_cmp_current_time(to) < 0)
		warn(w, MTLS_CERT, "certificate %u expired on %s", number, date);
	else if (ASN1_TIME_diff(&days, &seconds, NULL, to) && days < SOON_DAYS)
		warn(w, MTLS_CERT, "certificate %u expires on %s", number, date);
}

/* The signature of a self-signed certificate proves nothing to anybody: any hash will do. */
static void check_signature(struct warnings *w, X509 *x, unsigned number)
{
	int hash = NID_undef;

	if (X509_get_extension_flags(x) & EXFLAG_SS || !X509_get_signature_info(x, &hash, NULL, NULL, NULL))
		return;
	if (hash == NID_sha1 || hash == NID_md5)
		warn(w, MTLS_CERT, "certificate %u is signed with %s, which many servers refuse", number,
		     OBJ_nid2sn(hash));
}

static void check_chain(struct warnings *w)
{
	const struct mtls_identity *id = w->credential->identity;
	X509 *x = id->leaf;
	int n = sk_X509_num(id->chain);

	for (int i = 0; i <= n; i++) {
		X509 *issuer = i < n ? sk_X509_value(id->chain, i) : NULL;
		unsigned number = (unsigned)i + 1;

		check_dates(w, x, number);
		check_signature(w, x, number);
		if (issuer && X509_check_issued(issuer, x) != X509_V_OK)
			warn(w, MTLS_CERT, "certificate %u was not issued by certificate %u, which follows it", number,
			     number + 1);
		x = issuer;
	}
}

/* The two functions below give UINT32_MAX where there is no such extension: then anything is allowed. */
static void check_purpose(struct warnings *w)
{
	X509 *leaf = w->credential->identity->leaf;

	if (!(X509_get_extended_key_usage(leaf) & (XKU_SSL_CLIENT | XKU_ANYEKU)))
		warn(w, MTLS_CERT, "its extended key usage does not have clientAuth");
	if (!(X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE))
		warn(w, MTLS_CERT, "its key usage does not have digitalSignature");
}

static void check_strength(struct warnings *w)
{
	const struct mtls_identity *id = w->credential->identity;
	int bits = EVP_PKEY_bits(X509_get0_pubkey(id->leaf));

	if ((id->type == MTLS_KEY_RSA || id->type == MTLS_KEY_RSA_PSS) && bits < RSA_BITS)
		warn(w, MTLS_CERT, "an RSA key of %d bits is too short, have %d at least", bits, RSA_BITS);
	if (id->type == MTLS_KEY_EC_OTHER)
		warn(w, MTLS_CERT, "the key's curve cannot be used in TLS 1.3");
	if (id->type == MTLS_KEY_OTHER)
		warn(w, MTLS_CERT, "a key of this kind cannot sign in TLS 1.2 or 1.3");
}

static void check_modes(struct warnings *w)
{
	static const enum mtls_part secret[] = {MTLS_KEY, MTLS_PASS};

	for (unsigned i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		const char *path = w->credential->reading.mark.place->file[secret[i]];
		struct stat st;

		if (path && stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)))
			warn(w, secret[i], "its mode %03o lets others than its owner in; make it 600",
			     (unsigned)st.st_mode & 0777);
	}
}

unsigned cred_warn(FILE *stream, const struct cred_credential *credential, const char *agent)
{
	struct warnings w = {stream, credential, 0};

	check_chain(&w);
	check_purpose(&w);
	check_strength(&w);
	if (agent)
		warn(&w, MTLS_CERT, "the key is with the agent at %s, which was not asked", agent);
	else
		check_modes(&w);
	return w.n;
}
