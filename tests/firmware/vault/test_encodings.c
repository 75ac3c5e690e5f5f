/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in every encoding, uploaded to a device that has a credential: those that it can read are used, of the others it
 * says what they are. With the passphrase, a wrong one and none.
 */
#include "pki.h"
#include "suites.h"

#include <mbedtls/build_info.h>

static struct device device;
static unsigned char salt[] = "saltsalt";

static void start(void)
{
	device_make(&device, 8, vault_seed);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_state(MTLS_NO_CREDENTIAL);
	ck_install(&device, &credentials[OLD].upload);
	ck_state(MTLS_USABLE);
}

static void stop(void)
{
	ck_clean(&device);
	device_free(&device);
}

/* cert and key of the fixture. */
static void put_up(const char *pass)
{
	struct upload u = {{cert.b, key.b, mtls_bytes_of(pass)}};

	ck_assert_int_eq(device_upload(&u), VAULT_OK);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
}

static void ck_taken(const char *pass, enum kind kind)
{
	put_up(pass);
	ck_assert_msg(!device_status().refused, "%s (%s)", mtls_reason_word(device_status().upload.reason),
		      device_status().upload.detail);
	ck_state(MTLS_USABLE);
	ck_assert(device_is(keys[kind]));
	ck_assert_int_eq(vault_signer()->type(), KIND[kind].type);
}

static void ck_refused(const char *pass, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	struct vault_status s;

	put_up(pass);
	s = device_status();
	ck_assert_msg(s.refused && s.upload.reason == reason && s.upload.part == part, "%d %s (%s)", s.refused,
		      mtls_reason_word(s.upload.reason), s.upload.detail);
	ck_assert_str_eq(s.upload.detail, detail);
	ck_state(MTLS_USABLE);
	ck_assert(device_is(credentials[OLD].key));
}

static void ck_old_again(void)
{
	ck_install(&device, &credentials[OLD].upload);
	ck_assert(device_is(credentials[OLD].key));
}

/* --- what is read ------------------------------------------------------------------------ */

static const enum kind KINDS_READ[] = {P256, P384, P521, RSA_2048};

START_TEST(plain)
{
	enum kind kind = KINDS_READ[_i];

	put_certificate(&cert, kind);
	pkcs8(&key, keys[kind]);
	ck_taken("", kind);
	ck_taken("not needed", kind);
	traditional(&key, keys[kind], NULL, mtls_bytes_of(""));
	ck_taken("", kind);
}
END_TEST

static const struct {
	const EVP_CIPHER *(*cipher)(void);
} TRADITIONAL[] = {{EVP_des_ede3_cbc}, {EVP_aes_128_cbc}, {EVP_aes_192_cbc}, {EVP_aes_256_cbc}};

START_TEST(traditional_encryption)
{
	static const enum kind kinds[] = {P256, RSA_2048};

	for (int i = 0; i < COUNT(kinds); i++) {
		put_certificate(&cert, kinds[i]);
		traditional(&key, keys[kinds[i]], TRADITIONAL[_i].cipher(), mtls_bytes_of("pass"));
		ck_taken("pass", kinds[i]);
		ck_old_again();
		ck_refused("wrong", MTLS_PASSPHRASE_WRONG, MTLS_PASS, "");
		ck_refused("", MTLS_PASSPHRASE_MISSING, MTLS_PASS, "");
	}
}
END_TEST

static const struct {
	const EVP_CIPHER *(*cipher)(void);
	int hash;
} PBES2[] = {
	{EVP_aes_128_cbc, NID_hmacWithSHA1},    {EVP_aes_128_cbc, NID_hmacWithSHA256},
	{EVP_aes_128_cbc, NID_hmacWithSHA512},  {EVP_aes_192_cbc, NID_hmacWithSHA224},
	{EVP_aes_256_cbc, NID_hmacWithSHA1},    {EVP_aes_256_cbc, NID_hmacWithSHA256},
	{EVP_aes_256_cbc, NID_hmacWithSHA384},  {EVP_aes_256_cbc, NID_hmacWithSHA512},
	{EVP_des_ede3_cbc, NID_hmacWithSHA1},   {EVP_des_ede3_cbc, NID_hmacWithSHA256},
	{EVP_des_ede3_cbc, NID_hmacWithSHA512},
};

