/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to the process of faulty.c and gnutls_faulty.c around its connections; whoever includes it has
 * included probe.h or gnutls_probe.h and defines the three functions below. Each connection prints what the server saw.
 *
 *   none three              one connection, or three
 *   close                   close_range(3, ~0) whenever there is no connection
 *   close-child             the same, in a child after the first connection
 *   no-descriptor-early     the limit is reached before the context is made; -late: before the handshake
 *   no-memory-early:KB      from there on no more memory can be had than that, and it is in the heap; -late
 *   stack                   in threads with stacks of 64 kB
 *   storm                   20 connections, with a signal each millisecond that interrupts every call; storm-connect:
 * its handler makes a connection of its own no-open-early           from there on a seccomp filter answers EPERM to
 * open and stat, in all their forms; -late chroot:FOLDER           into it, when the context is made vanish the folder
 * MTLS_DIR is away, when the context is made renew:FOLDER            the credential changes places with FOLDER's after
 * the first of three connections session:FOLDER          the same, and the third connection offers the session of the
 * first closed                  descriptors 0, 1 and 2 are closed at the start
 */
#ifndef MTLS_TESTS_FAULTY_H
#define MTLS_TESTS_FAULTY_H

#include "tests/helpers/handler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define STACK_SIZE  65536
#define STORM       20   /* connections */
#define STORM_US    1000 /* between signals */
#define AWAY_SUFFIX ".away"

/* The library's own start, before anything is forbidden; its context; one connection over a connected socket. */
static void library_start(void);
static void library_context(void);
static void library_talk(int fd, bool keep, bool offer);

static const char *port, *argument;

/* Not connect_to, which dies of a signal. */
static int connected(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, ret;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* or each exchange takes 40 ms */
	do
		ret = connect(fd, (struct sockaddr *)&in, sizeof(in));
	while (ret != 0 && (errno == EINTR || errno == EALREADY));
	if (ret != 0 && errno != EISCONN) {
		fputs("probe: cannot connect\n", stderr);
		exit(3);
	}
	return fd;
}

/* The server may close first from now on. Until here SIGPIPE kills, whatever the log is. */
static void handshake_done(void)
{
	signal(SIGPIPE, SIG_IGN);
}

static void talk_once(void)
{
	library_talk(connected(), false, false);
}

static void run_none(void)
{
	library_context();
	talk_once();
}

static void run_three(void)
{
	library_context();
	for (int i = 0; i < 3; i++)
		talk_once();
}

/* --- descriptors --------------------------------------------------------------------- */

static void run_closed(void)
{
	close(0);
	close(1);
	close(2);
	run_three();
}

static void run_close(void)
{
	closefrom(3);
	library_context();
	for (int i = 0; i < 3; i++) {
		closefrom(3);
		talk_once();
	}
}

static void run_close_child(void)
{
	int status = 1;

	library_context();
	talk_once();
	fflush(stdout);
	if (fork() == 0) {
		closefrom(3);
		talk_once();
		fflush(stdout);
		_exit(0);
	}
	while (wait(&status) < 0 && errno == EINTR)
		;
	talk_once();
	if (status != 0)
		exit(4);
}

static void no_more_descriptors(int last)
{
	struct rlimit limit = {(rlim_t)last + 1, (rlim_t)last + 1};

	setrlimit(RLIMIT_NOFILE, &limit);
	while (dup(last) >= 0)
		;
}

static void run_no_descriptor_early(void)
{
	int fd = connected();

	no_more_descriptors(fd);
	library_context();
	library_talk(fd, false, false);
}

static void run_no_descriptor_late(void)
{
	int fd;

	library_context();
	fd = connected();
	no_more_descriptors(fd);
	library_talk(fd, false, false);
}

/* --- memory ---------------------------------------------------------------------------- */

/* Then the heap has so much left, in one piece, and nothing can be added to it. */
static void no_more_memory(void)
{
	unsigned long pages = 0, left = strtoul(argument, NULL, 10) * 1024;
	struct rlimit limit;
	struct piece {
		struct piece *before;
		char rest[1000];
	} *last = NULL, *piece;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%lu", &pages) != 1)
		exit(4);
	fclose(file);
	limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + left;
	setrlimit(RLIMIT_AS, &limit);
	while ((piece = malloc(sizeof(*piece))) != NULL) {
		piece->before = last;
		last = piece;
	}
	for (; left >= sizeof(*piece) && last; left -= sizeof(*piece)) {
		piece = last->before;
		free(last);
		last = piece;
	}
}

