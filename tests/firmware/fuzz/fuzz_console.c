/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's protocol (firmware/app/console.h): whatever comes over the UART, between boots of a vault in memory,
 * and whatever a server answers to get; of the sockets there are stubs here. The input is what is sent, but for
 *
 *   0x1a  a file's bytes follow, up to the next 0x1a: before them go their number, their CRC and a line feed
 *   0x1d  the power goes; the rest comes after the boot, as it does behind an EOT that ends the console
 *   0x1e  get: up to the next one, what the server sends; without it there is no server
 *   0x1f  nothing for half of the time after which an upload ends
 *
 * The host's end is here, too. It checks that each command is answered, once, in the forms of the protocol, with a word
 * that is in the list, and in time; that what counts in the flash is what was committed, byte by byte, and nothing
 * else; that a boot without a commit changes nothing; and that a request has no line that the URL has made.
 */
#include "board.h"

#include "firmware/app/console.h"
#include "firmware/app/crc.h"
#include "firmware/net/ip.h"
#include "firmware/net/shared.h"
#include "firmware/net/socket.h"

#include <errno.h>
#include <stdio.h>

#define BOOTS 4
#define LINE  1024 /* of a command or an answer, as much as is looked at */

enum { FILE_MARK = 0x1a, POWER = 0x1d, SERVER = 0x1e, SILENCE = 0x1f };

static struct {
	const uint8_t *p;
	size_t n;
} input;

static uint64_t clock_ms;

/* The device's answers as the host understands them, and what it has asked for. */
static struct {
	char prefix[32]; /* what goes before a file */
	size_t sent;     /* of prefix */
	bool in_file, off;
	char command[LINE + 1], answer[LINE + 1];
	size_t command_n, answer_n;
	bool due;      /* the command has no answer yet */
	size_t wanted; /* bytes of an upload that the device waits for */
	uint64_t last; /* when it got one, or asked */
	size_t body;   /* bytes that it will send */
} host;

/* What the flash should have. */
static struct {
	bool open, committed;
	bool came[VAULT_FILES];
	size_t size[VAULT_FILES];
	uint8_t bytes[VAULT_FILES][1 << 16];
	enum vault_file file; /* that comes now, and how much of it */
	uint8_t piece[1 << 16];
	size_t n;
} upload;

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool next_is(uint8_t byte)
{
	return input.n > 0 && *input.p == byte;
}

static uint8_t take(void)
{
	input.n--;
	return *input.p++;
}

/* --- what became of a command ---------------------------------------------------------------- */

static void check_inbox(void)
{
	static uint8_t found[1 << 16];
	struct vault_upload u;
	bool committed, intact;

	CHECK(vault_inbox_open(&board.flash, layout.inbox, &u, &committed));
	CHECK(committed == upload.committed);
	for (int i = 0; committed && i < VAULT_FILES; i++) {
		CHECK(u.file[i].present == upload.came[i]);
		if (!u.file[i].present)
			continue;
		CHECK(u.file[i].size == upload.size[i]);
		CHECK(vault_inbox_read(&board.flash, layout.inbox, &u, (enum vault_file)i, found, &intact) && intact);
		CHECK(memcmp(found, upload.bytes[i], upload.size[i]) == 0);
	}
}

static void begin(void)
{
	upload.open = upload.committed = false;
	memset(upload.came, 0, sizeof(upload.came));
	memset(upload.size, 0, sizeof(upload.size));
}

/* "upload NAME LENGTH CRC32" was done. */
static void uploaded(void)
{
	char name[32], rest[2];
	unsigned long length, crc;
	int file = 0;

	CHECK(sscanf(host.command, "upload %31[^ ] %lu %lx%1s", name, &length, &crc, rest) == 3);
	while (file < VAULT_FILES && strcmp(name, vault_file_name((enum vault_file)file)) != 0)
		file++;
	CHECK(file < VAULT_FILES && length == upload.n && length <= vault_file_max((enum vault_file)file));
	CHECK(crc32_add(0, upload.piece, upload.n) == crc);
	if (!upload.open)
		begin();
	CHECK(!upload.came[file]);
	upload.open = upload.came[file] = true;
	upload.size[file] = upload.n;
	memcpy(upload.bytes[file], upload.piece, upload.n);
}

static void removed(void)
{
	begin();
	upload.committed = true;
	upload.came[VAULT_CERT] = upload.came[VAULT_KEY] = upload.came[VAULT_PASS] = true;
}

static bool is_verb(const char *verb)
{
	size_t n = strlen(verb);

	return begins(host.command, verb) && (host.command[n] == '\0' || host.command[n] == ' ');
}

