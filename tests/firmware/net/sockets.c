/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secure sockets from an application's side, on the host's board: sockets CASE flash=FILE otp=FILE port=N [step=N],
 * where the loopback's port N is the server of servers.py that the case names; memory tries each step-th allocation.
 * get fetches the server's / with little patience, and prints what the sample application says of it. Exit 0, or 1 with
 * a line that says what was wrong. Link: build/firmware/host/lib*.a in a group, -lslirp.
 */
#include "firmware/app/get.h"
#include "firmware/net/socket.h"
#include "firmware/port/port.h"
#include "firmware/vault/vault.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEGABYTE (1 << 20)
#define LOST     9 /* blocks: three times what mbedTLS 3.6.6 loses in TLS 1.3 (docs/FIRMWARE.md) */

static const struct board *board;
static uint16_t port;
static uint32_t gate;

#define must(condition) must_be(condition, #condition, __LINE__)

static void must_be(bool good, const char *text, int line)
{
	if (good)
		return;
	fprintf(stderr, "line %d: not so: %s (errno %s)\n", line, text, strerror(errno));
	for (int fd = 0; fd < SOCKETS_MAX; fd++)
		if (*mtls_socket_reason(fd))
			fprintf(stderr, "socket %d: %s\n", fd, mtls_socket_reason(fd));
	exit(1);
}

static uint64_t now(void)
{
	return board->system.now(board->system.ctx);
}

static int number(int fd, int level, int option, uint32_t value)
{
	return mtls_setsockopt(fd, level, option, &value, sizeof(value));
}

static int make(int protocol)
{
	int fd = mtls_socket(MTLS_AF_INET, MTLS_SOCK_STREAM, protocol);

	must(fd >= 0);
	must(mtls_setsockopt(fd, MTLS_SOL_TLS, MTLS_TLS_HOSTNAME, "localhost", 9) == 0);
	return fd;
}

/* --- what needs no server ---------------------------------------------------------------- */

static void case_options(void)
{
	char data[4];
	int fds[SOCKETS_MAX], fd;

	must(mtls_socket(2, MTLS_SOCK_STREAM, MTLS_IPPROTO_TLS_1_2) == -1 && errno == EAFNOSUPPORT);
	must(mtls_socket(MTLS_AF_INET, MTLS_SOCK_STREAM, 17) == -1 && errno == EPROTONOSUPPORT);
	for (int i = 0; i < SOCKETS_MAX; i++)
		must((fds[i] = make(MTLS_IPPROTO_TLS_1_2)) == i);
	must(mtls_socket(MTLS_AF_INET, MTLS_SOCK_STREAM, MTLS_IPPROTO_TLS_1_2) == -1 && errno == EMFILE);
	for (int i = 0; i < SOCKETS_MAX; i++)
		must(mtls_close(fds[i]) == 0);
	must(mtls_close(fds[0]) == -1 && errno == EBADF);
	must(mtls_recv(-1, data, 1) == -1 && errno == EBADF);

	fd = mtls_socket(MTLS_AF_INET, MTLS_SOCK_STREAM, MTLS_IPPROTO_TLS_1_3);
	must(mtls_connect(fd, gate, port) == -1 && errno == EDESTADDRREQ && *mtls_socket_reason(fd));
	must(number(fd, MTLS_SOL_TLS, MTLS_TLS_PEER_VERIFY, 0) == -1 && errno == EINVAL);
	must(number(fd, MTLS_SOL_TLS, MTLS_TLS_PEER_VERIFY, 1) == -1 && errno == EINVAL);
	must(number(fd, MTLS_SOL_TLS, MTLS_TLS_PEER_VERIFY, 2) == 0);
	must(mtls_setsockopt(fd, MTLS_SOL_TLS, MTLS_TLS_HOSTNAME, "", 0) == -1 && errno == EINVAL);
	must(mtls_setsockopt(fd, MTLS_SOL_TLS, MTLS_TLS_HOSTNAME, "a\0b", 3) == -1 && errno == EINVAL);
	must(mtls_setsockopt(fd, MTLS_SOL_TLS, MTLS_TLS_HOSTNAME, "a.example.", 11) == 0);
	must(mtls_send(fd, data, 1) == -1 && errno == ENOTCONN);
	must(mtls_close(fd) == 0);
}

/* --- servers that do not go on ------------------------------------------------------------ */

