/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher/run/program.c: which file a command line ends up running. In a folder
 * of its own, which is also PATH, "elf" is a program and each test adds the scripts.
 */
#include "folder_fixture.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/run/program.h"

Suite *program_suite(void);

static void make_folder(void)
{
	char *self = realpath("/proc/self/exe", NULL);

	folder_make();
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(symlink(self, "elf"), 0);
	ck_assert_int_eq(symlink("/usr/bin/env", "env"), 0);
	ck_assert_int_eq(setenv("PATH", folder, 1), 0);
	free(self);
}

/* "@" in the content stands for the folder. */
static void write_file(const char *name, const char *content, mode_t mode)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	for (; *content; content++)
		fprintf(f, *content == '@' ? "%s" : "%.1s", *content == '@' ? folder : content);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(name, mode), 0);
}

static int find(struct program *p, const char *name)
{
	char *const argv[] = {(char *)(uintptr_t)name, NULL};

	return program_find(argv, p);
}

static bool ends_with(const char *path, const char *end)
{
	return path && strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0;
}

/* --- the search of execvp(3) ------------------------------------------------- */

static const struct {
	const char *name, *path;
	int error;
	const char *found;
} SEARCHES[] = {
	{"elf", "@", 0, "@/elf"},
	{"elf", "/nope:@", 0, "@/elf"},
	{"elf", "/nope::/usr/bin", 0, "elf"}, /* an empty word is the current folder */
	{"elf", "", 0, "elf"},
	{"elf", "/nope:", 0, "elf"},
	{"elf", "/nope", ENOENT, NULL},
	{"./elf", "/nope", 0, "./elf"},
	{"sub/elf", "@", ENOENT, NULL}, /* a slash: no search */
	{"sub/locked", "/nope", 0, "sub/locked"},
	{"", "@", ENOENT, NULL},
	{"locked", "@", EACCES, NULL},
	{"locked", "@:@/sub", 0, "@/sub/locked"}, /* it goes on behind what it may not run */
	{"locked", "@:/nope", EACCES, NULL},
	{"sub", "@", EACCES, NULL},
	{"./locked", "@", EACCES, NULL},
	{"./elf/x", "@", ENOTDIR, NULL},
	{"./nope", "@", ENOENT, NULL},
};

static char *in_folder(const char *words)
{
	char *out = NULL;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	for (; *words; words++)
		fprintf(f, *words == '@' ? "%s" : "%.1s", *words == '@' ? folder : words);
	fclose(f);
	return out;
}

START_TEST(search)
{
	struct program p;
	char *path = in_folder(SEARCHES[_i].path), *found = in_folder(SEARCHES[_i].found ? SEARCHES[_i].found : "");

	ck_assert_int_eq(mkdir("sub", 0755), 0);
	write_file("locked", "", 0644);
	write_file("sub/locked", "", 0755);
	setenv("PATH", path, 1);
	ck_assert_int_eq(find(&p, SEARCHES[_i].name), SEARCHES[_i].error);
	if (SEARCHES[_i].error)
		ck_assert(!p.path && !p.image);
	else
		ck_assert_str_eq(p.path, found);
	program_free(&p);
	free(path);
	free(found);
}
END_TEST

START_TEST(without_path_as_execvp)
{
	struct program p;

	unsetenv("PATH");
	ck_assert_int_eq(find(&p, "sh"), 0);
	ck_assert_str_eq(p.path, "/bin/sh");
	program_free(&p);
	ck_assert_int_eq(find(&p, "elf"), ENOENT);
}
END_TEST

/* --- scripts ------------------------------------------------------------------- */

#define SPACES_64 "                                                                "

