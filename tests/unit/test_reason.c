/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/reason.c and core/remedy.c: the table is complete and consistent with the contract's words,
 * and mtls_fail never overruns, never leaks a control byte and never needs an error.
 */
#include <check.h>
#include <string.h>

#include "core/reason.h"

Suite *reason_suite(void);

static struct mtls_bytes bytes(const char *s)
{
	return mtls_bytes_of(s);
}

START_TEST(every_reason_is_complete)
{
	enum mtls_reason reason = (enum mtls_reason)_i, other;
	const char *word = mtls_reason_word(reason);

	ck_assert_str_ne(word, "unknown");
	ck_assert_uint_eq(strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(word));
	ck_assert_uint_gt(strlen(mtls_reason_sentence(reason)), 0);
	ck_assert_ptr_nonnull(mtls_reason_remedy(reason));
	for (other = 0; other < reason; other++)
		ck_assert_str_ne(word, mtls_reason_word(other));
	if (mtls_reason_state(reason) == MTLS_STATE_BROKEN)
		ck_assert_msg(*mtls_reason_remedy(reason), "%s is broken without a remedy", word);
}
END_TEST

/* Spelled here once more: programs and tests out there match on these words. */
START_TEST(broken_words_stand_in_the_contracts_order)
{
	static const char *const WORDS[] = {
		"unsafe-permissions", "folder-missing",      "certificate-missing",
		"key-missing",        "not-a-file",          "unreadable",
		"too-large",          "passphrase-too-long", "certificate-malformed",
		"key-malformed",      "key-unsupported",     "key-needs-agent",
		"passphrase-missing", "passphrase-wrong",    "pair-mismatch",
	};
	size_t i;

	for (i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
		enum mtls_reason reason = (enum mtls_reason)(MTLS_UNSAFE_PERMISSIONS + i);

		ck_assert_str_eq(mtls_reason_word(reason), WORDS[i]);
		ck_assert_int_eq(mtls_reason_state(reason), MTLS_STATE_BROKEN);
	}
	ck_assert_int_eq(mtls_reason_state((enum mtls_reason)(MTLS_UNSAFE_PERMISSIONS + i)), MTLS_STATE_USABLE);
}
END_TEST

START_TEST(states_other_than_broken)
{
	ck_assert_int_eq(mtls_reason_state(MTLS_USABLE), MTLS_STATE_USABLE);
	ck_assert_int_eq(mtls_reason_state(MTLS_NO_CREDENTIAL), MTLS_STATE_ABSENT);
	ck_assert_int_eq(mtls_reason_state(MTLS_REMOVED), MTLS_STATE_REMOVED);
	ck_assert_int_eq(mtls_reason_state(MTLS_BAD_SETTING), MTLS_STATE_USABLE);
}
END_TEST

START_TEST(out_of_range_is_unknown)
{
	static const int VALUES[] = {MTLS_REASONS, MTLS_REASONS + 1, 1 << 30, -1};
	enum mtls_reason reason = (enum mtls_reason)VALUES[_i];

	ck_assert_str_eq(mtls_reason_word(reason), "unknown");
	ck_assert_str_eq(mtls_reason_sentence(reason), "unknown");
	ck_assert_str_eq(mtls_reason_remedy(reason), "unknown");
	ck_assert_int_eq(mtls_reason_state(reason), MTLS_STATE_BROKEN);
}
END_TEST

START_TEST(parts_have_file_names)
{
	ck_assert_str_eq(mtls_part_file(MTLS_CERT), "client_cert.pem");
	ck_assert_str_eq(mtls_part_file(MTLS_KEY), "private_key.pem");
	ck_assert_str_eq(mtls_part_file(MTLS_PASS), "private_key_pass.txt");
	ck_assert_str_eq(mtls_part_file(MTLS_CONF), "mtls.conf");
	ck_assert_str_eq(mtls_part_file(MTLS_FOLDER), "");
	ck_assert_str_eq(mtls_part_file(MTLS_NOTHING), "");
	ck_assert_str_eq(mtls_part_file(MTLS_KEY_FORM), "private_key.pem");
	ck_assert_str_eq(mtls_part_file(MTLS_PARTS), "");
	ck_assert_str_eq(mtls_part_file((enum mtls_part) - 1), "");
}
END_TEST

START_TEST(fail_fills_all_and_returns_the_reason)
{
	struct mtls_error e;

	memset(&e, 0x55, sizeof(e));
	ck_assert_int_eq(mtls_fail(&e, MTLS_UNREADABLE, MTLS_KEY, bytes("why")), MTLS_UNREADABLE);
	ck_assert_int_eq(e.reason, MTLS_UNREADABLE);
	ck_assert_int_eq(e.part, MTLS_KEY);
	ck_assert_ptr_null(e.setting);
	ck_assert_uint_eq(e.line, 0);
	ck_assert_str_eq(e.detail, "why");
	mtls_fail(&e, MTLS_UNREADABLE, MTLS_KEY, (struct mtls_bytes){NULL, 0});
	ck_assert_str_eq(e.detail, "");
}
END_TEST

START_TEST(fail_without_an_error)
{
	ck_assert_int_eq(mtls_fail(NULL, MTLS_TOO_LARGE, MTLS_CERT, bytes("x")), MTLS_TOO_LARGE);
}
END_TEST

START_TEST(detail_is_printable)
{
	static const unsigned char ODD[] = {'a', 0, '\n', 0x1f, ' ', '~', 0x7f, 0x80, 0xff, 'z'};
	struct mtls_error e;

	mtls_fail(&e, MTLS_BAD_SETTING, MTLS_SETTING, (struct mtls_bytes){ODD, sizeof(ODD)});
	ck_assert_str_eq(e.detail, "a??? ~???z");
}
END_TEST

START_TEST(detail_is_cut)
{
	struct {
		struct mtls_error e;
		unsigned char guard;
	} x = {.guard = 0x55};
	char text[200];

	memset(text, 'x', sizeof(text));
	mtls_fail(&x.e, MTLS_BAD_SETTING, MTLS_SETTING, (struct mtls_bytes){(unsigned char *)text, sizeof(text)});
	ck_assert_uint_eq(strnlen(x.e.detail, sizeof(x.e.detail)), sizeof(x.e.detail) - 1);
	ck_assert_uint_eq(x.guard, 0x55);
	mtls_fail(&x.e, MTLS_BAD_SETTING, MTLS_SETTING,
		  (struct mtls_bytes){(unsigned char *)text, sizeof(x.e.detail) - 1});
	ck_assert_uint_eq(strlen(x.e.detail), sizeof(x.e.detail) - 1);
}
END_TEST

Suite *reason_suite(void)
{
	Suite *suite = suite_create("reason");
	TCase *tc = tcase_create("reason");

	tcase_add_loop_test(tc, every_reason_is_complete, 0, MTLS_REASONS);
	tcase_add_test(tc, broken_words_stand_in_the_contracts_order);
	tcase_add_test(tc, states_other_than_broken);
	tcase_add_loop_test(tc, out_of_range_is_unknown, 0, 4);
	tcase_add_test(tc, parts_have_file_names);
	tcase_add_test(tc, fail_fills_all_and_returns_the_reason);
	tcase_add_test(tc, fail_without_an_error);
	tcase_add_test(tc, detail_is_printable);
	tcase_add_test(tc, detail_is_cut);
	suite_add_tcase(suite, tc);
	return suite;
}
