/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher/run/handoff.c: which program a script of sh becomes, as far as that can be told without a shell.
 * "elf" is a program in the folder, "@" in a script stands for the folder.
 */
#include "folder_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/run/handoff.h"

Suite *handoff_suite(void);

static void make_folder(void)
{
	char *self = realpath("/proc/self/exe", NULL);

	folder_make();
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(symlink(self, "elf"), 0);
	ck_assert_int_eq(symlink(self, "other"), 0);
	free(self);
}

static void write_script(const char *content)
{
	FILE *f = fopen("script", "w");

	ck_assert_ptr_nonnull(f);
	for (; *content; content++)
		fprintf(f, *content == '@' ? "%s" : "%.1s", *content == '@' ? folder : content);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod("script", 0755), 0);
}

static const struct {
	const char *script, *becomes; /* NULL: is not told */
} SCRIPTS[] = {
	{"exec @/elf \"$@\"\n", "elf"},
	{"  exec \"@/elf\"\n", "elf"},
	{"exec '@/elf' x", "elf"},
	{"D=@\nexec $D/elf \"$@\"\n", "elf"},
	{"D=@\nN=el\nexec \"${D}/${N}f\"\n", "elf"},
	{"export D=@\nP=\"$D/elf\"\nexec $P $FLAGS\n", "elf"},
	{"D=/nope\nD=@\nexec $D/elf\n", "elf"}, /* the last one counts */
	{"exec -a name @/elf\n", "elf"},
	{"exec @/nope\nexec @/elf\nexec @/other\nexec @/gone\n", "other"},
	{"D=@\nD=$(dirname $0)\nexec $D/elf\n", NULL}, /* not known any more */
	{"exec `which elf`\n", NULL},
	{"exec $UNKNOWN/elf\n", NULL},
	{"exec \"@/elf\n", NULL},
	{"D=@\nexec '$D/elf'\n", NULL},
	{"D=@\nexec \"$D\"'/elf'\n", "elf"},
	{"exec ${D:-@}/elf\n", NULL},
	{"exec 2>&1\n", NULL},
	{"exec\n", NULL},
	{"exec -a\n", NULL},
	{"@/elf\n", NULL}, /* a helper, but not what the script becomes */
	{"#exec @/elf\n", NULL},
	{"", NULL},
};

START_TEST(scripts)
{
	char word[] = "./script", *argv[] = {word, NULL}, line[128], expected[128];
	struct program p, other;
	enum handoff handoff;

	snprintf(line, sizeof(line), "#!/bin/sh\n%s", SCRIPTS[_i].script);
	write_script(line);
	ck_assert_int_eq(program_find(argv, &p), 0);
	handoff = handoff_find(&p, &other);
	if (SCRIPTS[_i].becomes) {
		ck_assert_int_eq(handoff, HANDOFF_BECOMES);
		snprintf(expected, sizeof(expected), "%s/%s", folder, SCRIPTS[_i].becomes);
		ck_assert_str_eq(other.path, expected);
		program_free(&other);
	} else {
		ck_assert_int_eq(handoff, HANDOFF_NONE);
	}
	program_free(&p);
}
END_TEST

/* Of another language nothing is understood; an endless word, a NUL and many variables do no harm. */
START_TEST(odd_scripts)
{
	char word[] = "./script", *argv[] = {word, NULL};
	struct program p, other;
	FILE *f;

	write_script("#!/usr/bin/env perl\nexec @/elf\n");
	ck_assert_int_eq(program_find(argv, &p), 0);
	ck_assert_int_eq(handoff_find(&p, &other), HANDOFF_NONE);
	program_free(&p);
	write_script("#!/bin/sh\n");
	f = fopen("script", "a");
	for (int i = 0; i < 200; i++)
		fprintf(f, "A%d=$A%d$A%d$A%dxx\n", i, i - 1, i - 1, i - 1);
	fprintf(f, "exec %09000d\n", 0);
	fputc('\0', f);
	fprintf(f, "exec %s/elf\n", folder);
	fclose(f);
	ck_assert_int_eq(program_find(argv, &p), 0);
	ck_assert_int_eq(handoff_find(&p, &other), HANDOFF_NONE);
	program_free(&p);
}
END_TEST

START_TEST(helpers)
{
	char word[] = "./bin/git", *argv[] = {word, NULL};
	struct program p, other;
	char expected[128];

	ck_assert_int_eq(mkdir("bin", 0755), 0);
	ck_assert_int_eq(mkdir("libexec", 0755), 0);
	ck_assert_int_eq(mkdir("libexec/git-core", 0755), 0);
	ck_assert_int_eq(system("cp /bin/true bin/git"), 0);
	ck_assert_int_eq(program_find(argv, &p), 0);
	ck_assert_int_eq(handoff_find(&p, &other), HANDOFF_NONE);
	ck_assert_int_eq(symlink("/bin/true", "libexec/git-core/git-remote-https"), 0);
	ck_assert_int_eq(handoff_find(&p, &other), HANDOFF_STARTS);
	snprintf(expected, sizeof(expected), "%s/libexec/git-core/git-remote-https", folder);
	ck_assert_str_eq(other.path, expected);
	program_free(&other);
	program_free(&p);
}
END_TEST

Suite *handoff_suite(void)
{
	Suite *suite = suite_create("handoff");
	TCase *tc = tcase_create("handoff");

	tcase_add_checked_fixture(tc, make_folder, folder_remove);
	tcase_add_loop_test(tc, scripts, 0, sizeof(SCRIPTS) / sizeof(*SCRIPTS));
	tcase_add_test(tc, odd_scripts);
	tcase_add_test(tc, helpers);
	suite_add_tcase(suite, tc);
	return suite;
}