START_TEST(pbes2)
{
	static const enum kind kinds[] = {P256, P384, RSA_2048};
	enum kind kind = kinds[_i % COUNT(kinds)];

	put_certificate(&cert, kind);
	pkcs8_pbe(&key, keys[kind], PKCS5_pbe2_set_iv(PBES2[_i].cipher(), 2048, salt, 8, NULL, PBES2[_i].hash),
		  mtls_bytes_of(PASS));
	ck_taken(PASS, kind);
	ck_old_again();
	ck_refused("wrong", MTLS_PASSPHRASE_WRONG, MTLS_PASS, "");
	ck_refused("", MTLS_PASSPHRASE_MISSING, MTLS_PASS, "");
}
END_TEST

/* Only with MBEDTLS_PKCS12_C. */
START_TEST(pkcs12)
{
	encode(PBE_DES3_8, P256, mtls_bytes_of("pass"));
#if defined(MBEDTLS_PKCS12_C)
	ck_taken("pass", P256);
	ck_old_again();
	ck_refused("wrong", MTLS_PASSPHRASE_WRONG, MTLS_PASS, "");
	ck_refused("", MTLS_PASSPHRASE_MISSING, MTLS_PASS, "");
	ck_refused("p\xc3\xa4ss", MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM,
		   "PKCS#12's encryption with a passphrase that is long or not ASCII");
#else
	ck_refused("pass", MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM,
		   "encrypted with SHA1-3DES (PBES1); this device reads PBES2");
#endif
}
END_TEST

/* As a Windows editor leaves them, with other people's text around. */
START_TEST(text_around_it)
{
	static const char *const line_ends[] = {"\n", "\r\n", " \t\n"};
	struct text out = {.b.n = 0};

	encode(_i % 2 ? AES_1 : AES_8, P256, mtls_bytes_of(PASS));
	memcpy(out.room,
	       "\xef\xbb\xbf"
	       "Bag Attributes: <none>\n",
	       out.b.n = 26);
	for (size_t i = 0; i < key.b.n; i++) {
		const char *end = key.b.p[i] == '\n' ? line_ends[_i / 2] : (char[]){(char)key.b.p[i], '\0'};

		memcpy(out.room + out.b.n, end, strlen(end));
		out.b.n += strlen(end);
	}
	take(&key, out.room, out.b.n);
	ck_taken(PASS "\r\nsecond line", P256);
}
END_TEST

/* --- what is not ------------------------------------------------------------------------------ */

/* Whatever the passphrase. */
static void ck_never(enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	ck_refused(PASS, reason, part, detail);
	ck_refused("wrong", reason, part, detail);
	ck_refused("", reason, part, detail);
}

START_TEST(scrypt)
{
	encode(SCRYPT_8, P256, mtls_bytes_of(PASS));
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, "encrypted with scrypt; this device reads PBKDF2");
}
END_TEST

START_TEST(ciphers)
{
	static const struct {
		const EVP_CIPHER *(*cipher)(void);
		const char *pkcs8, *traditional;
	} not_here[] = {
		{EVP_camellia_256_cbc, "Camellia-256", "CAMELLIA-256-CBC"},
		{EVP_camellia_128_cbc, "Camellia-128", "CAMELLIA-128-CBC"},
		{EVP_aria_256_cbc, "ARIA-256", "ARIA-256-CBC"},
	};
	char detail[96];

	put_certificate(&cert, P256);
	pkcs8_pbe(&key, keys[P256], PKCS5_pbe2_set_iv(not_here[_i].cipher(), 10, salt, 8, NULL, NID_hmacWithSHA256),
		  mtls_bytes_of(PASS));
	snprintf(detail, sizeof(detail), "encrypted with %s; this device reads AES and 3DES in CBC mode",
		 not_here[_i].pkcs8);
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, detail);
	traditional(&key, keys[P256], not_here[_i].cipher(), mtls_bytes_of(PASS));
	snprintf(detail, sizeof(detail), "encrypted with %s; this device reads AES and DES in CBC mode",
		 not_here[_i].traditional);
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, detail);
}
END_TEST

