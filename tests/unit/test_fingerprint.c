/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher/run/fingerprint.c on files with one stretch of constants and one of data, which
 * hold what real programs hold. The words are in halves: this test would have TLS inside else.
 */
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "launcher/run/fingerprint.h"

#define CONSTANTS 4096
#define DATA      (CONSTANTS + 262144)
#define TLS13     "TLS 1.3, client Certificate", "Verify"
#define WINDOW    65536 /* how much is read at a time */

Suite *fingerprint_suite(void);

static int fd;

static void put(off_t at, const void *p, size_t n)
{
	ck_assert_int_eq(pwrite(fd, p, n, at), (ssize_t)n);
}

/* A word in two halves, in the constants. */
static void constant(off_t at, const char *a, const char *b)
{
	put(CONSTANTS + at, a, strlen(a));
	put(CONSTANTS + at + (off_t)strlen(a), b, strlen(b));
}

static void make_with(uint64_t constants)
{
	Elf64_Ehdr header = {.e_ident = ELFMAG,
			     .e_type = ET_DYN,
			     .e_machine = EM_X86_64,
			     .e_phoff = sizeof(header),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = 2};
	Elf64_Phdr segments[2] = {
		{.p_type = PT_LOAD, .p_flags = PF_R, .p_offset = CONSTANTS, .p_filesz = constants},
		{.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = DATA, .p_filesz = 131072},
	};

	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	put(0, &header, sizeof(header));
	put(sizeof(header), segments, sizeof(segments));
}

static void make(void)
{
	fd = memfd_create("elf", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, DATA + 131072), 0);
	make_with(DATA - CONSTANTS);
}

static void end(void)
{
	close(fd);
}

static enum flavour look(enum fingerprint_effort effort)
{
	bool cut;
	enum flavour flavour = fingerprint(fd, effort, &cut);

	ck_assert(!cut);
	return flavour;
}

static const struct {
	const char *words[3][2];
	enum flavour quick, full;
} PROGRAMS[] = {
	{{{"nothing", " special"}}, FLAVOUR_NONE, FLAVOUR_NONE},
	{{{TLS13}}, FLAVOUR_UNKNOWN, FLAVOUR_UNKNOWN},
	{{{TLS13}, {"rus", "tls"}}, FLAVOUR_RUSTLS, FLAVOUR_RUSTLS},
	{{{"rus", "tls"}}, FLAVOUR_NONE, FLAVOUR_NONE},
	{{{TLS13}, {"boring", "ssl"}, {"rus", "tls"}}, FLAVOUR_RUSTLS, FLAVOUR_RUSTLS}, /* deno */
	{{{TLS13}, {"Boring", "SSL"}}, FLAVOUR_BORINGSSL, FLAVOUR_BORINGSSL},
	{{{TLS13}, {"boring", "ssl"}, {"ssl/", "statem/"}}, FLAVOUR_BORINGSSL, FLAVOUR_BORINGSSL},
	{{{TLS13}, {"Open", "SSL 3.0.2"}}, FLAVOUR_OPENSSL, FLAVOUR_OPENSSL},
	{{{TLS13}, {"../ssl/", "statem/statem_clnt.c"}}, FLAVOUR_OPENSSL, FLAVOUR_OPENSSL},
	{{{TLS13}, {"wolf", "SSL"}}, FLAVOUR_WOLFSSL, FLAVOUR_WOLFSSL},
	{{{"client ", "finished"}}, FLAVOUR_NONE, FLAVOUR_NONE},
	{{{"key ", "expansion"}}, FLAVOUR_NONE, FLAVOUR_NONE},
	{{{"client ", "finished"}, {"key ", "expansion"}, {"mbed ", "TLS"}}, FLAVOUR_NONE, FLAVOUR_MBEDTLS},
	{{{"server finished, client ", "finished"}, {"key ", "expansion"}}, FLAVOUR_NONE, FLAVOUR_UNKNOWN},
};

START_TEST(whose)
{
	for (int k = 0; k < 3 && PROGRAMS[_i].words[k][0]; k++)
		constant(1000 * (3 - k), PROGRAMS[_i].words[k][0], PROGRAMS[_i].words[k][1]);
	ck_assert_int_eq(look(FINGERPRINT_QUICK), PROGRAMS[_i].quick);
	ck_assert_int_eq(look(FINGERPRINT_FULL), PROGRAMS[_i].full);
}
END_TEST

