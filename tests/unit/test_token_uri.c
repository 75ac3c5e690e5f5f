/* SPDX-License-Identifier: Apache-2.0 */
/* host/token_uri.c: a pkcs11: URI in its parts, whatever bytes stand there, and where its PIN comes from. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "host/token_uri.h"

Suite *token_uri_suite(void);

/* Without a NUL behind, so that ASan sees a read past the end. */
static enum mtls_reason parse(const char *text, size_t n, struct token_uri *uri, struct mtls_error *error)
{
	unsigned char *copy = malloc(n ? n : 1);
	enum mtls_reason reason;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	reason = mtls_token_uri_read((struct mtls_bytes){copy, n}, uri, error);
	free(copy);
	return reason;
}

static const struct {
	const char *text;
	enum token_part part;
	const char *value; /* NULL: not given */
} good[] = {
	{"pkcs11:", TOKEN_LABEL, NULL},
	{"pkcs11:token=T", TOKEN_LABEL, "T"},
	{"pkcs11:token=T", TOKEN_OBJECT, NULL},
	{"pkcs11:;;object=;token=a=b", TOKEN_LABEL, "a=b"},
	{"pkcs11:object=", TOKEN_OBJECT, ""},
	{"pkcs11:object=%41%3B%25%3f;type=private", TOKEN_OBJECT, "A;%?"},
	{"pkcs11:id=%01?x-own=1&module-path=/a%20b&", TOKEN_MODULE_PATH, "/a b"},
	{"pkcs11:token=T?pin-value=a?b", TOKEN_PIN_VALUE, "a?b"},
	{"pkcs11:serial=7;model=m;manufacturer=n", TOKEN_MODEL, "m"},
	{"pkcs11:token=T?token=U", TOKEN_LABEL, "T"},
};

START_TEST(parts)
{
	struct token_uri uri;
	struct mtls_bytes value;

	ck_assert_int_eq(parse(good[_i].text, strlen(good[_i].text), &uri, NULL), MTLS_USABLE);
	value = uri.value[good[_i].part];
	ck_assert_int_eq(!value.p, !good[_i].value);
	ck_assert(mtls_bytes_equal(value, mtls_bytes_of(good[_i].value)));
	ck_assert_ptr_null(strchr(uri.plain, '?'));
	mtls_token_uri_free(&uri);
}
END_TEST

static const struct {
	const char *text;
	size_t n;
	const char *detail;
} bad[] = {
#define BAD(text, detail) \
	{ \
		text, sizeof(text) - 1, detail \
	}
	BAD("", "pkcs11: no such URI"),
	BAD("pkcs11", "pkcs11: no such URI"),
	BAD("pkcs11:token=T\0;x", "pkcs11: no such URI"),
	BAD("pkcs11:=", ": not understood in a pkcs11: URI"),
	BAD("pkcs11:token", "token: there is no value"),
	BAD("pkcs11:token=%", "token: a % without two hexadecimal figures"),
	BAD("pkcs11:token=%1", "token: a % without two hexadecimal figures"),
	BAD("pkcs11:token=%@1", "token: a % without two hexadecimal figures"),
	BAD("pkcs11:token=a%00b", "token: has a NUL"),
	BAD("pkcs11:type=public", "type: only private keys are of use"),
	BAD("pkcs11:token=T;token=T", "token: given twice"),
	BAD("pkcs11:slot-id=1", "slot-id: not understood in a pkcs11: URI"),
	/* what may be a PIN is never repeated */
	BAD("pkcs11:token=T?pin-value=12%3", "pin-value: a % without two hexadecimal figures"),
	BAD("pkcs11:token=T?1234", "query: there is no value"),
};

START_TEST(refusals)
{
	struct mtls_error error;
	struct token_uri uri;

	ck_assert_int_eq(parse(bad[_i].text, bad[_i].n, &uri, &error), MTLS_KEY_MALFORMED);
	ck_assert_str_eq(error.detail, bad[_i].detail);
	mtls_token_uri_free(&uri);
}
END_TEST

/* Nothing but the sanitizers looks at what comes out. */
START_TEST(any_bytes)
{
	static const char letters[] = "pkcs11:token=object=id=?&;%%%pin-value=ab01";
	char text[80] = "pkcs11:";
	struct mtls_error error;
	struct token_pin pin;
	struct token_uri uri;

	for (int round = 0; round < 20000; round++) {
		size_t n = 7 + (size_t)rand() % 70;

		for (size_t i = 7; i < n; i++)
			text[i] = rand() % 9 ? letters[(size_t)rand() % (sizeof(letters) - 1)] : (char)rand();
		if (parse(text, n, &uri, &error) == MTLS_USABLE)
			(void)mtls_token_pin(&uri, (struct mtls_bytes){NULL, 0}, &pin, &error);
		mtls_token_uri_free(&uri);
	}
}
END_TEST

START_TEST(pin_with_the_credential)
{
	unsigned char longest[MTLS_PASS_MAX + 1];
	struct token_pin pin;

	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(mtls_token_pin(NULL, (struct mtls_bytes){longest, MTLS_PASS_MAX}, &pin, NULL), MTLS_USABLE);
	ck_assert_uint_eq(pin.n, MTLS_PASS_MAX);
	ck_assert_uint_eq(strlen(pin.text), MTLS_PASS_MAX);
	ck_assert_int_eq(mtls_token_pin(NULL, (struct mtls_bytes){longest, sizeof(longest)}, &pin, NULL),
			 MTLS_PASSPHRASE_TOO_LONG);
	longest[2] = '\0';
	ck_assert_int_eq(mtls_token_pin(NULL, (struct mtls_bytes){longest, 4}, &pin, NULL), MTLS_PASSPHRASE_WRONG);
	ck_assert_int_eq(mtls_token_pin(NULL, (struct mtls_bytes){NULL, 0}, &pin, NULL), MTLS_USABLE);
	ck_assert_uint_eq(pin.n, 0);
}
END_TEST

Suite *token_uri_suite(void)
{
	Suite *suite = suite_create("token_uri");
	TCase *all = tcase_create("token_uri");

	tcase_add_loop_test(all, parts, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(all, refusals, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(all, any_bytes);
	tcase_add_test(all, pin_with_the_credential);
	suite_add_tcase(suite, all);
	return suite;
}
