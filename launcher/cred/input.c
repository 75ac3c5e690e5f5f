/* SPDX-License-Identifier: Apache-2.0 */
/* Files of people's; see input.h. PKCS#12 is in pkcs12.c. */
#include "launcher/cred/input.h"
#include "launcher/cred/token.h"
#include "core/pem.h"
#include "host/crypto_linked.h"
#include "host/key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <stdlib.h>
#include <string.h>

struct file {
	const struct cred *cred;
	struct cred_input *in;
	const char *path;
	struct mtls_bytes data;
};

static int refuse(const struct file *f, const char *why)
{
	return cred_fail(f->cred, CRED_FAILED, "%s: %s", f->path, why);
}

int cred_input_cert(const struct cred *cred, struct cred_input *in, const char *path, X509 *x)
{
	in->n_taken++;
	if (!in->certs)
		in->certs = sk_X509_new_null();
	if (in->certs && sk_X509_num(in->certs) < CRED_CERTS_MAX && sk_X509_push(in->certs, x) > 0)
		return CRED_GO_ON;
	X509_free(x);
	return cred_fail(cred, CRED_FAILED, "%s: more than %d certificates; give the leaf and its intermediates", path,
			 CRED_CERTS_MAX);
}

int cred_input_key(const struct cred *cred, struct cred_input *in, const char *path, EVP_PKEY *key)
{
	in->n_taken++;
	for (size_t i = 0; i < in->n_keys; i++)
		if (EVP_PKEY_eq(in->key[i].key, key) == 1) {
			EVP_PKEY_free(key);
			return CRED_GO_ON;
		}
	if (in->n_keys == CRED_KEYS_MAX) {
		EVP_PKEY_free(key);
		return cred_fail(cred, CRED_FAILED, "%s: more than %d private keys; give one pair", path,
				 CRED_KEYS_MAX);
	}
	in->key[in->n_keys].key = key;
	in->key[in->n_keys++].file = path;
	return CRED_GO_ON;
}

int cred_input_token(const struct cred *cred, struct cred_input *in, const char *path, struct mtls_bytes text)
{
	size_t before = in->n_keys;
	EVP_PKEY *public = NULL;
	int status = cred_token_public(cred, in->secret.file, text, &public);

	if (status == CRED_GO_ON)
		status = cred_input_key(cred, in, path, public);
	if (status != CRED_GO_ON || in->n_keys == before)
		return status;
	in->key[before].token = strndup((const char *)text.p, text.n);
	return in->key[before].token ? CRED_GO_ON : cred_fail(cred, CRED_FAILED, "out of memory");
}

/* A URI may have a PIN. */
static void free_token(char *token)
{
	if (token)
		OPENSSL_cleanse(token, strlen(token));
	free(token);
}

void cred_input_free(struct cred_input *in)
{
	for (size_t i = 0; i < in->n_keys; i++) {
		EVP_PKEY_free(in->key[i].key);
		free_token(in->key[i].token);
	}
	sk_X509_pop_free(in->certs, X509_free);
	cred_secret_wipe(&in->secret);
}

/* --- PEM ------------------------------------------------------------------------- */

static int damaged(const struct file *f, size_t number)
{
	return cred_fail(f->cred, CRED_FAILED, "%s: block %zu never ends, or is damaged; get the file again", f->path,
			 number);
}

static int take_key(const struct file *f, const struct mtls_pem *pem)
{
	struct cred_secret *secret = &f->in->secret;
	struct mtls_blocks blocks = {0};
	struct mtls_error error;
	EVP_PKEY *key = NULL;
	enum mtls_reason reason = mtls_key_block(pem, &blocks, &error);
	int status = CRED_GO_ON;

	for (unsigned tries = 0; reason == MTLS_USABLE && !key; tries++) {
		if (blocks.key_encrypted)
			status = cred_secret_next(f->cred, secret, f->path, tries);
		if (status != CRED_GO_ON)
			return status;
		blocks.pass = (struct mtls_bytes){(const unsigned char *)secret->text, secret->n};
		reason = mtls_key_read(&mtls_crypto_linked, &blocks, &key, &error);
		if (reason == MTLS_PASSPHRASE_WRONG || reason == MTLS_PASSPHRASE_MISSING)
			reason = MTLS_USABLE; /* the next one */
	}
	if (key)
		return cred_input_key(f->cred, f->in, f->path, key);
	if (reason == MTLS_KEY_NEEDS_AGENT)
		return cred_input_token(f->cred, f->in, f->path, pem->whole);
	return cred_fail(f->cred, CRED_FAILED, "%s: %s%s%s%s", f->path, mtls_reason_sentence(reason),
			 error.detail[0] ? " (" : "", error.detail, error.detail[0] ? ")" : "");
}

