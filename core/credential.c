/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of the folder's files to a state and a reason word. The checks
 * stand in one list, in the order in which the contract (section 1) reports them:
 * by reason, not by file. Files are read by the caller; DER, decryption and the
 * question whether certificate and key belong together are left to a parser.
 */
#include "core/credential.h"
#include "core/pem.h"
#include "core/text.h"

struct scan {
	const struct mtls_files *in;
	struct mtls_blocks *out;
	struct mtls_error *error;
};

static const struct mtls_bytes NOTHING = {NULL, 0};

static enum mtls_reason fail(struct scan *s, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(s->error, reason, part, mtls_bytes_of(detail));
}

static enum mtls_reason fail_block(struct scan *s, enum mtls_reason reason, enum mtls_part part, size_t number,
				   const char *fact)
{
	struct mtls_text t = {.n = 0};

	mtls_text_put(&t, "block ");
	mtls_text_number(&t, number);
	mtls_text_put(&t, fact);
	return fail(s, reason, part, t.s);
}

static bool counts(const struct scan *s, size_t part)
{
	return !s->in->agent || (part != MTLS_KEY && part != MTLS_PASS);
}

static bool exists(const struct scan *s, size_t part)
{
	return counts(s, part) && s->in->file[part].how != MTLS_FILE_NONE;
}

static struct mtls_bytes content(const struct scan *s, size_t part)
{
	return counts(s, part) && s->in->file[part].how == MTLS_FILE_OK ? s->in->file[part].data : NOTHING;
}

/* Missing, empty or white space only. A file that could not be read is neither. */
static bool is_void(const struct scan *s, size_t part)
{
	struct mtls_bytes data = content(s, part);

	if (exists(s, part) && s->in->file[part].how != MTLS_FILE_OK)
		return false;
	mtls_bytes_take(&data, MTLS_BOM);
	return mtls_bytes_trim(data).n == 0;
}

static enum mtls_reason check_presence(struct scan *s)
{
	const struct mtls_file *file = s->in->file;
	bool named = file[MTLS_CERT].named || (counts(s, MTLS_KEY) && file[MTLS_KEY].named);

	if (s->in->place == MTLS_PLACE_NONE)
		return fail(s, MTLS_NO_CREDENTIAL, MTLS_NOTHING, NULL);
	if (s->in->place != MTLS_PLACE_OK || !is_void(s, MTLS_CERT) || !is_void(s, MTLS_KEY))
		return MTLS_USABLE;
	if (exists(s, MTLS_CERT) || exists(s, MTLS_KEY))
		return fail(s, MTLS_REMOVED, named ? MTLS_CERT : MTLS_FOLDER, NULL);
	return named ? MTLS_USABLE : fail(s, MTLS_NO_CREDENTIAL, MTLS_FOLDER, NULL);
}

static enum mtls_reason check_permissions(struct scan *s)
{
	size_t part;

	if (s->in->folder_unsafe)
		return fail(s, MTLS_UNSAFE_PERMISSIONS, MTLS_FOLDER, NULL);
	for (part = 0; part < MTLS_FILES; part++)
		if (counts(s, part) && s->in->file[part].unsafe)
			return fail(s, MTLS_UNSAFE_PERMISSIONS, (enum mtls_part)part, NULL);
	return MTLS_USABLE;
}

static enum mtls_reason check_folder(struct scan *s)
{
	if (s->in->place == MTLS_PLACE_MISSING)
		return fail(s, MTLS_FOLDER_MISSING, MTLS_FOLDER, NULL);
	return MTLS_USABLE;
}

static enum mtls_reason check_both_given(struct scan *s)
{
	/* Nobody could look: that is reported as unreadable. */
	if (s->in->place == MTLS_PLACE_UNREADABLE)
		return MTLS_USABLE;
	if (is_void(s, MTLS_CERT))
		return fail(s, MTLS_CERTIFICATE_MISSING, MTLS_CERT, NULL);
	if (counts(s, MTLS_KEY) && is_void(s, MTLS_KEY))
		return fail(s, MTLS_KEY_MISSING, MTLS_KEY, NULL);
	return MTLS_USABLE;
}

