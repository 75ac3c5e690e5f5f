/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/filter.c: each filter in a child of its own, which tries calls and tells by its exit status which came out
 * otherwise than expected. Where the kernel has no filters there is nothing to test.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/filter.h"

Suite *agent_filter_suite(void);

enum { NO_FILTERS = 200, INSTALLED_BADLY };

/* The calls: true where they went through. */

static bool done(long result)
{
	return result >= 0 || errno != EPERM;
}

static bool reads_a_file(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && close(fd) == 0;
}

static bool writes_a_file(void)
{
	return done(open("/dev/null", O_WRONLY));
}

static bool makes_a_file(void)
{
	return done(open("/dev/null", O_RDONLY | O_CREAT, 0600));
}

static bool unix_socket(void)
{
	return done(socket(AF_UNIX, SOCK_STREAM, 0));
}

static bool tcp(void)
{
	return done(socket(AF_INET, SOCK_STREAM, 0));
}

static bool tcp6(void)
{
	return done(socket(AF_INET6, SOCK_STREAM, 0));
}

static bool packets(void)
{
	return done(socket(AF_PACKET, SOCK_RAW, 0));
}

static bool connects(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(1)};

	return done(connect(-1, (struct sockaddr *)&to, sizeof(to)));
}

static bool executes(void)
{
	return done(syscall(SYS_execve, "/nowhere/at/all", NULL, NULL));
}

static bool forks(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool makes_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED;
}

static bool turns_into_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool has_memory(void)
{
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && mprotect(p, 4096, PROT_READ) == 0 && munmap(p, 1 << 20) == 0;
}

static bool traces(void)
{
	return done(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static bool reads_others(void)
{
	char c;
	struct iovec here = {&c, 1}, there = {&c, 1};

	return done(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static bool changes_user(void)
{
	return done(syscall(SYS_setuid, getuid()));
}

static bool uring(void)
{
#ifdef SYS_io_uring_setup
	return done(syscall(SYS_io_uring_setup, 0, NULL));
#else
	return false;
#endif
}

static bool makes_folder(void)
{
	return done(mkdir("/dev/null/x", 0700));
}

static bool kills(void)
{
	return done(kill(getppid(), 0));
}

static bool unshares(void)
{
	return done(syscall(SYS_unshare, 0));
}

static void *nothing(void *p)
{
	return p;
}

static bool starts_a_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static const struct {
	bool (*call)(void);
	bool narrow, wide;
} calls[] = {
	{reads_a_file, true, true},   {has_memory, true, true},       {writes_a_file, false, true},
	{makes_a_file, false, true},  {makes_folder, false, true},    {unix_socket, false, true},
	{tcp, false, false},          {tcp6, false, false},           {packets, false, false},
	{connects, false, true},      {executes, false, false},       {forks, false, false},
	{makes_code, false, true},    {turns_into_code, false, true}, {traces, false, false},
	{reads_others, false, false}, {changes_user, false, false},   {uring, false, false},
	{kills, false, true},         {unshares, false, false},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int in_child(int (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(body());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int install(int (*filter)(void))
{
	int error = filter();

	if (!error)
		return 0;
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 || error == EINVAL || error == EFAULT ? NO_FILTERS
											   : INSTALLED_BADLY;
}

static int try_calls(bool narrow)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		if (calls[i].call() != (narrow ? calls[i].narrow : calls[i].wide))
			return (int)i + 1;
	return 0;
}

static int narrow(void)
{
	int status = install(agent_filter_narrow);

	return status ? status : try_calls(true);
}

static int wide(void)
{
	int status = install(agent_filter_wide);

	if (!status)
		status = try_calls(false);
	return status || starts_a_thread() ? status : 100;
}

/* As where a key in a file comes after the start. */
static int wide_then_narrow(void)
{
	int status = install(agent_filter_wide);

	return status ? status : narrow();
}

static int emulator(void)
{
	int status;

	setenv("TPM2OPENSSL_TCTI", "swtpm:host=127.0.0.1,port=2321", 1);
	status = install(agent_filter_wide);
	if (status)
		return status;
	return !tcp() ? 101 : !tcp6() ? 102 : packets() ? 103 : executes() ? 104 : 0;
}

static int real_tpm(void)
{
	int status;

	setenv("TPM2OPENSSL_TCTI", "device:/dev/tpmrm0", 1);
	status = install(agent_filter_wide);
	return status ? status : tcp() ? 105 : 0;
}

static int (*const bodies[])(void) = {narrow, wide, wide_then_narrow, emulator, real_tpm};

START_TEST(filters)
{
	int status = in_child(bodies[_i]);

	if (status != NO_FILTERS)
		ck_assert_msg(status == 0, "call %d", status - 1);
}
END_TEST

Suite *agent_filter_suite(void)
{
	Suite *s = suite_create("agent_filter");
	TCase *t = tcase_create("agent_filter");

	tcase_add_loop_test(t, filters, 0, COUNT(bodies));
	suite_add_tcase(s, t);
	return s;
}
