/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/pem.c: what counts as a block and as well-formed. Where OpenSSL's
 * PEM_read_bio has an opinion, the expectation was taken from it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/pem.h"

#define BEGIN(label) "-----BEGIN " label "-----"
#define END(label)   "-----END " label "-----"
#define BLOCK(body)  BEGIN("X") "\n" body END("X") "\n"

Suite *pem_suite(void);

static void ck_bytes(struct mtls_bytes b, const char *expected)
{
	ck_assert_msg(mtls_bytes_equal(b, mtls_bytes_of(expected)), "got '%.*s', not '%s'", (int)b.n, (const char *)b.p,
		      expected);
}

/* The first block of text, from a copy without a NUL, so that ASan sees a read past the end. */
static bool first_well_formed(const char *text, size_t n)
{
	unsigned char *copy = malloc(n);
	struct mtls_pem pem;
	size_t at = 0;
	bool found;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	found = mtls_pem_next((struct mtls_bytes){copy, n}, &at, &pem);
	free(copy);
	ck_assert(found);
	return pem.well_formed;
}

START_TEST(finds_blocks_among_prose)
{
	static const char TEXT[] = "Bag Attributes\n  friendlyName: x\n" BEGIN("A") "\nAAAA\n" END(
		"A") "\nsubject=x\n" BEGIN("B C") "\nQUJD\nRA==\n" END("B C");
	struct mtls_bytes text = mtls_bytes_of(TEXT);
	struct mtls_pem pem;
	size_t at = 0;

	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_assert(pem.well_formed);
	ck_bytes(pem.label, "A");
	ck_bytes(pem.whole, BEGIN("A") "\nAAAA\n" END("A"));
	ck_assert_uint_eq(pem.headers.n, 0);
	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_assert(pem.well_formed);
	ck_bytes(pem.label, "B C");
	ck_bytes(pem.whole, BEGIN("B C") "\nQUJD\nRA==\n" END("B C"));
	ck_assert_uint_eq(at, text.n);
	ck_assert(!mtls_pem_next(text, &at, &pem));
}
END_TEST

START_TEST(no_block)
{
	static const char *const TEXTS[] = {
		"",
		"\n\n",
		"prose",
		" " BEGIN("X") "\nAAAA\n",
		"x" BEGIN("X") "\nAAAA\n",
		"-----BEGIN X----\nAAAA\n",
		"-----BEGIN X\nAAAA\n",
		"-----BEGIN X----- y\nAAAA\n",
		"-----BEGIN -----\nAAAA\n-----END -----\n",
		"-----BEGIN-----\nAAAA\n",
		"-----BEGIN ----\nAAAA\n",
		"-----BEGIN ",
		END("X"),
		"---- BEGIN X ----\nAAAA\n---- END X ----\n",
	};
	struct mtls_pem pem;
	size_t at = 0;

	ck_assert(!mtls_pem_next(mtls_bytes_of(TEXTS[_i]), &at, &pem));
	ck_assert_uint_eq(at, strlen(TEXTS[_i]));
}
END_TEST

START_TEST(no_bytes_at_all)
{
	struct mtls_pem pem;
	size_t at = 0;

	ck_assert(!mtls_pem_next((struct mtls_bytes){NULL, 0}, &at, &pem));
}
END_TEST

static const char *const GOOD[] = {
	BLOCK("AAAA\n"),
	BLOCK("AA==\n"),
	BLOCK("AAA=\n"),
	BLOCK("AZaz09+/\nAAAA\n"),
	BLOCK("A\nAA\nA\n"),
	BLOCK("AAA\n=\n"),
	BLOCK("AAAA \t\n"),
	BLOCK("\nAAAA\n"),
	BLOCK(" \r\nAAAA\n"),
	BEGIN("X") "\r\nAAAA\r\n" END("X") "\r\n",
	BEGIN("X") " \t\nAAAA\n" END("X") "  \n",
	BEGIN("X") "\nAAAA\n" END("X"),
	MTLS_BOM BLOCK("AAAA\n"),
	BLOCK("Proc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\nAAAA\n"),
};

START_TEST(well_formed)
{
	ck_assert(first_well_formed(GOOD[_i], strlen(GOOD[_i])));
}
END_TEST

static const char *const BAD[] = {
	BLOCK(""),
	BLOCK("\n"),
	BLOCK("AAA\n"),
	BLOCK("AAAAAA\n"),
	BLOCK("A===\n"),
	BLOCK("AA==AAAA\n"),
	BLOCK("AA==\nAAAA\n"),
	BLOCK("====\n"),
	BLOCK("AA-A\n"),
	BLOCK("AA A\n"),
	BLOCK(" AAAA\n"),
	BLOCK("AAAA\nx: y\n"),
	BLOCK("\n\nAAAA\n"),
	BLOCK("AAAA\n\nAAAA\n"),
	BLOCK("AAAA\n\n"),
	BLOCK("Proc-Type: 4,ENCRYPTED\nAAAA\n"),
	BLOCK("Proc-Type: 4,ENCRYPTED\n\n"),
	BLOCK("Proc-Type: 4,ENCRYPTED\n\n\nAAAA\n"),
	BEGIN("X") "\nAAAA\n" END("Y") "\n",
	BEGIN("X") "\nAAAA\n" END("XX") "\n",
	BEGIN("X") "\nAAAA\n" END("X") "x\n",
	BEGIN("X") "\nAAAA\n" END("X") BEGIN("X") "\n",
	BEGIN("X") "\nAAAA" END("X") "\n",
	BEGIN("X") "\nAAAA\n",
	BEGIN("X") "\nAAAA",
	BEGIN("X") "\n",
	BEGIN("X"),
};

