/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher/run/elf.c on files that are made here, in both classes and byte
 * orders, whole and spoilt. Inputs are copies of their exact size, so that ASan sees a read past the end.
 */
#include "elf_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "launcher/run/elf.h"

Suite *elf_suite(void);

static void dynamic(struct image *m, const unsigned *tags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = DYNAMIC + i * (WIDE(m->layout) ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn));

		FIELD(m, Dyn, d_tag, at, tags[i]);
		FIELD(m, Dyn, d_un, at, 1);
	}
}

static bool parse_bytes(const unsigned char *p, size_t n, struct elf *out)
{
	unsigned char *copy = malloc(n ? n : 1);
	struct mtls_bytes bytes = {copy, n};
	bool ok;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	ok = elf_read(elf_from_bytes, &bytes, out);
	free(copy);
	return ok;
}

static bool parse(const struct image *m, struct elf *out)
{
	return parse_bytes(m->bytes, m->n, out);
}

START_TEST(facts_of_a_dynamic_program)
{
	struct image m;
	struct elf e;

	begin(&m, _i);
	segment(&m, 0, PT_LOAD, 0, 1);
	segment(&m, 1, PT_DYNAMIC, DYNAMIC, 0);
	segment(&m, 2, PT_INTERP, 0, 1);
	ck_assert(parse(&m, &e));
	ck_assert_uint_eq(e.machine, EM_PPC64);
	ck_assert_uint_eq(e.bits, WIDE(_i) ? 64 : 32);
	ck_assert_int_eq(e.big_endian, BIG(_i) != 0);
	ck_assert_int_eq(e.linkage, ELF_DYNAMIC);
}
END_TEST

START_TEST(static_without_interpreter)
{
	struct image m;
	struct elf e;

	begin(&m, _i);
	FIELD(&m, Ehdr, e_type, 0, ET_EXEC);
	segment(&m, 0, PT_LOAD, 0, 1);
	ck_assert(parse(&m, &e));
	ck_assert_int_eq(e.linkage, ELF_STATIC);
}
END_TEST

/* What tells the loader itself from a static-PIE program is its name; what stands behind DT_NULL does not count. */
START_TEST(static_pie_or_loader)
{
	static const unsigned pie[] = {DT_HASH, DT_FLAGS_1, DT_NULL, DT_SONAME},
			      loader[] = {DT_HASH, DT_SONAME, DT_NULL};
	struct image m;
	struct elf e;

	begin(&m, _i);
	segment(&m, 0, PT_DYNAMIC, DYNAMIC, 256);
	dynamic(&m, pie, 4);
	ck_assert(parse(&m, &e));
	ck_assert_int_eq(e.linkage, ELF_STATIC_PIE);
	dynamic(&m, loader, 3);
	ck_assert(parse(&m, &e));
	ck_assert_int_eq(e.linkage, ELF_DYNAMIC);
	segment(&m, 0, PT_DYNAMIC, DYNAMIC, WIDE(_i) ? 16 : 8); /* ends before the name */
	m.n = IMAGE_MAX;
	ck_assert(parse(&m, &e));
	ck_assert_int_eq(e.linkage, ELF_STATIC_PIE);
}
END_TEST

START_TEST(dynamic_section_elsewhere)
{
	static const uint64_t offsets[] = {IMAGE_MAX, 0x7fffffff, 0xfffffff0, UINT64_MAX - 7, (uint64_t)INT64_MAX};
	struct image m;
	struct elf e;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		begin(&m, _i);
		segment(&m, 0, PT_DYNAMIC, offsets[i], UINT64_MAX);
		ck_assert(parse(&m, &e));
		ck_assert_int_eq(e.linkage, ELF_STATIC_PIE);
	}
}
END_TEST

START_TEST(every_shorter_file_is_refused)
{
	struct image m;
	struct elf e;

	begin(&m, _i);
	segment(&m, 0, PT_LOAD, 0, 1);
	segment(&m, 1, PT_LOAD, 0, 1);
	for (size_t n = 0; n < m.n; n++)
		ck_assert_msg(!parse_bytes(m.bytes, n, &e), "%zu bytes of %zu", n, m.n);
	ck_assert(parse(&m, &e));
}
END_TEST

static void spoil(struct image *m, int how)
{
	switch (how) {
	case 0:
		m->bytes[EI_MAG0] = 'E';
		break;
	case 1:
		m->bytes[EI_CLASS] = ELFCLASSNONE;
		break;
	case 2:
		m->bytes[EI_CLASS] = ELFCLASS64 + 1;
		break;
	case 3:
		m->bytes[EI_DATA] = ELFDATANONE;
		break;
	case 4:
		m->bytes[EI_DATA] = ELFDATA2MSB + 1;
		break;
	case 5:
		FIELD(m, Ehdr, e_type, 0, ET_REL);
		break;
	case 6:
		FIELD(m, Ehdr, e_type, 0, ET_CORE);
		break;
	case 7:
		FIELD(m, Ehdr, e_phnum, 0, 0);
		break;
	case 8:
		FIELD(m, Ehdr, e_phnum, 0, 0xffff);
		break;
	case 9:
		FIELD(m, Ehdr, e_phentsize, 0, segment_size(m) + 1);
		break;
	case 10:
		FIELD(m, Ehdr, e_phentsize, 0, 0);
		break;
	case 11:
		FIELD(m, Ehdr, e_phoff, 0, m->n);
		break;
	case 12:
		FIELD(m, Ehdr, e_phoff, 0, UINT64_MAX);
		break;
	default:
		FIELD(m, Ehdr, e_phoff, 0, UINT64_MAX - 16);
		break;
	}
}

