/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and certificates made in the process, in every encoding, by libcrypto
 * itself; and one credential to load: for test_identity.c (what is read) and
 * test_identity_refused.c (what is not). Nothing here is a secret, and nothing is kept.
 */
#ifndef MTLS_TESTS_IDENTITY_FIXTURE_H
#define MTLS_TESTS_IDENTITY_FIXTURE_H

#include <check.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/ui.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "host/crypto_linked.h"
#include "host/identity.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum kind { P256, P384, P521, K256, RSA_2048, PSS_2048, ED_25519, ED_448, OTHER_P256, KINDS };

static const struct {
	int id, curve;
	enum mtls_key_type type;
} KIND[KINDS] = {
	[P256] = {EVP_PKEY_EC, NID_X9_62_prime256v1, MTLS_KEY_P256},
	[P384] = {EVP_PKEY_EC, NID_secp384r1, MTLS_KEY_P384},
	[P521] = {EVP_PKEY_EC, NID_secp521r1, MTLS_KEY_P521},
	[K256] = {EVP_PKEY_EC, NID_secp256k1, MTLS_KEY_EC_OTHER},
	[RSA_2048] = {EVP_PKEY_RSA, 0, MTLS_KEY_RSA},
	[PSS_2048] = {EVP_PKEY_RSA_PSS, 0, MTLS_KEY_RSA_PSS},
	[ED_25519] = {EVP_PKEY_ED25519, 0, MTLS_KEY_ED25519},
	[ED_448] = {EVP_PKEY_ED448, 0, MTLS_KEY_ED448},
	[OTHER_P256] = {EVP_PKEY_EC, NID_X9_62_prime256v1, MTLS_KEY_P256},
};

/* Bytes of a file, or DER. */
struct text {
	struct mtls_bytes b;
	unsigned char room[16384];
};

static EVP_PKEY *keys[KINDS];

static inline EVP_PKEY *make_key(enum kind kind)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(KIND[kind].id, NULL);
	EVP_PKEY *key = NULL;

	ck_assert_int_gt(EVP_PKEY_keygen_init(context), 0);
	if (KIND[kind].curve)
		ck_assert_int_gt(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, KIND[kind].curve), 0);
	ck_assert_int_gt(EVP_PKEY_keygen(context, &key), 0);
	EVP_PKEY_CTX_free(context);
	return key;
}

static inline X509 *make_certificate(EVP_PKEY *key, X509_NAME *subject)
{
	bool own_hash = EVP_PKEY_id(key) == EVP_PKEY_ED25519 || EVP_PKEY_id(key) == EVP_PKEY_ED448;
	X509 *x = X509_new();

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_subject_name(x, subject);
	X509_set_issuer_name(x, subject);
	X509_set_pubkey(x, key);
	ck_assert_int_gt(X509_sign(x, key, own_hash ? NULL : EVP_sha256()), 0);
	return x;
}

static inline X509 *certificate_of(EVP_PKEY *key, const char *cn)
{
	X509_NAME *name = X509_NAME_new();
	X509 *x;

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	x = make_certificate(key, name);
	X509_NAME_free(name);
	return x;
}

static inline void take(struct text *out, const void *p, size_t n)
{
	ck_assert_uint_le(n, sizeof(out->room));
	memcpy(out->room, p, n);
	out->b = (struct mtls_bytes){out->room, n};
}

/* Takes the BIO too. */
static inline void take_bio(struct text *out, BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	ck_assert_int_gt(n, 0);
	take(out, p, (size_t)n);
	BIO_free(bio);
}

static inline void put_pem(struct text *out, const char *label, const char *headers, const struct text *der)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio(bio, label, headers, der->b.p, (long)der->b.n);
	take_bio(out, bio);
}

/* Takes the certificate too. Appends, so that a chain can be made. */
static inline void add_certificate(struct text *out, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());

	BIO_write(bio, out->b.p, (int)out->b.n);
	PEM_write_bio_X509(bio, x);
	X509_free(x);
	take_bio(out, bio);
}

static inline void put_certificate(struct text *out, enum kind kind)
{
	out->b.n = 0;
	add_certificate(out, certificate_of(keys[kind], "unit"));
}

static inline void unpack_pem(struct text *der, const struct text *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->b.p, (int)pem->b.n);
	char *label, *headers;
	unsigned char *data;
	long n;

	ck_assert_int_eq(PEM_read_bio(bio, &label, &headers, &data, &n), 1);
	take(der, data, (size_t)n);
	OPENSSL_free(label);
	OPENSSL_free(headers);
	OPENSSL_free(data);
	BIO_free(bio);
}

/* --- encodings of a key --------------------------------------------------- */

static inline void pkcs8(struct text *out, EVP_PKEY *plain)
{
	BIO *bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, plain, NULL, NULL, 0, NULL, NULL), 1);
	take_bio(out, bio);
}

/* PKCS#1 for an RSA key, SEC 1 for an EC key. */
static inline void traditional(struct text *out, EVP_PKEY *key, const EVP_CIPHER *cipher, struct mtls_bytes pass)
{
	BIO *bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_PrivateKey_traditional(bio, key, cipher, cipher ? (unsigned char *)pass.p : NULL,
							      (int)pass.n, NULL, NULL),
			 1);
	take_bio(out, bio);
}

