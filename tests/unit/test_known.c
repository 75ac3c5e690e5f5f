/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher/run/known.c: names are anchored, so that nothing is taken for what it only resembles.
 */
#include <check.h>
#include <string.h>

#include "launcher/run/known.h"

Suite *known_suite(void);

static const struct {
	const char *soname, *name;
	bool covered;
} SONAMES[] = {
	{"libssl.so.3", "OpenSSL", true},
	{"libssl.so.1.1", "OpenSSL", true},
	{"libssl.so.1.0.2", "OpenSSL", false},
	{"libssl.so.53", "OpenSSL", false},
	{"libssl.so.30", "OpenSSL", false},
	{"libssl3.so", "NSS", false},
	{"libgnutls.so.30", "GnuTLS", true},
	{"libgnutls.so.28", "GnuTLS", false},
	{"libmbedtls.so.14", "mbedTLS", false},
	{"libwolfssl.so.35", "wolfSSL", false},
	{"libssl.so", "BoringSSL", false},
	{"libcrypto.so.3", NULL, false},
	{"libgnutlsxx.so.30", NULL, false},
	{"libgnutls-dane.so.0", NULL, false},
	{"xlibssl.so.3", NULL, false},
	{"libssl3.so.1", NULL, false},
	{"libnss3.so", NULL, false},
	{"libmbedcrypto.so.7", NULL, false},
	{"", NULL, false},
};

START_TEST(sonames)
{
	const struct known_tls *tls = known_soname(SONAMES[_i].soname);

	if (!SONAMES[_i].name) {
		ck_assert_ptr_null(tls);
		return;
	}
	ck_assert_ptr_nonnull(tls);
	ck_assert_str_eq(tls->name, SONAMES[_i].name);
	ck_assert_int_eq(tls->covered, SONAMES[_i].covered);
	ck_assert_int_eq(known_needs_file(SONAMES[_i].soname), strcmp(SONAMES[_i].soname, "libssl.so.1.1") == 0);
}
END_TEST

START_TEST(hosts)
{
	const struct known_host *first = known_host_next("libgio-2.0.so.0", NULL), *second;

	ck_assert_ptr_nonnull(first);
	ck_assert_str_eq(first->tls.name, "GnuTLS");
	ck_assert(first->tls.covered);
	second = known_host_next("libgio-2.0.so.0", first);
	ck_assert_ptr_nonnull(second);
	ck_assert_str_eq(second->tls.name, "OpenSSL");
	ck_assert_ptr_null(known_host_next("libgio-2.0.so.0", second));
	ck_assert_ptr_null(known_host_next("libc.so.6", NULL));
	ck_assert(!known_host_next("libjli.so", NULL)->tls.covered);
}
END_TEST

START_TEST(programs)
{
	ck_assert_ptr_nonnull(known_interpreter("/usr/bin/python3.11"));
	ck_assert_ptr_nonnull(known_interpreter("perl"));
	ck_assert_ptr_null(known_interpreter("/usr/bin/pythonic"));
	ck_assert_ptr_null(known_interpreter("/usr/bin/perldoc"));
	ck_assert_ptr_null(known_interpreter("/usr/python/sh"));
	ck_assert_str_eq(known_helper("/usr/bin/git", 0), "lib/git-core/git-remote-https");
	ck_assert_ptr_nonnull(known_helper("/usr/bin/git", 1));
	ck_assert_ptr_null(known_helper("/usr/bin/git", 2));
	ck_assert_ptr_null(known_helper("/usr/bin/apt-get", 1));
	ck_assert_ptr_null(known_helper("/usr/bin/gitk", 0));
}
END_TEST

/* There is always a way out; that of Node is not that of others. */
START_TEST(remedies)
{
	ck_assert_ptr_nonnull(strstr(known_remedy("OpenSSL", "/usr/bin/node"), "NODE_OPTIONS"));
	ck_assert_ptr_null(strstr(known_remedy("OpenSSL", "/usr/bin/other"), "NODE_OPTIONS"));
	ck_assert_ptr_nonnull(strstr(known_remedy("Java", "x"), "keyStore"));
	ck_assert(known_remedy("Go", "x")[0] && known_remedy("unknown", "x")[0]);
}
END_TEST

Suite *known_suite(void)
{
	Suite *suite = suite_create("known");
	TCase *tc = tcase_create("known");

	tcase_add_loop_test(tc, sonames, 0, sizeof(SONAMES) / sizeof(*SONAMES));
	tcase_add_test(tc, hosts);
	tcase_add_test(tc, programs);
	tcase_add_test(tc, remedies);
	suite_add_tcase(suite, tc);
	return suite;
}