static void ck_kind(enum kind kind, const char *detail)
{
	put_certificate(&cert, kind);
	pkcs8(&key, keys[kind]);
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY, detail);
	pkcs8_pbe(&key, keys[kind], PKCS5_pbe2_set_iv(EVP_aes_128_cbc(), 10, salt, 8, NULL, NID_hmacWithSHA256),
		  mtls_bytes_of(PASS));
	ck_refused(PASS, MTLS_KEY_UNSUPPORTED, MTLS_KEY, detail);
	ck_refused("wrong", MTLS_PASSPHRASE_WRONG, MTLS_PASS, "");
}

START_TEST(kinds_of_key)
{
	ck_kind(ED_25519, "Ed25519 key; this device signs with RSA and ECDSA");
	ck_kind(ED_448, "Ed448 key; this device signs with RSA and ECDSA");
	ck_kind(PSS_2048, "RSASSA-PSS key; this device signs with RSA and ECDSA");
	ck_kind(K256, "secp256k1 is a curve that this device does not have");
}
END_TEST

/* An encrypted key of this algorithm, whose parameters come with it; what is encrypted does not matter. */
static void encrypted_with(X509_ALGOR *pbe)
{
	X509_SIG *sig = X509_SIG_new();
	ASN1_OCTET_STRING *octets;
	X509_ALGOR *algorithm;
	BIO *bio = BIO_new(BIO_s_mem());

	X509_SIG_getm(sig, &algorithm, &octets);
	X509_ALGOR_copy(algorithm, pbe);
	ASN1_OCTET_STRING_set(octets, (const unsigned char *)"0123456789abcdef", 16);
	PEM_write_bio_PKCS8(bio, sig);
	take_bio(&key, bio);
	X509_SIG_free(sig);
	X509_ALGOR_free(pbe);
}

START_TEST(older_encryption)
{
	static const struct {
		int id;
		const char *name;
	} old[] = {
		{NID_pbeWithMD5AndDES_CBC, "MD5-DES (PBES1)"},
		{NID_pbeWithSHA1AndDES_CBC, "SHA1-DES (PBES1)"},
		{NID_pbeWithSHA1AndRC2_CBC, "SHA1-RC2 (PBES1)"},
		{NID_pbe_WithSHA1And40BitRC2_CBC, "SHA1-RC2-40 (PBES1)"},
		{NID_pbe_WithSHA1And128BitRC4, "SHA1-RC4-128 (PBES1)"},
	};
	char detail[96];

	put_certificate(&cert, P256);
	encrypted_with(PKCS5_pbe_set(old[_i].id, 100, salt, 8));
#if defined(MBEDTLS_PKCS12_C)
	snprintf(detail, sizeof(detail), "encrypted with %s; this device reads PBES2 and SHA1-3DES", old[_i].name);
#else
	snprintf(detail, sizeof(detail), "encrypted with %s; this device reads PBES2", old[_i].name);
#endif
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, detail);
}
END_TEST

/* 20,000,000 and more than a number of 32 bits: at once, not after minutes. */
START_TEST(too_many_rounds)
{
	static const char detail[] =
		"more than 10000000 rounds to derive the key of the encryption: too slow to boot with";
	static const unsigned char count[] = {0x02, 0x02, 0x27, 0x10};
	unsigned char *p;

	put_certificate(&cert, P256);
	encrypted_with(PKCS5_pbe2_set_iv(EVP_aes_128_cbc(), 20000000, salt, 8, NULL, NID_hmacWithSHA256));
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, detail);
	encrypted_with(PKCS5_pbe_set(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 20000000, salt, 8));