/* Takes the algorithm. */
static inline void pkcs8_pbe(struct text *out, EVP_PKEY *key, X509_ALGOR *pbe, struct mtls_bytes pass)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	X509_SIG *sig = PKCS8_set0_pbe((const char *)pass.p, (int)pass.n, info, pbe);
	BIO *bio = BIO_new(BIO_s_mem());

	ck_assert_ptr_nonnull(sig);
	PEM_write_bio_PKCS8(bio, sig);
	take_bio(out, bio);
	X509_SIG_free(sig);
	PKCS8_PRIV_KEY_INFO_free(info);
}

/* --- one credential ------------------------------------------------------- */

static struct text cert, key, der;

enum encoding { PLAIN_8, PLAIN_1, AES_8, DES3_8, SCRYPT_8, SHA512_8, PBE_DES3_8, AES_1, DES3_1, CFB_1, ENCODINGS };

static inline void encode(enum encoding encoding, enum kind kind, struct mtls_bytes pass)
{
	static unsigned char salt[] = "saltsalt";
	EVP_PKEY *k = keys[kind];

	put_certificate(&cert, kind);
	switch (encoding) {
	case PLAIN_8:
		pkcs8(&key, k);
		break;
	case AES_8:
		pkcs8_pbe(&key, k, PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), 10, salt, 8, NULL, -1), pass);
		break;
	case DES3_8:
		pkcs8_pbe(&key, k, PKCS5_pbe2_set_iv(EVP_des_ede3_cbc(), 10, salt, 8, NULL, -1), pass);
		break;
	case SCRYPT_8:
		pkcs8_pbe(&key, k, PKCS5_pbe2_set_scrypt(EVP_aes_128_cbc(), salt, 8, NULL, 16, 8, 1), pass);
		break;
	case SHA512_8:
		pkcs8_pbe(&key, k, PKCS5_pbe2_set_iv(EVP_aes_192_cbc(), 100, salt, 8, NULL, NID_hmacWithSHA512), pass);
		break;
	case PBE_DES3_8:
		pkcs8_pbe(&key, k, PKCS5_pbe_set(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 100, salt, 8), pass);
		break;
	case PLAIN_1:
		traditional(&key, k, NULL, pass);
		break;
	case AES_1:
		traditional(&key, k, EVP_aes_256_cbc(), pass);
		break;
	case DES3_1:
		traditional(&key, k, EVP_des_ede3_cbc(), pass);
		break;
	default:
		traditional(&key, k, EVP_aes_128_cfb128(), pass);
	}
}

#define PASS "pass with blanks \xc3\xa4"

static struct mtls_blocks blocks;
static struct mtls_error error;
static struct mtls_identity *identity;
static bool prompted;
static void (*witness)(enum mtls_reason); /* is told what came of each load: test_gnutls_identity.c's second parser */

static inline int note_prompt(UI *ui)
{
	(void)ui;
	prompted = true;
	return 0;
}

static inline void make_keys(void)
{
	static UI_METHOD *never;

	never = UI_create_method("never");
	UI_method_set_opener(never, note_prompt);
	UI_set_default_method(never);
	for (int i = 0; i < KINDS; i++)
		keys[i] = make_key((enum kind)i);
}

static inline void free_keys(void)
{
	UI_METHOD *never = (UI_METHOD *)UI_get_default_method();

	UI_set_default_method(UI_OpenSSL());
	UI_destroy_method(never);
	for (int i = 0; i < KINDS; i++)
		EVP_PKEY_free(keys[i]);
}

static inline void setup(void)
{
	put_certificate(&cert, P256);
	pkcs8(&key, keys[P256]);
}

static inline void teardown(void)
{
	mtls_identity_free(&mtls_crypto_linked, identity);
	identity = NULL;
	ck_assert(!prompted);
}

static inline enum mtls_reason load_with(const struct mtls_crypto *c, struct mtls_bytes pass)
{
	struct mtls_files files = {.file = {[MTLS_CERT] = {.data = cert.b}, [MTLS_KEY] = {.data = key.b}}};
	enum mtls_reason r;

	files.file[MTLS_PASS] = (struct mtls_file){.data = pass};
	files.file[MTLS_CONF].how = MTLS_FILE_NONE;
	ck_assert_str_eq(mtls_reason_word(mtls_credential_scan(&files, &blocks, &error)), "usable");
	mtls_identity_free(c, identity);
	identity = (void *)"not touched";
	r = mtls_identity_load(c, &blocks, &identity, &error);
	if (witness)
		witness(r);
	return r;
}

static inline enum mtls_reason load(const char *pass)
{
	return load_with(&mtls_crypto_linked, mtls_bytes_of(pass));
}

static inline void ck_word(enum mtls_reason got, enum mtls_reason expected, enum mtls_part part)
{
	ck_assert_msg(got == expected, "%s (%s), not %s", mtls_reason_word(got), error.detail,
		      mtls_reason_word(expected));
	ck_assert_int_eq(error.reason, expected);
	ck_assert_int_eq(error.part, part);
	ck_assert((identity != NULL) == (expected == MTLS_USABLE));
}

static inline void ck_usable(enum mtls_reason got)
{
	ck_word(got, MTLS_USABLE, MTLS_NOTHING);
}

#endif
