/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/signature.c: every type of key against every scheme and version, from a
 * table of its own (RFC 8446 4.2.3, RFC 5246 7.4.1.4.1 and 7.4.4, RFC 8422 5.10).
 */
#include <check.h>
#include <string.h>

#include "core/signature.h"

Suite *signature_suite(void);

#define KEYS (MTLS_KEY_ED448 + 1)

enum { TLS10 = 0x0301, TLS11, TLS12, TLS13, SSL3 = 0x0300, DTLS10 = 0xfeff, DTLS12 = 0xfefd, DTLS13 = 0xfefc };

/* One letter a key type, in the enum's order: Other, Rsa, rsa-pSs, p256 … ed448. */
static const char letters[] = "ORS235Cef";

/* Which keys make the scheme in TLS 1.3 and in TLS 1.2; every other scheme is nobody's. */
static const struct {
	uint16_t scheme;
	const char *tls13, *tls12;
} makers[] = {
	{0x0201, "", "R"},     /* rsa_pkcs1_sha1 */
	{0x0203, "", "235C"},  /* ecdsa_sha1 */
	{0x0301, "", "R"},     /* sha224 with rsa */
	{0x0303, "", "235C"},  /* sha224 with ecdsa */
	{0x0401, "", "R"},     /* rsa_pkcs1_sha256 */
	{0x0403, "2", "235C"}, /* ecdsa_secp256r1_sha256 */
	{0x0501, "", "R"},     /* rsa_pkcs1_sha384 */
	{0x0503, "3", "235C"}, /* ecdsa_secp384r1_sha384 */
	{0x0601, "", "R"},     /* rsa_pkcs1_sha512 */
	{0x0603, "5", "235C"}, /* ecdsa_secp521r1_sha512 */
	{0x0804, "R", "R"},    /* rsa_pss_rsae_sha256 */
	{0x0805, "R", "R"},    /* rsa_pss_rsae_sha384 */
	{0x0806, "R", "R"},    /* rsa_pss_rsae_sha512 */
	{0x0807, "e", "e"},    /* ed25519 */
	{0x0808, "f", "f"},    /* ed448 */
	{0x0809, "S", "S"},    /* rsa_pss_pss_sha256 */
	{0x080a, "S", "S"},    /* rsa_pss_pss_sha384 */
	{0x080b, "S", "S"},    /* rsa_pss_pss_sha512 */
};

static const char *makers_of(unsigned scheme, bool tls13)
{
	for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
		if (makers[i].scheme == scheme)
			return tls13 ? makers[i].tls13 : makers[i].tls12;
	}
	return "";
}

static void every_scheme(unsigned version, bool tls13)
{
	for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
		uint16_t offer = (uint16_t)scheme;
		const char *able = makers_of(scheme, tls13);

		for (int key = 0; key < KEYS; key++) {
			enum mtls_tri want = strchr(able, letters[key]) ? MTLS_YES : MTLS_NO;

			if (mtls_signature_common(key, version, &offer, 1, NULL, 0) != want)
				ck_abort_msg("key %d version %04x scheme %04x", key, version, scheme);
		}
	}
}

START_TEST(tls13)
{
	every_scheme(TLS13, true);
	every_scheme(DTLS13, true);
}
END_TEST

START_TEST(tls12)
{
	every_scheme(TLS12, false);
	every_scheme(DTLS12, false);
}
END_TEST

START_TEST(one_fitting_scheme_is_enough)
{
	static const uint16_t offer[] = {0x0201, 0x0807, 0x0403};

	ck_assert_int_eq(mtls_signature_common(MTLS_KEY_P256, TLS13, offer, 3, NULL, 0), MTLS_YES);
	ck_assert_int_eq(mtls_signature_common(MTLS_KEY_P256, TLS13, offer, 2, NULL, 0), MTLS_NO);
	ck_assert_int_eq(mtls_signature_common(MTLS_KEY_ED25519, TLS13, offer, 3, NULL, 0), MTLS_YES);
	for (int key = 0; key < KEYS; key++) {
		ck_assert_int_eq(mtls_signature_common(key, TLS13, NULL, 0, NULL, 0), MTLS_NO);
		ck_assert_int_eq(mtls_signature_common(key, TLS12, NULL, 0, NULL, 0), MTLS_NO);
	}
}
END_TEST

