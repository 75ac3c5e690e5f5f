/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-device: an emulated device on the user's desk. image.c has its flash, board.c starts it (its power), session.c
 * talks to its console, verbs.c does the contract's verbs. One device at a time.
 */
#ifndef MTLS_FIRMWARE_TOOL_H
#define MTLS_FIRMWARE_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tool_exit { TOOL_DONE = 0, TOOL_FAILED = 1, TOOL_USAGE = 64 };

struct tool {
	const char *board; /* one of BOARDS */
	const char *image; /* NULL: the default */
};

/* "mtls-device: …", one line on standard error; control bytes become '?'. Returns TOOL_FAILED. */
int tool_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same bytes, safe for a terminal; NUL-ended. */
void tool_print(int fd, const char *line);
/* The folder of this program, without the slash; false: it cannot be known. */
bool tool_folder(char *to, size_t size);

/* --- image.c ------------------------------------------------------------------------- */

struct image {
	int flash, otp;                    /* both are inherited by the device */
	char flash_path[32], otp_path[32]; /* /proc/self/fd/N: no name is odd there */
};

/* Makes what does not exist. While it is open no other mtls-device can have it. false: said why. */
bool image_open(struct image *, const char *path);

/* --- board.c ---------------------------------------------------------------------------- */

struct device {
	pid_t pid;
	int to, from; /* its serial line */
	char in[8192];
	size_t first, n;
};

/* The power is on. port: of the loopback that the device reaches, 0: none. false: said why. */
bool board_on(struct device *, const struct tool *, const struct image *, uint16_t port);
/* Waits for its end for a moment, then pulls the plug. */
void board_off(struct device *);
/* Which boards there are, for messages. */
#define BOARDS "host, an500, an500-small, an505"
bool board_known(const char *name);
/* For one connection of the device: standard input and output to the loopback's port. Returns an exit status. */
int relay(const char *port);

/* --- session.c ----------------------------------------------------------------------------- */

/* Boots it and waits until it is ready. false: said why, and it is off. */
bool session_begin(struct device *, const struct tool *, const struct image *, uint16_t port);
/* Ends its console. */
void session_end(struct device *);

/* What an answer is made of. NULL: does not matter. */
struct listener {
	void (*line)(void *ctx, const char *text);
	void (*body)(void *ctx, const void *data, size_t n);
	void *ctx;
	const void *file; /* what is uploaded; the device takes it in pieces */
	size_t left;
};
enum answer { ANSWER_OK, ANSWER_ERROR, ANSWER_LOST };
/* command: without its line feed. ANSWER_ERROR: why has "WORD SENTENCE"; ANSWER_LOST: said why. */
enum answer session_ask(struct device *, const char *command, struct listener *, char *why, size_t size);
/* From a terminal, or whatever standard input is, to its end. */
int session_relay(struct device *);

/* --- verbs.c ---------------------------------------------------------------------------------- */

int verb_upload(const struct tool *, const struct image *, int argc, char **argv);
int verb_status(const struct tool *, const struct image *, int argc, char **argv);
int verb_get(const struct tool *, const struct image *, int argc, char **argv);
int verb_remove(const struct tool *, const struct image *, int argc, char **argv);
int verb_console(const struct tool *, const struct image *, int argc, char **argv);

#endif
