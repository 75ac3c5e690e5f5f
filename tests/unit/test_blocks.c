/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/credential.c: which blocks of the certificate and key file count, which key
 * a program alone cannot use, and what the passphrase is.
 */
#include "tests/unit/credential_fixture.h"

Suite *blocks_suite(void);

/* -- Certificates --------------------------------------------------------- */

START_TEST(certificates_in_their_order)
{
	give(MTLS_CERT, MTLS_BOM "Bag Attributes\r\n" CERT "\r\n" KEY "\n" BLOCK("X509 CERTIFICATE") "\n" BLOCK("PKCS7")
				OTHER_CERT "\n" OTHER_CERT "\nprose\n" BLOCK("TRUSTED CERTIFICATE"));
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_uint_eq(blocks.n_certs, 4);
	ck_bytes(blocks.cert[0], CERT);
	ck_bytes(blocks.cert[1], BLOCK("X509 CERTIFICATE"));
	ck_bytes(blocks.cert[2], OTHER_CERT);
	ck_bytes(blocks.cert[3], BLOCK("TRUSTED CERTIFICATE"));
}
END_TEST

START_TEST(a_bad_foreign_block_breaks_nothing)
{
	give(MTLS_CERT,
	     CERT "\n" UNFINISHED("PRIVATE KEY") OTHER_CERT "\n-----BEGIN X-----\n!\n-----END Y-----\n" CERT);
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_uint_eq(blocks.n_certs, 3);
	ck_bytes(blocks.cert[1], OTHER_CERT);
	ck_bytes(blocks.cert[2], CERT);
}
END_TEST