START_TEST(spoilt_headers_are_refused)
{
	struct image m;
	struct elf e;

	for (int how = 0; how < 14; how++) {
		begin(&m, _i);
		segment(&m, 0, PT_LOAD, 0, 1);
		ck_assert(parse(&m, &e));
		spoil(&m, how);
		ck_assert_msg(!parse(&m, &e), "spoilt in way %d", how);
	}
}
END_TEST

/* No crash, no endless work; what is accepted has sane facts. */
START_TEST(random_damage)
{
	static const unsigned tags[] = {DT_HASH, DT_SONAME, DT_NULL};
	struct image good, m;
	struct elf e;

	srand(4711);
	begin(&good, _i);
	segment(&good, 0, PT_LOAD, 0, 1);
	segment(&good, 1, PT_DYNAMIC, DYNAMIC, 64);
	segment(&good, 2, PT_INTERP, 0, 1);
	dynamic(&good, tags, 3);
	for (int round = 0; round < 20000; round++) {
		m = good;
		for (int flips = rand() % 8; flips >= 0; flips--)
			m.bytes[(size_t)rand() % (rand() % 2 ? 64 : m.n)] = (unsigned char)rand();
		m.n = (size_t)rand() % 4 ? m.n : (size_t)rand() % m.n;
		if (parse(&m, &e))
			ck_assert((e.bits == 32 || e.bits == 64) && e.linkage <= ELF_STATIC_PIE &&
				  elf_machine_name(&e)[0]);
	}
}
END_TEST

/* A file without end: the image, then ones for ever. Counts the reads. */
struct endless {
	const struct image *image;
	unsigned *reads;
};

static bool read_endless(const void *from, uint64_t at, unsigned char *buffer, size_t n)
{
	const struct endless *file = from;

	memset(buffer, 1, n);
	if (at < file->image->n)
		memcpy(buffer, file->image->bytes + at, file->image->n - at < n ? file->image->n - at : n);
	++*file->reads;
	return true;
}

START_TEST(work_is_bounded)
{
	unsigned reads = 0;
	struct image m;
	struct endless file = {&m, &reads};
	struct elf e;

	begin(&m, _i);
	segment(&m, 0, PT_DYNAMIC, DYNAMIC, UINT64_MAX);
	ck_assert(elf_read(read_endless, &file, &e));
	ck_assert_int_eq(e.linkage, ELF_STATIC_PIE);
	ck_assert_uint_lt(reads, 2000);
	FIELD(&m, Ehdr, e_phnum, 0, 0xffff);
	ck_assert(!elf_read(read_endless, &file, &e));
}
END_TEST

START_TEST(a_real_file)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf e;

	ck_assert_int_ge(fd, 0);
	ck_assert(elf_read(elf_from_file, &fd, &e));
	ck_assert_uint_eq(e.bits, 8 * sizeof(void *));
	ck_assert_int_eq(e.linkage, ELF_DYNAMIC); /* sanitizers link no static programs */
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert(!elf_read(elf_from_file, &fd, &e));
	close(fd);
	ck_assert(!elf_read(elf_from_file, &fd, &e));
}
END_TEST

START_TEST(machines_are_compared_and_named)
{
	struct elf a = {.machine = EM_X86_64, .bits = 64}, b = a;

	ck_assert(elf_same_machine(&a, &b));
	b.linkage = ELF_STATIC;
	ck_assert(elf_same_machine(&a, &b));
	b.bits = 32;
	ck_assert(!elf_same_machine(&a, &b));
	ck_assert_str_eq(elf_machine_name(&a), "x86-64");
	ck_assert_str_eq(elf_machine_name(&b), "x32");
	b = a;
	b.machine = EM_AARCH64;
	ck_assert(!elf_same_machine(&a, &b));
	ck_assert_str_eq(elf_machine_name(&b), "AArch64");
	b = a;
	b.big_endian = true;
	ck_assert(!elf_same_machine(&a, &b));
	b.machine = 0xfefe;
	ck_assert_str_eq(elf_machine_name(&b), "an unusual machine");
}
END_TEST

Suite *elf_suite(void)
{
	Suite *suite = suite_create("elf");
	TCase *tc = tcase_create("elf");

	tcase_add_loop_test(tc, facts_of_a_dynamic_program, 0, LAYOUTS);
	tcase_add_loop_test(tc, static_without_interpreter, 0, LAYOUTS);
	tcase_add_loop_test(tc, static_pie_or_loader, 0, LAYOUTS);
	tcase_add_loop_test(tc, dynamic_section_elsewhere, 0, LAYOUTS);
	tcase_add_loop_test(tc, every_shorter_file_is_refused, 0, LAYOUTS);
	tcase_add_loop_test(tc, spoilt_headers_are_refused, 0, LAYOUTS);
	tcase_add_loop_test(tc, random_damage, 0, LAYOUTS);
	tcase_add_loop_test(tc, work_is_bounded, 0, LAYOUTS);
	tcase_add_test(tc, a_real_file);
	tcase_add_test(tc, machines_are_compared_and_named);
	suite_add_tcase(suite, tc);
	return suite;
}
