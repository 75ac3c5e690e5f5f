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
#define SECTION_MAX 4096  /* ordinary files have about 30 */
#define NAME_BLOCK  32    /* divides ELF_NAME_MAX */

/* Where each class keeps the fields that we need. */
struct layout {
	unsigned char header_size, word, phoff, shoff, phentsize, phnum, shentsize, shnum;
	unsigned char segment_size, p_flags, p_offset, p_vaddr, p_filesz;
	unsigned char dynamic_size;
	unsigned char section_size, sh_flags, sh_offset, sh_size;
};

static const struct layout layout_32 = {52, 4, 28, 32, 42, 44, 46, 48, 32, 24, 4, 8, 16, 8, 40, 8, 16, 20};
static const struct layout layout_64 = {64, 8, 32, 40, 54, 56, 58, 60, 56, 4, 8, 16, 32, 16, 64, 8, 24, 32};

struct file {
	elf_reader *read;
	const void *from;
	const struct layout *layout;
	bool big_endian;
	unsigned char header[sizeof(Elf64_Ehdr)];
};

struct segment {
	unsigned type, flags;
	uint64_t at, address, n;
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

static uint64_t header_number(const struct file *f, size_t at, size_t n)
{
	return number(f, f->header + at, n);
}

/* false: not an executable or shared object. */
static bool open_file(elf_reader *read, const void *from, struct file *f)
{
	unsigned type;

	memset(f, 0, sizeof(*f));
	f->read = read;
	f->from = from;
	if (!read(from, 0, f->header, EI_NIDENT) || memcmp(f->header, ELFMAG, SELFMAG) != 0 ||
	    (f->header[EI_CLASS] != ELFCLASS32 && f->header[EI_CLASS] != ELFCLASS64) ||
	    (f->header[EI_DATA] != ELFDATA2LSB && f->header[EI_DATA] != ELFDATA2MSB))
		return false;
	f->layout = f->header[EI_CLASS] == ELFCLASS64 ? &layout_64 : &layout_32;
	f->big_endian = f->header[EI_DATA] == ELFDATA2MSB;
	if (!read(from, 0, f->header, f->layout->header_size))
		return false;
	type = (unsigned)header_number(f, offsetof(Elf64_Ehdr, e_type), 2);
	return type == ET_EXEC || type == ET_DYN;
}

/* 0: a table that Linux would not take. */
static unsigned segments(const struct file *f)
{
	const struct layout *l = f->layout;
	unsigned n = (unsigned)header_number(f, l->phnum, 2);

	if (n * l->segment_size > TABLE_MAX || header_number(f, l->phentsize, 2) != l->segment_size)
		return 0;
	return n;
}

static bool read_segment(const struct file *f, unsigned i, struct segment *out)
{
	const struct layout *l = f->layout;
	uint64_t table = header_number(f, l->phoff, l->word);
	unsigned char bytes[sizeof(Elf64_Phdr)];

	if (!f->read(f->from, table + (uint64_t)i * l->segment_size, bytes, l->segment_size))
		return false;
	out->type = (unsigned)number(f, bytes, 4);
	out->flags = (unsigned)number(f, bytes + l->p_flags, 4);
	out->at = number(f, bytes + l->p_offset, l->word);
	out->address = number(f, bytes + l->p_vaddr, l->word);
	out->n = number(f, bytes + l->p_filesz, l->word);
	return true;
}

static bool find_segment(const struct file *f, unsigned type, struct segment *out)
{
	for (unsigned i = 0; i < segments(f) && read_segment(f, i, out); i++)
		if (out->type == type)
			return true;
	return false;
}

/* Entry i of the dynamic section. false: its end, or too many. */
static bool read_dynamic(const struct file *f, const struct segment *dynamic, unsigned i, uint64_t *tag,
			 uint64_t *value)
{
	const struct layout *l = f->layout;
	unsigned char entry[2 * sizeof(uint64_t)];

	if (i >= DYNAMIC_MAX || i >= dynamic->n / l->dynamic_size ||
	    !f->read(f->from, dynamic->at + (uint64_t)i * l->dynamic_size, entry, l->dynamic_size))
		return false;
	*tag = number(f, entry, l->word);
	*value = number(f, entry + l->word, l->word);
	return *tag != DT_NULL;
}

/* Only a shared object has a name: the loader, started by hand, against a static-PIE program. */
static bool has_soname(const struct file *f, const struct segment *dynamic)
{
	uint64_t tag, value;

	for (unsigned i = 0; read_dynamic(f, dynamic, i, &tag, &value); i++)
		if (tag == DT_SONAME)
			return true;
	return false;
}

static bool read_linkage(const struct file *f, enum elf_linkage *out)
{
	unsigned n = segments(f);
	struct segment s;

	*out = ELF_STATIC;
	for (unsigned i = 0; i < n; i++) {
		if (!read_segment(f, i, &s))
			return false;
		if (s.type == PT_INTERP) {
			*out = ELF_DYNAMIC;
			return true;
		}
		if (s.type == PT_DYNAMIC)
			*out = has_soname(f, &s) ? ELF_DYNAMIC : ELF_STATIC_PIE;
	}
	return n > 0;
}

bool elf_read(elf_reader *read, const void *from, struct elf *out)
{
	struct file f;

	if (!open_file(read, from, &f))
		return false;
	out->machine = (unsigned)header_number(&f, offsetof(Elf64_Ehdr, e_machine), 2);
	out->bits = f.header[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	out->big_endian = f.big_endian;
	return read_linkage(&f, &out->linkage);
}

/* The name at offset at, of at most n bytes with its NUL. In blocks, at the file's end byte by byte. */
static bool read_name(const struct file *f, uint64_t at, uint64_t n, char name[ELF_NAME_MAX])
{
	size_t step;

	for (size_t i = 0; i < n && i < ELF_NAME_MAX; i += step) {
		step = n - i < NAME_BLOCK ? (size_t)(n - i) : NAME_BLOCK;
		if (!f->read(f->from, at + i, (unsigned char *)name + i, step)) {
			step = 1;
			if (!f->read(f->from, at + i, (unsigned char *)name + i, step))
				return false;
		}
		if (memchr(name + i, '\0', step))
			return name[0] != '\0';
	}
	return false;
}

/* Where in the file the byte at that address is. */
static bool in_file(const struct file *f, uint64_t address, uint64_t *at)
{
	unsigned n = segments(f);
	struct segment s;

	for (unsigned i = 0; i < n && read_segment(f, i, &s); i++) {
		if (s.type == PT_LOAD && address >= s.address && address - s.address < s.n) {
			*at = s.at + (address - s.address);
			return true;
		}
	}
	return false;
}

static void visit_dynamic(const struct file *f, const struct segment *dynamic, const struct elf_visitor *v)
{
	uint64_t tag, value, table = 0, strings, size = 0;
	char name[ELF_NAME_MAX];

	for (unsigned i = 0; read_dynamic(f, dynamic, i, &tag, &value); i++) {
		if (tag == DT_STRTAB)
			table = value;
		else if (tag == DT_STRSZ)
			size = value;
		else if ((tag == DT_AUDIT || tag == DT_DEPAUDIT) && v->audit)
			v->audit(v->context);
	}
	if (!v->needed || !in_file(f, table, &strings))
		return;
	for (unsigned i = 0; read_dynamic(f, dynamic, i, &tag, &value); i++)
		if (tag == DT_NEEDED && value < size && read_name(f, strings + value, size - value, name))
			v->needed(v->context, name);
}

/* From the section headers, which tell constants from code and from unwinding tables best. false: there are none. */
static bool visit_sections(const struct file *f, const struct elf_visitor *v)
{
	const struct layout *l = f->layout;
	uint64_t table = header_number(f, l->shoff, l->word);
	unsigned n = (unsigned)header_number(f, l->shnum, 2);
	unsigned char block[16 * sizeof(Elf64_Shdr)];
	bool any = false;

	if (!table || n > SECTION_MAX || header_number(f, l->shentsize, 2) != l->section_size)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const unsigned char *s = block + (size_t)(i % 16) * l->section_size;
		size_t left = n - i < 16 ? n - i : 16;

		if (i % 16 == 0 &&
		    !f->read(f->from, table + (uint64_t)i * l->section_size, block, left * l->section_size))
			break;
		if (number(f, s + 4, 4) != SHT_PROGBITS || number(f, s + l->sh_flags, l->word) != SHF_ALLOC)
			continue;
		any = true;
		v->constants(v->context, number(f, s + l->sh_offset, l->word), number(f, s + l->sh_size, l->word));
	}
	return any;
}

/* The segments that are loaded, those to be written to or the others. */
static void visit_loads(const struct file *f, bool writable, void *context,
			void (*visit)(void *context, uint64_t at, uint64_t n))
{
	unsigned n = segments(f);
	struct segment s;

	for (unsigned i = 0; i < n && read_segment(f, i, &s); i++)
		if (s.type == PT_LOAD && writable == ((s.flags & PF_W) != 0))
			visit(context, s.at, s.n);
}

bool elf_visit(elf_reader *read, const void *from, const struct elf_visitor *v)
{
	char name[ELF_NAME_MAX];
	struct segment s;
	struct file f;

	if (!open_file(read, from, &f) || segments(&f) == 0)
		return false;
	if (v->interpreter && find_segment(&f, PT_INTERP, &s) && read_name(&f, s.at, s.n, name))
		v->interpreter(v->context, name);
	if ((v->needed || v->audit) && find_segment(&f, PT_DYNAMIC, &s))
		visit_dynamic(&f, &s, v);
	if (v->constants && !visit_sections(&f, v))
		visit_loads(&f, false, v->context, v->constants);
	if (v->data)
		visit_loads(&f, true, v->context, v->data);
	return true;
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
