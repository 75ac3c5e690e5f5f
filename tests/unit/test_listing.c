/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher/run/listing.c: what glibc's and musl's loaders print, and what they do not.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "launcher/run/listing.h"

Suite *listing_suite(void);

static const struct {
	const char *text, *read; /* "NAME=PATH " for each line */
} LISTS[] = {
	{"", ""},
	{"\tlibssl.so.3 => /lib/x/libssl.so.3 (0x00007f)\n", "libssl.so.3=/lib/x/libssl.so.3 "},
	{"\tlibssl.so.3 => /lib/x/libssl.so.3 (0x00007f)", "libssl.so.3=/lib/x/libssl.so.3 "},
	{"\tlinux-vdso.so.1 (0x7ffc)\n", "linux-vdso.so.1= "},
	{"\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n", "ld-linux-x86-64.so.2=/lib64/ld-linux-x86-64.so.2 "},
	{"\t/lib/ld-musl-x86_64.so.1 (0x7f)\n\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f)\n",
	 "ld-musl-x86_64.so.1=/lib/ld-musl-x86_64.so.1 libc.musl-x86_64.so.1=/lib/ld-musl-x86_64.so.1 "},
	{"\tlibx.so.1 => not found\n\tlibc.so.6 => /c (0x1)\n", "libx.so.1= libc.so.6=/c "},
	{"\tlibx.so => relative/libx.so (0x1)\n", "libx.so= "},
	{"\ta => /opt/with (0x1) inside/a (0x2)\n", "a=/opt/with (0x1) inside/a "},
	{"\ta => /b => c (0x1)\n", "a=/b => c "},
	{"\ta => /b\n", "a= "},
	{"a => /b (0x1)\n", ""}, /* not the loader's */
	{"/prog: error while loading shared libraries: liba.so: cannot open\n", ""},
	{"\t => /b (0x1)\n\t\n\n\t (0x1)\n\tstatically linked\n", ""},
	{"\tnot a dynamic executable\n\tb => /b (0x1)\n", "b=/b "},
};

START_TEST(lists)
{
	const char *at = LISTS[_i].text;
	struct listing_line line;
	char read[512] = "";

	while (listing_next(&at, &line))
		snprintf(read + strlen(read), sizeof(read) - strlen(read), "%.*s=%.*s ", (int)line.name.n,
			 (const char *)line.name.p, (int)line.path.n, (const char *)line.path.p);
	ck_assert_str_eq(read, LISTS[_i].read);
	ck_assert_int_eq(*at, '\0');
}
END_TEST

Suite *listing_suite(void)
{
	Suite *suite = suite_create("listing");
	TCase *tc = tcase_create("listing");

	tcase_add_loop_test(tc, lists, 0, sizeof(LISTS) / sizeof(*LISTS));
	suite_add_tcase(suite, tc);
	return suite;
}