static int take_pkcs7(const struct file *f, PKCS7 *p7)
{
	STACK_OF(X509) *certs = PKCS7_type_is_signed(p7) ? p7->d.sign->cert : NULL;
	int status = CRED_GO_ON;

	for (int i = 0; status == CRED_GO_ON && i < sk_X509_num(certs); i++) {
		X509 *x = sk_X509_value(certs, i);

		X509_up_ref(x);
		status = cred_input_cert(f->cred, f->in, f->path, x);
	}
	PKCS7_free(p7);
	return status;
}

static bool is_any(struct mtls_bytes label, const char *const *names)
{
	for (; *names; names++)
		if (mtls_bytes_equal(label, mtls_bytes_of(*names)))
			return true;
	return false;
}

static int take_certificate(const struct file *f, struct mtls_bytes block, size_t number)
{
	BIO *bio = BIO_new_mem_buf(block.p, (int)block.n);
	X509 *x = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, (void *)"") : NULL;

	BIO_free(bio);
	return x ? cred_input_cert(f->cred, f->in, f->path, x) : damaged(f, number);
}

static int take_block(const struct file *f, const struct mtls_pem *pem, size_t number)
{
	static const char *const certificates[] = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", NULL};
	static const char *const bundles[] = {"PKCS7", "PKCS #7 SIGNED DATA", "CMS", NULL};
	PKCS7 *p7;
	BIO *bio;

	if (mtls_bytes_end(pem->label, "PRIVATE KEY"))
		return pem->well_formed ? take_key(f, pem) : damaged(f, number);
	if (is_any(pem->label, certificates))
		return pem->well_formed ? take_certificate(f, pem->whole, number) : damaged(f, number);
	if (!is_any(pem->label, bundles))
		return CRED_GO_ON; /* requests, parameters, public keys */
	bio = BIO_new_mem_buf(pem->whole.p, (int)pem->whole.n);
	p7 = bio ? PEM_read_bio_PKCS7(bio, NULL, NULL, (void *)"") : NULL;
	BIO_free(bio);
	return p7 ? take_pkcs7(f, p7) : damaged(f, number);
}

static int take_pem(const struct file *f)
{
	size_t at = 0, before = f->in->n_taken;
	int status = CRED_GO_ON;
	struct mtls_pem pem;

	for (size_t number = 1; status == CRED_GO_ON && mtls_pem_next(f->data, &at, &pem); number++)
		status = take_block(f, &pem, number);
	if (status == CRED_GO_ON && f->in->n_taken == before)
		return refuse(f, "it has neither a certificate nor a private key");
	return status;
}

/* --- DER --------------------------------------------------------------------------- */

/* As a PEM block: keys are read in one place. */
static int take_key_der(const struct file *f, const char *label)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int status = CRED_FAILED;
	struct mtls_pem pem;
	size_t at = 0;
	char *text;
	long n;

	if (bio && PEM_write_bio(bio, label, "", f->data.p, (long)f->data.n) > 0) {
		n = BIO_get_mem_data(bio, &text);
		if (mtls_pem_next((struct mtls_bytes){(unsigned char *)text, (size_t)n}, &at, &pem))
			status = take_key(f, &pem);
	} else {
		status = refuse(f, "out of memory");
	}
	BIO_free(bio);
	return status;
}

