/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two system call filters. A call that is refused fails with EPERM and is noted in the kernel's audit log: harmless
 * where another version of a library just tries something newer (killing would take the key away from every program of
 * the machine), and visible to whoever looks.
 */
#include "agent/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define REFUSED  SCMP_ACT_ERRNO(EPERM)

/* The loop, reading the folder, libcrypto, and what libc does of itself. */
static const int needed[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(fcntl),
	SCMP_SYS(fcntl64),
	/* files: looking, and our own socket's end */
	SCMP_SYS(stat),
	SCMP_SYS(stat64),
	SCMP_SYS(lstat),
	SCMP_SYS(lstat64),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	/* memory; mmap and mprotect: below */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(mlock),
	SCMP_SYS(mlock2),
	SCMP_SYS(munlock),
	/* time, chance, signals, ends */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	SCMP_SYS(futex_time64),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* who we are */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(getuid32),
	SCMP_SYS(geteuid),
	SCMP_SYS(geteuid32),
	SCMP_SYS(getgid),
	SCMP_SYS(getgid32),
	SCMP_SYS(getegid),
	SCMP_SYS(getegid32),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
};

/* What no module of a token needs, and what an intruder would want. */
static const int forbidden[] = {
	/* other programs and processes */
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(kcmp),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal),
	/* other users */
	SCMP_SYS(setuid),
	SCMP_SYS(setuid32),
	SCMP_SYS(setgid),
	SCMP_SYS(setgid32),
	SCMP_SYS(setreuid),
	SCMP_SYS(setreuid32),
	SCMP_SYS(setregid),
	SCMP_SYS(setregid32),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresuid32),
	SCMP_SYS(setresgid),
	SCMP_SYS(setresgid32),
	SCMP_SYS(setgroups),
	SCMP_SYS(setgroups32),
	SCMP_SYS(setfsuid),
	SCMP_SYS(setfsuid32),
	SCMP_SYS(setfsgid),
	SCMP_SYS(setfsgid32),
	SCMP_SYS(capset),
	SCMP_SYS(personality),
	/* other views of the machine */
	SCMP_SYS(mount),
	SCMP_SYS(umount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(open_by_handle_at),
	/* the machine */
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_settime64),
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(clock_adjtime64),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(syslog),
	SCMP_SYS(vhangup),
	/* what would go past a filter, or much of the kernel that nobody here needs */
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(lookup_dcookie),
};

/* A call that this architecture has not is no error. */
static int add_all(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	int error = 0;

	for (size_t i = 0; !error && i < n; i++) {
		error = seccomp_rule_add(ctx, action, calls[i], 0);
		if (error == -EDOM)
			error = 0;
	}
	return error;
}

/* Reading only. The file itself is left to the kernel's permissions: a rule cannot look behind a pointer. */
static int add_open(scmp_filter_ctx ctx)
{
	const scmp_datum_t writes = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
	int error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));

	if (!error)
		error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
					 SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	return error;
}

/* No new code. */
static int add_memory(scmp_filter_ctx ctx)
{
	const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(calls); i++)
		error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return error;
}

/* Threads but no processes. clone3's flags are behind a pointer; where it is not there, libc takes clone. */
static int add_clone(scmp_filter_ctx ctx)
{
	int error = seccomp_rule_add(ctx, REFUSED, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));

	if (!error)
		error = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return error;
}

/* An emulated TPM is reached by TCP; whoever sets the variable has the agent's environment in hand anyway. */
static bool wants_tcp(void)
{
	const char *tcti = getenv("TPM2OPENSSL_TCTI");

	return tcti && (strncmp(tcti, "swtpm", 5) == 0 || strncmp(tcti, "mssim", 5) == 0);
}

/* AF_UNIX for daemons such as pcscd, AF_NETLINK for devices that come and go. */
static int add_sockets(scmp_filter_ctx ctx)
{
	bool tcp = wants_tcp();
	int error = 0;

	for (unsigned family = AF_UNIX + 1; !error && family < AF_NETLINK; family++)
		if (!tcp || (family != AF_INET && family != AF_INET6))
			error = seccomp_rule_add(ctx, REFUSED, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family));
	if (!error)
		error = seccomp_rule_add(ctx, REFUSED, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
	return error;
}

/* Threads of modules that are there already come along; a kernel that cannot do that or the log does without. */
static int load(scmp_filter_ctx ctx, int error)
{
	if (!error) {
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
		error = seccomp_load(ctx);
	}
	seccomp_release(ctx);
	return error < 0 ? -error : error;
}

int agent_filter_narrow(void)
{
	scmp_filter_ctx ctx = seccomp_init(REFUSED);
	int error;

	if (!ctx)
		return ENOSYS;
	error = add_all(ctx, SCMP_ACT_ALLOW, needed, COUNT(needed));
	if (!error)
		error = add_open(ctx);
	if (!error)
		error = add_memory(ctx);
	return load(ctx, error);
}

int agent_filter_wide(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int error;

	if (!ctx)
		return ENOSYS;
	error = add_all(ctx, REFUSED, forbidden, COUNT(forbidden));
	if (!error)
		error = add_clone(ctx);
	if (!error)
		error = add_sockets(ctx);
	return load(ctx, error);
}
