/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/log.c on a terminal: a line from a background process must not stop it.
 * What a line says is test_line.c's; pipes and files are in the end-to-end tests.
 */
#include "folder_fixture.h"

#include "shim/log.h"

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

Suite *log_suite(void);

static const struct mtls_event event = {.verb = "broken", .reason = MTLS_REASONS};

/* In a process group that is not the terminal's. */
static int in_background(void)
{
	static struct mtls_environment env;

	setpgid(0, 0);
	mtls_environment_read(&env, E("MTLS_DIR=/nowhere"));
	log_start(&env, true);
	log_event(MTLS_LOG_WARN, &event);
	return 0;
}

/* A session of its own whose terminal has tostop; how its background process came to an end. */
static int session(const char *terminal)
{
	struct termios mode;
	int fd, status;
	pid_t child;

	setsid();
	fd = open(terminal, O_RDWR);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || tcgetattr(fd, &mode) != 0)
		return 2;
	mode.c_lflag |= TOSTOP;
	if (tcsetattr(fd, TCSANOW, &mode) != 0)
		return 3;
	child = fork();
	if (child == 0)
		_exit(in_background());
	if (waitpid(child, &status, WUNTRACED) != child)
		return 4;
	if (WIFSTOPPED(status))
		kill(child, SIGKILL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

START_TEST(terminal_that_stops)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	char line[1024] = "";
	pid_t child;

	if (master < 0) {
		fputs("skip: terminal_that_stops needs /dev/pts\n", stderr);
		return;
	}
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	child = fork();
	if (child == 0)
		_exit(session(ptsname(master)));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the session: 0x%x", (unsigned)status);
	ck_assert_int_gt(read(master, line, sizeof(line) - 1), 0);
	ck_assert_ptr_nonnull(strstr(line, "] broken"));
	close(master);
}
END_TEST

Suite *log_suite(void)
{
	Suite *s = suite_create("log");
	TCase *c = tcase_create("log");

	tcase_add_test(c, terminal_that_stops);
	suite_add_tcase(s, c);
	return s;
}
