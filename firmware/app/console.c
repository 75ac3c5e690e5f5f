/* SPDX-License-Identifier: Apache-2.0 */
/* Reads commands, calls who does them, writes answers: see console.h. */
#include "firmware/app/console.h"

#include "firmware/app/crc.h"
#include "firmware/app/get.h"
#include "firmware/app/status.h"
#include "firmware/net/socket.h"
#include "firmware/vault/vault.h"

#include "core/address.h"

#include <mbedtls/memory_buffer_alloc.h>

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 4

static const struct board *board;
static char line[CONSOLE_LINE];
static uint8_t piece[CONSOLE_PIECE];
static bool uploading; /* vault_begin was called, vault_commit was not */
static bool came[VAULT_FILES];

/* --- in and out --------------------------------------------------------------------- */

void console_open(const struct board *its)
{
	board = its;
}

void console_put(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		board->uart.put(board->uart.ctx, (uint8_t)text[i]);
}

static void put(const char *text)
{
	console_put(text, strlen(text));
}

/* -1: nothing has come, and the network has run meanwhile. -2: nothing will. */
static int get_byte(void)
{
	int byte = board->uart.get(board->uart.ctx);

	if (byte == -1)
		mtls_sockets_run(20);
	return byte;
}

static void done(void)
{
	put("ok\n");
}

/*
 * Words: usage, unknown (command or file), get, too-large, stalled, crc, and those of the vault: flash, no-room,
 * no-key, no-memory, no-random, damaged, out-of-order.
 */
static void refuse(const char *word, const char *sentence)
{
	put("error ");
	put(word);
	put(" ");
	put(sentence);
	put("\n");
}

static bool check(enum vault_result result)
{
	static const char *const words[VAULT_RESULTS] = {
		[VAULT_FLASH] = "flash",
		[VAULT_NO_ROOM] = "no-room",
		[VAULT_NO_KEY] = "no-key",
		[VAULT_NO_MEMORY] = "no-memory",
		[VAULT_NO_RANDOM] = "no-random",
		[VAULT_DAMAGED] = "damaged",
		[VAULT_OUT_OF_ORDER] = "out-of-order",
	};

	if (result == VAULT_OK)
		return true;
	uploading = false;
	refuse(words[result] ? words[result] : "vault", vault_result_sentence(result));
	return false;
}

/* --- upload --------------------------------------------------------------------------- */

static bool find_file(const char *name, enum vault_file *file)
{
	for (int i = 0; i < VAULT_FILES; i++)
		if (strcmp(name, vault_file_name((enum vault_file)i)) == 0) {
			*file = (enum vault_file)i;
			return true;
		}
	return false;
}

/* The whole word in that base, at most 32 bits. */
static bool parse_number(const char *s, unsigned base, uint32_t *to)
{
	uint64_t number = 0;
	const char *first = s;

	for (; *s; s++) {
		unsigned digit = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0') : ((unsigned)*s | 0x20) - 'a' + 10;

		if (digit >= base || (number = number * base + digit) > UINT32_MAX)
			return false;
	}
	*to = (uint32_t)number;
	return s != first;
}

static uint64_t now(void)
{
	return board->system.now(board->system.ctx);
}

/* false: they did not come. */
static bool take_piece(size_t n)
{
	uint64_t last = now();
	char ask[16];
	size_t got = 0;
	int byte;

	snprintf(ask, sizeof(ask), "ok?%u\n", (unsigned)n);
	put(ask);
	while (got < n) {
		byte = get_byte();
		if (byte >= 0) {
			piece[got++] = (uint8_t)byte;
			last = now();
		} else if (byte == -2 || now() - last >= CONSOLE_STALLED) {
			return false;
		}
	}
	return true;
}

/* Answers itself where it fails. A file of no bytes is one empty piece. */
static bool take_file(enum vault_file file, uint32_t length, uint32_t crc)
{
	uint32_t seen = 0, left = length;
	size_t n;

	do {
		n = left < sizeof(piece) ? left : sizeof(piece);
		if (n > 0 && !take_piece(n)) {
			refuse("stalled", "the file's bytes did not come");
			return false;
		}
		seen = crc32_add(seen, piece, n);
		if (!check(vault_put(file, piece, n)))
			return false;
		left -= (uint32_t)n;
	} while (left > 0);
	if (seen == crc)
		return true;
	refuse("crc", "the file was changed on its way: upload again, from the first file on");
	return false;
}

/* For the vault, what comes next of the same file is the rest of it: here, it is a file that comes twice. */
static bool begin(enum vault_file file)
{
	if (!uploading) {
		memset(came, 0, sizeof(came));
		return check(vault_begin());
	}
	if (!came[file])
		return true;
	uploading = false;
	refuse("out-of-order", "the file came already: upload again, from the first file on");
	return false;
}

static void upload(char **word, unsigned n)
{
	enum vault_file file;
	uint32_t length, crc;
	char why[80];

	if (n != 4 || !parse_number(word[2], 10, &length) || !parse_number(word[3], 16, &crc)) {
		refuse("usage", "upload NAME LENGTH CRC32");
		return;
	}
	if (!find_file(word[1], &file)) {
		refuse("unknown", "this is no file of a credential");
		return;
	}
	if (length > vault_file_max(file)) {
		snprintf(why, sizeof(why), "this file may have %lu bytes at most on the device",
			 (unsigned long)vault_file_max(file));
		refuse("too-large", why);
		return;
	}
	if (!begin(file))
		return;
	uploading = take_file(file, length, crc);
	came[file] = true;
	memset(piece, 0, sizeof(piece)); /* it may have been a key */
	if (uploading)
		done();
}

