/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few facts of an ELF file that tell whether LD_PRELOAD can reach it, and
 * which libraries it asks for (System V gABI, chapters 4 and 5; elf(5)). Made for hostile files:
 * every read is checked, the work is bounded, and nothing is allocated or kept.
 */
#ifndef MTLS_LAUNCHER_RUN_ELF_H
#define MTLS_LAUNCHER_RUN_ELF_H

#include "core/bytes.h"

enum elf_linkage {
	ELF_DYNAMIC, /* a loader reads LD_PRELOAD: PT_INTERP names it, or the file is a loader or library itself */
	ELF_STATIC,
	ELF_STATIC_PIE, /* position-independent, relocates itself */
};

struct elf {
	unsigned machine; /* EM_X86_64 … */
	unsigned bits;    /* 32 or 64 */
	bool big_endian;
	enum elf_linkage linkage;
};

/* Reads exactly n bytes at offset at of from; false: they are not there. */
typedef bool elf_reader(const void *from, uint64_t at, unsigned char *buffer, size_t n);

elf_reader elf_from_file;  /* from: int *, a descriptor; its position is not moved */
elf_reader elf_from_bytes; /* from: struct mtls_bytes * */

/* false: not an executable or shared object that Linux would take; *out is then not to be used. */
bool elf_read(elf_reader *, const void *from, struct elf *out);

#define ELF_NAME_MAX 256 /* bytes of a name in the file, with its NUL; a longer one is left out */

/* What else the file tells. The strings are lent for the call. */
struct elf_visitor {
	void *context;
	/* The loader (PT_INTERP), before all others. */
	void (*interpreter)(void *context, const char *path);
	/* A library that it asks for (DT_NEEDED), in the file's order. */
	void (*needed)(void *context, const char *name);
	/* It makes the loader run code of a library's own choice even when it only lists (DT_AUDIT, DT_DEPAUDIT). */
	void (*audit)(void *context);
	/* A stretch of the file that is constant data of the program, where its strings are. */
	void (*constants)(void *context, uint64_t at, uint64_t n);
	/* A stretch of the file that is loaded as variable data. */
	void (*data)(void *context, uint64_t at, uint64_t n);
};

/* A member that is NULL is not called and costs nothing. false: as elf_read. */
bool elf_visit(elf_reader *, const void *from, const struct elf_visitor *);

/* Can a library of the one kind be loaded into a program of the other? */
bool elf_same_machine(const struct elf *, const struct elf *);
/* "x86-64", "AArch64", …; static. */
const char *elf_machine_name(const struct elf *);

#endif
