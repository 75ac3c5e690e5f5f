/* SPDX-License-Identifier: Apache-2.0 */
/* mtls-device: options, the table of verbs, and how it speaks. */
#include "firmware/tool/tool.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(const struct tool *, const struct image *, int argc, char **argv);
} verbs[] = {{"upload", verb_upload},
	     {"status", verb_status},
	     {"get", verb_get},
	     {"remove", verb_remove},
	     {"console", verb_console}};

static const char help[] =
	"usage: mtls-device [--board NAME] [--image FILE] VERB\n"
	"An emulated device with one certificate, whose secure sockets present it.\n"
	"  upload FILE...|DIR   client_cert.pem, private_key.pem, private_key_pass.txt, mtls.conf, ca_certs.pem\n"
	"                       into the device; empty files remove; a file that is not uploaded stays\n"
	"  status [--json]      what it has\n"
	"  get URL              it fetches https://localhost:PORT/... over its own TCP/IP and TLS\n"
	"  remove               takes its credential away\n"
	"  console              its own, until end of input; try help there\n"
	"  --board NAME         an500 (QEMU, the default), an500-small (in little memory), an505 (QEMU, with\n"
	"                       TrustZone) or host (a program of this machine)\n"
	"  --image FILE         its flash (default: device.img beside this program); FILE.otp is its fuses\n"
	"  --help, --version\n"
	"Exit: 0 done, 1 refused or failed with one line, 64 usage.\n";

void tool_print(int fd, const char *line)
{
	char *safe = strdup(line);

	for (char *c = safe; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	if (safe)
		dprintf(fd, "%s\n", safe);
	free(safe);
}

int tool_fail(const char *format, ...)
{
	char *text = NULL, *line = NULL;
	va_list rest;

	va_start(rest, format);
	if (vasprintf(&text, format, rest) >= 0 && asprintf(&line, "mtls-device: %s", text) >= 0)
		tool_print(STDERR_FILENO, line);
	va_end(rest);
	free(text);
	free(line);
	return TOOL_FAILED;
}

bool tool_folder(char *to, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", to, size - 1);
	char *slash;

	if (n <= 0)
		return false;
	to[n] = '\0';
	slash = strrchr(to, '/');
	if (slash)
		*slash = '\0';
	return slash != NULL;
}

static int run(const struct tool *tool, int argc, char **argv)
{
	char folder[PATH_MAX], path[PATH_MAX + 16];
	struct image image;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, argv[0]) != 0)
			continue;
		if (argc == 2 && strcmp(argv[1], "--help") == 0) {
			fputs(help, stdout);
			return TOOL_DONE;
		}
		if (!tool->image) {
			if (!tool_folder(folder, sizeof(folder)))
				return tool_fail("/proc/self/exe cannot be read; use --image");
			snprintf(path, sizeof(path), "%s/device.img", folder);
		}
		if (!image_open(&image, tool->image ? tool->image : path))
			return TOOL_FAILED;
		return verbs[i].run(tool, &image, argc, argv);
	}
	tool_fail("%s: there is no such verb; see mtls-device --help", argv[0]);
	return TOOL_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"board", required_argument, NULL, 'b'},
						{"image", required_argument, NULL, 'i'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	struct tool tool = {.board = "an500"};
	int option;

	if (argc == 3 && strcmp(argv[1], "--relay") == 0) /* QEMU starts us so: see board.c */
		return relay(argv[2]);
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			tool.board = optarg;
			break;
		case 'i':
			tool.image = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return TOOL_DONE;
		case 'V':
			puts("mtls-device " MTLS_VERSION);
			return TOOL_DONE;
		default:
			return TOOL_USAGE;
		}
	}
	if (!board_known(tool.board)) {
		tool_fail("--board %s: not in this version; there are: " BOARDS, tool.board);
		return TOOL_USAGE;
	}
	if (optind == argc) {
		fputs(help, stderr);
		return TOOL_USAGE;
	}
	return run(&tool, argc - optind, argv + optind);
}