static enum mtls_reason check_how(struct scan *s, enum mtls_file_how how, enum mtls_reason reason)
{
	size_t part;

	for (part = 0; part < MTLS_FILES; part++)
		if (counts(s, part) && s->in->file[part].how == how)
			return fail(s, reason, (enum mtls_part)part, NULL);
	return MTLS_USABLE;
}

static enum mtls_reason check_regular(struct scan *s)
{
	return check_how(s, MTLS_FILE_NOT_A_FILE, MTLS_NOT_A_FILE);
}

static enum mtls_reason check_readable(struct scan *s)
{
	if (s->in->place == MTLS_PLACE_UNREADABLE)
		return fail(s, MTLS_UNREADABLE, MTLS_FOLDER, NULL);
	return check_how(s, MTLS_FILE_UNREADABLE, MTLS_UNREADABLE);
}

static bool is_certificate(struct mtls_bytes label)
{
	return mtls_bytes_equal(label, mtls_bytes_of("CERTIFICATE")) ||
	       mtls_bytes_equal(label, mtls_bytes_of("X509 CERTIFICATE")) ||
	       mtls_bytes_equal(label, mtls_bytes_of("TRUSTED CERTIFICATE"));
}

static enum mtls_reason check_size(struct scan *s)
{
	struct mtls_bytes text = content(s, MTLS_CERT);
	struct mtls_pem pem;
	size_t part, at = 0, certificates = 0;
	struct mtls_text t = {.n = 0};

	for (part = 0; part < MTLS_FILES; part++)
		if (content(s, part).n > MTLS_FILE_MAX)
			return fail(s, MTLS_TOO_LARGE, (enum mtls_part)part, NULL);
	if (check_how(s, MTLS_FILE_TOO_LARGE, MTLS_TOO_LARGE) != MTLS_USABLE)
		return MTLS_TOO_LARGE;
	while (mtls_pem_next(text, &at, &pem))
		certificates += is_certificate(pem.label);
	if (certificates <= MTLS_CHAIN_MAX)
		return MTLS_USABLE;
	mtls_text_number(&t, certificates);
	mtls_text_put(&t, " certificates");
	return fail(s, MTLS_TOO_LARGE, MTLS_CERT, t.s);
}

/* A byte-order mark is part of the passphrase, as for "openssl -passin file:". */
static enum mtls_reason check_passphrase(struct scan *s)
{
	struct mtls_bytes text = content(s, MTLS_PASS);
	size_t at = 0;

	if (text.n)
		s->out->pass = mtls_bytes_line(text, &at);
	if (s->out->pass.n > MTLS_PASS_MAX)
		return fail(s, MTLS_PASSPHRASE_TOO_LONG, MTLS_PASS, NULL);
	s->out->pass_lost = s->in->file[MTLS_PASS].named && counts(s, MTLS_PASS) && !exists(s, MTLS_PASS);
	return MTLS_USABLE;
}

/* RFC 1421 4.6.1.1: always the first header line. */
static bool is_encrypted(struct mtls_bytes headers)
{
	size_t at = 0;
	struct mtls_bytes line = headers.n ? mtls_bytes_line(headers, &at) : NOTHING;

	if (!mtls_bytes_take(&line, "Proc-Type:"))
		return false;
	line = mtls_bytes_trim(line);
	return mtls_bytes_take(&line, "4,") && mtls_bytes_equal(mtls_bytes_trim(line), mtls_bytes_of("ENCRYPTED"));
}

static enum mtls_reason damaged(struct scan *s, enum mtls_reason reason, enum mtls_part part, size_t number)
{
	return fail_block(s, reason, part, number, " never ends, or is not base64");
}

static enum mtls_reason check_certificates(struct scan *s)
{
	struct mtls_bytes text = content(s, MTLS_CERT);
	struct mtls_pem pem;
	size_t at = 0, number;

	for (number = 1; mtls_pem_next(text, &at, &pem); number++) {
		if (!is_certificate(pem.label))
			continue;
		if (!pem.well_formed)
			return damaged(s, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, number);
		/* A TLS library would ask for a passphrase, on the program's terminal. */
		if (is_encrypted(pem.headers))
			return fail_block(s, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, number, " is encrypted");
		s->out->cert[s->out->n_certs++] = pem.whole;
	}
	if (s->out->n_certs == 0)
		return fail(s, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, "no certificate block");
	return MTLS_USABLE;
}

