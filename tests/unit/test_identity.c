/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/identity.c, key.c, block.c: each key type and encoding is read, what is
 * noted of the leaf, and the program's error queue is left alone.
 */
#include "tests/unit/identity_fixture.h"
#include "host/errors.h"

Suite *identity_suite(void);
TCase *identity_refused(void);

/* --- what is read --------------------------------------------------------- */

START_TEST(each_type)
{
	unsigned char hash[32], *bytes = NULL;
	char hex[65];
	int n;

	put_certificate(&cert, (enum kind)_i);
	pkcs8(&key, keys[_i]);
	ck_usable(load(""));
	ck_assert_int_eq(identity->type, KIND[_i].type);
	ck_assert_int_eq(X509_check_private_key(identity->leaf, identity->key), 1);
	ck_assert_int_eq(sk_X509_num(identity->chain), 0);
	ck_assert_str_eq(identity->subject, "CN=unit");
	n = i2d_X509(identity->leaf, &bytes);
	EVP_Digest(bytes, (size_t)n, hash, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	ck_assert_str_eq(identity->sha256, hex);
	OPENSSL_free(bytes);
}
END_TEST

START_TEST(each_encoding)
{
	static const enum kind kinds[] = {P256, RSA_2048, P521, K256};
	bool encrypted = _i != PLAIN_8 && _i != PLAIN_1;

	for (int k = 0; k < COUNT(kinds); k++) {
		encode((enum encoding)_i, kinds[k], mtls_bytes_of(PASS));
		ck_usable(load(PASS));
		if (encrypted) {
			ck_word(load("wrong"), MTLS_PASSPHRASE_WRONG, MTLS_PASS);
			ck_word(load(""), MTLS_PASSPHRASE_MISSING, MTLS_PASS);
		} else {
			ck_usable(load("not needed"));
		}
	}
}
END_TEST

START_TEST(passphrases_are_bytes)
{
	unsigned char bytes[MTLS_PASS_MAX];
	static const size_t sizes[] = {1, 2, 1022, 1023};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i % 251 == 10 ? 0 : i % 251); /* 0 to 250 without a line end */
	for (int i = 0; i < COUNT(sizes); i++) {
		struct mtls_bytes pass = {bytes, sizes[i]}, shorter = {bytes, sizes[i] - 1};
		enum mtls_reason without = sizes[i] > 1 ? MTLS_PASSPHRASE_WRONG : MTLS_PASSPHRASE_MISSING;

		for (int e = AES_8; e < ENCODINGS; e++) {
			if (e == PBE_DES3_8)
				continue; /* PKCS#12 makes text of it */
			encode((enum encoding)e, P256, pass);
			ck_usable(load_with(&mtls_crypto_linked, pass));
			ck_word(load_with(&mtls_crypto_linked, shorter), without, MTLS_PASS);
		}
	}
}
END_TEST

START_TEST(a_chain_in_its_order)
{
	char cn[16];

	for (int i = 1; i < 10; i++) {
		snprintf(cn, sizeof(cn), "ca %d", i);
		add_certificate(&cert, certificate_of(keys[RSA_2048], cn));
	}
	ck_usable(load(""));
	ck_assert_int_eq(sk_X509_num(identity->chain), 9);
	for (int i = 0; i < 9; i++) {
		X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(identity->chain, i)), NID_commonName, cn,
					  sizeof(cn));
		ck_assert_int_eq(atoi(cn + 3), i + 1);
	}
}
END_TEST

START_TEST(labels_of_certificates)
{
	X509 *x = certificate_of(keys[P256], "unit");
	BIO *bio = BIO_new(BIO_s_mem());

	unpack_pem(&der, &cert);
	put_pem(&cert, "X509 CERTIFICATE", "", &der);
	ck_usable(load(""));
	put_pem(&cert, "TRUSTED CERTIFICATE", "", &der); /* what is added to it may be missing */
	ck_usable(load(""));
	X509_alias_set1(x, (const unsigned char *)"alias", 5);
	PEM_write_bio_X509_AUX(bio, x);
	take_bio(&cert, bio);
	ck_usable(load(""));
	unpack_pem(&der, &cert);
	put_pem(&cert, "CERTIFICATE", "", &der);
	ck_word(load(""), MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
	X509_free(x);
}
END_TEST

START_TEST(one_long_line_of_base64)
{
	char line[sizeof(der.room)], *p = line;

	unpack_pem(&der, &key);
	p += sprintf(p, "-----BEGIN PRIVATE KEY-----\r\n");
	p += EVP_EncodeBlock((unsigned char *)p, der.b.p, (int)der.b.n);
	p += sprintf(p, "\r\n-----END PRIVATE KEY-----\r\n");
	take(&key, line, (size_t)(p - line));
	ck_usable(load(""));
}
END_TEST

START_TEST(with_an_agent_no_key)
{
	blocks = (struct mtls_blocks){.cert = {cert.b}, .n_certs = 1, .key_form = MTLS_KEY_NONE};
	ck_usable(mtls_identity_load(&mtls_crypto_linked, &blocks, &identity, &error));
	ck_assert_ptr_null(identity->key);
	ck_assert_int_eq(identity->type, MTLS_KEY_P256);
}
END_TEST

/* --- subject -------------------------------------------------------------- */

static const struct {
	const char *ou, *subject;
	int type;
} SUBJECTS[] = {
	{"a, b+\"c\"\\", "OU=a\\, b\\+\\\"c\\\"\\\\", MBSTRING_UTF8},
	{"\xc3\xa4\n\x7f", "OU=\\C3\\A4\\0A\\7F", MBSTRING_UTF8},
	{"#x ", "OU=\\#x\\ ", MBSTRING_UTF8},
	{"\xe4", "OU=\\C3\\A4", V_ASN1_T61STRING},
	{"", "", MBSTRING_UTF8} /* X.520 allows no empty OU: an empty name */,
};

START_TEST(subjects)
{
	X509_NAME *name = X509_NAME_new();

	X509_NAME_add_entry_by_txt(name, "OU", SUBJECTS[_i].type, (const unsigned char *)SUBJECTS[_i].ou, -1, -1, 0);
	cert.b.n = 0;
	add_certificate(&cert, make_certificate(keys[P256], name));
	X509_NAME_free(name);
	ck_usable(load(""));
	ck_assert_str_eq(identity->subject, SUBJECTS[_i].subject);
}
END_TEST

/* "CN=" and n bytes, seven times ",OU=" and 60: 451 + n. 511 fit. */
START_TEST(a_long_subject_is_cut)
{
	char expected[600], x[64];
	X509_NAME *name = X509_NAME_new();
	int size = 0;

	memset(x, 'x', sizeof(x));
	for (int i = 0; i < 7; i++)
		X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_UTF8, (unsigned char *)x, 60, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (unsigned char *)x, _i, -1, 0);
	size += sprintf(expected, "CN=%.*s", _i, x);
	for (int i = 0; i < 7; i++)
		size += sprintf(expected + size, ",OU=%.60s", x);
	if (size >= MTLS_SUBJECT_MAX)
		strcpy(expected + MTLS_SUBJECT_MAX - 4, "...");
	cert.b.n = 0;
	add_certificate(&cert, make_certificate(keys[P256], name));
	ck_usable(load(""));
	ck_assert_str_eq(identity->subject, expected);
	X509_NAME_free(name);
}
END_TEST

