/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#12 (RFC 7292): every certificate and every key of it. Files of before 2022 are mostly encrypted with RC2 and
 * 3DES, which OpenSSL 3 has in its legacy provider.
 */
#include "launcher/cred/input.h"

#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <string.h>

#define DEPTH 4 /* of SafeContents in SafeContents */

struct pfx {
	const struct cred *cred;
	struct cred_input *in;
	const char *path;
	PKCS12 *p12;
	const char *pass; /* NULL is not the empty one */
	int n_pass;
};

static int refuse(const struct pfx *f, const char *what)
{
	unsigned long error = ERR_peek_error();
	const char *why = ERR_reason_error_string(error);

	/* Only what RC2, single DES and the like need is missing that often. */
	if (ERR_GET_REASON(error) == ERR_R_UNSUPPORTED && !OSSL_PROVIDER_available(NULL, "legacy"))
		return cred_fail(f->cred, CRED_FAILED,
				 "%s: %s: it is of an old kind that needs OpenSSL's legacy provider; install it "
				 "(openssl-provider-legacy, or openssl-libs), or write the file again elsewhere",
				 f->path, what);
	return cred_fail(f->cred, CRED_FAILED, "%s: %s%s%s%s", f->path, what, why ? " (" : "", why ? why : "",
			 why ? ")" : "");
}

/* --- its passphrase ----------------------------------------------------------------- */

static bool opens(struct pfx *f, const char *pass, int n)
{
	f->pass = pass;
	f->n_pass = n;
	return PKCS12_verify_mac(f->p12, pass, n) == 1;
}

/* A MAC that libcrypto cannot make is no wrong passphrase. */
static bool mac_unknown(const struct pfx *f)
{
	const X509_ALGOR *algorithm;
	const ASN1_OBJECT *object;
	EVP_KDF *kdf;
	EVP_MD *md;
	bool known;

	PKCS12_get0_mac(NULL, &algorithm, NULL, NULL, f->p12);
	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	md = EVP_MD_fetch(NULL, OBJ_nid2sn(OBJ_obj2nid(object)), NULL);
	kdf = EVP_KDF_fetch(NULL, "PKCS12KDF", NULL);
	known = md && kdf;
	EVP_KDF_free(kdf);
	EVP_MD_free(md);
	return !known;
}

static int unlock(struct pfx *f)
{
	struct cred_secret *secret = &f->in->secret;
	int status;

	if (PKCS12_mac_present(f->p12) && (opens(f, NULL, 0) || opens(f, "", 0)))
		return CRED_GO_ON;
	if (PKCS12_mac_present(f->p12) && mac_unknown(f))
		return cred_fail(
			f->cred, CRED_FAILED,
			"%s: its MAC is of a kind that this OpenSSL does not know; write it again with openssl "
			"pkcs12 -export",
			f->path);
	for (unsigned tries = 0;; tries++) {
		status = cred_secret_next(f->cred, secret, f->path, tries);
		if (status != CRED_GO_ON)
			return status;
		f->pass = secret->text;
		f->n_pass = (int)secret->n;
		if (!PKCS12_mac_present(f->p12) || opens(f, secret->text, (int)secret->n))
			return CRED_GO_ON;
	}
}

/* --- its bags ------------------------------------------------------------------------- */

static int take_bags(struct pfx *f, const STACK_OF(PKCS12_SAFEBAG) *bags, int depth);

static int take_key(struct pfx *f, const PKCS8_PRIV_KEY_INFO *info)
{
	EVP_PKEY *key = info ? EVP_PKCS82PKEY(info) : NULL;

	return key ? cred_input_key(f->cred, f->in, f->path, key) : refuse(f, "its private key cannot be read");
}

static int take_shrouded(struct pfx *f, PKCS12_SAFEBAG *bag)
{
	PKCS8_PRIV_KEY_INFO *info = PKCS12_decrypt_skey(bag, f->pass, f->n_pass);
	int status = info ? take_key(f, info) : refuse(f, "its private key cannot be decrypted");

	PKCS8_PRIV_KEY_INFO_free(info);
	return status;
}

static int take_bag(struct pfx *f, PKCS12_SAFEBAG *bag, int depth)
{
	X509 *x;

	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_keyBag:
		return take_key(f, PKCS12_SAFEBAG_get0_p8inf(bag));
	case NID_pkcs8ShroudedKeyBag:
		return take_shrouded(f, bag);
	case NID_certBag:
		if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
			return CRED_GO_ON;
		x = PKCS12_SAFEBAG_get1_cert(bag);
		return x ? cred_input_cert(f->cred, f->in, f->path, x)
			 : refuse(f, "a certificate in it cannot be read");
	case NID_safeContentsBag:
		return depth < DEPTH ? take_bags(f, PKCS12_SAFEBAG_get0_safes(bag), depth + 1) : CRED_GO_ON;
	default:
		return CRED_GO_ON;
	}
}

static int take_bags(struct pfx *f, const STACK_OF(PKCS12_SAFEBAG) *bags, int depth)
{
	int status = CRED_GO_ON;

	for (int i = 0; status == CRED_GO_ON && i < sk_PKCS12_SAFEBAG_num(bags); i++)
		status = take_bag(f, sk_PKCS12_SAFEBAG_value(bags, i), depth);
	return status;
}

static int take_safe(struct pfx *f, PKCS7 *p7)
{
	int nid = OBJ_obj2nid(p7->type), status;
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

	if (nid == NID_pkcs7_data)
		bags = PKCS12_unpack_p7data(p7);
	else if (nid == NID_pkcs7_encrypted)
		bags = PKCS12_unpack_p7encdata(p7, f->pass, f->n_pass);
	else
		return refuse(f, "a part of it is encrypted for somebody's certificate");
	if (!bags)
		return refuse(f, nid == NID_pkcs7_data ? "it is damaged" : "a part of it cannot be decrypted");
	status = take_bags(f, bags, 0);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return status;
}

static int take(struct pfx *f)
{
	STACK_OF(PKCS7) *safes;
	int status = unlock(f);

	if (status != CRED_GO_ON)
		return status;
	ERR_clear_error();
	safes = PKCS12_unpack_authsafes(f->p12);
	if (!safes)
		return refuse(f, "it is damaged");
	for (int i = 0; status == CRED_GO_ON && i < sk_PKCS7_num(safes); i++)
		status = take_safe(f, sk_PKCS7_value(safes, i));
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return status;
}

int cred_input_pkcs12(const struct cred *cred, struct cred_input *in, const char *path, struct mtls_bytes der,
		      bool *done)
{
	const unsigned char *p = der.p;
	struct pfx f = {.cred = cred, .in = in, .path = path, .p12 = d2i_PKCS12(NULL, &p, (long)der.n)};
	int status = CRED_GO_ON;

	*done = f.p12;
	if (f.p12)
		status = take(&f);
	PKCS12_free(f.p12);
	return status;
}
