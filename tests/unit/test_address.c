/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/address.c: the text forms that are and are not addresses, the text of
 * RFC 5952, and mapped addresses. The C library is the oracle for random ones.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/address.h"

Suite *address_suite(void);

static const struct {
	const char *text, *printed;
	int family;
} good[] = {
	{"0.0.0.0", "0.0.0.0", 4},
	{"255.255.255.255", "255.255.255.255", 4},
	{"127.0.0.1", "127.0.0.1", 4},
	{"10.20.99.100", "10.20.99.100", 4},
	{"::", "::", 6},
	{"::1", "::1", 6},
	{"1::", "1::", 6},
	{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 6},
	{"0001:0002:0003:0004:0005:0006:0007:0008", "1:2:3:4:5:6:7:8", 6},
	{"FFFF:ffff:FFFF:ffff:FFFF:ffff:FFFF:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6},
	{"2001:DB8::Abcd", "2001:db8::abcd", 6},
	{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", 6}, /* RFC 5952 4.2.2: one group stays */
	{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", 6}, /* the same at the end */
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6},
	{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", 6},       /* 4.2.3: the longest */
	{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 6}, /* 4.2.3: the first of two */
	{"0:0:1::", "0:0:1::", 6},                        /* five groups beat two */
	{"fe80:0:0:0:a0:b00:c000:10", "fe80::a0:b00:c000:10", 6},
	{"64:ff9b::192.0.2.33", "64:ff9b::c000:221", 6},
	{"1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a", 6},
	{"::10.0.0.1", "::a00:1", 6}, /* compatible is not mapped */
	{"::ffff:10.0.0.1", "10.0.0.1", 4},
	{"::ffff:a00:1", "10.0.0.1", 4},
	{"0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1", 4},
	{"::fffe:10.0.0.1", "::fffe:a00:1", 6},
	{"::ffff:0:10.0.0.1", "::ffff:0:a00:1", 6}, /* RFC 2765 translated, one group off */
	{"1::ffff:10.0.0.1", "1::ffff:a00:1", 6},
};

static const char *const bad[] = {
	"",
	" ",
	".",
	"1",
	"1.2.3",
	"1.2.3.",
	"1.2.3.4.",
	"1.2.3.4.5",
	".1.2.3.4",
	"1..3.4",
	"1.2.3.256",
	"1.2.3.1000",
	"01.2.3.4",
	"1.2.3.04",
	"1.2.3.00",
	"0x1.2.3.4",
	"1.2.3.4 ",
	" 1.2.3.4",
	"+1.2.3.4",
	"1,2,3,4",
	"1.2.3.a",
	"1.2.3.4294967297",
	"1.2.3.18446744073709551617",
	":",
	":::",
	"1",
	"1:",
	":1",
	"1:2",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:",
	":1:2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7:8:",
	"1:2:3:4:5:6:7:8:9",
	"1::2::3",
	"::1::",
	"1:::2",
	"12345::",
	"::12345",
	"::00001",
	"g::",
	"::1%eth0",
	"[::1]",
	"::1/64",
	"1:2:3:4:5:6:7:8::",
	"::1:2:3:4:5:6:7:8",
	"1:2:3:4::5:6:7:8",
	"::1.2.3",
	"::1.2.3.4.5",
	"::1.2.3.04",
	"::1.2.3.256",
	"::1.2.3.4:5",
	"1.2.3.4::",
	"1:2:3:4:5:6:7:1.2.3.4",
	"1:2:3:4:5:1.2.3.4",
	"::1:2:3:4:5:6:1.2.3.4",
	"::a.2.3.4",
	"::1.2.3.4 ",
};

static struct mtls_addr address(const char *text)
{
	struct mtls_addr a;

	ck_assert_msg(mtls_addr_parse(mtls_bytes_of(text), &a), "%s", text);
	return a;
}

START_TEST(parses_and_prints)
{
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char buffer[MTLS_ADDR_TEXT];
		struct mtls_addr a = address(good[i].text);

		ck_assert_msg(a.family == good[i].family, "%s", good[i].text);
		ck_assert_uint_eq(a.port, 0);
		ck_assert_ptr_eq(mtls_addr_print(&a, buffer), buffer);
		ck_assert_str_eq(buffer, good[i].printed);
	}
}
END_TEST

START_TEST(refuses)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct mtls_addr a = {.family = 4};

		ck_assert_msg(!mtls_addr_parse(mtls_bytes_of(bad[i]), &a), "\"%s\"", bad[i]);
		ck_assert_msg(a.family == 0, "\"%s\" left an address", bad[i]);
	}
}
END_TEST

