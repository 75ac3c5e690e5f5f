/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exported dlsym. RTLD_NEXT and RTLD_DEFAULT look at the address that a call returns to, so that a call of our
 * own must not stand between: assembler asks dlsym_want, and then jumps to the next dlsym as if it had never been here.
 * Where there is none for this architecture, programs reach TLS libraries past us by their handles.
 */
#include "shim/dlsym.h"

#include "shim/dl.h"

#ifdef MTLS_DLSYM

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

typedef void *(*dlsym_function)(void *, const char *);

/* Read by the assembler: libc's, or another preloaded library's hook behind ours. Set before the first use. */
extern _Atomic(dlsym_function) dlsym_next;
_Atomic(dlsym_function) dlsym_next;

static void *no_dlsym(void *handle, const char *name)
{
	(void)handle, (void)name;
	return NULL;
}

static dlsym_function next_dlsym(void)
{
	dlsym_function function = atomic_load_explicit(&dlsym_next, memory_order_acquire);

	if (function)
		return function;
	*(void **)&function = dl_symbol(RTLD_NEXT, "dlsym");
	if (!function)
		function = no_dlsym;
	atomic_store_explicit(&dlsym_next, function, memory_order_release);
	return function;
}

#define begins(name, with) (strncmp(name, with, sizeof(with) - 1) == 0)

/* Most names are none of ours, and some programs ask for very many. */
static struct dlsym_hook hook_named(const char *name)
{
	if (name && (begins(name, "SSL_") || begins(name, "gnutls_") || begins(name, "i2d_SSL_") ||
		     begins(name, "d2i_SSL_") || begins(name, "PEM_read_")))
		return dlsym_hook(name, 0);
	return (struct dlsym_hook){NULL, NULL, NULL};
}

/*
 * Our exports answer for all libraries and all their releases: a program that asks whether there is such a function
 * at all must not find ours where no real one is behind it. The message of dlerror(3) names us instead of the program.
 */
static struct dlsym_answer in_scope(const char *name, void *caller)
{
	if (!library_is_ours(dl_symbol(RTLD_DEFAULT, name)) || library_visible(caller, name))
		return (struct dlsym_answer){NULL, 0};
	return (struct dlsym_answer){NULL, 1};
}

/* What a program finds with this handle, without us, and whether it is a function of a library that we know. */
static struct dlsym_answer from_handle(const struct dlsym_hook *hook, void *handle, void *caller)
{
	void *real = next_dlsym()(handle, hook->name);
	const struct library *library;

	if (!real)
		return (struct dlsym_answer){NULL, 0};
	if (library_is_ours(real)) /* dlopen(NULL) is everybody's scope, with us in it */
		return in_scope(hook->name, caller);
	library = library_of_address(hook->family, real);
	if (!library)
		return (struct dlsym_answer){NULL, 0};
	return (struct dlsym_answer){dlsym_hook(hook->name, library->parser.library).at, 1};
}

/* Also while the shim is not active: its exports are there all the same. */
struct dlsym_answer dlsym_want(void *handle, const char *name, void *caller)
{
	struct dlsym_hook hook = hook_named(name);
	struct dlsym_answer answer = {NULL, 0};
	int saved = errno;

	(void)next_dlsym();
	if (hook.name)
		answer = handle == RTLD_DEFAULT || handle == RTLD_NEXT ? in_scope(hook.name, caller)
								       : from_handle(&hook, handle, caller);
	errno = saved;
	return answer;
}

#endif

/*
 * Arguments and return address are put by, because the jump needs them as they came. The unwinder can walk through.
 */
#if defined(MTLS_DLSYM) && defined(__x86_64__)
__asm__(".pushsection .text\n"
	".globl dlsym\n"
	".type dlsym, @function\n"
	".p2align 4\n"
	"dlsym:\n"
	".cfi_startproc\n"
	"endbr64\n"
	"pushq %rdi\n"
	".cfi_adjust_cfa_offset 8\n"
	"pushq %rsi\n"
	".cfi_adjust_cfa_offset 8\n"
	"movq 16(%rsp), %rdx\n" /* the return address */
	"subq $8, %rsp\n"       /* a call finds the stack at a multiple of 16 */
	".cfi_adjust_cfa_offset 8\n"
	"call dlsym_want\n"
	"addq $8, %rsp\n"
	".cfi_adjust_cfa_offset -8\n"
	"popq %rsi\n"
	".cfi_adjust_cfa_offset -8\n"
	"popq %rdi\n"
	".cfi_adjust_cfa_offset -8\n"
	"testq %rdx, %rdx\n"
	"jz 1f\n"
	"ret\n"
	"1: jmpq *dlsym_next(%rip)\n"
	".cfi_endproc\n"
	".size dlsym, .-dlsym\n"
	".popsection\n");
#elif defined(MTLS_DLSYM) && defined(__aarch64__)
__asm__(".pushsection .text\n"
	".globl dlsym\n"
	".type dlsym, %function\n"
	".p2align 4\n"
	"dlsym:\n"
	".cfi_startproc\n"
	"hint #34\n" /* bti c */
	"stp x29, x30, [sp, #-32]!\n"
	".cfi_def_cfa_offset 32\n"
	".cfi_offset 29, -32\n"
	".cfi_offset 30, -24\n"
	"mov x29, sp\n"
	"stp x0, x1, [sp, #16]\n"
	"mov x2, x30\n" /* the return address */
	"bl dlsym_want\n"
	"mov x16, x0\n"
	"mov x17, x1\n"
	"ldp x0, x1, [sp, #16]\n"
	"ldp x29, x30, [sp], #32\n"
	".cfi_def_cfa_offset 0\n"
	".cfi_restore 29\n"
	".cfi_restore 30\n"
	"cbz x17, 1f\n"
	"mov x0, x16\n"
	"ret\n"
	"1: adrp x16, dlsym_next\n"
	"ldr x16, [x16, :lo12:dlsym_next]\n"
	"br x16\n"
	".cfi_endproc\n"
	".size dlsym, .-dlsym\n"
	".popsection\n");
#endif
