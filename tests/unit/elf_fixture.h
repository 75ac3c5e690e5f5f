/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files that are made in memory, in both classes and byte orders, for the tests
 * of launcher/run/elf.c.
 */
#ifndef MTLS_TESTS_UNIT_ELF_FIXTURE_H
#define MTLS_TESTS_UNIT_ELF_FIXTURE_H

#include <check.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IMAGE_MAX 2048
#define TABLE     128 /* where the program headers are: not where linkers put them */
#define DYNAMIC   512 /* where the dynamic section is */
#define LAYOUTS   4
#define WIDE(i)   ((i)&1)
#define BIG(i)    ((i)&2)

struct image {
	unsigned char bytes[IMAGE_MAX];
	size_t n;
	int layout; /* bit 0: 64 bits, bit 1: big-endian */
};

static inline void put(struct image *m, size_t at, size_t n, uint64_t value)
{
	for (size_t i = 0; i < n; i++)
		m->bytes[at + (BIG(m->layout) ? n - 1 - i : i)] = (unsigned char)(value >> 8 * i);
	if (m->n < at + n)
		m->n = at + n;
}

#define FIELD(m, type, field, base, value) \
	(WIDE((m)->layout) \
		 ? put((m), (base) + offsetof(Elf64_##type, field), sizeof(((Elf64_##type *)0)->field), (value)) \
		 : put((m), (base) + offsetof(Elf32_##type, field), sizeof(((Elf32_##type *)0)->field), (value)))

static inline size_t segment_size(const struct image *m)
{
	return WIDE(m->layout) ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

static inline void begin(struct image *m, int layout)
{
	static const unsigned char ident[EI_NIDENT] = ELFMAG;

	memset(m, 0, sizeof(*m));
	m->layout = layout;
	memcpy(m->bytes, ident, sizeof(ident));
	m->bytes[EI_CLASS] = WIDE(layout) ? ELFCLASS64 : ELFCLASS32;
	m->bytes[EI_DATA] = BIG(layout) ? ELFDATA2MSB : ELFDATA2LSB;
	FIELD(m, Ehdr, e_type, 0, ET_DYN);
	FIELD(m, Ehdr, e_machine, 0, EM_PPC64);
	FIELD(m, Ehdr, e_phoff, 0, TABLE);
	FIELD(m, Ehdr, e_phentsize, 0, segment_size(m));
}

static inline void segment(struct image *m, unsigned number, unsigned type, uint64_t offset, uint64_t size)
{
	size_t at = TABLE + number * segment_size(m);

	FIELD(m, Phdr, p_type, at, type);
	FIELD(m, Phdr, p_offset, at, offset);
	FIELD(m, Phdr, p_filesz, at, size);
	FIELD(m, Phdr, p_align, at, 0);
	FIELD(m, Ehdr, e_phnum, 0, number + 1);
	m->n = TABLE + (number + 1) * segment_size(m);
}

#endif