/* The text may have no NUL behind it, or one in it. */
START_TEST(looks_at_its_bytes_only)
{
	static const char text[] = "10.0.0.12";
	static const struct mtls_bytes with_nul = {(const unsigned char *)"10.0.0.1\0", 9};
	char *exact = malloc(8);
	struct mtls_addr a;

	memcpy(exact, text, 8);
	ck_assert(mtls_addr_parse((struct mtls_bytes){(const unsigned char *)exact, 8}, &a));
	ck_assert_uint_eq(a.ip[3], 1);
	ck_assert(!mtls_addr_parse(with_nul, &a));
	ck_assert(!mtls_addr_parse((struct mtls_bytes){NULL, 0}, &a));
	free(exact);
}
END_TEST

/* Random addresses with many zero groups: libc must read what we print, and we what libc prints. */
START_TEST(agrees_with_libc)
{
	unsigned seed = 5;

	for (int i = 0; i < 20000; i++) {
		unsigned char ip[16], back[16];
		char ours[MTLS_ADDR_TEXT], theirs[INET6_ADDRSTRLEN];
		struct mtls_addr a, b;

		for (int j = 0; j < 16; j++) {
			int r = rand_r(&seed);

			ip[j] = (unsigned char)(r & 0x300 ? 0 : j < 12 || i % 2 ? r >> 12 : 0);
		}
		ip[0] |= 1; /* else libc may print the deprecated compatible form */
		mtls_addr_set(&a, ip, 16, 0);
		mtls_addr_print(&a, ours);
		inet_ntop(AF_INET6, ip, theirs, sizeof theirs);
		ck_assert_str_eq(ours, theirs);
		ck_assert_int_eq(inet_pton(AF_INET6, ours, back), 1);
		ck_assert_mem_eq(back, ip, 16);
		b = address(theirs);
		ck_assert_mem_eq(b.ip, ip, 16);
		mtls_addr_set(&a, ip, 4, 0);
		ck_assert_str_eq(mtls_addr_print(&a, ours), inet_ntop(AF_INET, ip, theirs, sizeof theirs));
	}
}
END_TEST

START_TEST(set_knows_lengths_and_mapped)
{
	static const unsigned char mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
	static const unsigned char none[16];
	struct mtls_addr a;

	mtls_addr_set(&a, mapped, 16, 443);
	ck_assert_uint_eq(a.family, 4);
	ck_assert_uint_eq(a.port, 443);
	ck_assert_mem_eq(a.ip, mapped + 12, 4);
	ck_assert_mem_eq(a.ip + 4, none, 12); /* no rest of the longer form */
	mtls_addr_set(&a, mapped, 4, 65535);
	ck_assert_uint_eq(a.family, 4);
	ck_assert_uint_eq(a.port, 65535);
	mtls_addr_set(&a, none, 16, 1);
	ck_assert_uint_eq(a.family, 6);
	for (size_t n = 0; n < 20; n++) {
		if (n == 4 || n == 16)
			continue;
		mtls_addr_set(&a, n ? mapped : NULL, n, 7);
		ck_assert_uint_eq(a.family, 0);
		ck_assert_uint_eq(a.port, 7);
		ck_assert_mem_eq(a.ip, none, 16);
	}
}
END_TEST

START_TEST(unknown_prints_nothing)
{
	char buffer[MTLS_ADDR_TEXT] = "x";
	struct mtls_addr a = {.ip = {1}, .port = 1};

	ck_assert_str_eq(mtls_addr_print(&a, buffer), "");
	a.family = 2; /* AF_INET by mistake */
	ck_assert_str_eq(mtls_addr_print(&a, buffer), "");
}
END_TEST

Suite *address_suite(void)
{
	Suite *s = suite_create("address");
	TCase *t = tcase_create("address");

	tcase_add_test(t, parses_and_prints);
	tcase_add_test(t, refuses);
	tcase_add_test(t, looks_at_its_bytes_only);
	tcase_add_test(t, agrees_with_libc);
	tcase_add_test(t, set_knows_lengths_and_mapped);
	tcase_add_test(t, unknown_prints_nothing);
	suite_add_tcase(s, t);
	return s;
}
