/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/hosts.c: which words are understood, which facts they need, and one table
 * of matches and their failure twins. oracle_hosts.c has the random cases.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/hosts.h"

Suite *hosts_suite(void);

static const char *const good[] = {
	"a",
	"example.com",
	"example.com.",
	"EXAMPLE.com:443",
	"example.com.:443",
	"x:1",
	"x:65535",
	"_srv.x-y.z",
	"-a-",
	"1.example",
	"1a",
	"1.2.3.4a",
	"*.example.com",
	"*.com",
	"*.com.",
	"*.com:8443",
	"!a",
	"!*.a:1",
	"!10.0.0.1",
	"10.0.0.1",
	"10.0.0.1:443",
	"0.0.0.0/0",
	"10.0.0.0/8",
	"10.1.2.3/8",
	"10.0.0.0/32:443",
	"!10.0.0.0/8",
	"[::1]",
	"[::1]:443",
	"[2001:db8::]/32",
	"[2001:db8::/32]",
	"2001:db8::/32",
	"[2001:db8::]/32:443",
	"[2001:db8::/32]:443",
	"2001:db8::/32:443",
	"![::1]:1",
	"!2001:db8::/32",
	"::/0",
	"[::]/0",
	"::1/128",
	"[::ffff:10.0.0.1]",
	"[::ffff:10.0.0.0]/104",
	"::ffff:10.0.0.0/96",
	"[::ffff:a00:0/128]",
	"a,b",
	"a b",
	" a\t,\n,b, ",
	",,a,,",
	"a\v\f\rb",
	"a !b 10.0.0.0/8,[::1]:1",
};

/* The word at fault stands between < and >. */
static const char *const bad[] = {
	"<!>",
	"a <!> b",
	"<!!a>",
	"<a!>",
	"<*>",
	"<*foo.com>",
	"<*.>",
	"<**.a>",
	"<*.*.a>",
	"<a.*.b>",
	"<*.10.0.0.1>",
	"<*.1>",
	"<*a>",
	"<a*>",
	"<a..b>",
	"<.a>",
	"<a..>",
	"<.>",
	"<..>",
	"<a.b..>",
	"<a/b>",
	"<a/8>",
	"<a@b>",
	"<a\\b>",
	"<a;b>",
	"<a%b>",
	"<b\303\274cher.de>",
	"<a\200>",
	"<a\001>",
	"<a\177>",
	"<http://a>",
	"<a:>",
	"<a:0>",
	"<a:00>",
	"<a:080>",
	"<a:65536>",
	"<a:99999999999999999999>",
	"<a:4294967739>",
	"<a:+1>",
	"<a:-1>",
	"<a:1:2>",
	"<a:1x>",
	"<a::1>",
	"<:443>",
	"<!:443>",
	"<1>",
	"<123>",
	"<1.2.3>",
	"<1.2.3.4.>",
	"<1.2.3.4.5>",
	"<1.2.3.256>",
	"<01.2.3.4>",
	"<a.1>",
	"<a.1.>",
	"<1.2.3.4.a.9>",
	"<10.0.0.0/>",
	"<10.0.0.0/33>",
	"<10.0.0.0/08>",
	"<10.0.0.0/00>",
	"<10.0.0.0/-1>",
	"<10.0.0.0/8/8>",
	"<10.0.0.0:443/8>",
	"<10.0.0/8>",
	"</8>",
	"<10.0.0.0/255.0.0.0>",
	"<10.0.0.0/4294967304>",
	"<::1>",
	"<2001:db8::1>",
	"<[]>",
	"<[>",
	"<]>",
	"<[::1>",
	"<::1]>",
	"<[::1]]>",
	"<[[::1]]>",
	"<[::1]443>",
	"<[::1]:>",
	"<[::1]:0>",
	"<[::1%eth0]>",
	"<[10.0.0.1]>",
	"<[10.0.0.0]/8>",
	"<[10.0.0.0/8]>",
	"<[a]>",
	"<[::1]/129>",
	"<[::1/129]>",
	"<::1/129>",
	"<[::/0]/0>",
	"<[::/]>",
	"<[::]/>",
	"<[::/0:1]>",
	"<::/0:0>",
	"<::/0:>",
	"<[::1]a>",
	"<a[::1]>",
	"<*.[::1]>",
	"<[*.a]>",
	"<[::ffff:10.0.0.0]/95>",
	"<::ffff:10.0.0.0/8>",
	"<[::ffff:0:0/0]>",
	"a <b_!>",
	"a, <*>, <*>",
	"10.0.0.1 <10.0.0.>",
	"<a:b>,c",
};

static struct mtls_bytes bytes(const char *s)
{
	return mtls_bytes_of(s);
}

