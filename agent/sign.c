/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One signature: hash and padding are the scheme's, never the asker's. RFC 8446 4.2.3 for PSS (salt as long as the
 * hash, MGF1 with it); RFC 4346 7.4.8 for MD5 with SHA-1.
 */
#include "agent/sign.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

static bool set_padding(EVP_PKEY_CTX *ctx, const struct mtls_scheme *scheme)
{
	switch (scheme->padding) {
	case MTLS_PAD_PKCS1:
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	case MTLS_PAD_PSS:
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
	case MTLS_PAD_NONE:
	default:
		return true;
	}
}

static bool sign_content(const struct mtls_token *t, const struct mtls_scheme *scheme, struct mtls_bytes content,
			 unsigned char *signature, size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner = NULL; /* ctx's */
	bool ok = ctx &&
		  EVP_DigestSignInit_ex(ctx, &inner, scheme->hash, t->context, t->properties, t->key, NULL) > 0 &&
		  set_padding(inner, scheme) && EVP_DigestSign(ctx, signature, n, content.p, content.n) > 0;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool sign_digest(const struct mtls_token *t, const struct mtls_scheme *scheme, struct mtls_bytes digest,
			unsigned char *signature, size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(t->context, t->key, t->properties);
	bool ok = ctx && EVP_PKEY_sign_init(ctx) > 0 && set_padding(ctx, scheme) &&
		  EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(scheme->hash)) > 0 &&
		  EVP_PKEY_sign(ctx, signature, n, digest.p, digest.n) > 0;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

bool agent_sign(const struct mtls_token *t, const struct mtls_question *q, unsigned char signature[MTLS_SIGNATURE_MAX],
		size_t *n)
{
	const struct mtls_scheme *scheme = mtls_scheme_find(q->scheme);
	bool ok = false;

	*n = MTLS_SIGNATURE_MAX;
	if (scheme && t->key && EVP_PKEY_get_size(t->key) <= MTLS_SIGNATURE_MAX)
		ok = q->op == MTLS_OP_CONTENT ? sign_content(t, scheme, q->content, signature, n)
					      : sign_digest(t, scheme, q->content, signature, n);
	if (!ok)
		*n = 0;
	ERR_clear_error();
	return ok;
}

bool agent_sign_works(const struct mtls_token *t, enum mtls_key_type type)
{
	static const uint16_t schemes[] = {0x0403, 0x0503, 0x0603, 0x0804, 0x0809, 0x080a, 0x080b, 0x0807, 0x0808};
	static const unsigned char nothing[32];
	struct mtls_question q = {.op = MTLS_OP_CONTENT, .content = {nothing, sizeof(nothing)}};
	unsigned char signature[MTLS_SIGNATURE_MAX];
	bool works = false;
	size_t n;

	for (size_t i = 0; !works && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		q.scheme = schemes[i];
		works = mtls_signature_fits(type, schemes[i]) && agent_sign(t, &q, signature, &n);
	}
	return works;
}
