/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in tokens; see token.h. What opens them is host/token.c. */
#include "launcher/cred/token.h"

#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

bool cred_token_is(struct mtls_bytes *text)
{
	struct mtls_bytes t = *text;
	struct mtls_pem pem;
	size_t at = 0;

	mtls_bytes_take(&t, MTLS_BOM);
	t = mtls_bytes_trim(t);
	if (mtls_bytes_start(t, "pkcs11:") || mtls_bytes_start(t, "handle:")) {
		*text = t;
		return t.n && !memchr(t.p, '\n', t.n);
	}
	while (mtls_pem_next(t, &at, &pem))
		if (pem.well_formed && mtls_bytes_equal(pem.label, mtls_bytes_of("TSS2 PRIVATE KEY"))) {
			*text = pem.whole;
			return true;
		}
	return false;
}

static int read_text(const struct cred *cred, const char *path, struct cred_bytes *out)
{
	struct mtls_bytes text;
	const char *why = cred_read(path, MTLS_FILE_MAX, out);

	if (why)
		return cred_fail(cred, CRED_FAILED, "%s: %s", path, why);
	text = (struct mtls_bytes){out->p, out->n};
	if (!cred_token_is(&text))
		return cred_fail(cred, CRED_FAILED, "%s: neither a pkcs11: or handle: line nor a TSS2 block", path);
	memmove(out->p, text.p, text.n);
	out->p[text.n] = '\0';
	out->n = text.n;
	return CRED_GO_ON;
}

int cred_token_option(const struct cred *cred, const char *value, struct cred_bytes *out)
{
	struct mtls_bytes text = mtls_bytes_of(value);

	memset(out, 0, sizeof(*out));
	if (strncmp(value, "file:", 5) == 0)
		return read_text(cred, value + 5, out);
	if (strstr(value, "pin-value="))
		return cred_fail(cred, CRED_USAGE,
				 "--key-uri: everybody sees a pin-value there; say pin-source=file:PATH");
	if (!cred_token_is(&text) || text.n != strlen(value))
		return cred_fail(cred, CRED_USAGE, "--key-uri: neither pkcs11: nor handle: nor file:");
	out->p = OPENSSL_malloc(text.n + 1);
	if (!out->p)
		return cred_fail(cred, CRED_FAILED, "out of memory");
	memcpy(out->p, text.p, text.n + 1);
	out->n = text.n;
	return CRED_GO_ON;
}

/* Never the query: it may have a PIN. */
static int explain(const struct cred *cred, struct mtls_bytes text, const char *pass_file, const struct mtls_error *e)
{
	bool block = mtls_bytes_start(text, "-");
	const char *what = block ? "TSS2 block" : (const char *)text.p;
	const unsigned char *query = memchr(text.p, '?', text.n);
	int n = block ? (int)strlen(what) : (int)(query ? (size_t)(query - text.p) : text.n);
	bool pin = e->reason == MTLS_PASSPHRASE_MISSING || e->reason == MTLS_PASSPHRASE_WRONG;

	return cred_fail(cred, CRED_FAILED, "%.*s: %s%s%s%s%s%s", n, what, mtls_reason_sentence(e->reason),
			 e->detail[0] ? " (" : "", e->detail, e->detail[0] ? ")" : "",
			 pin ? "; a PIN is the URI's pin-source=file:PATH, or the first line of " : "",
			 pin ? pass_file : "");
}

/* The first line, as of any passphrase file. One that is not there is no PIN. */
static struct mtls_bytes first_line(const struct cred_bytes *bytes)
{
	size_t at = 0;

	if (!bytes->n)
		return (struct mtls_bytes){NULL, 0};
	return mtls_bytes_line((struct mtls_bytes){bytes->p, bytes->n}, &at);
}

int cred_token_open(const struct cred *cred, const char *pass_file, struct mtls_bytes text, struct mtls_token *out)
{
	const char *path = pass_file ? pass_file : cred->env.place[0].file[MTLS_PASS], *why;
	struct cred_bytes pass;
	struct mtls_error error;
	enum mtls_reason reason;

	memset(out, 0, sizeof(*out));
	why = cred_read(path, MTLS_FILE_MAX, &pass);
	if (why && pass_file)
		return cred_fail(cred, CRED_FAILED, "%s: %s", pass_file, why);
	reason = mtls_token_open(text, first_line(&pass), out, &error);
	cred_bytes_free(&pass);
	return reason == MTLS_USABLE ? CRED_GO_ON : explain(cred, text, path, &error);
}

void cred_token_pin(const struct cred *cred, struct mtls_bytes text, struct cred_bytes *out)
{
	memset(out, 0, sizeof(*out));
	if (!memmem(text.p, text.n, "pin-source=", 11) && !memmem(text.p, text.n, "pin-value=", 10))
		(void)cred_read(cred->env.place[0].file[MTLS_PASS], MTLS_FILE_MAX, out);
}

int cred_token_public(const struct cred *cred, const char *pass_file, struct mtls_bytes text, EVP_PKEY **out)
{
	struct mtls_token token;
	unsigned char *der = NULL;
	const unsigned char *p;
	int n = 0, status = cred_token_open(cred, pass_file, text, &token);

	*out = NULL;
	if (status != CRED_GO_ON)
		return status;
	n = i2d_PUBKEY(token.key, &der);
	p = der;
	*out = n > 0 ? d2i_PUBKEY(NULL, &p, n) : NULL;
	OPENSSL_free(der);
	mtls_token_close(&token);
	return *out ? CRED_GO_ON : cred_fail(cred, CRED_FAILED, "libcrypto cannot read the token's public key");
}