static void done(void)
{
	CHECK(host.wanted == 0);
	if (is_verb("upload")) {
		uploaded();
	} else if (is_verb("commit")) {
		CHECK(upload.open);
		upload.committed = true;
		upload.open = false;
	} else if (is_verb("abort")) {
		begin();
	} else if (is_verb("remove")) {
		removed();
	}
}

/* The flash works, so that of the vault's words only these come. */
static void failed(const char *why)
{
	enum { UNKNOWN, USAGE, GET, TOO_LARGE, STALLED, CRC, NO_ROOM, OUT_OF_ORDER, WORDS };
	static const char *const words[WORDS] = {"unknown ", "usage ", "get ",     "too-large ",
						 "stalled ", "crc ",   "no-room ", "out-of-order "};
	int word = UNKNOWN;

	while (word < WORDS && !begins(why, words[word]))
		word++;
	CHECK(word < WORDS && strlen(why) > strlen(words[word]));
	CHECK(host.wanted == 0 || word == STALLED);
	if (word >= STALLED && is_verb("upload"))
		begin();
	if (word != UNKNOWN)
		CHECK(!is_verb("abort") && !is_verb("remove") && !(is_verb("commit") && upload.open));
}

/* --- the answers -------------------------------------------------------------------------------- */

static void end_command(void)
{
	host.due = false;
	host.wanted = 0;
	upload.n = 0;
	check_inbox();
}

static void take_answer(const char *line)
{
	CHECK(host.due);
	if (strcmp(line, "ok") == 0) {
		done();
		end_command();
	} else if (begins(line, "error ")) {
		failed(line + 6);
		end_command();
	} else if (begins(line, "ok?")) {
		CHECK(host.wanted == 0 && is_verb("upload"));
		host.wanted = strtoul(line + 3, NULL, 10);
		host.last = clock_ms;
		CHECK(host.wanted > 0 && host.wanted <= CONSOLE_PIECE);
	} else if (begins(line, "ok+")) {
		host.body = strtoul(line + 3, NULL, 10);
		CHECK(host.body > 0 && is_verb("get"));
	} else {
		CHECK(begins(line, "ok-"));
	}
}

static void uart_put(void *ctx, uint8_t byte)
{
	(void)ctx;
	if (host.body > 0) {
		host.body--;
		return;
	}
	if (byte == '\n') {
		host.answer[host.answer_n] = '\0';
		host.answer_n = 0;
		take_answer(host.answer);
		return;
	}
	CHECK(byte >= ' ' && byte <= '~');
	if (host.answer_n < LINE)
		host.answer[host.answer_n++] = (char)byte;
}

/* --- what is sent ----------------------------------------------------------------------------------- */

static uint8_t deliver(uint8_t byte)
{
	if (host.wanted > 0) {
		CHECK(clock_ms - host.last < CONSOLE_STALLED && upload.n < sizeof(upload.piece));
		host.wanted--;
		host.last = clock_ms;
		upload.piece[upload.n++] = byte;
		return byte;
	}
	CHECK(!host.due); /* or it reads on and has not answered */
	if (byte != '\n') {
		host.command[host.command_n] = (char)byte;
		host.command_n += host.command_n < LINE;
		return byte;
	}
	if (host.command_n > 0 && host.command[host.command_n - 1] == '\r')
		host.command_n--;
	host.command[host.command_n] = '\0';
	host.due = host.command_n > 0;
	host.command_n = 0;
	return byte;
}

static void begin_file(void)
{
	const uint8_t *end;
	size_t n;

	host.in_file = !host.in_file;
	if (!host.in_file)
		return;
	end = input.n ? memchr(input.p, FILE_MARK, input.n) : NULL;
	n = end ? (size_t)(end - input.p) : input.n;
	snprintf(host.prefix, sizeof(host.prefix), "%zu %08x\n", n, (unsigned)crc32_add(0, input.p, n));
	host.sent = 0;
}

static int uart_get(void *ctx)
{
	(void)ctx;
	while (!host.off && !host.prefix[host.sent] && next_is(FILE_MARK)) {
		take();
		begin_file();
	}
	if (host.off || (!host.prefix[host.sent] && input.n == 0))
		return -2;
	if (host.prefix[host.sent])
		return deliver((uint8_t)host.prefix[host.sent++]);
	if (next_is(SILENCE)) {
		take();
		clock_ms += CONSOLE_STALLED / 2;
		return -1;
	}
	if (next_is(POWER)) {
		take();
		host.off = true;
		return -2;
	}
	return deliver(take());
}

