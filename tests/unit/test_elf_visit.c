/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_visit of launcher/run/elf.c: what a program asks for, and where its constants are. Inputs
 * are copies of their exact size, so that ASan sees a read past the end.
 */
#include "elf_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "launcher/run/elf.h"

Suite *elf_visit_suite(void);

#define STRINGS  640 /* where the string table is; loaded at LOADED */
#define LOADED   0x10000
#define SECTIONS 768

static char visited[4096];

static void note(const char *what, const char *value)
{
	size_t n = strlen(visited);

	if (n < sizeof(visited) - 512)
		snprintf(visited + n, sizeof(visited) - n, "%s%s%s", n ? " " : "", what, value);
}

static void note_interpreter(void *context, const char *path)
{
	(void)context;
	note("interpreter=", path);
}

static void note_needed(void *context, const char *name)
{
	(void)context;
	note("needed=", name);
}

static void note_audit(void *context)
{
	(void)context;
	note("audit", "");
}

static void note_range(const char *what, uint64_t at, uint64_t n)
{
	char value[64];

	snprintf(value, sizeof(value), "%llu+%llu", (unsigned long long)at, (unsigned long long)n);
	note(what, value);
}

static void note_constants(void *context, uint64_t at, uint64_t n)
{
	(void)context;
	note_range("constants=", at, n);
}

static void note_data(void *context, uint64_t at, uint64_t n)
{
	(void)context;
	note_range("data=", at, n);
}

static const struct elf_visitor NOTE = {NULL, note_interpreter, note_needed, note_audit, note_constants, note_data};

static bool visit(const struct image *m, size_t n)
{
	unsigned char *copy = malloc(n ? n : 1);
	struct mtls_bytes bytes = {copy, n};
	bool ok;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, m->bytes, n);
	visited[0] = '\0';
	ok = elf_visit(elf_from_bytes, &bytes, &NOTE);
	free(copy);
	return ok;
}

static void dynamic_entry(struct image *m, size_t i, uint64_t tag, uint64_t value)
{
	size_t at = DYNAMIC + i * (WIDE(m->layout) ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn));

	FIELD(m, Dyn, d_tag, at, tag);
	FIELD(m, Dyn, d_un, at, value);
}

static void load(struct image *m, unsigned number, uint64_t offset, uint64_t size, uint64_t address, unsigned flags)
{
	size_t at = TABLE + number * segment_size(m);

	segment(m, number, PT_LOAD, offset, size);
	FIELD(m, Phdr, p_vaddr, at, address);
	FIELD(m, Phdr, p_flags, at, flags);
}

/* A program that asks for libone.so and lib2, with its loader's name and its constants. */
static void make_asking(struct image *m, int layout)
{
	static const char strings[] = "\0libone.so\0lib2\0/lib/ld.so";

	begin(m, layout);
	load(m, 0, STRINGS, 64, LOADED, PF_R);
	load(m, 1, 0, 8, 0, PF_R | PF_W);
	segment(m, 2, PT_INTERP, STRINGS + 16, 11);
	segment(m, 3, PT_DYNAMIC, DYNAMIC, 128);
	dynamic_entry(m, 0, DT_NEEDED, 1);
	dynamic_entry(m, 1, DT_STRSZ, sizeof(strings));
	dynamic_entry(m, 2, DT_STRTAB, LOADED);
	dynamic_entry(m, 3, DT_NEEDED, 11);
	dynamic_entry(m, 4, DT_NULL, 0);
	memcpy(m->bytes + STRINGS, strings, sizeof(strings));
	m->n = STRINGS + 64;
}

START_TEST(visits_what_is_there)
{
	struct image m;

	make_asking(&m, _i);
	ck_assert(visit(&m, m.n));
	ck_assert_str_eq(visited, "interpreter=/lib/ld.so needed=libone.so needed=lib2 constants=640+64 data=0+8");
	dynamic_entry(&m, 4, DT_AUDIT, 1);
	ck_assert(visit(&m, m.n));
	ck_assert_ptr_nonnull(strstr(visited, "audit "));
	dynamic_entry(&m, 4, DT_DEPAUDIT, 1);
	ck_assert(visit(&m, m.n));
	ck_assert_ptr_nonnull(strstr(visited, "audit "));
}
END_TEST

