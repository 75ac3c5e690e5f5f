/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher/run/closure.c with the system's loader and this program itself; and with programs that name a
 * loader of their own, which must not run.
 */
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/run/child.h"
#include "launcher/run/closure.h"

#define AT_LOADER  1024
#define AT_DYNAMIC 2048
#define AT_STRINGS 3072

Suite *closure_suite(void);

static char folder[] = "/tmp/mtls-closure.XXXXXX";
static char program[64], loader[64], mark[64];

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(program, sizeof(program), "%s/program", folder);
	snprintf(loader, sizeof(loader), "%s/ld-own.so.2", folder);
	snprintf(mark, sizeof(mark), "%s/mark", folder);
}

static void remove_folder(void)
{
	unlink(program);
	unlink(loader);
	unlink(mark);
	rmdir(folder);
	memset(folder + sizeof(folder) - 7, 'X', 6);
}

/* A loader that leaves a mark when it runs. */
static void make_loader(mode_t mode, uid_t owner)
{
	FILE *f = fopen(loader, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/sh\n: >%s\necho '\tlibfound.so => /libfound.so (0x1)'\n", mark);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(loader, mode), 0);
	if (owner != geteuid() && chown(loader, owner, (gid_t)-1) != 0)
		ck_abort_msg("needs root");
}

static bool ran(void)
{
	return access(mark, F_OK) == 0;
}

/* A program that asks for libneeded.so; tag: one more entry of its dynamic section. */
static void make_program(const char *its_loader, Elf64_Sxword tag)
{
	static const char strings[] = "\0libneeded.so";
	unsigned char bytes[4096] = {0};
	Elf64_Ehdr header = {.e_ident = ELFMAG,
			     .e_type = ET_DYN,
			     .e_machine = EM_X86_64,
			     .e_phoff = sizeof(header),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = 3};
	Elf64_Phdr segments[] = {
		{.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = sizeof(bytes)},
		{.p_type = PT_INTERP, .p_offset = AT_LOADER, .p_filesz = 512},
		{.p_type = PT_DYNAMIC, .p_offset = AT_DYNAMIC, .p_filesz = 512},
	};
	Elf64_Dyn dynamic[] = {
		{DT_NEEDED, {1}}, {DT_STRTAB, {AT_STRINGS}}, {DT_STRSZ, {sizeof(strings)}}, {tag, {1}}, {DT_NULL, {0}}};
	int fd = open(program, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), segments, sizeof(segments));
	memcpy(bytes + AT_DYNAMIC, dynamic, sizeof(dynamic));
	memcpy(bytes + AT_STRINGS, strings, sizeof(strings));
	memcpy(bytes + AT_LOADER, its_loader, strlen(its_loader));
	ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	ck_assert_int_eq(close(fd), 0);
}

static const struct closure_node *node(const struct closure *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strncmp(c->node[i].name, name, strlen(name)) == 0)
			return &c->node[i];
	ck_abort_msg("%s is not in the list", name);
	return NULL;
}

START_TEST(this_program)
{
	struct closure c;
	const struct closure_node *libc, *crypto;

	closure_read("/proc/self/exe", "/nonexistent/libshim.so", &c);
	ck_assert_msg(!c.doubt, "%s", c.doubt);
	ck_assert(c.shim_refused); /* there is none */
	libc = node(&c, "libc.so.6");
	crypto = node(&c, "libcrypto.so.");
	ck_assert_int_eq(libc->parent, CLOSURE_PROGRAM);
	ck_assert_int_eq(crypto->parent, CLOSURE_PROGRAM);
	ck_assert_int_eq(access(crypto->path, R_OK), 0);
	for (size_t i = 0; i < c.n; i++) /* nearest first */
		ck_assert(c.node[i].parent < (int)i);
	closure_free(&c);
	ck_assert(c.n == 0 && !c.node);
}
END_TEST

/* Something that it loads itself does for a shim. */
START_TEST(a_shim_that_is_taken)
{
	struct closure c;
	char *crypto;

	closure_read("/proc/self/exe", "/nonexistent/libshim.so", &c);
	crypto = strdup(node(&c, "libcrypto.so.")->path);
	closure_free(&c);
	closure_read("/proc/self/exe", crypto, &c);
	ck_assert(!c.shim_refused && !c.doubt);
	closure_free(&c);
	free(crypto);
}
END_TEST

static void expect_direct_only(const char *doubt)
{
	struct closure c;

	closure_read(program, "/nonexistent/libshim.so", &c);
	ck_assert(!ran());
	ck_assert_ptr_nonnull(c.doubt);
	ck_assert_msg(strstr(c.doubt, doubt), "%s", c.doubt);
	ck_assert(!c.shim_refused);
	ck_assert_uint_eq(c.n, 1);
	ck_assert_str_eq(c.node[0].name, "libneeded.so");
	ck_assert_ptr_null(c.node[0].path);
	ck_assert_int_eq(c.node[0].parent, CLOSURE_PROGRAM);
	closure_free(&c);
}