static const struct {
	const char *content, *image; /* the end of its name; NULL: not to be told */
	bool preload_off;
} SCRIPTS[] = {
	{"#!@/elf\n", "/elf", false},
	{"#!@/elf", "/elf", false},
	{"#! \t@/elf -x y \nrest", "/elf", false},
	{"#!elf\n", "elf", false}, /* relative to the current folder, not searched in PATH */
	{"#!/no/such\n", NULL, false},
	{"#!\n@/elf", "/bin/sh", false},
	{"#!   \n", "/bin/sh", false},
	{"#!" SPACES_64 SPACES_64 SPACES_64 SPACES_64 "@/elf\n", "/bin/sh", false}, /* beyond what the kernel reads */
	{"echo text\n", "/bin/sh", false},
	{"", "/bin/sh", false},
	{"\177ELF but no more", "/bin/sh", false},
	{"#!@/inner\n", "/elf", false},
	{"#!@/inner with words\n", "/elf", false},
	{"#!@/loop\n", NULL, false},
	{"#!@/env elf\n", "/elf", false},
	{"#!@/env elf \t\n", "/elf", false}, /* the kernel cuts the blanks off */
	{"#!@/env\n", "/env", false},
	{"#!@/env inner\n", "/elf", false},
	{"#!@/env nope\n", NULL, false},
	{"#!@/env elf -x\n", NULL, false}, /* the kernel hands over one word */
	{"#!@/env -S elf -x\n", "/elf", false},
	{"#!@/env -Self\n", "/elf", false},
	{"#!@/env -vS elf\n", "/elf", false},
	{"#!@/env --split-string=elf -i\n", "/elf", false},
	{"#!@/env -S A=b C=d elf\n", "/elf", false},
	{"#!@/env -S -u A -C / -- elf\n", "/elf", false},
	{"#!@/env -S -- A=b elf\n", "/elf", false},
	{"#!@/env -S -u A\n", "/env", false},
	{"#!@/env -S -i elf\n", "/elf", true},
	{"#!@/env -S - elf\n", "/elf", true},
	{"#!@/env -S --ignore-environment A=b elf\n", "/elf", true},
	{"#!@/env -S -u LD_PRELOAD elf\n", "/elf", true},
	{"#!@/env -S --unset=LD_PRELOAD elf\n", "/elf", true},
	{"#!@/env -S LD_PRELOAD=x elf\n", "/elf", true},
	{"#!@/env -S LD_PRELOADED=x elf\n", "/elf", false},
	{"#!@/env -S elf LD_PRELOAD=x\n", "/elf", false},
	{"#!@/env -S env env env elf\n", "/elf", false},
	{"#!@/env -S\n", "/env", false},
	{"#!@/env -\n", "/env", false},
};

START_TEST(script)
{
	struct program p;

	write_file("inner", "#!@/elf\n", 0755);
	write_file("loop", "#!@/loop\n", 0755);
	write_file("script", SCRIPTS[_i].content, 0755);
	ck_assert_int_eq(find(&p, "script"), 0);
	ck_assert(ends_with(p.path, "/script"));
	if (!SCRIPTS[_i].image)
		ck_assert_msg(!p.image, "image %s of: %s", p.image, SCRIPTS[_i].content);
	else
		ck_assert_msg(ends_with(p.image, SCRIPTS[_i].image), "image %s of: %s", p.image, SCRIPTS[_i].content);
	ck_assert_int_eq(p.preload_off, SCRIPTS[_i].preload_off);
	program_free(&p);
}
END_TEST

/* Four scripts deep, each found by env; one more is nobody's program. */
START_TEST(depth)
{
	struct program p;

	write_file("s1", "#!@/env elf\n", 0755);
	write_file("s2", "#!@/env s1\n", 0755);
	write_file("s3", "#!@/env s2\n", 0755);
	write_file("s4", "#!@/env s3\n", 0755);
	write_file("s5", "#!@/env s4\n", 0755);
	ck_assert_int_eq(find(&p, "s4"), 0);
	ck_assert(ends_with(p.image, "/elf"));
	program_free(&p);
	ck_assert_int_eq(find(&p, "s5"), 0);
	ck_assert_ptr_null(p.image);
	program_free(&p);
}
END_TEST

START_TEST(env_on_the_command_line)
{
	char env[] = "env", ignore[] = "-i", assignment[] = "A=b", elf[] = "elf";
	char *const plain[] = {env, assignment, elf, ignore, NULL}, *const cleared[] = {env, ignore, elf, NULL};
	char *const alone[] = {env, ignore, NULL};
	struct program p;

	ck_assert_int_eq(program_find(plain, &p), 0);
	ck_assert(ends_with(p.path, "/env") && ends_with(p.image, "/elf") && !p.preload_off);
	program_free(&p);
	ck_assert_int_eq(program_find(cleared, &p), 0);
	ck_assert(ends_with(p.image, "/elf") && p.preload_off);
	program_free(&p);
	ck_assert_int_eq(program_find(alone, &p), 0);
	ck_assert(ends_with(p.image, "/env") && !p.preload_off);
	program_free(&p);
}
END_TEST

START_TEST(facts_of_the_image)
{
	struct program p;

	ck_assert_int_eq(find(&p, "elf"), 0);
	ck_assert_str_eq(p.path, p.image);
	ck_assert_uint_eq(p.elf.bits, 8 * sizeof(void *));
	program_free(&p);
	ck_assert(!p.path && !p.image);
}
END_TEST

Suite *program_suite(void)
{
	Suite *suite = suite_create("program");
	TCase *tc = tcase_create("program");

	tcase_add_checked_fixture(tc, make_folder, folder_remove);
	tcase_add_loop_test(tc, search, 0, sizeof(SEARCHES) / sizeof(SEARCHES[0]));
	tcase_add_test(tc, without_path_as_execvp);
	tcase_add_loop_test(tc, script, 0, sizeof(SCRIPTS) / sizeof(SCRIPTS[0]));
	tcase_add_test(tc, depth);
	tcase_add_test(tc, env_on_the_command_line);
	tcase_add_test(tc, facts_of_the_image);
	suite_add_tcase(suite, tc);
	return suite;
}
