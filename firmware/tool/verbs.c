/* SPDX-License-Identifier: Apache-2.0 */
/* What each verb of the contract's section 5 does with the device. */
#include "firmware/app/crc.h"
#include "firmware/app/status.h"
#include "firmware/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  ((size_t)1 << 20) /* contract, section 1; the device's own limits are lower, and it tells them */
#define FILES_MAX 5
#define GATE      "10.0.2.100" /* this machine's loopback, as the device sees it */

static const char *const names[FILES_MAX] = {"client_cert.pem", "private_key.pem", "private_key_pass.txt", "mtls.conf",
					     "ca_certs.pem"};

/* One of them, by the index of its name. */
struct file {
	char path[PATH_MAX]; /* "": there is none */
	unsigned char *data;
	size_t n;
};

static char why[512];

static int usage(const char *text)
{
	fprintf(stderr, "usage: mtls-device [OPTION...] %s\n", text);
	return TOOL_USAGE;
}

/* --- files --------------------------------------------------------------------------- */

static bool read_file(struct file *f)
{
	int fd = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) != 0) {
		tool_fail("%s: %s", f->path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		tool_fail("%s: this is not a regular file; name a file or its folder", f->path);
	} else if ((size_t)st.st_size > FILE_MAX) {
		tool_fail("%s: this is too large for any device, which takes less than 1 MiB", f->path);
	} else {
		f->data = malloc(FILE_MAX + 1);
		while (f->data && f->n <= FILE_MAX && (n = read(fd, f->data + f->n, FILE_MAX + 1 - f->n)) > 0)
			f->n += (size_t)n;
		if (!f->data || n < 0)
			tool_fail("%s: it cannot be read: %s", f->path, strerror(errno));
		close(fd);
		return f->data && n == 0;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

static int index_of(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	for (int i = 0; i < FILES_MAX; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

static bool add_file(struct file files[FILES_MAX], const char *path)
{
	int i = index_of(path);

	if (i < 0)
		return !tool_fail("%s: this name is none of a credential; call it client_cert.pem, private_key.pem, "
				  "private_key_pass.txt, mtls.conf or ca_certs.pem",
				  path);
	if (files[i].path[0])
		return !tool_fail("%s: it comes twice", path);
	snprintf(files[i].path, sizeof(files[i].path), "%s", path);
	return read_file(&files[i]);
}

static bool add_folder(struct file files[FILES_MAX], const char *folder)
{
	bool any = false, good = true;
	char path[PATH_MAX];
	struct stat st;

	for (int i = 0; i < FILES_MAX && good; i++) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, names[i]) >= sizeof(path))
			return !tool_fail("%s: this name is too long", folder);
		/* A link to nothing is there: whoever put it there meant a file. */
		if (lstat(path, &st) != 0 && errno == ENOENT)
			continue;
		any = true;
		good = add_file(files, path);
	}
	if (!any)
		return !tool_fail("%s: there is no file of a credential in it", folder);
	return good;
}

static bool gather(struct file files[FILES_MAX], int argc, char **argv)
{
	struct stat st;

	for (int i = 0; i < argc; i++) {
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		if (!(folder ? add_folder(files, argv[i]) : add_file(files, argv[i])))
			return false;
	}
	return true;
}

static void forget(struct file files[FILES_MAX])
{
	for (int i = 0; i < FILES_MAX; i++) {
		if (files[i].data)
			explicit_bzero(files[i].data, files[i].n);
		free(files[i].data);
	}
}

/* --- one session --------------------------------------------------------------------------- */

/* Ends with the session's end where it does not go well. */
static bool ask(struct device *d, const char *command, struct listener *to, const char *what)
{
	enum answer answer = session_ask(d, command, to, why, sizeof(why));
	const char *sentence = strchr(why, ' ');

	if (answer == ANSWER_OK)
		return true;
	if (answer == ANSWER_ERROR) {
		session_end(d);
		tool_fail("%s: %s", what, sentence ? sentence + 1 : why);
	}
	return false;
}

static bool send_file(struct device *d, const char *name, const struct file *f)
{
	struct listener to = {.file = f->data, .left = f->n};
	char command[80];

	snprintf(command, sizeof(command), "upload %s %zu %08x", name, f->n, crc32_add(0, f->data, f->n));
	return ask(d, command, &to, f->path);
}

/* What the boot after an upload made of it. */
struct outcome {
	char state[128], subject[600];
	char refused[600], failed[600], warning[600]; /* each: empty, or the first of its kind */
};

static void take_outcome(void *ctx, const char *line)
{
	struct outcome *o = ctx;

	if (strncmp(line, "state: ", 7) == 0)
		snprintf(o->state, sizeof(o->state), "%s", line + 7);
	if (strncmp(line, "subject: ", 9) == 0)
		snprintf(o->subject, sizeof(o->subject), " %s", line + 9);
	if (strncmp(line, "warning: ", 9) != 0)
		return;
	line += 9;
	if (strncmp(line, STATUS_REFUSED, sizeof(STATUS_REFUSED) - 1) == 0)
		snprintf(o->refused, sizeof(o->refused), "%s", line);
	else if (strncmp(line, STATUS_FAILED, sizeof(STATUS_FAILED) - 1) == 0)
		snprintf(o->failed, sizeof(o->failed), "%s", line);
	else if (!o->warning[0])
		snprintf(o->warning, sizeof(o->warning), "%s", line);
}

/* The boot that carries it out. wanted: the state that it has to leave; NULL: any that is not broken. */
static int tell_outcome(const struct tool *tool, const struct image *image, const char *wanted)
{
	struct outcome o = {.state = ""};
	struct listener to = {.line = take_outcome, .ctx = &o};
	struct device d;

	if (!session_begin(&d, tool, image, 0) || !ask(&d, "status", &to, "status"))
		return TOOL_FAILED;
	session_end(&d);
	if (o.refused[0] || o.failed[0])
		return tool_fail("%s", o.refused[0] ? o.refused : o.failed);
	if (strcmp(o.state, "broken") == 0)
		return tool_fail("%s", o.warning);
	if (wanted && strcmp(o.state, wanted) != 0)
		return tool_fail("it was not carried out: the device's credential is %s; try again", o.state);
	printf("%s%s\n", o.state, o.subject);
	return TOOL_DONE;
}

/* --- verbs ------------------------------------------------------------------------------------ */

int verb_upload(const struct tool *tool, const struct image *image, int argc, char **argv)
{
	static struct file files[FILES_MAX];
	struct device d;
	bool good;

	if (argc < 2)
		return usage("upload FILE...|DIR");
	good = gather(files, argc - 1, argv + 1) && session_begin(&d, tool, image, 0);
	for (int i = 0; i < FILES_MAX && good; i++)
		if (files[i].path[0])
			good = send_file(&d, names[i], &files[i]);
	good = good && ask(&d, "commit", NULL, "commit");
	forget(files);
	if (!good)
		return TOOL_FAILED;
	session_end(&d);
	return tell_outcome(tool, image, NULL);
}

int verb_remove(const struct tool *tool, const struct image *image, int argc, char **argv)
{
	struct device d;

	(void)argv;
	if (argc != 1)
		return usage("remove");
	if (!session_begin(&d, tool, image, 0) || !ask(&d, "remove", NULL, "remove"))
		return TOOL_FAILED;
	session_end(&d);
	return tell_outcome(tool, image, "removed");
}

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	tool_print(STDOUT_FILENO, line);
}