START_TEST(understood)
{
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct mtls_bytes at;

		ck_assert_msg(mtls_hosts_check(bytes(good[i]), &at), "%s", good[i]);
	}
}
END_TEST

START_TEST(not_understood)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		size_t from = strcspn(bad[i], "<"), n = strcspn(bad[i] + from + 1, ">");
		struct mtls_bytes at;
		char text[200];

		snprintf(text, sizeof text, "%.*s%.*s%s", (int)from, bad[i], (int)n, bad[i] + from + 1,
			 bad[i] + from + n + 2);
		ck_assert_msg(!mtls_hosts_check(bytes(text), &at), "\"%s\"", text);
		ck_assert_msg(at.p == (unsigned char *)text + from && at.n == n, "\"%s\": \"%.*s\"", text, (int)at.n,
			      (const char *)at.p);
	}
}
END_TEST

START_TEST(no_word_at_all)
{
	static const char *const empty[] = {"", " ", ",", " ,\t\n,"};
	const struct mtls_addr peer = {.family = 4, .port = 443};

	for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
		struct mtls_bytes text = bytes(empty[i]), at = {0};

		ck_assert(!mtls_hosts_check(text, &at));
		ck_assert(at.p == text.p && at.n == text.n);
		ck_assert(!mtls_hosts_allow(text, "a", &peer));
	}
}
END_TEST

/* A NUL would hide the rest from whoever prints the value. */
START_TEST(nul_is_no_separator)
{
	const struct mtls_bytes text = {(const unsigned char *)"a\0b", 3}, after = {text.p, 2};
	const struct mtls_addr peer = {0};
	struct mtls_bytes at;

	ck_assert(!mtls_hosts_check(text, &at));
	ck_assert_uint_eq(at.n, 3);
	ck_assert(!mtls_hosts_check(after, &at));
	ck_assert(!mtls_hosts_allow(text, "a", &peer));
}
END_TEST

/* total bytes in labels of 63 at most, the last one shorter. */
static char *long_name(char *buffer, size_t total)
{
	for (size_t i = 0; i < total; i++)
		buffer[i] = i % 64 == 63 ? '.' : 'a';
	buffer[total] = '\0';
	return buffer;
}

START_TEST(limits_of_names)
{
	const struct mtls_addr peer = {0};
	struct mtls_bytes at;
	char name[300];

	ck_assert(mtls_hosts_check(bytes(long_name(name, 63)), &at));
	name[63] = 'a'; /* one label of 64 */
	name[64] = '\0';
	ck_assert(!mtls_hosts_check(bytes(name), &at));
	ck_assert(mtls_hosts_check(bytes(long_name(name, 253)), &at));
	ck_assert(mtls_hosts_allow(bytes(name), name, &peer));
	name[253] = '.'; /* does not count */
	name[254] = '\0';
	ck_assert(mtls_hosts_check(bytes(name), &at));
	ck_assert(!mtls_hosts_check(bytes(long_name(name, 254)), &at));
	ck_assert(!mtls_hosts_allow(bytes("!b"), name, &peer)); /* too long to be a name: unknown */
}
END_TEST

START_TEST(needs)
{
	static const struct {
		const char *text;
		bool name, peer;
	} table[] = {
		{"a", true, false},          {"*.a", true, false},       {"!a", true, false},
		{"a:443", true, true},       {"!*.a:1", true, true},     {"10.0.0.1", false, true},
		{"10.0.0.1:1", false, true}, {"[::1]", false, true},     {"!10.0.0.0/8", false, true},
		{"0.0.0.0/0", false, true},  {"a 10.0.0.1", true, true}, {"10.0.0.1 b", true, true},
		{"a b *.c", true, false},    {"", false, false},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		ck_assert_msg(mtls_hosts_need_name(bytes(table[i].text)) == table[i].name, "%s", table[i].text);
		ck_assert_msg(mtls_hosts_need_peer(bytes(table[i].text)) == table[i].peer, "%s", table[i].text);
	}
}
END_TEST

