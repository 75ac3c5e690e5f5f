/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotate WAY FOLDER SOURCE        makes FOLDER's credential that of the folder SOURCE: its files, and no others
 * rotate WAY FOLDER SOURCE OTHER  in turns, 50 times a second, until standard input ends; then "changes=N ms=M"
 *
 *   rename   each file is renamed over the old one; what SOURCE has not is removed
 *   links    Kubernetes' way: FOLDER's files are links into ..data, a link to a folder, which is swapped
 *   place    each file is cut and written again, in pieces, one file after the other
 *   emptied  the same, but all files are cut before the first is written
 *
 * The files take turns in which comes first, and between two steps there is a pause, so that what is torn stays torn
 * for a while.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES    3
#define CERT     0
#define PERIOD   20 /* ms */
#define PAUSE_NS 1000000L

static const char *const names[FILES] = {"client_cert.pem", "private_key.pem", "private_key_pass.txt"};

static unsigned turn;
static long due; /* ms: when the next change is; who is late makes a pause at every third change only */

struct source {
	char text[FILES][16384];
	ssize_t n[FILES]; /* -1: not there */
};

static void check(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_a_while(void)
{
	static const struct timespec pause = {0, PAUSE_NS};

	if (now_ms() < due || turn % 3 == 0)
		nanosleep(&pause, NULL);
}

static void read_source(struct source *s, const char *folder)
{
	int in = open(folder, O_RDONLY | O_DIRECTORY), fd;

	check(in >= 0, folder);
	for (int i = 0; i < FILES; i++) {
		fd = openat(in, names[i], O_RDONLY);
		check(fd >= 0 || errno == ENOENT, names[i]);
		s->n[i] = fd < 0 ? -1 : read(fd, s->text[i], sizeof(s->text[i]));
		check(s->n[i] < (ssize_t)sizeof(s->text[i]), names[i]);
		if (fd >= 0)
			close(fd);
	}
	close(in);
}

/* All at once; or the first bytes, and after a while the rest. */
static void write_file(const char *name, const char *text, size_t n, size_t first)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0, name);
	if (first < n)
		pause_a_while();
	check(write(fd, text, first) == (ssize_t)first, name);
	if (first < n)
		pause_a_while();
	check(write(fd, text + first, n - first) == (ssize_t)(n - first), name);
	close(fd);
}

static void drop(const char *name)
{
	check(unlink(name) == 0 || errno == ENOENT, name);
}

static void put_renamed(const struct source *s, int i)
{
	if (s->n[i] < 0) {
		drop(names[i]);
	} else {
		write_file("new", s->text[i], (size_t)s->n[i], (size_t)s->n[i]);
		check(rename("new", names[i]) == 0, names[i]);
	}
	pause_a_while();
}

/* A piece ends inside the second certificate, or inside the key; or where the chain is short, but good. */
static void put_in_place(const struct source *s, int i)
{
	static const char end[] = "-----END CERTIFICATE-----\n";
	const char *leaf = i == CERT ? strstr(s->text[i], end) : NULL;
	size_t n = s->n[i] < 0 ? 0 : (size_t)s->n[i];
	static unsigned written;

	if (s->n[i] < 0)
		drop(names[i]);
	else if (leaf && written++ % 3)
		write_file(names[i], s->text[i], n, (size_t)(leaf - s->text[i]) + sizeof(end) - 1);
	else
		write_file(names[i], s->text[i], n, n * 2 / 3);
	pause_a_while();
}

/* A new folder, the link to it, and the old folder goes. */
static void put_linked(const struct source *s)
{
	char path[64], data[32], old[32] = "";
	static int number;
	ssize_t n = readlink("..data", old, sizeof(old) - 1);

	if (n < 0)
		for (int i = 0; i < FILES; i++) {
			snprintf(path, sizeof(path), "..data/%s", names[i]);
			check(symlink(path, names[i]) == 0, names[i]);
		}
	snprintf(data, sizeof(data), "..%ld_%d", (long)getpid(), ++number);
	check(mkdir(data, 0700) == 0, data);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", data, names[i]);
		if (s->n[i] >= 0)
			write_file(path, s->text[i], (size_t)s->n[i], (size_t)s->n[i]);
	}
	check(symlink(data, "..data_tmp") == 0 && rename("..data_tmp", "..data") == 0, "..data");
	for (int i = 0; n > 0 && i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", old, names[i]);
		drop(path);
	}
	check(n < 0 || rmdir(old) == 0, old);
}

static void put(const char *way, const struct source *s)
{
	bool backwards = turn++ / 2 % 2; /* each source in both orders */

	if (strcmp(way, "links") == 0) {
		put_linked(s);
		return;
	}
	for (int i = 0; i < FILES && strcmp(way, "emptied") == 0; i++)
		check(truncate(names[i], 0) == 0 || errno == ENOENT, names[i]);
	for (int i = 0; i < FILES; i++)
		(strcmp(way, "rename") == 0 ? put_renamed : put_in_place)(s, backwards ? FILES - 1 - i : i);
}

/* The pace is that of the clock: what one change was late, the next makes good. */
static void rotate(const char *way, const struct source source[2])
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	long start = now_ms(), left;
	int changes = 0;

	due = start;
	do {
		due += PERIOD;
		put(way, &source[changes++ % 2]);
		left = due - now_ms();
	} while (poll(&input, 1, left > 0 ? (int)left : 0) == 0);
	printf("changes=%d ms=%ld\n", changes, now_ms() - start);
}

int main(int argc, char *argv[])
{
	static struct source source[2];

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: rotate WAY FOLDER SOURCE [OTHER]\n");
		return 64;
	}
	for (int i = 3; i < argc; i++)
		read_source(&source[i - 3], argv[i]);
	check(chdir(argv[2]) == 0, argv[2]);
	if (argc == 4)
		put(argv[1], &source[0]);
	else
		rotate(argv[1], source);
	return 0;
}
