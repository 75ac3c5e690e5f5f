/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may keep a usable credential from being accepted, or from staying the
 * user's own: dates, purposes, strength, the chain, names that nobody chose, file modes. One line each. It
 * never changes the credential's state: servers differ in what they accept.
 */
#include "launcher/cred/cred.h"
#include "launcher/cred/placeholder.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SOON_DAYS 30
#define RSA_BITS  2048 /* NIST SP 800-57: less than 112 bits of security below that */

struct warnings {
	const struct cred_credential *credential;
	cred_warning *take;
	void *context;
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
	if (text)
		cred_printable(text);
	w->take(w->context, part, text ? text : "out of memory");
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

/* Nobody looks at the signature of a root, but some services at that of a leaf that is registered with them. */
static void check_signature(struct warnings *w, X509 *x, unsigned number)
{
	int hash = NID_undef;

	if ((number > 1 && X509_get_extension_flags(x) & EXFLAG_SS) ||
	    !X509_get_signature_info(x, &hash, NULL, NULL, NULL))
		return;
	if (hash == NID_sha1 || hash == NID_md5)
		warn(w, MTLS_CERT, "certificate %u is signed with %s, which many servers refuse", number,
		     OBJ_nid2sn(hash));
}

/*
 * Names and identifiers say that issuer issued x; this says that it did not all the same, as where a CA has a new key
 * under its old name. What cannot be verified here (SHA-1 where the system forbids it, an unknown algorithm) is not
 * told.
 */
static bool is_forgery(X509 *x, X509 *issuer)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	int hash = NID_undef;
	bool forged;

	if (!key || !X509_get_signature_info(x, &hash, NULL, NULL, NULL) || hash == NID_sha1 || hash == NID_md5)
		return false;
	forged = X509_verify(x, key) == 0;
	ERR_clear_error();
	return forged;
}

static void check_link(struct warnings *w, X509 *x, X509 *issuer, unsigned number)
{
	if (X509_check_issued(issuer, x) != X509_V_OK)
		warn(w, MTLS_CERT, "certificate %u was not issued by certificate %u, which follows it", number,
		     number + 1);
	else if (is_forgery(x, issuer))
		warn(w, MTLS_CERT, "certificate %u names certificate %u as its issuer, whose key did not sign it",
		     number, number + 1);
}

/*
 * The last certificate's issuer is not in the file, and mostly must not be: servers have their roots. It is known to be
 * missing only where the certificate tells who issued its issuer (RFC 5280, 4.2.1.1), and that is somebody else. (Of a
 * root it is itself.)
 */
static void check_end(struct warnings *w, X509 *last, unsigned number)
{
	const GENERAL_NAMES *names = X509_get0_authority_issuer(last);
	const X509_NAME *issuer = X509_get_issuer_name(last);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		char *missing, *above;

		if (name->type != GEN_DIRNAME || X509_NAME_cmp(name->d.directoryName, issuer) == 0)
			continue;
		missing = cred_name(issuer);
		above = cred_name(name->d.directoryName);
		warn(w, MTLS_CERT, "the chain is incomplete: %s issued certificate %u and is an intermediate of %s",
		     missing ? missing : "?", number, above ? above : "?");
		free(missing);
		free(above);
		return;
	}
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
		if (issuer)
			check_link(w, x, issuer, number);
		else
			check_end(w, x, number);
		x = issuer;
	}
}

static void check_value(struct warnings *w, const char *what, const ASN1_STRING *string)
{
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, string);

	if (n > 0 && cred_is_placeholder((struct mtls_bytes){text, (size_t)n}))
		warn(w, MTLS_CERT, "the certificate has a placeholder for its %s: %.*s", what, n, (const char *)text);
	OPENSSL_free(text);
	ERR_clear_error();
}

/* Of the leaf only: what its issuer is called is not the user's to choose. Alternative names mostly repeat the subject.
 */
static void check_names(struct warnings *w)
{
	X509 *leaf = w->credential->identity->leaf;
	const X509_NAME *subject = X509_get_subject_name(leaf);
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	unsigned before = w->n;

	for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);

		check_value(w, OBJ_nid2ln(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry))),
			    X509_NAME_ENTRY_get_data(entry));
	}
	for (int i = 0; w->n == before && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI)
			check_value(w, "alternative name", name->d.ia5);
	}
	GENERAL_NAMES_free(names);
}

/* The two functions below give UINT32_MAX where there is no such extension: then anything is allowed. */
static void check_purpose(struct warnings *w)
{
	X509 *leaf = w->credential->identity->leaf;

	if (!(X509_get_extended_key_usage(leaf) & (XKU_SSL_CLIENT | XKU_ANYEKU)))
		warn(w, MTLS_CERT, "the certificate's extended key usage does not have clientAuth");
	if (!(X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE))
		warn(w, MTLS_CERT, "the certificate's key usage does not have digitalSignature");
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

unsigned cred_warnings(const struct cred_credential *credential, const char *agent, cred_warning *take, void *context)
{
	struct warnings w = {credential, take, context, 0};

	check_chain(&w);
	check_purpose(&w);
	check_strength(&w);
	check_names(&w);
	if (agent && credential->agent != MTLS_AGENT_READY)
		warn(&w, MTLS_NOTHING, "%s: %s", agent, mtls_agent_sentence(credential->agent));
	if (!agent)
		check_modes(&w);
	return w.n;
}

struct lines {
	FILE *stream;
	const struct mtls_place *place;
};

static void say_warning(void *context, enum mtls_part part, const char *text)
{
	const struct lines *lines = context;

	if (part == MTLS_NOTHING)
		cred_say(lines->stream, "warning: %s", text);
	else
		cred_say(lines->stream, "warning: %s: %s", lines->place->file[part], text);
}

unsigned cred_warn(FILE *stream, const struct cred_credential *credential, const char *agent)
{
	struct lines lines = {stream, credential->reading.mark.place};

	return cred_warnings(credential, agent, say_warning, &lines);
}
