/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose call it is. TLS libraries are built without frame pointers, so the stack is walked by their unwind tables. The
 * shim's innermost frame decides: it called the next one, and if that is the real function behind a hook, the shim
 * only passed the program's own call on; if it is the program's callback, that is the program's too.
 */
#include "tests/helpers/faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

#define DEPTH 200
#define KNOWN 64

static uintptr_t start, end; /* of the shim's code */
static uintptr_t base;
static const ElfW(Sym) * symbols; /* all of them: its file is mapped */
static size_t symbols_n;
static const char *symbol_names;

/* The shim's own functions are hidden from dladdr. */
static void map_symbols(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	const char *file = MAP_FAILED;
	const ElfW(Ehdr) * header;
	const ElfW(Shdr) * section;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (file == MAP_FAILED)
		return;
	header = (const ElfW(Ehdr) *)(const void *)file;
	section = (const ElfW(Shdr) *)(const void *)(file + header->e_shoff);
	for (int i = 0; i < header->e_shnum; i++)
		if (section[i].sh_type == SHT_SYMTAB) {
			symbols = (const ElfW(Sym) *)(const void *)(file + section[i].sh_offset);
			symbols_n = section[i].sh_size / sizeof(*symbols);
			symbol_names = file + section[section[i].sh_link].sh_offset;
		}
}

static int find(struct dl_phdr_info *object, size_t size, void *data)
{
	(void)size, (void)data;
	if (!strstr(object->dlpi_name, "libmtls-run.so"))
		return 0;
	base = object->dlpi_addr;
	map_symbols(object->dlpi_name);
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_LOAD && object->dlpi_phdr[i].p_flags & PF_X) {
			start = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
			end = start + object->dlpi_phdr[i].p_memsz;
		}
	return 1;
}

void faults_find_shim(void)
{
	dl_iterate_phdr(find, NULL);
}

bool faults_direct(const void *caller)
{
	return (uintptr_t)caller - start < end - start;
}

/* --- objects -------------------------------------------------------------------------- */

static bool is_hook(const char *name)
{
	static const char *const hooks[] = {
#define MTLS_HOOK(result, name, ...)         #name,
#define MTLS_HOOK_OPENSSL(result, name, ...) #name,
#define MTLS_HOOK_GNUTLS(result, name, ...)  #name,
#include "shim/hooks.def"
	};

	for (size_t i = 0; name && i < sizeof(hooks) / sizeof(*hooks); i++)
		if (strcmp(name, hooks[i]) == 0)
			return true;
	return false;
}

static bool is_one_of(const Dl_info *object, const char *const *libraries)
{
	const char *slash = object->dli_fname ? strrchr(object->dli_fname, '/') : NULL;

	for (; slash && *libraries; libraries++)
		if (strncmp(slash + 1, *libraries, strlen(*libraries)) == 0)
			return true;
	return false;
}

/* Is this place in the shim in one of its hooks? Most have a body hook_NAME, which the export jumps to or contains. */
static bool in_hook(uintptr_t at)
{
	for (size_t i = 0; i < symbols_n; i++) {
		const char *name = symbol_names + symbols[i].st_name;

		if (at - base - symbols[i].st_value < symbols[i].st_size)
			return strncmp(name, "hook_", 5) == 0 || strstr(name, "_at_") || is_hook(name);
	}
	return true;
}

/*
 * In a library that the shim uses, and not behind a hook: *named, or, where the function called has ended in a jump to
 * another one (SSL_connect does, SSL_ctrl too), not.
 */
static bool in_library(uintptr_t function, bool named)
{
	static const char *const libraries[] = {"libssl", "libcrypto", "libgnutls", "libc.so",
						"libdl",  "ld-linux",  NULL};
	Dl_info info;

	if (!dladdr((void *)function, &info) || !is_one_of(&info, libraries)) // NOLINT(performance-no-int-to-ptr)
		return false;
	if (info.dli_saddr != (void *)function) // NOLINT(performance-no-int-to-ptr)
		return !named;
	return named && !is_hook(info.dli_sname);
}

static bool by_name(uintptr_t function)
{
	return in_library(function, true);
}

static bool by_jump(uintptr_t function)
{
	return in_library(function, false);
}

static bool frail(uintptr_t caller)
{
	static const char *const libraries[] = {"libtasn1", "libgmp", NULL};
	Dl_info info;

	return dladdr((void *)caller, &info) && is_one_of(&info, libraries); // NOLINT(performance-no-int-to-ptr)
}

/* What is asked of one address again and again is looked up once. */
struct known {
	uintptr_t at;
	bool answer;
};

static bool ask(struct known known[KNOWN], uintptr_t at, bool (*judge)(uintptr_t))
{
	struct known *place = &known[(at ^ at >> 9) % KNOWN];

	if (place->at != at)
		*place = (struct known){at, judge(at)};
	return place->answer;
}

bool faults_frail(const void *caller)
{
	static __thread struct known known[KNOWN] __attribute__((tls_model("initial-exec")));

	return ask(known, (uintptr_t)caller, frail);
}

/* --- the stack ------------------------------------------------------------------------- */

struct walk {
	uintptr_t called; /* the function of the frame before */
	int depth;
	bool answer;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *frame, void *of)
{
	static __thread struct known named[KNOWN] __attribute__((tls_model("initial-exec")));
	static __thread struct known jumps[KNOWN] __attribute__((tls_model("initial-exec")));
	static __thread struct known hooks[KNOWN] __attribute__((tls_model("initial-exec")));
	struct walk *walk = of;
	uintptr_t at = _Unwind_GetIP(frame);

	if (at - start < end - start) {
		walk->answer = ask(named, walk->called, by_name) ||
			       (ask(jumps, walk->called, by_jump) && !ask(hooks, at, in_hook));
		return _URC_NORMAL_STOP;
	}
	walk->called = _Unwind_GetRegionStart(frame);
	return ++walk->depth < DEPTH ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

/* An address in the shim somewhere on the stack is a must, and cheaper to look for. */
static bool may_be(void)
{
	extern void *__libc_stack_end;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), top = (uintptr_t)__libc_stack_end;

	if (here > top || top - here > 8U << 20)
		return true; /* another thread's stack */
	for (; here < top; here += sizeof(here))
		if (*(uintptr_t *)here - start < end - start) // NOLINT(performance-no-int-to-ptr)
			return true;
	return false;
}

bool faults_behalf(void)
{
	struct walk walk = {0, 0, false};

	if (start && may_be())
		_Unwind_Backtrace(look, &walk);
	return walk.answer;
}
