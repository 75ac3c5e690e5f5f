/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.so, preloaded behind the shim by tests/faults: counts the calls that the shim makes, and lets one of them
 * fail, or all from one on. Only the shim's: of system calls those that return into its code, of allocations also
 * those that a library makes on its behalf (the caller's stack is walked, see is_ours). The program's own stay whole.
 *
 *   FAULT_COUNTS=FILE   a page that is mapped: what was counted, for each class, and whether the fault came
 *   FAULT=CLASS:HOW:N   the N-th call (from 1) of CLASS fails in the manner HOW; N+: it and all that follow
 *
 * Classes: see class_name. frail: allocations of libtasn1 and GMP, which end the process where they get none; alloc has
 * the others. any: all but both. An HOW that is an error's number is returned as that; short: one byte is read, half of
 * a line is written; end: nothing is read. signal: SIGALRM is raised before the call, whose handler (the program's, or
 * else ours) connects a socket, as a program's may. closed: another thread of the program closes all descriptors from 3
 * on but sockets before the call.
 */
#include "tests/helpers/faults.h"
#include "tests/helpers/handler.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static const char *const class_name[CLASSES] = FAULTS_NAMES;

enum how { HOW_ERROR, HOW_SHORT, HOW_END, HOW_SIGNAL, HOW_CLOSED };

static struct {
	bool on, further;
	enum fault_class class;
	enum how how;
	int error;
	uint32_t at;
} fault;

static struct fault_counts nowhere, *counts = &nowhere;

/* --- libc's own ------------------------------------------------------------------ */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

/* Not by dlsym, which may allocate and is one of the shim's hooks. */
static long kernel(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

/* --- the fault --------------------------------------------------------------------- */

static void close_all_but_sockets(void)
{
	for (int fd = 3; fd < 64; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && !S_ISSOCK(st.st_mode))
			kernel(SYS_close, fd, 0, 0, 0, 0, 0);
	}
}

static void raise_alarm(void)
{
	struct sigaction now;

	if (sigaction(SIGALRM, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGALRM, connect_in_handler);
	raise(SIGALRM);
}

/* Counts a call of the shim's; true: it is to fail. */
static bool fails(enum fault_class class)
{
	uint32_t n = atomic_fetch_add(&counts->calls[class], 1) + 1;
	uint32_t any = class <= FRAIL ? 0 : atomic_fetch_add(&counts->calls[ANY], 1) + 1;
	int saved = errno;

	if (!fault.on || (fault.class != class && (fault.class != ANY || class <= FRAIL)))
		return false;
	n = fault.class == ANY ? any : n;
	if (n != fault.at && !(fault.further && n > fault.at))
		return false;
	atomic_store(&counts->came, 1);
	if (fault.how == HOW_SIGNAL)
		raise_alarm();
	if (fault.how == HOW_CLOSED)
		close_all_but_sockets();
	errno = saved;
	return fault.how != HOW_SIGNAL && fault.how != HOW_CLOSED;
}

/* ours: by the return address. */
#define OURS(class) (faults_direct(__builtin_return_address(0)) && fails(class))

static long failed(void)
{
	errno = fault.error;
	return -1;
}

/* --- allocations -------------------------------------------------------------------- */

static bool allocation_fails(const void *caller)
{
	static __thread bool looking __attribute__((tls_model("initial-exec")));
	bool ours, frail = false;

	if (looking || (fault.on && fault.class > FRAIL)) /* walking the stack takes its time */
		return false;
	looking = true;
	ours = faults_direct(caller);
	if (!ours && faults_behalf()) {
		ours = true;
		frail = faults_frail(caller);
	}
	looking = false;
	return ours && fails(frail ? FRAIL : ALLOC);
}

#define ALLOCATION_FAILS allocation_fails(__builtin_return_address(0))

void *malloc(size_t n)
{
	if (ALLOCATION_FAILS) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	if (ALLOCATION_FAILS) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	if (ALLOCATION_FAILS) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, n);
}

/* libc's would call malloc, with nobody but libc to be seen as its caller. */
char *strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = NULL;

	if (ALLOCATION_FAILS)
		errno = ENOMEM;
	else
		copy = __libc_malloc(n);
	return copy ? memcpy(copy, text, n) : NULL;
}

/* --- system calls --------------------------------------------------------------------- */

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	if (OURS(MAP)) {
		failed();
		return MAP_FAILED;
	}
	return (void *)kernel(SYS_mmap, (long)at, (long)n, protection, flags, fd, offset); // NOLINT
}