int verb_status(const struct tool *tool, const struct image *image, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	struct listener to = {.line = print_line};
	const char *command = "status";
	struct device d;
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option != 'j')
			return TOOL_USAGE;
		command = "status json";
	}
	if (optind != argc)
		return usage("status [--json]");
	if (!session_begin(&d, tool, image, 0) || !ask(&d, command, &to, "status"))
		return TOOL_FAILED;
	session_end(&d);
	return TOOL_DONE;
}

/* Of a URL of this machine's loopback; 0: it is none. */
static uint16_t port_of(const char *url)
{
	static const char *const hosts[] = {"https://localhost", "https://127.0.0.1"};
	unsigned long port = 443;
	char *end;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		size_t n = strlen(hosts[i]);

		if (strncasecmp(url, hosts[i], n) != 0 || !strchr(":/?#", url[n]))
			continue;
		end = (char *)url + n;
		if (*end == ':')
			port = strtoul(url + n + 1, &end, 10);
		return strchr("/?#", *end) && port <= UINT16_MAX ? (uint16_t)port : 0;
	}
	return 0;
}

static bool is_printable(const char *url)
{
	for (; *url; url++)
		if (*url <= ' ' || *url > '~')
			return false;
	return true;
}

/* For the device, which knows scheme and host in small letters only (any will do: RFC 3986 6.2.2.1). */
static void small_letters(char *url)
{
	char *host = strstr(url, "://") + 3;

	for (char *end = host + strcspn(host, "/?#"); url < end; url++)
		if (*url >= 'A' && *url <= 'Z')
			*url += 'a' - 'A';
}

static void print_body(void *ctx, const void *data, size_t n)
{
	(void)ctx;
	fwrite(data, 1, n, stdout);
}

int verb_get(const struct tool *tool, const struct image *image, int argc, char **argv)
{
	struct listener to = {.body = print_body};
	char command[560];
	struct device d;
	uint16_t port;
	bool good;

	if (argc != 2)
		return usage("get URL");
	if (!is_printable(argv[1]))
		return tool_fail("%s: a URL is printable ASCII without blanks; write other bytes as %%XX", argv[1]);
	port = port_of(argv[1]);
	if (!port)
		return tool_fail("%s: the device only reaches this machine; use https://localhost:PORT/…", argv[1]);
	if ((size_t)snprintf(command, sizeof(command), "get %s " GATE, argv[1]) >= sizeof(command))
		return tool_fail("%.60s…: this URL is too long; 500 bytes are allowed", argv[1]);
	small_letters(command + strlen("get "));
	if (!session_begin(&d, tool, image, port))
		return TOOL_FAILED;
	good = ask(&d, command, &to, argv[1]);
	if (good)
		session_end(&d);
	if (fflush(stdout) != 0)
		return tool_fail("standard output: %s", strerror(errno));
	return good ? TOOL_DONE : TOOL_FAILED;
}

int verb_console(const struct tool *tool, const struct image *image, int argc, char **argv)
{
	struct device d;

	(void)argv;
	if (argc != 1)
		return usage("console");
	return board_on(&d, tool, image, 0) ? session_relay(&d) : TOOL_FAILED;
}