START_TEST(before_tls12_there_is_no_list)
{
	static const unsigned versions[] = {SSL3, TLS10, TLS11, DTLS10};
	static const uint16_t everything[] = {0x0401, 0x0403, 0x0804, 0x0807, 0x0808, 0x0809};

	for (size_t i = 0; i < 4; i++) {
		for (int key = 0; key < KEYS; key++) {
			enum mtls_tri want = strchr("R235C", letters[key]) ? MTLS_YES : MTLS_NO;

			ck_assert_int_eq(mtls_signature_common(key, versions[i], NULL, 0, NULL, 0), want);
			ck_assert_int_eq(mtls_signature_common(key, versions[i], everything, 6, NULL, 0), want);
		}
	}
}
END_TEST

START_TEST(certificate_types)
{
	static const uint16_t all[] = {0x0401, 0x0403, 0x0807, 0x0808, 0x0809};
	static const unsigned char rsa[] = {2, 1}, ecdsa[] = {5, 64}, others[] = {2, 3, 65};
	static const unsigned versions[] = {TLS10, TLS11, DTLS10, TLS12, DTLS12};

	for (size_t i = 0; i < 5; i++) {
		unsigned v = versions[i];

		for (int key = MTLS_KEY_RSA; key < KEYS; key++) {
			enum mtls_tri free_choice = mtls_signature_common(key, v, all, 5, NULL, 0);
			bool is_rsa = key <= MTLS_KEY_RSA_PSS;

			ck_assert_int_eq(mtls_signature_common(key, v, all, 5, rsa, 2), is_rsa ? free_choice : MTLS_NO);
			ck_assert_int_eq(mtls_signature_common(key, v, all, 5, ecdsa, 2),
					 is_rsa ? MTLS_NO : free_choice);
			ck_assert_int_eq(mtls_signature_common(key, v, all, 5, others, 3), MTLS_NO);
		}
	}
	/* TLS 1.3 has no certificate types; whatever is passed there does not count. */
	ck_assert_int_eq(mtls_signature_common(MTLS_KEY_P256, TLS13, all, 5, rsa, 2), MTLS_YES);
}
END_TEST

START_TEST(strange_versions_and_keys)
{
	static const unsigned versions[] = {0,      2,      0x0100, 0x0200, 0x02ff, 0x0400,
					    0x7f1c, 0xfdff, 0xfefe, 0xff00, 0x10303};
	static const uint16_t offer[] = {0x0804, 0x0403, 0x0401};

	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		ck_assert_msg(mtls_signature_common(MTLS_KEY_RSA, versions[i], offer, 3, NULL, 0) == MTLS_UNKNOWN, "%x",
			      versions[i]);
		ck_assert_msg(!mtls_version_13(versions[i]), "%x", versions[i]);
		ck_assert_str_eq(mtls_version_text(versions[i]), "unknown");
	}
	ck_assert_int_eq(mtls_signature_common((enum mtls_key_type)KEYS, TLS13, offer, 3, NULL, 0), MTLS_NO);
	ck_assert_int_eq(mtls_signature_common((enum mtls_key_type) - 1, TLS12, offer, 3, NULL, 0), MTLS_NO);
}
END_TEST

START_TEST(dtls_counts_downwards)
{
	static const struct {
		unsigned version;
		bool is_13;
		const char *text;
	} table[] = {
		{SSL3, false, "ssl3"},     {TLS10, false, "1.0"},      {TLS11, false, "1.1"},
		{TLS12, false, "1.2"},     {TLS13, true, "1.3"},       {0x0305, true, "unknown"},
		{0x03ff, true, "unknown"}, {DTLS10, false, "dtls1.0"}, {DTLS12, false, "dtls1.2"},
		{DTLS13, true, "dtls1.3"}, {0xfefb, true, "unknown"},  {0xfe00, true, "unknown"},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		ck_assert_msg(mtls_version_13(table[i].version) == table[i].is_13, "%x", table[i].version);
		ck_assert_str_eq(mtls_version_text(table[i].version), table[i].text);
	}
}
END_TEST

Suite *signature_suite(void)
{
	Suite *s = suite_create("signature");
	TCase *t = tcase_create("signature");

	tcase_add_test(t, tls13);
	tcase_add_test(t, tls12);
	tcase_add_test(t, one_fitting_scheme_is_enough);
	tcase_add_test(t, before_tls12_there_is_no_list);
	tcase_add_test(t, certificate_types);
	tcase_add_test(t, strange_versions_and_keys);
	tcase_add_test(t, dtls_counts_downwards);
	suite_add_tcase(s, t);
	return s;
}