static void commit(char **word, unsigned n)
{
	(void)word;
	(void)n;
	if (!uploading) {
		refuse("out-of-order", "nothing was uploaded");
		return;
	}
	uploading = false;
	if (check(vault_commit()))
		done();
}

static void abort_upload(char **word, unsigned n)
{
	(void)word;
	(void)n;
	uploading = false;
	if (check(vault_begin())) /* erases */
		done();
}

static void remove_credential(char **word, unsigned n)
{
	(void)word;
	(void)n;
	uploading = false;
	if (check(vault_begin()) && check(vault_put(VAULT_CERT, "", 0)) && check(vault_put(VAULT_KEY, "", 0)) &&
	    check(vault_put(VAULT_PASS, "", 0)) && check(vault_commit()))
		done();
}

/* --- the others --------------------------------------------------------------------------- */

/* Text that comes in pieces, as lines of an answer. */
static bool at_start = true;

static void put_text(const char *text)
{
	for (; *text; text++) {
		if (at_start)
			put("ok-");
		at_start = *text == '\n';
		console_put(text, 1);
	}
}

static void status(char **word, unsigned n)
{
	bool json = n == 2 && strcmp(word[1], "json") == 0;

	if (n > 1 && !json) {
		refuse("usage", "status [json]");
		return;
	}
	status_print(json, put_text);
	if (!at_start)
		put_text("\n");
	done();
}

static void put_body(void *ctx, const void *data, size_t n)
{
	char head[16];

	(void)ctx;
	if (n == 0)
		return;
	snprintf(head, sizeof(head), "ok+%u\n", (unsigned)n);
	put(head);
	console_put(data, n);
}

static void get(char **word, unsigned n)
{
	static struct get g;
	struct mtls_addr address;

	if (n != 2 && n != 3) {
		refuse("usage", "get URL [ADDRESS]");
		return;
	}
	memset(&g, 0, sizeof(g));
	g.url = word[1];
	g.body = put_body;
	if (n == 3 && (!mtls_addr_parse(mtls_bytes_of(word[2]), &address) || address.family != 4)) {
		refuse("usage", "ADDRESS is four numbers with dots between them");
		return;
	}
	if (n == 3)
		memcpy(&g.address, address.ip, sizeof(g.address));
	if (get_url(&g))
		done();
	else
		refuse("get", g.why);
}

#ifdef MBEDTLS_MEMORY_DEBUG
static void put_heap(void)
{
	char text[80];
	size_t most, blocks, now_used;

	mbedtls_memory_buffer_alloc_max_get(&most, &blocks);
	mbedtls_memory_buffer_alloc_cur_get(&now_used, &blocks);
	snprintf(text, sizeof(text), "heap: %lu now, %lu at most, of %lu\n", (unsigned long)now_used,
		 (unsigned long)most, (unsigned long)FIRMWARE_HEAP);
	put_text(text);
}
#else
static void put_heap(void)
{
}
#endif

static void counters(char **word, unsigned n)
{
	char text[40];

	(void)word;
	(void)n;
	snprintf(text, sizeof(text), "signatures: %u\n", vault_signatures());
	put_text(text);
	put_heap();
	done();
}

static void help(char **word, unsigned n);

static const struct {
	const char *name, *usage;
	void (*run)(char **word, unsigned n);
} commands[] = {
	{"help", "help", help},
	{"status", "status [json]", status},
	{"upload", "upload NAME LENGTH CRC32", upload},
	{"commit", "commit", commit},
	{"abort", "abort", abort_upload},
	{"remove", "remove", remove_credential},
	{"counters", "counters", counters},
	{"get", "get URL [ADDRESS]", get},
};

static void help(char **word, unsigned n)
{
	(void)word;
	(void)n;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		put_text(commands[i].usage);
		put_text("\n");
	}
	done();
}

/* --- lines ------------------------------------------------------------------------------------ */

static void run(void)
{
	char *word[WORDS_MAX], *rest = line;
	unsigned n = 0;

	while (rest && n < WORDS_MAX) {
		word[n++] = rest;
		rest = strchr(rest, ' ');
		if (rest)
			*rest++ = '\0';
	}
	for (size_t i = 0; !rest && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(word[0], commands[i].name) == 0) {
			commands[i].run(word, n);
			return;
		}
	refuse("unknown", "there is no such command; try help");
}

/* Too long, or with a byte that no command has: all of it is garbage. */
static bool is_sound(size_t n)
{
	if (n >= sizeof(line))
		return false;
	for (size_t i = 0; i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	return true;
}

static void end_line(size_t n)
{
	if (n > 0 && n < sizeof(line) && line[n - 1] == '\r')
		n--;
	if (n == 0)
		return;
	if (!is_sound(n)) {
		refuse("unknown", "there is no such command; try help");
		return;
	}
	line[n] = '\0';
	run();
}

void console_run(const struct board *its)
{
	size_t n = 0;
	int byte;

	console_open(its);
	while ((byte = get_byte()) != -2 && !(byte == CONSOLE_END && n == 0)) {
		if (byte == '\n') {
			end_line(n);
			n = 0;
		} else if (byte >= 0) {
			if (n < sizeof(line))
				line[n] = (char)byte;
			n += n < sizeof(line);
		}
	}
}