/* ip NULL and port 0: unknown. */
static const struct {
	const char *text, *name, *ip;
	uint16_t port;
	bool allowed;
} matches[] = {
	/* names: case and one trailing dot do not matter */
	{"example.com", "example.com", NULL, 0, true},
	{"EXAMPLE.com.", "example.COM", NULL, 0, true},
	{"example.com", "example.com.", NULL, 0, true},
	{"example.com", "www.example.com", NULL, 0, false},
	{"example.com", "xexample.com", NULL, 0, false},
	{"example.com", "example.comx", NULL, 0, false},
	{"example.com", "example.co", NULL, 0, false},
	{"example-com", "example.com", NULL, 0, false},
	{"a[", "a[", NULL, 0, false},
	{"a_z", "A_Z", NULL, 0, true},
	{"a@b", "a`b", NULL, 0, false},
	{"a-b", "a\rb", NULL, 0, false}, /* differ by the bit that lower case sets */
	/* *.domain: one or more labels */
	{"*.example.com", "www.example.com", NULL, 0, true},
	{"*.example.com", "a.b.c.example.com.", NULL, 0, true},
	{"*.EXAMPLE.com.", "www.example.com", NULL, 0, true},
	{"*.example.com", "example.com", NULL, 0, false},
	{"*.example.com", "wwwexample.com", NULL, 0, false},
	{"*.example.com", ".example.com", NULL, 0, false},
	{"*.example.com", "www.example.com.evil.org", NULL, 0, false},
	{"*.example.com", "www.example.net", NULL, 0, false},
	/* addresses */
	{"10.0.0.1", NULL, "10.0.0.1", 0, true},
	{"10.0.0.1", NULL, "10.0.0.2", 0, false},
	{"10.0.0.1", "10.0.0.1", NULL, 0, false}, /* the socket decides, not the name */
	{"[::1]", NULL, "::1", 443, true},
	{"[::1]", NULL, "::2", 443, false},
	{"[2001:DB8:0::1]", NULL, "2001:db8::1", 443, true},
	{"10.0.0.0/8", NULL, "10.255.255.255", 0, true},
	{"10.0.0.0/8", NULL, "11.0.0.0", 0, false},
	{"10.99.99.99/8", NULL, "10.1.2.3", 0, true}, /* host bits do not count */
	{"10.0.0.0/9", NULL, "10.127.255.255", 0, true},
	{"10.0.0.0/9", NULL, "10.128.0.0", 0, false},
	{"10.0.0.1/31", NULL, "10.0.0.0", 0, true},
	{"10.0.0.1/32", NULL, "10.0.0.0", 0, false},
	{"128.0.0.0/1", NULL, "255.0.0.1", 0, true},
	{"128.0.0.0/1", NULL, "127.0.0.1", 0, false},
	{"0.0.0.0/0", NULL, "1.2.3.4", 0, true},
	{"0.0.0.0/0", NULL, "::1", 0, false}, /* the other family */
	{"[::]/0", NULL, "1.2.3.4", 0, false},
	{"::/0", NULL, "::1", 0, true},
	{"0.0.0.0/0", NULL, NULL, 443, false},
	{"[2001:db8::]/32", NULL, "2001:db8:ffff::1", 0, true},
	{"[2001:db8::/32]", NULL, "2001:db9::", 0, false},
	{"2001:db8::/33", NULL, "2001:db8:8000::", 0, false},
	{"::1/128", NULL, "::1", 0, true},
	{"::1/127", NULL, "::", 0, true},
	{"::1/128", NULL, "::", 0, false},
	/* mapped is IPv4, on both sides */
	{"[::ffff:10.0.0.1]", NULL, "10.0.0.1", 0, true},
	{"10.0.0.0/8", NULL, "::ffff:10.2.3.4", 0, true},
	{"!10.0.0.0/8", NULL, "::ffff:10.2.3.4", 0, false},
	{"[::ffff:10.0.0.0]/104", NULL, "10.2.3.4", 0, true},
	{"[::ffff:10.0.0.0]/104", NULL, "11.2.3.4", 0, false},
	{"::ffff:0:0/96", NULL, "11.2.3.4", 0, true},
	/* ports */
	{"a:443", "a", NULL, 443, true},
	{"a:443", "a", NULL, 444, false},
	{"a:443", "b", NULL, 443, false},
	{"10.0.0.0/8:443", NULL, "10.0.0.1", 443, true},
	{"10.0.0.0/8:443", NULL, "10.0.0.1", 80, false},
	{"[::1]:443", NULL, "::1", 443, true},
	{"[::1]:443", NULL, "::1", 80, false},
	{"2001:db8::/32:443", NULL, "2001:db8::1", 80, false},
	{"2001:db8::/32:443", NULL, "2001:db8::1", 443, true},
	{"a:65535", "a", NULL, 65535, true},
	/* lists: a deny wins in any place; only denies allow the rest */
	{"a b", "b", NULL, 0, true},
	{"a b", "c", NULL, 0, false},
	{"*.a !x.a", "x.a", NULL, 0, false},
	{"!x.a *.a", "x.a", NULL, 0, false},
	{"!x.a *.a", "y.a", NULL, 0, true},
	{"!x.a *.a", "b", NULL, 0, false},
	{"!x.a", "y.a", NULL, 0, true},
	{"!x.a !y.a", "y.a", NULL, 0, false},
	{"!a:443", "a", NULL, 80, true},
	{"!a:443", "a", NULL, 443, false},
	{"a 10.0.0.0/8", "b", "10.0.0.1", 0, true},
	/* unknown: no match for an allow, a match for a deny */
	{"a", NULL, "10.0.0.1", 443, false},
	{"!a", NULL, "10.0.0.1", 443, false},
	{"10.0.0.1", "a", NULL, 443, false},
	{"!10.0.0.1", "a", NULL, 443, false},
	{"a:443", "a", "10.0.0.1", 0, false},
	{"!a:443", "a", "10.0.0.1", 0, false},
	{"10.0.0.1:443", "a", "10.0.0.1", 0, false},
	{"10.0.0.1:443", "a", NULL, 443, false},
	{"!10.0.0.1:443", "a", NULL, 443, false},
	/* no beats unknown */
	{"!a:443", NULL, NULL, 80, true},
	{"!a:443", "b", NULL, 0, true},
	{"!10.0.0.1:443", NULL, NULL, 80, true},
	{"!10.0.0.1:443", NULL, "10.0.0.2", 0, true},
	/* a name that is an address: no name pattern is meant; what is neither: unknown */
	{"!a", "10.0.0.1", NULL, 0, true},
	{"!*.a", "::1", NULL, 0, true},
	{"*.1", "10.0.0.1", NULL, 0, false},
	{"!a", "", NULL, 0, false},
	{"!a", "b..c", NULL, 0, false},
	{"!a", "a..", NULL, 0, false},
	{"!a", "b\303\274cher.de", NULL, 0, false},
	{"!a", "127.1", NULL, 0, false},
	{"!a", "10.0.0.1.", NULL, 0, false},
	{"!a", "fe80::1%eth0", NULL, 0, false},
	{"!a", "*.b", NULL, 0, false},
	/* a word that is not understood: a match for a deny, none for an allow */
	{"a !b..c", "a", NULL, 0, false},
	{"!b a..", "a", NULL, 0, false},
	{"a b..c", "a", NULL, 0, true},
};