/* PKCS#1 and SEC 1. */
static const char *traditional_label(struct mtls_bytes der)
{
	const unsigned char *p = der.p;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)der.n);
	int type = key && p == der.p + der.n ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

	EVP_PKEY_free(key);
	return type == EVP_PKEY_RSA ? "RSA PRIVATE KEY" : type == EVP_PKEY_EC ? "EC PRIVATE KEY" : NULL;
}

/* The label that PEM has for a key; NULL where it is none. */
static const char *key_label(struct mtls_bytes der)
{
	const unsigned char *p = der.p, *q = der.p;
	PKCS8_PRIV_KEY_INFO *plain = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
	X509_SIG *locked = d2i_X509_SIG(NULL, &q, (long)der.n);
	const char *label = NULL;

	if (plain && p == der.p + der.n)
		label = "PRIVATE KEY";
	else if (locked && q == der.p + der.n)
		label = "ENCRYPTED PRIVATE KEY";
	PKCS8_PRIV_KEY_INFO_free(plain);
	X509_SIG_free(locked);
	return label ? label : traditional_label(der);
}

static int take_der(const struct file *f)
{
	const unsigned char *p = f->data.p;
	long n = (long)f->data.n;
	X509 *x = d2i_X509(NULL, &p, n);
	const char *label;
	bool done = false;
	PKCS7 *p7;
	int status;

	if (x && p == f->data.p + n)
		return cred_input_cert(f->cred, f->in, f->path, x);
	X509_free(x);
	status = cred_input_pkcs12(f->cred, f->in, f->path, f->data, &done);
	if (done)
		return status;
	p = f->data.p;
	p7 = d2i_PKCS7(NULL, &p, n);
	if (p7)
		return take_pkcs7(f, p7);
	label = key_label(f->data);
	if (label)
		return take_key_der(f, label);
	return refuse(f, "it begins as DER, but is no certificate, PKCS#12, PKCS#7 or private key, or it is not whole");
}

/* What people take for a certificate; NULL: nothing known. */
static const char *mistaken(struct mtls_bytes data)
{
	static const struct {
		const char *begin;
		size_t n;
		const char *what;
	} known[] = {
		{"\xfe\xed\xfe\xed", 4,
		 "a Java key store (JKS); keytool -importkeystore -deststoretype PKCS12 makes a PFX"},
		{"\xce\xce\xce\xce", 4,
		 "a Java key store (JCEKS); keytool -importkeystore -deststoretype PKCS12 makes a PFX"},
		{"\xff\xfe", 2, "text in UTF-16; save it as ASCII or UTF-8"},
		{"\xfe\xff", 2, "text in UTF-16; save it as ASCII or UTF-8"},
		{"PuTTY-User-Key-File", 19, "an SSH key of PuTTY's; TLS needs a certificate and its key"},
		{"ssh-", 4, "an SSH public key; TLS needs a certificate and its key"},
		{"MII", 3, "base64 without its BEGIN and END lines"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (data.n >= known[i].n && memcmp(data.p, known[i].begin, known[i].n) == 0)
			return known[i].what;
	return NULL;
}

static int take(const struct file *f)
{
	const char *what = mistaken(f->data);
	struct mtls_bytes token = f->data;

	if (f->data.n == 0)
		return refuse(f, "it is empty");
	if (what)
		return cred_fail(f->cred, CRED_FAILED, "%s: this is %s", f->path, what);
	if (memmem(f->data.p, f->data.n, "-----BEGIN ", 11))
		return take_pem(f);
	if (cred_token_is(&token))
		return cred_input_token(f->cred, f->in, f->path, token);
	if (f->data.p[0] == 0x30) /* SEQUENCE */
		return take_der(f);
	return refuse(f, "this is neither PEM nor DER: no certificate and no key");
}

int cred_input_file(const struct cred *cred, struct cred_input *in, const char *path)
{
	struct cred_bytes bytes;
	const char *why = cred_read(path, MTLS_FILE_MAX, &bytes);
	struct file f = {cred, in, path, {bytes.p, bytes.n}};
	int status = why ? refuse(&f, why) : take(&f);

	cred_bytes_free(&bytes);
	ERR_clear_error();
	return status;
}