#if defined(MBEDTLS_PKCS12_C)
	ck_refused("pass", MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, detail);
#endif
	/* 10,000 and a salt of 8 bytes become a salt of 5 and a number of 5. */
	encrypted_with(PKCS5_pbe2_set_iv(EVP_aes_128_cbc(), 10000, salt, 8, NULL, NID_hmacWithSHA256));
	unpack_pem(&der, &key);
	p = memmem(der.room, der.b.n, count, sizeof(count));
	ck_assert_ptr_nonnull(p);
	p[-9] = 5;
	memcpy(p - 3, "\x02\x05\x7f\xff\xff\xff\xff", 7);
	put_pem(&key, "ENCRYPTED PRIVATE KEY", "", &der);
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, detail);
}
END_TEST

START_TEST(unknown_hash)
{
	static const unsigned char sha256[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09};
	unsigned char *p;

	encode(SHA512_8, P256, mtls_bytes_of(PASS));
	pkcs8_pbe(&key, keys[P256], PKCS5_pbe2_set_iv(EVP_aes_128_cbc(), 10, salt, 8, NULL, NID_hmacWithSHA256),
		  mtls_bytes_of(PASS));
	unpack_pem(&der, &key);
	p = memmem(der.room, der.b.n, sha256, sizeof(sha256));
	ck_assert_ptr_nonnull(p);
	p[7] = 0x7f;
	put_pem(&key, "ENCRYPTED PRIVATE KEY", "", &der);
	ck_never(MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM,
		 "PBKDF2 with 1.2.840.113549.2.127; this device reads HMAC-SHA1 and HMAC-SHA2");
}
END_TEST

START_TEST(longer_rsa)
{
	EVP_PKEY *small = keys[RSA_2048];
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);

	ck_assert_int_gt(EVP_PKEY_keygen_init(context), 0);
	ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 4160), 0);
	keys[RSA_2048] = NULL;
	ck_assert_int_gt(EVP_PKEY_keygen(context, &keys[RSA_2048]), 0);
	EVP_PKEY_CTX_free(context);
	put_certificate(&cert, P256);
	pkcs8(&key, keys[RSA_2048]);
	ck_refused("", MTLS_KEY_UNSUPPORTED, MTLS_KEY, "RSA with more than 4096 bits");
	traditional(&key, keys[RSA_2048], NULL, mtls_bytes_of(""));
	ck_refused("", MTLS_KEY_UNSUPPORTED, MTLS_KEY, "RSA with more than 4096 bits");
	put_certificate(&cert, RSA_2048);
	pkcs8(&key, small);
	ck_refused("", MTLS_KEY_UNSUPPORTED, MTLS_CERT,
		   "certificate 1 has a public key that this device cannot use (RSA: at most 4096 bits)");
	EVP_PKEY_free(keys[RSA_2048]);
	keys[RSA_2048] = small;
}
END_TEST

Suite *encodings_suite(void)
{
	Suite *s = suite_create("encodings");
	TCase *t = tcase_create("encodings");

	tcase_add_unchecked_fixture(t, make_credentials, forget_credentials);
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, plain, 0, COUNT(KINDS_READ));
	tcase_add_loop_test(t, traditional_encryption, 0, COUNT(TRADITIONAL));
	tcase_add_loop_test(t, pbes2, 0, COUNT(PBES2));
	tcase_add_test(t, pkcs12);
	tcase_add_loop_test(t, text_around_it, 0, 6);
	tcase_add_test(t, scrypt);
	tcase_add_loop_test(t, ciphers, 0, 3);
	tcase_add_test(t, kinds_of_key);
	tcase_add_loop_test(t, older_encryption, 0, 5);
	tcase_add_test(t, too_many_rounds);
	tcase_add_test(t, unknown_hash);
	tcase_add_test(t, longer_rsa);
	suite_add_tcase(s, t);
	return s;
}