/* A name that is outside of its table, or without its end, or empty, is none. */
START_TEST(bad_names_are_left_out)
{
	struct image m;

	make_asking(&m, _i);
	dynamic_entry(&m, 0, DT_NEEDED, 0);
	dynamic_entry(&m, 3, DT_NEEDED, 1 << 20);
	ck_assert(visit(&m, m.n));
	ck_assert_ptr_null(strstr(visited, "needed"));
	make_asking(&m, _i);
	dynamic_entry(&m, 1, DT_STRSZ, 5);
	ck_assert(visit(&m, m.n));
	ck_assert_ptr_null(strstr(visited, "needed"));
	make_asking(&m, _i);
	dynamic_entry(&m, 2, DT_STRTAB, LOADED + 64); /* behind what is loaded */
	ck_assert(visit(&m, m.n));
	ck_assert_ptr_null(strstr(visited, "needed"));
	make_asking(&m, _i);
	memset(m.bytes + STRINGS, 'a', 300);
	m.n = STRINGS + 300;
	dynamic_entry(&m, 1, DT_STRSZ, 300);
	ck_assert(visit(&m, m.n));
	ck_assert_ptr_null(strstr(visited, "needed"));
	ck_assert_ptr_null(strstr(visited, "interpreter"));
}
END_TEST

/* Section headers tell constants from code, which segments of old linkers do not. */
START_TEST(constants_by_sections)
{
	struct image m;
	size_t size = WIDE(_i) ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);

	make_asking(&m, _i);
	FIELD(&m, Ehdr, e_shoff, 0, SECTIONS);
	FIELD(&m, Ehdr, e_shentsize, 0, size);
	FIELD(&m, Ehdr, e_shnum, 0, 3);
	FIELD(&m, Shdr, sh_type, SECTIONS, SHT_PROGBITS);
	FIELD(&m, Shdr, sh_flags, SECTIONS, SHF_ALLOC | SHF_EXECINSTR);
	FIELD(&m, Shdr, sh_size, SECTIONS, 30);
	FIELD(&m, Shdr, sh_type, SECTIONS + size, SHT_PROGBITS);
	FIELD(&m, Shdr, sh_flags, SECTIONS + size, SHF_ALLOC);
	FIELD(&m, Shdr, sh_offset, SECTIONS + size, 700);
	FIELD(&m, Shdr, sh_size, SECTIONS + size, 20);
	FIELD(&m, Shdr, sh_type, SECTIONS + 2 * size, SHT_NOTE);
	FIELD(&m, Shdr, sh_flags, SECTIONS + 2 * size, SHF_ALLOC);
	m.n = SECTIONS + 3 * size;
	ck_assert(visit(&m, m.n));
	ck_assert_ptr_nonnull(strstr(visited, "lib2 constants=700+20 data=0+8"));
	ck_assert(visit(&m, m.n - 1)); /* cut: as without */
	ck_assert_ptr_nonnull(strstr(visited, "lib2 constants=640+64 data=0+8"));
}
END_TEST

START_TEST(visiting_damage)
{
	struct image good, m;

	srand(815);
	make_asking(&good, _i);
	for (int round = 0; round < 20000; round++) {
		m = good;
		for (int flips = rand() % 8; flips >= 0; flips--)
			m.bytes[(size_t)rand() % m.n] = (unsigned char)rand();
		visit(&m, (size_t)rand() % 4 ? m.n : (size_t)rand() % m.n);
	}
}
END_TEST

Suite *elf_visit_suite(void)
{
	Suite *suite = suite_create("elf_visit");
	TCase *tc = tcase_create("elf_visit");

	tcase_add_loop_test(tc, visits_what_is_there, 0, LAYOUTS);
	tcase_add_loop_test(tc, bad_names_are_left_out, 0, LAYOUTS);
	tcase_add_loop_test(tc, constants_by_sections, 0, LAYOUTS);
	tcase_add_loop_test(tc, visiting_damage, 0, LAYOUTS);
	suite_add_tcase(suite, tc);
	return suite;
}