/* --- the rest of the board, and the sockets ----------------------------------------------------------- */

static uint64_t now(void *ctx)
{
	(void)ctx;
	return clock_ms;
}

static bool wall(void *ctx, int64_t *seconds)
{
	(void)ctx;
	*seconds = 1800000000;
	return true;
}

static bool is_open, serving;

uint64_t ip_now(void)
{
	return clock_ms;
}

void mtls_sockets_run(uint32_t ms)
{
	clock_ms += ms;
}

int mtls_resolve(const char *name, uint32_t *address, uint32_t deadline_ms)
{
	(void)deadline_ms;
	CHECK(strlen(name) < SOCKETS_HOST);
	*address = 1;
	errno = ENOENT;
	return next_is(SERVER) ? 0 : -1;
}

int mtls_socket(int family, int type, int protocol)
{
	CHECK(family == MTLS_AF_INET && type == MTLS_SOCK_STREAM && protocol == MTLS_IPPROTO_TLS_1_2 && !is_open);
	is_open = true;
	serving = false;
	return 0;
}

int mtls_setsockopt(int fd, int level, int option, const void *value, size_t n)
{
	if (level == MTLS_SOL_SOCKET) {
		CHECK(fd == 0 && is_open && option == MTLS_SO_RCVTIMEO && n == sizeof(uint32_t));
		return 0;
	}
	CHECK(fd == 0 && level == MTLS_SOL_TLS && option == MTLS_TLS_HOSTNAME && n > 0 && n < SOCKETS_HOST);
	CHECK(!memchr(value, '\0', n));
	return 0;
}

int mtls_connect(int fd, uint32_t address, uint16_t port)
{
	CHECK(fd == 0 && is_open && address && port);
	return next_is(SERVER) ? 0 : -1;
}

/* A request line and four fields; what the URL had is in one line, without blanks. */
long mtls_send(int fd, const void *data, size_t n)
{
	const char *text = data;
	unsigned lines = 0, blanks = 0;

	CHECK(fd == 0 && n > 4 && memcmp(text + n - 4, "\r\n\r\n", 4) == 0 && memcmp(text, "GET /", 5) == 0);
	for (size_t i = 0; i < n; i++) {
		lines += text[i] == '\n';
		blanks += text[i] == ' ' && lines == 0;
		CHECK((text[i] >= ' ' && text[i] <= '~') || text[i] == '\r' || text[i] == '\n');
	}
	CHECK(lines == 6 && blanks == 2);
	return (long)n;
}

/* In pieces of all sizes. */
long mtls_recv(int fd, void *data, size_t n)
{
	size_t got = 0, most = 1 + input.n % n;

	CHECK(fd == 0 && is_open);
	if (!serving && next_is(SERVER))
		take();
	serving = true;
	while (got < most && input.n > 0 && !next_is(SERVER))
		((uint8_t *)data)[got++] = take();
	return (long)got;
}

int mtls_close(int fd)
{
	CHECK(fd == 0 && is_open);
	is_open = false;
	while (serving && input.n > 0)
		serving = take() != SERVER;
	return 0;
}

const char *mtls_socket_reason(int fd)
{
	CHECK(fd == 0);
	return "there is no server";
}

/* --- boots -------------------------------------------------------------------------------------------- */

/* The boot of a device that has run already: what mtls_sockets_start has read, it reads again. */
static void boot(void)
{
	struct vault_status before, after;

	vault_status(&before);
	CHECK(board_boot() == VAULT_OK);
	CHECK(!memmem(ram.bytes, ram.flash.size, "-----BEGIN", 10));
	mbedtls_x509_crt_free(&shared()->chain);
	mbedtls_x509_crt_free(&shared()->ca);
	mbedtls_pk_free(&shared()->key);
	memset(shared(), 0, sizeof(*shared()));
	shared_load();
	vault_status(&after);
	CHECK(after.generation == before.generation + upload.committed);
	CHECK(upload.committed || (after.reason == before.reason && after.refused == before.refused));
	begin();
	memset(&host, 0, sizeof(host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (board_new()) {
		board.uart = (struct board_uart){uart_put, uart_get, NULL};
		board.system.now = now;
		board.system.wall = wall;
		board_bind(&board);
	}
	board_boot(); /* which forgets what the last input has left */
	upload.committed = false;
	input.p = data;
	input.n = size;
	for (int i = 0; i < BOOTS && (i == 0 || input.n > 0); i++) {
		boot();
		console_run(&board);
		CHECK(!host.due && host.body == 0 && host.answer_n == 0 && !is_open);
	}
	boot();
	return 0;
}