/* The shim's stat, and what it lists descriptors with. */
long syscall(long number, ...)
{
	va_list list;
	long a[6];
	enum fault_class class = number == SYS_newfstatat   ? LOOK
				 : number == SYS_openat     ? OPEN
				 : number == SYS_close      ? CLOSE
				 : number == SYS_getdents64 ? LIST
							    : CLASSES;
	bool ours = faults_direct(__builtin_return_address(0));

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (ours && class != CLASSES && class != CLOSE && fails(class))
		return failed();
	return kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int open(const char *path, int flags, ...)
{
	bool ours = OURS(OPEN);
	va_list list;
	int mode;

	va_start(list, flags);
	mode = va_arg(list, int);
	va_end(list);
	if (ours)
		return (int)failed();
	return (int)kernel(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}

ssize_t read(int fd, void *into, size_t n)
{
	if (OURS(READ)) {
		if (fault.how == HOW_ERROR)
			return failed();
		n = fault.how == HOW_END ? 0 : n > 1;
	}
	return kernel(SYS_read, fd, (long)into, (long)n, 0, 0, 0);
}

ssize_t write(int fd, const void *from, size_t n)
{
	if (OURS(WRITE)) {
		if (fault.how == HOW_ERROR)
			return failed();
		n = n / 2;
	}
	return kernel(SYS_write, fd, (long)from, (long)n, 0, 0, 0);
}

/* It is closed all the same, as Linux has it. */
int close(int fd)
{
	bool ours = OURS(CLOSE);
	int result = (int)kernel(SYS_close, fd, 0, 0, 0, 0, 0);

	return ours ? (int)failed() : result;
}

int poll(struct pollfd *list, nfds_t n, int ms)
{
	if (OURS(POLL))
		return (int)failed();
	return (int)kernel(SYS_poll, (long)list, (long)n, ms, 0, 0, 0);
}

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict n)
{
	if (OURS(PEER))
		return (int)failed();
	return (int)kernel(SYS_getpeername, fd, (long)address, (long)n, 0, 0, 0);
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict n)
{
	if (OURS(PEER))
		return (int)failed();
	return (int)kernel(SYS_getsockopt, fd, level, option, (long)value, (long)n, 0);
}

int sigpending(sigset_t *set)
{
	if (OURS(SIGNALS))
		return (int)failed();
	return (int)kernel(SYS_rt_sigpending, (long)set, 8, 0, 0, 0, 0);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
	if (OURS(SIGNALS))
		return (int)failed();
	return (int)kernel(SYS_rt_sigprocmask, how, (long)set, (long)before, 8, 0, 0);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	if (OURS(WAIT))
		return (int)failed();
	return (int)kernel(SYS_nanosleep, (long)wanted, (long)left, 0, 0, 0, 0);
}

/* --- the start ------------------------------------------------------------------------- */

static void read_fault(const char *text)
{
	static const char *const word[] = {"", "short", "end", "signal", "closed"};
	const char *how = text ? strchr(text, ':') : NULL, *number = how ? strchr(how + 1, ':') : NULL;

	if (!number)
		return;
	for (int i = 0; i < CLASSES; i++)
		if (strncmp(text, class_name[i], (size_t)(how - text)) == 0 && !class_name[i][how - text]) {
			fault.class = (enum fault_class)i;
			fault.on = true;
		}
	fault.error = atoi(++how);
	for (int i = 1; i <= HOW_CLOSED; i++)
		if (strncmp(how, word[i], (size_t)(number - how)) == 0)
			fault.how = (enum how)i;
	fault.at = (uint32_t)strtoul(number + 1, NULL, 10);
	fault.further = strchr(number, '+');
	if (!fault.on || (!fault.error && !fault.how) || !fault.at)
		abort();
}

/* libtasn1 uses what it did not get. */
static void on_bad_address(int number, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;

	(void)info;
	if (faults_frail((const void *)at->uc_mcontext.gregs[REG_RIP])) // NOLINT(performance-no-int-to-ptr)
		atomic_store(&counts->in_frail, 1);
	signal(number, SIG_DFL);
}

/* Before the shim's: the loader starts what is preloaded last first. */
__attribute__((constructor)) static void start(void)
{
	const struct sigaction action = {.sa_sigaction = on_bad_address, .sa_flags = SA_SIGINFO};
	const char *file = getenv("FAULT_COUNTS");
	int fd = file ? (int)kernel(SYS_openat, AT_FDCWD, (long)file, O_RDWR | O_CREAT | O_CLOEXEC, 0600, 0, 0) : -1;
	void *page;

	if (fd >= 0 && ftruncate(fd, sizeof(struct fault_counts)) == 0) {
		page = (void *)kernel(SYS_mmap, 0, sizeof(struct fault_counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				      0);
		if (page != MAP_FAILED)
			counts = page;
	}
	kernel(SYS_close, fd, 0, 0, 0, 0, 0);
	sigaction(SIGSEGV, &action, NULL);
	read_fault(getenv("FAULT"));
	faults_find_shim();
}
