/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts an emulated device: as a program of this machine (host) or in QEMU (an500, an505). Its network ends at one
 * port of this machine's loopback, which it sees as 10.0.2.100, and its serial line here. It dies with us.
 */
#include "firmware/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 3000 /* for the end of a device that was told to */
#define ARGS        24
#define IMAGES      2 /* of one board */
#define ELF_PATH    (PATH_MAX + 64)

struct command {
	char *arg[ARGS + 1];
	unsigned n;
};

__attribute__((format(printf, 2, 3))) static void add(struct command *c, const char *format, ...)
{
	va_list rest;

	va_start(rest, format);
	if (c->n < ARGS && vasprintf(&c->arg[c->n], format, rest) >= 0)
		c->n++;
	va_end(rest);
	c->arg[c->n] = NULL;
}

static void free_command(struct command *c)
{
	while (c->n > 0)
		free(c->arg[--c->n]);
}

static void host_command(struct command *c, char elf[IMAGES][ELF_PATH], const struct image *image, uint16_t port)
{
	add(c, "%s", elf[0]);
	add(c, "flash=%s", image->flash_path);
	add(c, "otp=%s", image->otp_path);
	add(c, "port=%u", port);
}

/*
 * guestfwd's own connection is made when QEMU starts, and only once; a command is started for each of the device's. It
 * is this program, under a name without anything that QEMU or a shell would take for its own.
 */
static void qemu_command(struct command *c, const char *machine, const struct image *image, uint16_t port)
{
	add(c, "qemu-system-arm");
	add(c, "-machine");
	add(c, "%s,memory-backend=flash", machine);
	add(c, "-object");
	add(c, "memory-backend-file,id=flash,size=16M,share=on,mem-path=%s", image->flash_path);
	add(c, "-nodefaults");
	add(c, "-display");
	add(c, "none");
	add(c, "-serial");
	add(c, "stdio");
	add(c, "-semihosting-config");
	add(c, "enable=on,target=native,arg=device,arg=otp=%s", image->otp_path);
	add(c, "-net");
	add(c, "nic,netdev=net");
	add(c, "-netdev");
	if (port)
		add(c, "user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:%u-cmd:/proc/%d/exe --relay %u", port,
		    (int)getpid(), port);
	else
		add(c, "user,id=net,restrict=on");
}

static void an500_command(struct command *c, char elf[IMAGES][ELF_PATH], const struct image *image, uint16_t port)
{
	qemu_command(c, "mps2-an500", image, port);
	add(c, "-kernel");
	add(c, "%s", elf[0]);
}

/* QEMU's options end at a comma; two are one of the value's. */
static void add_loader(struct command *c, const char *path)
{
	char value[2 * PATH_MAX + 128];
	size_t n = 0;

	for (; *path && n < sizeof(value) - 2; path++) {
		value[n++] = *path;
		if (*path == ',')
			value[n++] = ',';
	}
	value[n] = '\0';
	add(c, "-device");
	add(c, "loader,file=%s", value);
}

/* The secure image is the kernel; it starts the other one. */
static void an505_command(struct command *c, char elf[IMAGES][ELF_PATH], const struct image *image, uint16_t port)
{
	qemu_command(c, "mps2-an505", image, port);
	add(c, "-kernel");
	add(c, "%s", elf[1]);
	add_loader(c, elf[0]);
}

static const struct {
	const char *name, *image[IMAGES]; /* beside us, in firmware/ */
	void (*command)(struct command *, char elf[IMAGES][ELF_PATH], const struct image *, uint16_t port);
} boards[] = {{"host", {"host/device.elf"}, host_command},
	      {"an500", {"an500/device.elf"}, an500_command},
	      {"an500-small", {"an500-small/device.elf"}, an500_command},
	      {"an505", {"an505/device.elf", "an505-secure/secure.elf"}, an505_command}};

#define N_BOARDS (sizeof(boards) / sizeof(boards[0]))

/* N_BOARDS: there is none of that name. */
static size_t find_board(const char *name)
{
	size_t i = 0;

	while (i < N_BOARDS && strcmp(boards[i].name, name) != 0)
		i++;
	return i;
}

bool board_known(const char *name)
{
	return find_board(name) < N_BOARDS;
}

/* In the child. A descriptor that is closed at exec tells the parent that it came to that; else errno comes through. */
static _Noreturn void become(const struct command *c, const int to[2], const int from[2], int told)
{
	int error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(to[0], STDIN_FILENO) >= 0 && dup2(from[1], STDOUT_FILENO) >= 0)
		execvp(c->arg[0], c->arg);
	error = errno;
	if (write(told, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* 0, or an errno. */
static int start(struct device *d, const struct command *c)
{
	int to[2] = {-1, -1}, from[2] = {-1, -1}, told[2] = {-1, -1}, error = 0;

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 || pipe2(told, O_CLOEXEC) != 0 ||
	    (d->pid = fork()) < 0)
		return errno;
	if (d->pid == 0)
		become(c, to, from, told[1]);
	close(to[0]);
	close(from[1]);
	close(told[1]);
	if (read(told[0], &error, sizeof(error)) != (ssize_t)sizeof(error))
		error = 0;
	close(told[0]);
	d->to = to[1];
	d->from = from[0];
	return error;
}

/* The board's images, beside this program. false: said why. */
static bool find_images(size_t board, char elf[IMAGES][ELF_PATH])
{
	char folder[PATH_MAX];

	if (!tool_folder(folder, sizeof(folder)))
		return !tool_fail("/proc/self/exe cannot be read: %s", strerror(errno));
	for (size_t i = 0; i < IMAGES && boards[board].image[i]; i++) {
		snprintf(elf[i], ELF_PATH, "%s/firmware/%s", folder, boards[board].image[i]);
		if (access(elf[i], R_OK) != 0)
			return !tool_fail("%s: %s; build it with: make firmware", elf[i], strerror(errno));
	}
	return true;
}

bool board_on(struct device *d, const struct tool *tool, const struct image *image, uint16_t port)
{
	static char elf[IMAGES][ELF_PATH];
	struct command c = {.n = 0};
	size_t board = find_board(tool->board);
	int error = 0;

	*d = (struct device){.pid = -1, .to = -1, .from = -1};
	if (!find_images(board, elf))
		return false;
	boards[board].command(&c, elf, image, port);
	signal(SIGPIPE, SIG_IGN);
	error = c.arg[0] ? start(d, &c) : ENOMEM;
	if (error)
		tool_fail("%s: %s%s", c.arg[0] ? c.arg[0] : elf[0], strerror(error),
			  error == ENOENT ? "; install it, or try --board host" : "");
	free_command(&c);
	if (error)
		board_off(d);
	return !error;
}

static bool ended(pid_t pid)
{
	struct timespec pause = {.tv_nsec = 2000000};

	for (int waited = 0; waited < PATIENCE_MS; waited += 2) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void board_off(struct device *d)
{
	if (d->to >= 0)
		close(d->to);
	if (d->pid > 0 && !ended(d->pid)) {
		kill(d->pid, SIGKILL);
		waitpid(d->pid, NULL, 0);
	}
	if (d->from >= 0)
		close(d->from);
	*d = (struct device){.pid = -1, .to = -1, .from = -1};
}