static void case_stall(void)
{
	int fd = make(MTLS_IPPROTO_TLS_1_2);
	struct mtls_pollfd one = {.fd = fd, .events = MTLS_POLLOUT};
	uint64_t start = now();

	must(number(fd, MTLS_SOL_SOCKET, MTLS_SO_SNDTIMEO, 700) == 0);
	must(mtls_connect(fd, gate, port) == -1 && errno == ETIMEDOUT);
	must(now() - start >= 700 && now() - start < 1500);
	must(strstr(mtls_socket_reason(fd), "TLS handshake") != NULL);
	must(mtls_connect(fd, gate, port) == -1 && errno == ETIMEDOUT); /* it stays so */
	must(mtls_poll(&one, 1, 0) == 1 && one.revents == MTLS_POLLERR);
	must(mtls_close(fd) == 0);

	fd = make(MTLS_IPPROTO_TLS_1_2);
	one = (struct mtls_pollfd){.fd = fd, .events = MTLS_POLLOUT | MTLS_POLLIN};
	must(number(fd, MTLS_SOL_SOCKET, MTLS_SO_NONBLOCK, 1) == 0);
	start = now();
	must(mtls_connect(fd, gate, port) == -1 && errno == EINPROGRESS);
	must(now() - start < 100);
	must(mtls_poll(&one, 1, 300) == 0);
	must(mtls_connect(fd, gate, port) == -1 && errno == EINPROGRESS);
	must(mtls_send(fd, "x", 1) == -1 && errno == ENOTCONN);
	must(mtls_close(fd) == 0);
}

/* The server says something that is wrong, or hangs up. */
static void case_broken(void)
{
	int fd = make(MTLS_IPPROTO_TLS_1_2);

	must(number(fd, MTLS_SOL_SOCKET, MTLS_SO_SNDTIMEO, 3000) == 0);
	must(mtls_connect(fd, gate, port) == -1);
	must(errno == EPROTO || errno == ECONNRESET);
	printf("%s\n", mtls_socket_reason(fd));
	must(mtls_close(fd) == 0);
}

/* --- an echo ---------------------------------------------------------------------------------- */

struct channel {
	int fd;
	size_t sent, got;
	bool open;
};

static uint8_t byte_at(int channel, size_t at)
{
	return (uint8_t)((at * 31 + at / 1021 + (size_t)channel * 7) & 0xff);
}

static void send_some(struct channel *c, int n)
{
	static uint8_t data[5000];
	size_t want = MEGABYTE - c->sent < sizeof(data) ? MEGABYTE - c->sent : sizeof(data);
	long sent;

	for (size_t i = 0; i < want; i++)
		data[i] = byte_at(n, c->sent + i);
	sent = mtls_send(c->fd, data, want);
	must(sent > 0 || errno == EAGAIN);
	c->sent += sent > 0 ? (size_t)sent : 0;
}

static void receive_some(struct channel *c, int n)
{
	static uint8_t data[5000];
	long got = mtls_recv(c->fd, data, sizeof(data));

	must(got > 0 || (got < 0 && errno == EAGAIN));
	for (long i = 0; i < got; i++)
		must(data[i] == byte_at(n, c->got + (size_t)i));
	c->got += got > 0 ? (size_t)got : 0;
}

static void serve(struct channel *c, int n, short revents)
{
	must(!(revents & (MTLS_POLLERR | MTLS_POLLHUP)));
	if (!c->open && revents) {
		must(mtls_connect(c->fd, gate, port) == 0);
		c->open = true;
	}
	if (revents & MTLS_POLLOUT && c->sent < MEGABYTE)
		send_some(c, n);
	if (revents & MTLS_POLLIN)
		receive_some(c, n);
}

/* All sockets of the pool at once, a megabyte each way, without waiting anywhere but in poll. */
static void case_four(void)
{
	struct channel channels[SOCKETS_MAX] = {{.fd = 0}};
	struct mtls_pollfd fds[SOCKETS_MAX];
	unsigned left = SOCKETS_MAX;

	for (int i = 0; i < SOCKETS_MAX; i++) {
		channels[i].fd = make(i % 2 ? MTLS_IPPROTO_TLS_1_3 : MTLS_IPPROTO_TLS_1_2);
		must(number(channels[i].fd, MTLS_SOL_SOCKET, MTLS_SO_NONBLOCK, 1) == 0);
		must(mtls_connect(channels[i].fd, gate, port) == -1 && errno == EINPROGRESS);
	}
	while (left > 0) {
		for (int i = 0; i < SOCKETS_MAX; i++)
			fds[i] = (struct mtls_pollfd){
				.fd = channels[i].fd,
				.events = MTLS_POLLIN |
					  (channels[i].sent < MEGABYTE || !channels[i].open ? MTLS_POLLOUT : 0)};
		must(mtls_poll(fds, SOCKETS_MAX, 5000) > 0);
		left = 0;
		for (int i = 0; i < SOCKETS_MAX; i++) {
			serve(&channels[i], i, fds[i].revents);
			left += channels[i].got < MEGABYTE;
		}
	}
	must(vault_signatures() == SOCKETS_MAX);
	for (int i = 0; i < SOCKETS_MAX; i++)
		must(mtls_close(channels[i].fd) == 0);
}

static bool echoes(int fd)
{
	char data[16];

	return mtls_connect(fd, gate, port) == 0 && mtls_send(fd, "hello", 5) == 5 &&
	       mtls_recv(fd, data, sizeof(data)) == 5 && memcmp(data, "hello", 5) == 0;
}

static void once(void)
{
	int fd = make(MTLS_IPPROTO_TLS_1_2);

	must(echoes(fd));
	must(mtls_close(fd) == 0);
}