/* Go's mark is anywhere in the data, not in the constants, and is no TLS by itself. */
START_TEST(go)
{
	static const char mark[] = "\xff Go buildinf:";

	put(DATA + 16, mark, sizeof(mark) - 1);
	ck_assert_int_eq(look(FINGERPRINT_FULL), FLAVOUR_NONE);
	constant(5, TLS13);
	constant(100, "rus", "tls");
	ck_assert_int_eq(look(FINGERPRINT_QUICK), FLAVOUR_GO);
	put(DATA + 16, "no", 2);
	put(DATA + 100000, mark, sizeof(mark) - 1);
	ck_assert_int_eq(look(FINGERPRINT_QUICK), FLAVOUR_GO);
	put(DATA + 100000, "no", 2);
	put(CONSTANTS + 300, mark, sizeof(mark) - 1);
	ck_assert_int_eq(look(FINGERPRINT_QUICK), FLAVOUR_RUSTLS);
}
END_TEST

/* As in deno: the other name comes first. */
START_TEST(rustls_far_behind)
{
	constant(10, TLS13);
	constant(100, "boring", "ssl");
	constant(3 * WINDOW, "rus", "tls");
	ck_assert_int_eq(look(FINGERPRINT_QUICK), FLAVOUR_RUSTLS);
}
END_TEST

/* Wherever it is, on the border of two windows too; but not outside of the constants. */
START_TEST(place)
{
	static const off_t places[] = {0,
				       WINDOW - 60,
				       WINDOW - 41,
				       WINDOW - 40,
				       WINDOW - 33,
				       WINDOW - 32,
				       WINDOW - 1,
				       WINDOW,
				       2 * WINDOW - 41 - 32,
				       2 * WINDOW - 50,
				       2 * WINDOW,
				       3 * WINDOW - 60,
				       DATA - CONSTANTS - 33};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		char blank[33] = "";

		constant(places[i], TLS13);
		ck_assert_msg(look(FINGERPRINT_QUICK) == FLAVOUR_UNKNOWN, "not seen at %ld", (long)places[i]);
		put(CONSTANTS + places[i], blank, sizeof(blank));
		ck_assert_int_eq(look(FINGERPRINT_QUICK), FLAVOUR_NONE);
	}
	constant(DATA - CONSTANTS - 32, TLS13); /* its last byte is outside */
	ck_assert_int_eq(look(FINGERPRINT_FULL), FLAVOUR_NONE);
	constant(DATA - CONSTANTS + 100, TLS13);
	ck_assert_int_eq(look(FINGERPRINT_FULL), FLAVOUR_NONE);
}
END_TEST

/* A sparse file of 4 GiB, a segment that goes on for ever, and one behind the file's end. */
START_TEST(work_is_bounded)
{
	bool cut;

	make_with(4ULL << 30);
	ck_assert_int_eq(ftruncate(fd, (off_t)5 << 30), 0);
	ck_assert_int_eq(fingerprint(fd, FINGERPRINT_QUICK, &cut), FLAVOUR_NONE);
	ck_assert(cut);
	ck_assert_int_eq(ftruncate(fd, DATA), 0);
	make_with(UINT64_MAX);
	ck_assert_int_eq(look(FINGERPRINT_FULL), FLAVOUR_NONE);
	constant(1, TLS13);
	ck_assert_int_eq(look(FINGERPRINT_FULL), FLAVOUR_UNKNOWN);
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_int_eq(look(FINGERPRINT_FULL), FLAVOUR_NONE);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(look(FINGERPRINT_FULL), FLAVOUR_NONE);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(flavour_name(FLAVOUR_GO), "Go");
	ck_assert_str_eq(flavour_name(FLAVOUR_MBEDTLS), "mbedTLS");
	ck_assert_str_eq(flavour_name(FLAVOUR_UNKNOWN), "unknown");
	ck_assert_str_eq(flavour_name((enum flavour)99), "unknown");
}
END_TEST

Suite *fingerprint_suite(void)
{
	Suite *suite = suite_create("fingerprint");
	TCase *tc = tcase_create("fingerprint");

	tcase_add_checked_fixture(tc, make, end);
	tcase_add_loop_test(tc, whose, 0, sizeof(PROGRAMS) / sizeof(*PROGRAMS));
	tcase_add_test(tc, go);
	tcase_add_test(tc, rustls_far_behind);
	tcase_add_test(tc, place);
	tcase_add_test(tc, work_is_bounded);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	return suite;
}