/* A file can name any program as its loader. */
START_TEST(a_loader_of_somebody_is_not_run)
{
	make_program(loader, DT_BIND_NOW);
	expect_direct_only("not one of the system's"); /* missing */
	make_loader(0777, 0);
	expect_direct_only("not one of the system's");
	make_loader(0775, 0);
	expect_direct_only("not one of the system's");
	make_loader(04755, 0);
	expect_direct_only("not one of the system's");
	make_loader(0755, 65534);
	expect_direct_only("not one of the system's");
	make_program("/bin/sh", DT_BIND_NOW);
	expect_direct_only("not one of the system's");
	make_program("ld-linux-x86-64.so.2", DT_BIND_NOW);
	expect_direct_only("not one of the system's");
}
END_TEST

START_TEST(a_loader_of_root_is_run)
{
	struct closure c;

	make_loader(0755, 0);
	make_program(loader, DT_BIND_NOW);
	closure_read(program, "/nonexistent/libshim.so", &c);
	ck_assert(ran());
	ck_assert(!c.doubt && c.shim_refused);
	ck_assert_str_eq(node(&c, "libfound.so")->path, "/libfound.so");
	closure_free(&c);
}
END_TEST

/* With DT_AUDIT the true loader would run what the file wants. */
START_TEST(a_program_with_an_auditor_is_not_listed)
{
	make_loader(0755, 0);
	make_program(loader, DT_AUDIT);
	expect_direct_only("DT_AUDIT");
	make_program(loader, DT_DEPAUDIT);
	expect_direct_only("DT_AUDIT");
}
END_TEST

START_TEST(without_a_loader_or_a_file)
{
	struct closure c;

	make_program("", DT_BIND_NOW);
	expect_direct_only("no loader");
	unlink(program);
	closure_read(program, "/nonexistent/libshim.so", &c);
	ck_assert(c.n == 0 && c.doubt);
	closure_free(&c);
	ck_assert_int_eq(mkfifo(program, 0600), 0);
	closure_read(program, "/nonexistent/libshim.so", &c);
	ck_assert(c.n == 0 && c.doubt);
	closure_free(&c);
}
END_TEST

/* --- child.c -------------------------------------------------------------------- */

static void run(const char *script, struct child *out)
{
	char *argv[] = {strdup("/bin/sh"), strdup("-c"), strdup(script), NULL};

	child_run(argv, environ, true, out);
	for (int i = 0; i < 3; i++)
		free(argv[i]);
}

START_TEST(children)
{
	struct child c;

	run("echo said; exit 7", &c);
	ck_assert_int_eq(c.status, 7);
	ck_assert_str_eq(c.output, "said\n");
	ck_assert(c.error_is_empty);
	free(c.output);
	run("echo complained >&2; cat", &c);
	ck_assert_str_eq(c.output, "");
	ck_assert(!c.error_is_empty);
	free(c.output);
	run("kill -KILL $$", &c);
	ck_assert_int_eq(c.status, -1);
	free(c.output);
	run("head -c 3000000 /dev/zero | tr '\\0' x", &c); /* what is too much is dropped, and nobody waits for ever */
	ck_assert_int_eq(c.status, 0);
	ck_assert_uint_ge(strlen(c.output), 1000000);
	ck_assert_uint_lt(strlen(c.output), 3000000);
	free(c.output);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(environment_of_a_child)
{
	static const char *const off[] = {"MTLS_TEST_A=", "MTLS_TEST_P"};
	char **envp;
	bool kept = false;

	setenv("MTLS_TEST_A", "1", 1);
	setenv("MTLS_TEST_AB", "1", 1);
	setenv("MTLS_TEST_PREFIX", "1", 1);
	envp = child_environment(off, 2);
	for (char **e = envp; *e; e++) {
		ck_assert(strncmp(*e, "MTLS_TEST_A=", 12) != 0 && strncmp(*e, "MTLS_TEST_P", 11) != 0);
		kept = kept || strcmp(*e, "MTLS_TEST_AB=1") == 0;
	}
	ck_assert(kept);
	free(envp);
}
END_TEST

Suite *closure_suite(void)
{
	Suite *suite = suite_create("closure");
	TCase *tc = tcase_create("closure");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, make_folder, remove_folder);
	tcase_add_test(tc, this_program);
	tcase_add_test(tc, a_shim_that_is_taken);
	if (geteuid() == 0) {
		tcase_add_test(tc, a_loader_of_somebody_is_not_run);
		tcase_add_test(tc, a_loader_of_root_is_run);
		tcase_add_test(tc, a_program_with_an_auditor_is_not_listed);
	}
	tcase_add_test(tc, without_a_loader_or_a_file);
	tcase_add_test(tc, children);
	tcase_add_test(tc, environment_of_a_child);
	suite_add_tcase(suite, tc);
	return suite;
}
