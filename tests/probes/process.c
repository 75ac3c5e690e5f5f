/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process SCENARIO PORT: what programs do to their own process around TLS. Each
 * connection prints what the server saw.
 *
 *   fork-before fork-after    200 children connect, one after the other; the parent has connected before, or not
 *   drop                      the context is made as root, two connections as nobody
 *   drop-renew                as nobody, between the connections waits for a line, in which somebody renews the files
 *   wait                      a connection, then "ready"; ends at a line
 *   close                     closes every descriptor from 3 on wherever there is a place to
 *   environment               after the context: other MTLS_ variables, none at all, another working folder
 *   exit-thread exit-now      exit(7) in a thread while others have connections; _exit(7) after a connection
 *   at-exit                   a connection in an exit handler; the context goes in a static destructor
 *   closed-error              closes descriptor 2, which is then the TLS connection
 *   reused-error FILE         descriptor 2 becomes FILE
 *
 * link: -lssl -lcrypto -pthread
 */
#include "tests/probes/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sys/wait.h>

#define CHILDREN 200
#define THREADS  4
#define NOBODY   65534

static SSL_CTX *ctx;
static const char *port, *argument;

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	if (!folder)
		die("no /proc");
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* --- children ------------------------------------------------------------------ */

static void run_fork(void)
{
	int before = descriptors(), good = 0, status;

	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();

		if (child < 0)
			die("no child");
		if (child == 0) {
			talk_to(ctx, port);
			fflush(stdout);
			_exit(0);
		}
		good += waitpid(child, &status, 0) == child && status == 0;
	}
	printf("good=%d descriptors=%d zombies=%d\n", good, descriptors() - before,
	       waitpid(-1, &status, WNOHANG) != -1 || errno != ECHILD);
}

static void run_fork_after(void)
{
	talk_to(ctx, port);
	fflush(stdout);
	run_fork();
}

/* --- another user ---------------------------------------------------------------- */

static void become_nobody(void)
{
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
		die("still root");
}

static void run_drop(void)
{
	become_nobody();
	talk_to(ctx, port);
	talk_to(ctx, port);
}

static void run_drop_renew(void)
{
	become_nobody();
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		die("nobody renews");
	talk_to(ctx, port);
	talk_to(ctx, port);
}

static void run_wait(void)
{
	talk_to(ctx, port);
	puts("ready");
	fflush(stdout);
	getchar();
}

/* --- descriptors and environment --------------------------------------------------- */

static void run_close(void)
{
	for (int i = 0; i < 3; i++) {
		SSL *ssl;
		int fd;

		closefrom(3);
		ssl = ssl_new(ctx);
		closefrom(3);
		fd = connect_to("127.0.0.1", port);
		SSL_set_fd(ssl, fd);
		if (SSL_connect(ssl) != 1)
			die("no handshake");
		closefrom(3); /* its own connection too */
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		closefrom(3);
		ctx = context_new();
		closefrom(3);
		talk_to(ctx, port);
	}
}

static void run_environment(void)
{
	setenv("MTLS_DIR", "/nonexistent", 1);
	setenv("MTLS_HOSTS", "a.test", 1);
	setenv("MTLS_DISABLE", "1", 1);
	if (chdir("/") != 0)
		die("chdir");
	talk_to(ctx, port);
	unsetenv("MTLS_DIR");
	talk_to(ctx, port);
	clearenv();
	talk_to(ctx, port);
}

static void run_closed_error(void)
{
	close(STDERR_FILENO);
	talk_to(ctx, port);
}

static void run_reused_error(void)
{
	int fd = open(argument, O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		die("no file");
	close(fd);
	talk_to(ctx, port);
}

/* --- the end ----------------------------------------------------------------------- */

static void *stay(void *ready)
{
	SSL *ssl = ssl_new(ctx);
	char answer[1200];

	SSL_set_fd(ssl, connect_to("127.0.0.1", port));
	if (SSL_connect(ssl) == 1)
		ask(ssl, answer, sizeof(answer));
	pthread_barrier_wait(ready);
	for (;;)
		pause();
	return NULL;
}

static void *leave(void *arg)
{
	(void)arg;
	talk_to(ctx, port);
	exit(7);
}

static void run_exit_thread(void)
{
	static pthread_barrier_t ready;
	pthread_t thread;

	pthread_barrier_init(&ready, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, stay, &ready);
	pthread_barrier_wait(&ready);
	pthread_create(&thread, NULL, leave, NULL);
	pthread_join(thread, NULL);
}

static void run_exit_now(void)
{
	talk_to(ctx, port);
	fflush(stdout);
	_exit(7);
}

static void last_words(void)
{
	talk_to(ctx, port);
	fflush(stdout);
}

static SSL_CTX *left_over;

__attribute__((destructor)) static void destroy(void)
{
	SSL_CTX_free(left_over);
}

static void run_at_exit(void)
{
	left_over = ctx;
	atexit(last_words);
	exit(7);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{"fork-before", run_fork},
		{"fork-after", run_fork_after},
		{"drop", run_drop},
		{"drop-renew", run_drop_renew},
		{"wait", run_wait},
		{"close", run_close},
		{"environment", run_environment},
		{"exit-thread", run_exit_thread},
		{"exit-now", run_exit_now},
		{"at-exit", run_at_exit},
		{"closed-error", run_closed_error},
		{"reused-error", run_reused_error},
	};

	if (argc < 3)
		die("usage: process SCENARIO PORT [ARGUMENT]");
	port = argv[2];
	argument = argv[3];
	ctx = context_new();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0) {
			scenarios[i].run();
			return 0;
		}
	die("unknown scenario");
}