/* --- the program's own state ---------------------------------------------- */

/* Usable, and a failure at each step. */
static void disturb(int step)
{
	if (step == 1)
		encode(AES_1, P256, mtls_bytes_of(PASS));
	if (step == 2)
		encode(AES_8, P256, mtls_bytes_of(PASS));
	if (step == 3)
		put_certificate(&cert, RSA_2048);
	if (step == 4 || step == 5) {
		struct text *file = step == 4 ? &cert : &key;

		unpack_pem(&der, file);
		der.b.n /= 2;
		put_pem(file, step == 4 ? "CERTIFICATE" : "PRIVATE KEY", "", &der);
	}
	if (step == 6) {
		traditional(&key, keys[P256], NULL, mtls_bytes_of(""));
		unpack_pem(&der, &key);
		der.room[der.b.n / 2] ^= 0x5a;
		put_pem(&key, "EC PRIVATE KEY", "", &der);
	}
}

static void raise_errors(int n)
{
	for (int i = 1; i <= n; i++)
		ERR_put_error(ERR_LIB_USER, 0, i, "the program", i);
}

static void ck_errors(int n)
{
	for (int i = 1; i <= n; i++)
		ck_assert_int_eq(ERR_GET_REASON(ERR_get_error()), i);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(the_error_queue_stays)
{
	static const int counts[] = {0, 1, 3};

	disturb(_i);
	ERR_clear_error();
	for (int i = 0; i < COUNT(counts); i++) {
		raise_errors(counts[i]);
		load("wrong");
		ck_errors(counts[i]);
	}
	/* Nested, as in a callback of the shim's. */
	raise_errors(2);
	mtls_errors_keep(&mtls_crypto_linked);
	load("wrong");
	raise_errors(3);
	mtls_errors_restore(&mtls_crypto_linked);
	ck_errors(2);
}
END_TEST

static struct {
	struct mtls_bytes wanted;
	int seen;
} spy;

static void spy_cleanse(void *p, size_t n)
{
	spy.seen += memmem(p, n, spy.wanted.p, spy.wanted.n) != NULL;
	OPENSSL_cleanse(p, n);
}

/* Key bytes as base64, decrypted or not. */
START_TEST(key_bytes_are_wiped)
{
	struct mtls_crypto c = mtls_crypto_linked;

	c.OPENSSL_cleanse = spy_cleanse;
	traditional(&key, keys[P256], NULL, mtls_bytes_of(""));
	unpack_pem(&der, &key);
	spy.wanted = der.b;
	ck_usable(load_with(&c, mtls_bytes_of("")));
	ck_assert_int_eq(spy.seen, 1);
	encode(AES_1, P256, mtls_bytes_of(PASS));
	ck_usable(load_with(&c, mtls_bytes_of(PASS)));
	ck_assert_int_eq(spy.seen, 2);
	spy.wanted = mtls_bytes_of("MIG");
	pkcs8(&key, keys[P256]);
	ck_usable(load_with(&c, mtls_bytes_of("")));
	ck_assert_int_ge(spy.seen, 3);
}
END_TEST

Suite *identity_suite(void)
{
	Suite *s = suite_create("identity");
	TCase *t = tcase_create("read");

	tcase_add_unchecked_fixture(t, make_keys, free_keys);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, each_type, 0, OTHER_P256);
	tcase_add_loop_test(t, each_encoding, 0, ENCODINGS);
	tcase_add_test(t, passphrases_are_bytes);
	tcase_add_test(t, a_chain_in_its_order);
	tcase_add_test(t, labels_of_certificates);
	tcase_add_test(t, one_long_line_of_base64);
	tcase_add_test(t, with_an_agent_no_key);
	tcase_add_loop_test(t, subjects, 0, COUNT(SUBJECTS));
	tcase_add_loop_test(t, a_long_subject_is_cut, 58, 64);
	tcase_add_loop_test(t, the_error_queue_stays, 0, 7);
	tcase_add_test(t, key_bytes_are_wiped);
	suite_add_tcase(s, t);
	suite_add_tcase(s, identity_refused());
	return s;
}