START_TEST(not_well_formed)
{
	ck_assert(!first_well_formed(BAD[_i], strlen(BAD[_i])));
}
END_TEST

START_TEST(a_nul_is_not_base64)
{
	static const char TEXT[] = BEGIN("X") "\nAA\0A\n" END("X") "\n";

	ck_assert(!first_well_formed(TEXT, sizeof(TEXT) - 1));
}
END_TEST

START_TEST(headers_are_told)
{
	struct mtls_bytes text = mtls_bytes_of(BLOCK("Proc-Type: 4,ENCRYPTED\r\nDEK-Info: A,B\r\n\r\nAAAA\r\n"));
	struct mtls_pem pem;
	size_t at = 0;

	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_bytes(pem.headers, "Proc-Type: 4,ENCRYPTED\r\nDEK-Info: A,B");
}
END_TEST

/* An unfinished block must not swallow its successor, whoever's it is. */
START_TEST(a_block_that_never_ends)
{
	struct mtls_bytes text =
		mtls_bytes_of(BEGIN("A") "\nAAAA\n" BEGIN("B") "\nAAAA\n" END("B") "\n" BEGIN("C") "\nAAAA\n");
	struct mtls_pem pem;
	size_t at = 0;

	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_bytes(pem.label, "A");
	ck_bytes(pem.whole, BEGIN("A"));
	ck_assert(!pem.well_formed);
	ck_assert_uint_eq(at, strlen(BEGIN("A") "\n"));
	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_bytes(pem.label, "B");
	ck_assert(pem.well_formed);
	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_bytes(pem.label, "C");
	ck_assert(!pem.well_formed);
	ck_assert(!mtls_pem_next(text, &at, &pem));
}
END_TEST

START_TEST(a_wrong_end_ends_a_block)
{
	struct mtls_bytes text =
		mtls_bytes_of(BEGIN("A") "\nAAAA\n" END("B") "\nAAAA\n" END("A") "\n" BEGIN("C") "\nAAAA\n" END("C"));
	struct mtls_pem pem;
	size_t at = 0;

	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_bytes(pem.whole, BEGIN("A") "\nAAAA\n" END("B"));
	ck_assert(!pem.well_formed);
	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_bytes(pem.label, "C");
	ck_assert(pem.well_formed);
}
END_TEST

/* Files with marks, joined by hand: a certificate must not get lost. */
START_TEST(a_mark_before_a_later_block)
{
	struct mtls_bytes text = mtls_bytes_of(BEGIN("A") "\nAAAA\n" MTLS_BOM BLOCK("AAAA\n") MTLS_BOM BLOCK("AAAA\n"));
	struct mtls_pem pem;
	size_t at = 0;
	int i;

	ck_assert(mtls_pem_next(text, &at, &pem));
	ck_assert(!pem.well_formed);
	for (i = 0; i < 2; i++) {
		ck_assert(mtls_pem_next(text, &at, &pem));
		ck_bytes(pem.whole, BEGIN("X") "\nAAAA\n" END("X"));
		ck_assert(pem.well_formed);
	}
}
END_TEST

/* 1 MiB of BEGIN lines: a quadratic scan would need minutes, and Check's limit is 4 s. */
START_TEST(many_unfinished_blocks_are_linear)
{
	static const char LINE[] = BEGIN("X") "\n";
	const size_t each = sizeof(LINE) - 1, count = ((size_t)1 << 20) / each;
	unsigned char *text = malloc(count * each);
	struct mtls_pem pem;
	size_t i, at = 0;

	ck_assert_ptr_nonnull(text);
	for (i = 0; i < count; i++)
		memcpy(text + i * each, LINE, each);
	for (i = 0; mtls_pem_next((struct mtls_bytes){text, count * each}, &at, &pem); i++)
		;
	ck_assert_uint_eq(i, count);
	free(text);
}
END_TEST

Suite *pem_suite(void)
{
	Suite *suite = suite_create("pem");
	TCase *tc = tcase_create("pem");

	tcase_add_test(tc, finds_blocks_among_prose);
	tcase_add_loop_test(tc, no_block, 0, 14);
	tcase_add_test(tc, no_bytes_at_all);
	tcase_add_loop_test(tc, well_formed, 0, sizeof(GOOD) / sizeof(GOOD[0]));
	tcase_add_loop_test(tc, not_well_formed, 0, sizeof(BAD) / sizeof(BAD[0]));
	tcase_add_test(tc, a_nul_is_not_base64);
	tcase_add_test(tc, headers_are_told);
	tcase_add_test(tc, a_block_that_never_ends);
	tcase_add_test(tc, a_wrong_end_ends_a_block);
	tcase_add_test(tc, a_mark_before_a_later_block);
	tcase_add_test(tc, many_unfinished_blocks_are_linear);
	suite_add_tcase(suite, tc);
	return suite;
}
