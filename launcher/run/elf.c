/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ELF files; see elf.h. The structures of <elf.h> are not laid over the bytes: class
 * and byte order are the file's, so each field is fetched by its offset.
 */
#include "launcher/run/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX   65536 /* bytes of program headers, the kernel's own limit (fs/binfmt_elf.c) */
#define DYNAMIC_MAX 1024  /* entries; ordinary files have about 30 */

/* Where each class keeps the fields that we need. */
struct layout {
	unsigned char header_size, word, phoff, phentsize, phnum;
	unsigned char segment_size, p_offset, p_filesz;
	unsigned char dynamic_size;
};

static const struct layout layout_32 = {52, 4, 28, 42, 44, 32, 4, 16, 8};
static const struct layout layout_64 = {64, 8, 32, 54, 56, 56, 8, 32, 16};

struct file {
	elf_reader *read;
	const void *from;
	const struct layout *layout;
	bool big_endian;
};

bool elf_from_file(const void *from, uint64_t at, unsigned char *buffer, size_t n)
{
	const int *fd = from;

	if (at > INT64_MAX - n)
		return false;
	while (n > 0) {
		ssize_t got = pread(*fd, buffer, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		buffer += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return true;
}

bool elf_from_bytes(const void *from, uint64_t at, unsigned char *buffer, size_t n)
{
	const struct mtls_bytes *bytes = from;

	if (at > bytes->n || n > bytes->n - at)
		return false;
	memcpy(buffer, bytes->p + at, n);
	return true;
}

static uint64_t number(const struct file *f, const unsigned char *p, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[f->big_endian ? i : n - 1 - i];
	return value;
}

/* Only a shared object has a name: the loader, started by hand, against a static-PIE program. */
static bool has_soname(const struct file *f, const unsigned char *segment)
{
	uint64_t at = number(f, segment + f->layout->p_offset, f->layout->word);
	uint64_t entries = number(f, segment + f->layout->p_filesz, f->layout->word) / f->layout->dynamic_size;
	unsigned char entry[16];

	for (unsigned i = 0; i < entries && i < DYNAMIC_MAX; i++, at += f->layout->dynamic_size) {
		uint64_t tag;

		if (!f->read(f->from, at, entry, f->layout->dynamic_size))
			return false;
		tag = number(f, entry, f->layout->word);
		if (tag == DT_SONAME)
			return true;
		if (tag == DT_NULL)
			return false;
	}
	return false;
}

static bool read_linkage(const struct file *f, const unsigned char *header, enum elf_linkage *out)
{
	const struct layout *l = f->layout;
	uint64_t at = number(f, header + l->phoff, l->word);
	unsigned n = (unsigned)number(f, header + l->phnum, 2);
	unsigned char segment[sizeof(Elf64_Phdr)];

	if (n == 0 || n * l->segment_size > TABLE_MAX || number(f, header + l->phentsize, 2) != l->segment_size)
		return false;
	*out = ELF_STATIC;
	for (; n > 0; n--, at += l->segment_size) {
		if (!f->read(f->from, at, segment, l->segment_size))
			return false;
		switch (number(f, segment, 4)) {
		case PT_INTERP:
			*out = ELF_DYNAMIC;
			return true;
		case PT_DYNAMIC:
			*out = has_soname(f, segment) ? ELF_DYNAMIC : ELF_STATIC_PIE;
			break;
		}
	}
	return true;
}

bool elf_read(elf_reader *read, const void *from, struct elf *out)
{
	struct file f = {.read = read, .from = from};
	unsigned char header[sizeof(Elf64_Ehdr)];
	unsigned type;

	if (!read(from, 0, header, EI_NIDENT) || memcmp(header, ELFMAG, SELFMAG) != 0 ||
	    (header[EI_CLASS] != ELFCLASS32 && header[EI_CLASS] != ELFCLASS64) ||
	    (header[EI_DATA] != ELFDATA2LSB && header[EI_DATA] != ELFDATA2MSB))
		return false;
	f.layout = header[EI_CLASS] == ELFCLASS64 ? &layout_64 : &layout_32;
	f.big_endian = header[EI_DATA] == ELFDATA2MSB;
	if (!read(from, 0, header, f.layout->header_size))
		return false;
	type = (unsigned)number(&f, header + offsetof(Elf64_Ehdr, e_type), 2);
	if (type != ET_EXEC && type != ET_DYN)
		return false;
	out->machine = (unsigned)number(&f, header + offsetof(Elf64_Ehdr, e_machine), 2);
	out->bits = header[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	out->big_endian = f.big_endian;
	return read_linkage(&f, header, &out->linkage);
}

bool elf_same_machine(const struct elf *a, const struct elf *b)
{
	return a->machine == b->machine && a->bits == b->bits && a->big_endian == b->big_endian;
}

const char *elf_machine_name(const struct elf *e)
{
	switch (e->machine) {
	case EM_X86_64:
		return e->bits == 64 ? "x86-64" : "x32";
	case EM_386:
		return "32-bit x86";
	case EM_AARCH64:
		return e->bits == 64 ? "AArch64" : "AArch64 ILP32";
	case EM_ARM:
		return "32-bit ARM";
	case EM_RISCV:
		return e->bits == 64 ? "64-bit RISC-V" : "32-bit RISC-V";
	case EM_PPC64:
		return e->big_endian ? "big-endian POWER" : "little-endian POWER";
	case EM_PPC:
		return "32-bit PowerPC";
	case EM_S390:
		return e->bits == 64 ? "s390x" : "s390";
	case EM_MIPS:
		return "MIPS";
	default:
		return "an unusual machine";
	}
}