enum mtls_reason mtls_key_block(const struct mtls_pem *pem, struct mtls_blocks *out, struct mtls_error *error)
{
	static const struct {
		const char *label;
		enum mtls_key_form form;
	} FORMS[] = {
		{"PRIVATE KEY", MTLS_KEY_PKCS8},
		{"ENCRYPTED PRIVATE KEY", MTLS_KEY_PKCS8_ENCRYPTED},
		{"RSA PRIVATE KEY", MTLS_KEY_PKCS1},
		{"EC PRIVATE KEY", MTLS_KEY_SEC1},
	};
	size_t i;

	if (mtls_bytes_equal(pem->label, mtls_bytes_of("TSS2 PRIVATE KEY")))
		return mtls_fail(error, MTLS_KEY_NEEDS_AGENT, MTLS_KEY, pem->label);
	for (i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
		if (!mtls_bytes_equal(pem->label, mtls_bytes_of(FORMS[i].label)))
			continue;
		out->key = pem->whole;
		out->key_form = FORMS[i].form;
		out->key_encrypted = FORMS[i].form == MTLS_KEY_PKCS8_ENCRYPTED || is_encrypted(pem->headers);
		return MTLS_USABLE;
	}
	return mtls_fail(error, MTLS_KEY_UNSUPPORTED, MTLS_KEY, pem->label);
}

/* One line with a URI of a token: RFC 7512, or a TPM 2.0 handle. */
static bool is_token(struct mtls_bytes text)
{
	size_t at = 0;

	mtls_bytes_take(&text, MTLS_BOM);
	text = mtls_bytes_trim(text);
	if (!mtls_bytes_start(text, "pkcs11:") && !mtls_bytes_start(text, "handle:"))
		return false;
	return mtls_bytes_line(text, &at).n == text.n;
}

static enum mtls_reason check_key(struct scan *s)
{
	struct mtls_bytes text = content(s, MTLS_KEY);
	struct mtls_pem pem;
	size_t at = 0, number;

	if (!counts(s, MTLS_KEY))
		return MTLS_USABLE;
	for (number = 1; mtls_pem_next(text, &at, &pem); number++) {
		if (!mtls_bytes_end(pem.label, "PRIVATE KEY"))
			continue;
		if (!pem.well_formed)
			return damaged(s, MTLS_KEY_MALFORMED, MTLS_KEY, number);
		return mtls_key_block(&pem, s->out, s->error);
	}
	/* The URI may hold a PIN: no detail. */
	if (is_token(text))
		return fail(s, MTLS_KEY_NEEDS_AGENT, MTLS_KEY, NULL);
	return fail(s, MTLS_KEY_MALFORMED, MTLS_KEY, "no private key block");
}

enum mtls_reason mtls_credential_scan(const struct mtls_files *files, struct mtls_blocks *out, struct mtls_error *error)
{
	static enum mtls_reason (*const CHECKS[])(struct scan *) = {
		check_presence, check_permissions, check_folder,     check_both_given,   check_regular,
		check_readable, check_size,        check_passphrase, check_certificates, check_key,
	};
	struct scan s = {files, out, error};
	size_t i;

	mtls_set(out, 0, sizeof(*out));
	for (i = 0; i < sizeof(CHECKS) / sizeof(CHECKS[0]); i++) {
		enum mtls_reason reason = CHECKS[i](&s);

		if (reason == MTLS_USABLE)
			continue;
		mtls_set(out, 0, sizeof(*out));
		return reason;
	}
	return fail(&s, MTLS_USABLE, MTLS_NOTHING, NULL);
}

enum mtls_reason mtls_blocks_passphrase(const struct mtls_blocks *blocks, struct mtls_error *error)
{
	if (blocks->pass_lost || (blocks->key_encrypted && blocks->pass.n == 0))
		return mtls_fail(error, MTLS_PASSPHRASE_MISSING, MTLS_PASS, NOTHING);
	return mtls_fail(error, MTLS_USABLE, MTLS_NOTHING, NOTHING);
}