/* inet_pton does not know of mapped addresses, so family 6 here tests that the matcher does. */
static struct mtls_addr peer_of(const char *ip, uint16_t port)
{
	struct mtls_addr a = {.port = port};

	if (ip && inet_pton(AF_INET, ip, a.ip) == 1)
		a.family = 4;
	else if (ip && inet_pton(AF_INET6, ip, a.ip) == 1)
		a.family = 6;
	ck_assert(!ip || a.family);
	return a;
}

START_TEST(match)
{
	for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
		struct mtls_addr peer = peer_of(matches[i].ip, matches[i].port);

		ck_assert_msg(mtls_hosts_allow(bytes(matches[i].text), matches[i].name, &peer) == matches[i].allowed,
			      "\"%s\" with %s %s %u", matches[i].text, matches[i].name ? matches[i].name : "NULL",
			      matches[i].ip ? matches[i].ip : "NULL", matches[i].port);
	}
}
END_TEST

/* Every length of both families: the last bit inside decides, the first outside does not. */
START_TEST(every_prefix_length)
{
	for (int family = 4; family <= 6; family += 2) {
		int bits = family == 4 ? 32 : 128;

		for (int length = 0; length <= bits; length++) {
			char text[64], ip[INET6_ADDRSTRLEN];
			struct mtls_addr peer = peer_of(family == 4 ? "165.90.195.60" : "a55a:c33c::3cc3:5aa5", 0);

			inet_ntop(family == 4 ? AF_INET : AF_INET6, peer.ip, ip, sizeof ip);
			snprintf(text, sizeof text, "%s/%d", ip, length);
			for (int bit = 0; bit < bits; bit++) {
				struct mtls_addr other = peer;

				other.ip[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
				ck_assert_msg(mtls_hosts_allow(bytes(text), NULL, &other) == (bit >= length),
					      "%s bit %d", text, bit);
			}
			ck_assert(mtls_hosts_allow(bytes(text), NULL, &peer));
		}
	}
}
END_TEST

Suite *hosts_suite(void)
{
	Suite *s = suite_create("hosts");
	TCase *t = tcase_create("hosts");

	tcase_add_test(t, understood);
	tcase_add_test(t, not_understood);
	tcase_add_test(t, no_word_at_all);
	tcase_add_test(t, nul_is_no_separator);
	tcase_add_test(t, limits_of_names);
	tcase_add_test(t, needs);
	tcase_add_test(t, match);
	tcase_add_test(t, every_prefix_length);
	suite_add_tcase(s, t);
	return s;
}