static const struct {
	const char *text, *detail;
} BAD_CERTS[] = {
	{"prose", "no certificate block"},
	{KEY, "no certificate block"},
	{BLOCK("CERTIFICATE REQUEST"), "no certificate block"},
	{BLOCK("certificate"), "no certificate block"},
	{BLOCK("ATTRIBUTE CERTIFICATE"), "no certificate block"},
	{"\x30\x82\x01\x0a", "no certificate block"},
	{UNFINISHED("CERTIFICATE"), "block 1 never ends, or is not base64"},
	{CERT "\n" KEY "\n" UNFINISHED("CERTIFICATE"), "block 3 never ends, or is not base64"},
	{CERT "\n" UNFINISHED("CERTIFICATE") CERT, "block 2 never ends, or is not base64"},
	{"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "block 1 never ends, or is not base64"},
	{"-----BEGIN CERTIFICATE-----\nQUJD\n-----END X509 CERTIFICATE-----", "block 1 never ends, or is not base64"},
	{"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nQUJD\n-----END CERTIFICATE-----",
	 "block 1 is encrypted"},
};

START_TEST(malformed_certificates)
{
	give(MTLS_CERT, BAD_CERTS[_i].text);
	ck_scan(MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
	ck_assert_str_eq(error.detail, BAD_CERTS[_i].detail);
}
END_TEST

START_TEST(numbers_of_blocks)
{
	static char text[12 * sizeof(KEY "\n") + sizeof(UNFINISHED("CERTIFICATE"))];
	int i;

	for (i = 0; i < 11; i++)
		strcat(text, KEY "\n");
	strcat(text, UNFINISHED("CERTIFICATE"));
	give(MTLS_CERT, text);
	ck_scan(MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
	ck_assert_str_eq(error.detail, "block 12 never ends, or is not base64");
}
END_TEST

/* -- Key ------------------------------------------------------------------ */

static const struct {
	const char *text, *key;
	enum mtls_key_form form;
	bool encrypted;
} KEYS[] = {
	{KEY, KEY, MTLS_KEY_PKCS8, false},
	{BLOCK("ENCRYPTED PRIVATE KEY"), BLOCK("ENCRYPTED PRIVATE KEY"), MTLS_KEY_PKCS8_ENCRYPTED, true},
	{BLOCK("RSA PRIVATE KEY"), BLOCK("RSA PRIVATE KEY"), MTLS_KEY_PKCS1, false},
	{ENCRYPTED_RSA, ENCRYPTED_RSA, MTLS_KEY_PKCS1, true},
	{MTLS_BOM "Key Attributes\n" CERT "\n" BLOCK("EC PARAMETERS") "\n" BLOCK("EC PRIVATE KEY") "\n" KEY,
	 BLOCK("EC PRIVATE KEY"), MTLS_KEY_SEC1, false},
	{UNFINISHED("CERTIFICATE") KEY "\n" BLOCK("DSA PRIVATE KEY"), KEY, MTLS_KEY_PKCS8, false},
	{BLOCK("PUBLIC KEY") "\n" KEY, KEY, MTLS_KEY_PKCS8, false},
	{"pkcs11:token=x\n" KEY, KEY, MTLS_KEY_PKCS8, false},
};

START_TEST(keys)
{
	give(MTLS_KEY, KEYS[_i].text);
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_bytes(blocks.key, KEYS[_i].key);
	ck_assert_int_eq(blocks.key_form, KEYS[_i].form);
	ck_assert_int_eq(blocks.key_encrypted, KEYS[_i].encrypted);
}
END_TEST

static const struct {
	const char *text;
	enum mtls_reason reason;
	const char *detail;
} BAD_KEYS[] = {
	{"prose", MTLS_KEY_MALFORMED, "no private key block"},
	{CERT, MTLS_KEY_MALFORMED, "no private key block"},
	{BLOCK("PUBLIC KEY"), MTLS_KEY_MALFORMED, "no private key block"},
	{BLOCK("PRIVATE KEYS"), MTLS_KEY_MALFORMED, "no private key block"},
	{CERT "\n" UNFINISHED("PRIVATE KEY"), MTLS_KEY_MALFORMED, "block 2 never ends, or is not base64"},
	{UNFINISHED("PRIVATE KEY") KEY, MTLS_KEY_MALFORMED, "block 1 never ends, or is not base64"},
	{UNFINISHED("OPENSSH PRIVATE KEY"), MTLS_KEY_MALFORMED, "block 1 never ends, or is not base64"},
	{UNFINISHED("TSS2 PRIVATE KEY"), MTLS_KEY_MALFORMED, "block 1 never ends, or is not base64"},
	{BLOCK("OPENSSH PRIVATE KEY"), MTLS_KEY_UNSUPPORTED, "OPENSSH PRIVATE KEY"},
	{BLOCK("DSA PRIVATE KEY") "\n" KEY, MTLS_KEY_UNSUPPORTED, "DSA PRIVATE KEY"},
	{BLOCK("rsa PRIVATE KEY"), MTLS_KEY_UNSUPPORTED, "rsa PRIVATE KEY"},
	{BLOCK("TSS2 PRIVATE KEY"), MTLS_KEY_NEEDS_AGENT, "TSS2 PRIVATE KEY"},
	{"pkcs11:token=x?pin-value=1234", MTLS_KEY_NEEDS_AGENT, ""},
	{MTLS_BOM "\r\n  handle:0x81000001 \r\n\n", MTLS_KEY_NEEDS_AGENT, ""},
	{"pkcs11:a\npkcs11:b", MTLS_KEY_MALFORMED, "no private key block"},
	{"# mine\npkcs11:a", MTLS_KEY_MALFORMED, "no private key block"},
	{"PKCS11:a", MTLS_KEY_MALFORMED, "no private key block"},
};

START_TEST(bad_keys)
{
	give(MTLS_KEY, BAD_KEYS[_i].text);
	ck_scan(BAD_KEYS[_i].reason, MTLS_KEY);
	ck_assert_str_eq(error.detail, BAD_KEYS[_i].detail);
}
END_TEST

static const struct {
	const char *header;
	bool encrypted;
} HEADERS[] = {
	{"Proc-Type: 4,ENCRYPTED\nDEK-Info: x\n\n", true},
	{"Proc-Type: 4,ENCRYPTED\r\n\r\n", true},
	{"Proc-Type:4, ENCRYPTED\n\n", true},
	{"Proc-Type: 4,MIC-CLEAR\n\n", false},
	{"Proc-Type: 5,ENCRYPTED\n\n", false},
	{"Proc-Type: 4,ENCRYPTEDX\n\n", false},
	{"Comment: Proc-Type: 4,ENCRYPTED\n\n", false},
	{"", false},
};

START_TEST(traditional_encryption)
{
	char text[200] = "-----BEGIN EC PRIVATE KEY-----\n";

	strcat(text, HEADERS[_i].header);
	strcat(text, "QUJD\n-----END EC PRIVATE KEY-----\n");
	give(MTLS_KEY, text);
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(blocks.key_encrypted, HEADERS[_i].encrypted);
}
END_TEST

START_TEST(one_file_for_both)
{
	static const char BOTH[] = KEY "\n" CERT "\n" OTHER_CERT "\n";

	give(MTLS_CERT, BOTH);
	give(MTLS_KEY, BOTH);
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_uint_eq(blocks.n_certs, 2);
	ck_bytes(blocks.key, KEY);
}
END_TEST

/* -- Passphrase ------------------------------------------------------------ */

static const struct {
	struct mtls_bytes text;
	size_t n;
} PASSES[] = {
	{{(const unsigned char *)"secret", 6}, 6},     {{(const unsigned char *)"secret\n", 7}, 6},
	{{(const unsigned char *)"secret\r\n", 8}, 6}, {{(const unsigned char *)"secret\r\r\nx", 10}, 7},
	{{(const unsigned char *)"secret\r", 7}, 7},   {{(const unsigned char *)" a b \nnext\n", 11}, 5},
	{{(const unsigned char *)"a\0b\n", 4}, 3},     {{(const unsigned char *)MTLS_BOM "x", 4}, 4},
	{{(const unsigned char *)"\nsecret", 7}, 0},   {{(const unsigned char *)"\r\nsecret", 8}, 0},
	{{(const unsigned char *)"", 0}, 0},
};

START_TEST(passphrases)
{
	files.file[MTLS_PASS] = (struct mtls_file){.data = PASSES[_i].text, .how = MTLS_FILE_OK};
	give(MTLS_KEY, BLOCK("ENCRYPTED PRIVATE KEY"));
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_uint_eq(blocks.pass.n, PASSES[_i].n);
	if (PASSES[_i].n)
		ck_assert_ptr_eq(blocks.pass.p, PASSES[_i].text.p);
	ck_assert_int_eq(mtls_blocks_passphrase(&blocks, &error), PASSES[_i].n ? MTLS_USABLE : MTLS_PASSPHRASE_MISSING);
}
END_TEST

START_TEST(passphrase_length)
{
	pass_of(MTLS_PASS_MAX, "\r\n");
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_uint_eq(blocks.pass.n, MTLS_PASS_MAX);
	pass_of(MTLS_PASS_MAX + 1, "");
	ck_scan(MTLS_PASSPHRASE_TOO_LONG, MTLS_PASS);
	ck_assert_str_eq(error.detail, "");
}
END_TEST

START_TEST(passphrase_missing)
{
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(mtls_blocks_passphrase(&blocks, &error), MTLS_USABLE);
	ck_assert_int_eq(error.reason, MTLS_USABLE);
	give(MTLS_KEY, ENCRYPTED_RSA);
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(mtls_blocks_passphrase(&blocks, &error), MTLS_PASSPHRASE_MISSING);
	ck_assert_int_eq(error.reason, MTLS_PASSPHRASE_MISSING);
	ck_assert_int_eq(error.part, MTLS_PASS);
	ck_assert_int_eq(mtls_blocks_passphrase(&blocks, NULL), MTLS_PASSPHRASE_MISSING);
}
END_TEST

START_TEST(a_named_passphrase_file_must_exist)
{
	files.file[MTLS_PASS].named = true;
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert(blocks.pass_lost);
	ck_assert_int_eq(mtls_blocks_passphrase(&blocks, &error), MTLS_PASSPHRASE_MISSING);
	give(MTLS_KEY, BLOCK("TSS2 PRIVATE KEY"));
	ck_scan(MTLS_KEY_NEEDS_AGENT, MTLS_KEY);
	give(MTLS_KEY, KEY);
	give(MTLS_PASS, "");
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(mtls_blocks_passphrase(&blocks, &error), MTLS_USABLE);
}
END_TEST

Suite *blocks_suite(void)
{
	Suite *suite = suite_create("blocks");
	TCase *tc = tcase_create("blocks");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, certificates_in_their_order);
	tcase_add_test(tc, a_bad_foreign_block_breaks_nothing);
	tcase_add_loop_test(tc, malformed_certificates, 0, COUNT(BAD_CERTS));
	tcase_add_test(tc, numbers_of_blocks);
	tcase_add_loop_test(tc, keys, 0, COUNT(KEYS));
	tcase_add_loop_test(tc, bad_keys, 0, COUNT(BAD_KEYS));
	tcase_add_loop_test(tc, traditional_encryption, 0, COUNT(HEADERS));
	tcase_add_test(tc, one_file_for_both);
	tcase_add_loop_test(tc, passphrases, 0, COUNT(PASSES));
	tcase_add_test(tc, passphrase_length);
	tcase_add_test(tc, passphrase_missing);
	tcase_add_test(tc, a_named_passphrase_file_must_exist);
	suite_add_tcase(suite, tc);
	return suite;
}
