/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/identity.c, key.c, block.c: what is not usable, and that each gets its own
 * reason word, in the contract's order. Well-formed PEM around it throughout: the rest is core/'s.
 */
#include "tests/unit/identity_fixture.h"

TCase *identity_refused(void);

static const unsigned char OID_PBES2[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d};
static const unsigned char OID_PBKDF2[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c};
static const unsigned char OID_AES_256_CBC[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
static const unsigned char OID_RSA[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const unsigned char OID_P256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

/* Where it ends in der. */
static unsigned char *find(const void *needle, size_t n)
{
	unsigned char *p = memmem(der.b.p, der.b.n, needle, n);

	ck_assert_ptr_nonnull(p);
	return p + n;
}

/* An object identifier that nobody knows. */
static void unknown(const unsigned char *oid, size_t n)
{
	find(oid, n)[-1] = 0x7f;
}

static void cut_der(size_t n)
{
	der.b.n -= n;
}

static void pad_der(size_t n)
{
	memset(der.room + der.b.n, 0, n);
	der.b.n += n;
}

/* With the right passphrase, a wrong one and none. */
static void ck_whatever_the_passphrase(enum mtls_reason reason, enum mtls_part part)
{
	ck_word(load(PASS), reason, part);
	ck_word(load("wrong"), reason, part);
	ck_word(load(""), reason, part);
}

/* --- certificates --------------------------------------------------------- */

START_TEST(a_damaged_certificate)
{
	struct text whole;

	unpack_pem(&whole, &cert);
	for (size_t n = 1; n < whole.b.n; n += 7) {
		take(&der, whole.b.p, n);
		put_pem(&cert, "CERTIFICATE", "", &der);
		ck_word(load(""), MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
	}
	take(&der, whole.b.p, whole.b.n);
	pad_der(1);
	put_pem(&cert, "CERTIFICATE", "", &der);
	ck_word(load(""), MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
	ck_assert_str_eq(error.detail, "certificate 1");
}
END_TEST

START_TEST(a_damaged_one_in_the_chain)
{
	struct text damaged;

	unpack_pem(&der, &cert);
	cut_der(1);
	put_pem(&damaged, "CERTIFICATE", "", &der);
	add_certificate(&cert, certificate_of(keys[P384], "ca"));
	take(&der, cert.b.p, cert.b.n);
	memcpy(der.room + der.b.n, damaged.b.p, damaged.b.n);
	take(&cert, der.room, der.b.n + damaged.b.n);
	ck_word(load(""), MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
	ck_assert_str_eq(error.detail, "certificate 3");
}
END_TEST

START_TEST(a_public_key_of_an_unknown_curve)
{
	unpack_pem(&der, &cert);
	unknown(OID_P256, sizeof(OID_P256));
	put_pem(&cert, "CERTIFICATE", "", &der);
	ck_word(load(""), MTLS_KEY_UNSUPPORTED, MTLS_CERT);
	ck_assert_str_eq(error.detail, "1.2.840.10045.3.1.127");
}
END_TEST

START_TEST(a_public_key_that_is_no_point)
{
	unpack_pem(&der, &cert);
	find(OID_P256, sizeof(OID_P256))[3] = 0x7f; /* of "03 42 00 04 X Y" */
	put_pem(&cert, "CERTIFICATE", "", &der);
	ck_word(load(""), MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
	ck_assert_str_eq(error.detail, "public key of certificate 1");
}
END_TEST

/* --- keys ----------------------------------------------------------------- */

static const struct {
	enum encoding encoding;
	enum kind kind;
	const char *label;
} FORMS[] = {
	{PLAIN_8, P256, "PRIVATE KEY"},
	{PLAIN_8, RSA_2048, "PRIVATE KEY"},
	{PLAIN_8, ED_25519, "PRIVATE KEY"},
	{PLAIN_1, P256, "EC PRIVATE KEY"},
	{PLAIN_1, RSA_2048, "RSA PRIVATE KEY"},
	{AES_8, P256, "ENCRYPTED PRIVATE KEY"},
	{SCRYPT_8, RSA_2048, "ENCRYPTED PRIVATE KEY"},
};

START_TEST(a_damaged_key)
{
	struct text whole;
	size_t step;

	encode(FORMS[_i].encoding, FORMS[_i].kind, mtls_bytes_of(PASS));
	unpack_pem(&whole, &key);
	step = whole.b.n / 40 + 1;
	for (size_t n = 1; n < whole.b.n; n += step) {
		take(&der, whole.b.p, n);
		put_pem(&key, FORMS[_i].label, "", &der);
		ck_whatever_the_passphrase(MTLS_KEY_MALFORMED, MTLS_KEY);
	}
	take(&der, whole.b.p, whole.b.n);
	pad_der(2);
	put_pem(&key, FORMS[_i].label, "", &der);
	ck_whatever_the_passphrase(MTLS_KEY_MALFORMED, MTLS_KEY);
}
END_TEST

START_TEST(random_bytes_for_a_key)
{
	for (int i = 0; i < 200; i++) {
		unsigned char bytes[160];

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (unsigned char)rand();
		take(&der, bytes, 1 + (size_t)rand() % sizeof(bytes));
		put_pem(&key, FORMS[_i].label, "", &der);
		ck_whatever_the_passphrase(MTLS_KEY_MALFORMED, MTLS_KEY);
	}
}
END_TEST

START_TEST(a_key_of_another_form_than_its_label)
{
	encode(PLAIN_1, P256, mtls_bytes_of(""));
	unpack_pem(&der, &key);
	put_pem(&key, "RSA PRIVATE KEY", "", &der);
	ck_word(load(""), MTLS_KEY_MALFORMED, MTLS_KEY);
	put_pem(&key, "PRIVATE KEY", "", &der);
	ck_word(load(""), MTLS_KEY_MALFORMED, MTLS_KEY);
}
END_TEST

static const struct {
	enum encoding encoding;
	enum kind kind;
	const unsigned char *oid;
	size_t n;
	const char *detail;
} UNKNOWN[] = {
	{PLAIN_8, P256, OID_P256, sizeof(OID_P256), "1.2.840.10045.3.1.127"},
	{PLAIN_1, P256, OID_P256, sizeof(OID_P256), "1.2.840.10045.3.1.127"},
	{PLAIN_8, RSA_2048, OID_RSA, sizeof(OID_RSA), "1.2.840.113549.1.1.127"},
	{AES_8, P256, OID_PBES2, sizeof(OID_PBES2), "1.2.840.113549.1.5.127"},
	{AES_8, P256, OID_PBKDF2, sizeof(OID_PBKDF2), "1.2.840.113549.1.5.127, aes-256-cbc"},
	{AES_8, P256, OID_AES_256_CBC, sizeof(OID_AES_256_CBC), "PBKDF2, 2.16.840.1.101.3.4.1.127"},
};

START_TEST(unknown_algorithms)
{
	static const char *const labels[] = {
		[PLAIN_8] = "PRIVATE KEY", [PLAIN_1] = "EC PRIVATE KEY", [AES_8] = "ENCRYPTED PRIVATE KEY"};

	encode(UNKNOWN[_i].encoding, UNKNOWN[_i].kind, mtls_bytes_of(PASS));
	unpack_pem(&der, &key);
	unknown(UNKNOWN[_i].oid, UNKNOWN[_i].n);
	put_pem(&key, labels[UNKNOWN[_i].encoding], "", &der);
	ck_whatever_the_passphrase(MTLS_KEY_UNSUPPORTED, MTLS_KEY);
	ck_assert_msg(strcasecmp(error.detail, UNKNOWN[_i].detail) == 0, "%s", error.detail);
}
END_TEST

START_TEST(parameters_that_are_none)
{
	static const int types[] = {V_ASN1_UNDEF, V_ASN1_NULL, V_ASN1_BOOLEAN, V_ASN1_SEQUENCE, V_ASN1_SET};
	ASN1_STRING *content = ASN1_STRING_type_new(types[_i]);
	X509_SIG *sig = X509_SIG_new();
	ASN1_OCTET_STRING *octets;
	X509_ALGOR *algorithm;
	BIO *bio = BIO_new(BIO_s_mem());
	void *value = NULL;

	ASN1_STRING_set(content, "\x30\x03\x02\x01\x05", 5);
	if (types[_i] == V_ASN1_BOOLEAN)
		value = sig; /* anything but NULL is true */
	if (types[_i] == V_ASN1_SEQUENCE || types[_i] == V_ASN1_SET)
		value = ASN1_STRING_dup(content);
	X509_SIG_getm(sig, &algorithm, &octets);
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_pbes2), types[_i], value);
	ASN1_OCTET_STRING_set(octets, (const unsigned char *)"sixteen bytes ..", 16);
	PEM_write_bio_PKCS8(bio, sig);
	take_bio(&key, bio);
	X509_SIG_free(sig);
	ASN1_STRING_free(content);
	ck_whatever_the_passphrase(MTLS_KEY_MALFORMED, MTLS_KEY);
	ck_assert_str_eq(error.detail, "PBES2");
}
END_TEST

/* Names of 39 characters each, the most that are told. */
START_TEST(long_names_of_algorithms)
{
	static const char LONG[] = "1.2.3456789.3456789.3456789.3456789.3456789.3456789";
	PBE2PARAM *v2 = PBE2PARAM_new();
	X509_SIG *sig = X509_SIG_new();
	ASN1_OCTET_STRING *octets;
	X509_ALGOR *algorithm;
	BIO *bio = BIO_new(BIO_s_mem());
	char expected[96];

	X509_ALGOR_set0(v2->keyfunc, OBJ_txt2obj(LONG, 1), V_ASN1_NULL, NULL);
	X509_ALGOR_set0(v2->encryption, OBJ_txt2obj(LONG, 1), V_ASN1_NULL, NULL);
	X509_SIG_getm(sig, &algorithm, &octets);
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_pbes2), V_ASN1_SEQUENCE,
			ASN1_item_pack(v2, ASN1_ITEM_rptr(PBE2PARAM), NULL));
	ASN1_OCTET_STRING_set(octets, (const unsigned char *)"sixteen bytes ..", 16);
	PEM_write_bio_PKCS8(bio, sig);
	take_bio(&key, bio);
	X509_SIG_free(sig);
	PBE2PARAM_free(v2);
	ck_whatever_the_passphrase(MTLS_KEY_UNSUPPORTED, MTLS_KEY);
	snprintf(expected, sizeof(expected), "%.39s, %.39s", LONG, LONG);
	ck_assert_str_eq(error.detail, expected);
}
END_TEST

/* A SEQUENCE, but no key: as good as garbage, which a wrong passphrase gives. */
START_TEST(something_else_inside)
{
	X509_NAME *name = X509_NAME_new();
	BIO *bio = BIO_new(BIO_s_mem());

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"x", -1, -1, 0);
	PEM_ASN1_write_bio((i2d_of_void *)i2d_X509_NAME, "EC PRIVATE KEY", bio, name, EVP_aes_128_cbc(),
			   (unsigned char *)PASS, sizeof(PASS) - 1, NULL, NULL);
	take_bio(&key, bio);
	X509_NAME_free(name);
	ck_word(load(PASS), MTLS_PASSPHRASE_WRONG, MTLS_PASS);
}
END_TEST

/* --- traditional encryption ----------------------------------------------- */

static const struct {
	const char *headers;
	enum mtls_reason reason;
	size_t cut; /* bytes off the end */
	const char *detail;
} HEADERS[] = {
	{"Proc-Type: 4,ENCRYPTED\nDEK-Info: FOO,0011223344556677\n", MTLS_KEY_UNSUPPORTED, 0, "FOO"},
	{"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n", MTLS_KEY_MALFORMED, 0, "headers"},
	{"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC\n", MTLS_KEY_MALFORMED, 0, "headers"},
	{"Proc-Type: 4,ENCRYPTED\nDEK-Info: \n", MTLS_KEY_MALFORMED, 0, "headers"},
	{"Proc-Type: 4,ENCRYPTED\n", MTLS_KEY_MALFORMED, 0, "headers"},
	{"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899aabbccddeeff\n", MTLS_KEY_MALFORMED, 1,
	 "length of the encrypted data"},
	{"Proc-Type: 4,ENCRYPTED\nDEK-Info: id-aes128-GCM,001122334455667788990011\n", MTLS_KEY_MALFORMED, 0,
	 "length of the encrypted data"},
};

START_TEST(bad_headers)
{
	encode(AES_1, P256, mtls_bytes_of(PASS));
	unpack_pem(&der, &key);
	cut_der(HEADERS[_i].cut);
	put_pem(&key, "EC PRIVATE KEY", HEADERS[_i].headers, &der);
	ck_whatever_the_passphrase(HEADERS[_i].reason, MTLS_KEY);
	ck_assert_str_eq(error.detail, HEADERS[_i].detail);
}
END_TEST

/* --- passphrases ---------------------------------------------------------- */

/* About one in 256 gives good padding, about one in 65536 a good tag too: each must be told from a bad key. */
START_TEST(two_thousand_wrong_passphrases)
{
	char wrong[24];

	encode((enum encoding)_i, P256, mtls_bytes_of(PASS));
	for (int i = 0; i < 2000; i++) {
		snprintf(wrong, sizeof(wrong), "wrong %d", i);
		ck_word(load(wrong), MTLS_PASSPHRASE_WRONG, MTLS_PASS);
	}
}
END_TEST

START_TEST(a_named_passphrase_file_that_is_missing)
{
	load("");
	blocks.pass_lost = true;
	mtls_identity_free(&mtls_crypto_linked, identity);
	ck_word(mtls_identity_load(&mtls_crypto_linked, &blocks, &identity, &error), MTLS_PASSPHRASE_MISSING,
		MTLS_PASS);
}
END_TEST

/* --- the pair ------------------------------------------------------------- */

START_TEST(a_key_of_another_certificate)
{
	static const enum kind others[] = {OTHER_P256, P384, K256, RSA_2048, ED_25519};

	pkcs8(&key, keys[others[_i]]);
	ck_word(load(""), MTLS_PAIR_MISMATCH, MTLS_KEY);
	put_certificate(&cert, others[_i]);
	pkcs8(&key, keys[P256]);
	ck_word(load(""), MTLS_PAIR_MISMATCH, MTLS_KEY);
}
END_TEST

START_TEST(the_order_of_reasons)
{
	encode(AES_1, OTHER_P256, mtls_bytes_of(PASS));
	put_certificate(&cert, P256);
	ck_word(load(""), MTLS_PASSPHRASE_MISSING, MTLS_PASS);
	ck_word(load("wrong"), MTLS_PASSPHRASE_WRONG, MTLS_PASS);
	ck_word(load(PASS), MTLS_PAIR_MISMATCH, MTLS_KEY);
	unpack_pem(&der, &cert);
	cut_der(1);
	put_pem(&cert, "CERTIFICATE", "", &der);
	ck_whatever_the_passphrase(MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
}
END_TEST

/* The details are optional. */
START_TEST(without_an_error)
{
	encode(AES_8, P256, mtls_bytes_of(PASS));
	load("wrong");
	ck_assert_int_eq(mtls_identity_load(&mtls_crypto_linked, &blocks, &identity, NULL), MTLS_PASSPHRASE_WRONG);
	ck_assert_ptr_null(identity);
}
END_TEST

TCase *identity_refused(void)
{
	TCase *t = tcase_create("refused");

	tcase_add_unchecked_fixture(t, make_keys, free_keys);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_damaged_certificate);
	tcase_add_test(t, a_damaged_one_in_the_chain);
	tcase_add_test(t, a_public_key_of_an_unknown_curve);
	tcase_add_test(t, a_public_key_that_is_no_point);
	tcase_add_loop_test(t, a_damaged_key, 0, COUNT(FORMS));
	tcase_add_loop_test(t, random_bytes_for_a_key, 0, COUNT(FORMS));
	tcase_add_test(t, a_key_of_another_form_than_its_label);
	tcase_add_loop_test(t, unknown_algorithms, 0, COUNT(UNKNOWN));
	tcase_add_loop_test(t, parameters_that_are_none, 0, 5);
	tcase_add_test(t, long_names_of_algorithms);
	tcase_add_test(t, something_else_inside);
	tcase_add_loop_test(t, bad_headers, 0, COUNT(HEADERS));
	tcase_add_loop_test(t, two_thousand_wrong_passphrases, AES_8, AES_8 + 2);
	tcase_add_loop_test(t, two_thousand_wrong_passphrases, AES_1, CFB_1 + 1);
	tcase_add_test(t, a_named_passphrase_file_that_is_missing);
	tcase_add_loop_test(t, a_key_of_another_certificate, 0, 5);
	tcase_add_test(t, the_order_of_reasons);
	tcase_add_test(t, without_an_error);
	return t;
}