static void run_no_memory_early(void)
{
	int fd = connected();

	no_more_memory();
	library_context();
	library_talk(fd, false, false);
}

static void run_no_memory_late(void)
{
	int fd;

	library_context();
	fd = connected();
	no_more_memory();
	library_talk(fd, false, false);
}

static void *in_thread(void *arg)
{
	(void)arg;
	talk_once();
	return NULL;
}

static void run_stack(void)
{
	pthread_attr_t small;
	pthread_t thread;

	library_context();
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_SIZE);
	for (int i = 0; i < 3; i++) {
		if (pthread_create(&thread, &small, in_thread, NULL) != 0)
			exit(4);
		pthread_join(thread, NULL);
	}
}

/* --- signals --------------------------------------------------------------------------- */

static void on_nothing(int number)
{
	(void)number;
}

static void storm(void (*handler)(int))
{
	const struct itimerval often = {{0, STORM_US}, {0, STORM_US}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART */

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	library_context();
	for (int i = 0; i < STORM; i++)
		talk_once();
	setitimer(ITIMER_REAL, &never, NULL);
}

static void run_storm(void)
{
	storm(on_nothing);
}

static void run_storm_connect(void)
{
	storm(connect_in_handler);
}

/* --- files -------------------------------------------------------------------------------- */

static void no_open(void)
{
	static const int forbidden[] = {
#ifdef SYS_open
		SYS_open,   SYS_stat,    SYS_lstat,
#endif
		SYS_openat, SYS_openat2, SYS_newfstatat, SYS_statx};
	struct sock_filter filter[32] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	unsigned char n = 1, all = sizeof(forbidden) / sizeof(*forbidden);
	struct sock_fprog program = {.filter = filter};

	for (unsigned char i = 0; i < all; i++)
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)forbidden[i],
							   (unsigned char)(all - i), 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		exit(4);
}

static void run_no_open_early(void)
{
	no_open();
	run_three();
}

static void run_no_open_late(void)
{
	library_context();
	no_open();
	for (int i = 0; i < 3; i++)
		talk_once();
}

static void run_chroot(void)
{
	library_context();
	if (chroot(argument) != 0 || chdir("/") != 0)
		exit(4);
	for (int i = 0; i < 3; i++)
		talk_once();
}

static void run_vanish(void)
{
	const char *folder = getenv("MTLS_DIR");
	char away[4096];

	snprintf(away, sizeof(away), "%s" AWAY_SUFFIX, folder ? folder : "");
	library_context();
	if (folder && rename(folder, away) != 0)
		exit(4);
	for (int i = 0; i < 3; i++)
		talk_once();
	if (folder && rename(away, folder) != 0)
		exit(4);
}

static void exchange(const char *name)
{
	const char *folder = getenv("MTLS_DIR");
	char ours[4096], other[4096];

	if (!folder)
		return; /* without the shim there is nothing to change */
	snprintf(ours, sizeof(ours), "%s/%s", folder, name);
	snprintf(other, sizeof(other), "%s/%s", argument, name);
	if (renameat2(AT_FDCWD, ours, AT_FDCWD, other, RENAME_EXCHANGE) != 0)
		exit(4);
}

static void renew(bool sessions)
{
	library_context();
	library_talk(connected(), sessions, false);
	exchange("client_cert.pem");
	exchange("private_key.pem");
	talk_once();
	library_talk(connected(), false, sessions);
}

static void run_renew(void)
{
	renew(false);
}

static void run_session(void)
{
	renew(true);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(void);
	} faults[] = {
		{"none", run_none},
		{"three", run_three},
		{"closed", run_closed},
		{"close", run_close},
		{"close-child", run_close_child},
		{"no-descriptor-early", run_no_descriptor_early},
		{"no-descriptor-late", run_no_descriptor_late},
		{"no-memory-early", run_no_memory_early},
		{"no-memory-late", run_no_memory_late},
		{"stack", run_stack},
		{"storm", run_storm},
		{"storm-connect", run_storm_connect},
		{"no-open-early", run_no_open_early},
		{"no-open-late", run_no_open_late},
		{"chroot", run_chroot},
		{"vanish", run_vanish},
		{"renew", run_renew},
		{"session", run_session},
	};
	char *colon;

	if (argc != 3)
		return 64;
	port = argv[1];
	colon = strchr(argv[2], ':');
	if (colon)
		*colon++ = '\0';
	argument = colon ? colon : "";
	library_start();
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (strcmp(argv[2], faults[i].name) == 0) {
			faults[i].run();
			return 0;
		}
	return 64;
}

#endif