/* Two hundred handshakes leave nothing behind. */
static void case_sequence(void)
{
	size_t before;

	for (int i = 0; i < 20; i++)
		once();
	before = mallinfo2().uordblks;
	for (int i = 0; i < 180; i++)
		once();
	must(mallinfo2().uordblks <= before + 4096);
	must(vault_signatures() == 200);
}

/*
 * On all sockets but one, which nobody reads, come small segments. The last one has to work all the same, and
 * afterwards nothing of the others is lost.
 */
static void case_drizzle(void)
{
	static const char rain[] = "sixty bytes that come back one by one, each in a record of its";
	char data[sizeof(rain)];
	int fds[SOCKETS_MAX - 1];
	uint64_t start;

	for (int i = 0; i < SOCKETS_MAX - 1; i++) {
		fds[i] = make(MTLS_IPPROTO_TLS_1_2);
		must(mtls_connect(fds[i], gate, port) == 0);
		must(mtls_send(fds[i], rain, sizeof(rain)) == sizeof(rain));
	}
	for (start = now(); now() - start < 1500;)
		mtls_sockets_run(50);
	once();
	for (int i = 0; i < SOCKETS_MAX - 1; i++) {
		for (size_t got = 0; got < sizeof(rain); got++)
			must(mtls_recv(fds[i], data + got, 1) == 1);
		must(memcmp(data, rain, sizeof(rain)) == 0);
		must(mtls_close(fds[i]) == 0);
	}
}

/* --- the sample application ------------------------------------------------------------------- */

#define PATIENCE 1000

static void count(void *ctx, const void *data, size_t n)
{
	(void)data;
	*(size_t *)ctx += n;
}

/* However the server dawdles: it has a second, and the handshake, which is quick, another. */
static void case_get(void)
{
	static char url[64];
	size_t n = 0;
	struct get g = {.url = url, .address = gate, .body = count, .ctx = &n, .patience_ms = PATIENCE};
	uint64_t start = now();
	bool good;

	snprintf(url, sizeof(url), "https://localhost:%u/", port);
	good = get_url(&g);
	must(now() - start < PATIENCE + 1000);
	printf("%s%s, %zu bytes\n", good ? "whole" : "failed: ", g.why, n);
}

/* --- memory that ends ------------------------------------------------------------------------- */

/* mbedtls/platform.h, which would want the library's configuration. */
int mbedtls_platform_set_calloc_free(void *(*)(size_t, size_t), void (*)(void *));

static size_t asked, missing, step = 1;
static long held;   /* blocks */
static bool onward; /* all that come after it are missing too */

static void *limited(size_t n, size_t size)
{
	void *block;

	asked++;
	block = missing && (asked == missing || (onward && asked > missing)) ? NULL : calloc(n, size);
	held += block != NULL;
	return block;
}

static void counted_free(void *block)
{
	held -= block != NULL;
	free(block);
}

/* true: it failed, and says of what. The next connection is as good as ever. */
static bool fails_without(size_t n, bool and_all_others)
{
	int fd = make(MTLS_IPPROTO_TLS_1_2);
	bool good;

	asked = 0;
	missing = n;
	onward = and_all_others;
	good = echoes(fd);
	missing = 0;
	must(good || strstr(mtls_socket_reason(fd), "(FIRMWARE_HEAP)") != NULL);
	must(mtls_close(fd) == 0);
	once();
	return !good;
}

/* One by one, each allocation of a connection; mbedTLS gets over a few. */
static void case_memory(void)
{
	size_t all, tried = 0, failed = 0;
	long before;

	must(mbedtls_platform_set_calloc_free(limited, counted_free) == 0);
	once();
	asked = 0;
	once();
	all = asked;
	before = held;
	for (size_t n = 1; n <= all; n += step, tried += 2) {
		failed += fails_without(n, false);
		failed += fails_without(n, true);
	}
	must(tried > 100 && failed > tried / 2);
	must(held <= before + LOST);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {{"options", case_options},
	     {"stall", case_stall},
	     {"broken", case_broken},
	     {"four", case_four},
	     {"once", once},
	     {"sequence", case_sequence},
	     {"memory", case_memory},
	     {"drizzle", case_drizzle},
	     {"get", case_get}};

static void print_log(const char *line, size_t n)
{
	fwrite(line, 1, n, stderr);
}

int main(int argc, char **argv)
{
	const char *word = board_word(argc, argv, "port");

	board = board_start(argc, argv);
	must(board != NULL && argc > 1);
	board_bind(board);
	must(vault_boot(board) == VAULT_OK);
	must(mtls_sockets_start(board, print_log));
	must(mtls_resolve("10.0.2.100", &gate, 0) == 0);
	port = (uint16_t)strtoul(word ? word : "0", NULL, 10);
	word = board_word(argc, argv, "step");
	step = word ? strtoul(word, NULL, 10) : step;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			board_exit(0);
		}
	must(!"such a case");
}
