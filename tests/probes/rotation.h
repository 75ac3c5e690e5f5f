/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long-lived program that is told on its standard input what to do, and answers each line with one of its own.
 * Shared by rotation.c and gnutls_rotation.c, which bring the handshake.
 *
 *   one         a handshake: whom the server saw, "none", or "failed" (why: on standard error)
 *   run N       8 threads make N full handshakes, every other one of TLS 1.2: "n=… failed=… none=… NAME=… NAME=…"
 *   memory      "rss=… heap=… maps=… fds=… undumped=… unmapped=… keys=…": kB, kB in use of malloc's, mappings,
 *               descriptors, kB of anonymous mappings that are left out of core dumps; how often a library has unmapped
 *               memory, and how often there was still a key's PEM in it
 *   find FILE   "found=… backwards=…": how often these bytes are in this process, and the same backwards, as libraries
 *               keep numbers on most machines
 */
#ifndef MTLS_TESTS_ROTATION_H
#define MTLS_TESTS_ROTATION_H

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROTATION_THREADS 8
#define ROTATION_NAMES   4
#define ROTATION_NEEDLE  512
#define ROTATION_CHUNK   65536
#define ROTATION_MASK    0x5a /* what is looked for is kept masked, or it would find itself */

/* Of the includer: connects and talks. The server's "subject: CN=…", or "" where nothing came. */
static void rotation_handshake(const char *port, bool tls12, char *answer, size_t size);

static struct {
	const char *port;
	atomic_int next, failed, none, count[ROTATION_NAMES];
	int total;
	pthread_mutex_t lock; /* names are added under it */
	char name[ROTATION_NAMES][64];
} rotation = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void rotation_give_up(const char *why)
{
	fprintf(stderr, "probe: %s\n", why);
	exit(3);
}

/* A small question right behind the handshake would else wait 40 ms for an acknowledgement. */
static inline void rotation_no_delay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		rotation_give_up("no TCP_NODELAY");
}

/* --- handshakes ----------------------------------------------------------------- */

/* NULL where the handshake failed; "" where the server saw nobody. */
static inline const char *rotation_once(bool tls12, char *answer, size_t size)
{
	static const char before[] = "subject: ";

	answer[0] = '\0';
	rotation_handshake(rotation.port, tls12, answer, size);
	if (strncmp(answer, before, sizeof(before) - 1) != 0)
		return NULL;
	answer += sizeof(before) - 1;
	return strncmp(answer, "CN=", 3) == 0 ? answer + 3 : answer;
}

static inline atomic_int *rotation_counter(const char *name)
{
	int i = 0;

	pthread_mutex_lock(&rotation.lock);
	while (i < ROTATION_NAMES && rotation.name[i][0] && strcmp(rotation.name[i], name) != 0)
		i++;
	if (i == ROTATION_NAMES || strlen(name) >= sizeof(rotation.name[i]))
		rotation_give_up("too many names");
	strcpy(rotation.name[i], name);
	pthread_mutex_unlock(&rotation.lock);
	return &rotation.count[i];
}

static void *rotation_thread(void *unused)
{
	char answer[1200] = "";
	int i;

	while ((i = atomic_fetch_add(&rotation.next, 1)) < rotation.total) {
		const char *name = rotation_once(i % 2, answer, sizeof(answer));

		atomic_fetch_add(!name ? &rotation.failed : !name[0] ? &rotation.none : rotation_counter(name), 1);
	}
	return unused;
}

static inline void rotation_run(int n)
{
	pthread_t thread[ROTATION_THREADS];

	rotation.total = n;
	rotation.next = rotation.failed = rotation.none = 0;
	for (int i = 0; i < ROTATION_NAMES; i++) {
		rotation.count[i] = 0;
		rotation.name[i][0] = '\0';
	}
	for (int i = 0; i < ROTATION_THREADS; i++)
		if (pthread_create(&thread[i], NULL, rotation_thread, NULL) != 0)
			rotation_give_up("no thread");
	for (int i = 0; i < ROTATION_THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("n=%d failed=%d none=%d", n, rotation.failed, rotation.none);
	for (int i = 0; i < ROTATION_NAMES && rotation.name[i][0]; i++)
		printf(" %s=%d", rotation.name[i], rotation.count[i]);
	printf("\n");
}

static inline void rotation_one(void)
{
	char answer[1200] = "";
	const char *name = rotation_once(false, answer, sizeof(answer));

	printf("%s\n", !name ? "failed" : name[0] ? name : "none");
}

/* --- memory --------------------------------------------------------------------- */

static atomic_uint rotation_unmapped, rotation_keys;

/* Libraries find it here before libc's: the last look at what they give back. */
int munmap(void *p, size_t n)
{
	atomic_fetch_add(&rotation_unmapped, 1);
	if (n <= ROTATION_CHUNK && memmem(p, n, "PRIVATE KEY-----", 16))
		atomic_fetch_add(&rotation_keys, 1);
	return (int)syscall(SYS_munmap, p, n);
}

/*
 * Of smaps: a mapping's first line begins with its addresses, and its last one has its flags, of which "dd" is "not
 * in core dumps". The kernel's own have a name, [vvar]; the shim's, for which this looks, have none.
 */
static inline void rotation_memory(void)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	DIR *folder = opendir("/proc/self/fd");
	unsigned maps = 0, fds = 0, rss = 0, undumped = 0, n;
	unsigned long from = 0, to = 0, a, b;
	char line[512];
	bool named = false;

	if (!f || !folder)
		rotation_give_up("no /proc");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			from = a, to = b;
			maps++;
			named = strchr(line, '[') || strchr(line, '/');
		} else if (sscanf(line, "Rss: %u", &n) == 1) {
			rss += n;
		} else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd") && !named) {
			undumped += (unsigned)((to - from) / 1024);
		}
	}
	while (readdir(folder))
		fds++;
	closedir(folder);
	fclose(f);
	fds -= 4; /* ".", "..", and these two */
	printf("rss=%u heap=%zu maps=%u fds=%u undumped=%u unmapped=%u keys=%u\n", rss, mallinfo2().uordblks / 1024,
	       maps, fds, undumped, rotation_unmapped, rotation_keys);
}

struct rotation_needle {
	unsigned char masked[ROTATION_NEEDLE];
	size_t n;
};

static inline void rotation_wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

static inline void rotation_read(const char *path, struct rotation_needle *needle)
{
	unsigned char text[ROTATION_NEEDLE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 8)
		rotation_give_up("nothing to look for");
	close(fd);
	needle->n = (size_t)n;
	for (ssize_t i = 0; i < n; i++)
		needle->masked[i] = text[i] ^ ROTATION_MASK;
	rotation_wipe(text, sizeof(text));
}

static inline bool rotation_is_at(const unsigned char *p, const struct rotation_needle *needle, bool backwards)
{
	for (size_t i = 0; i < needle->n; i++)
		if ((p[i] ^ ROTATION_MASK) != needle->masked[backwards ? needle->n - 1 - i : i])
			return false;
	return true;
}

/* Pieces overlap, so that nothing lies between two; buffer is wiped, because it will be read as well. */
static inline void rotation_find_in(int memory, uintptr_t from, uintptr_t to, const struct rotation_needle *needle,
				    unsigned found[2])
{
	static unsigned char buffer[ROTATION_CHUNK];
	ssize_t n = 0;

	for (; from + needle->n <= to; from += (size_t)n - needle->n + 1) {
		size_t want = to - from < sizeof(buffer) ? to - from : sizeof(buffer);

		n = pread(memory, buffer, want, (off_t)from);
		if (n < (ssize_t)needle->n) /* the kernel's own pages */
			break;
		for (size_t i = 0; i + needle->n <= (size_t)n; i++) {
			found[0] += rotation_is_at(buffer + i, needle, false);
			found[1] += rotation_is_at(buffer + i, needle, true);
		}
		rotation_wipe(buffer, sizeof(buffer));
	}
}

static inline void rotation_find(const char *path)
{
	static struct rotation_needle needle;
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	unsigned found[2] = {0, 0};
	char line[512], rights;

	if (memory < 0 || !maps)
		rotation_give_up("no /proc");
	rotation_read(path, &needle);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %c", &from, &to, &rights) == 3 && rights == 'r')
			rotation_find_in(memory, from, to, &needle, found);
	fclose(maps);
	close(memory);
	printf("found=%u backwards=%u\n", found[0], found[1]);
}

/* --- what to do ------------------------------------------------------------------ */

static inline int rotation_obey(const char *port)
{
	char line[4200];

	rotation.port = port;
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "one") == 0)
			rotation_one();
		else if (strncmp(line, "run ", 4) == 0)
			rotation_run(atoi(line + 4));
		else if (strcmp(line, "memory") == 0)
			rotation_memory();
		else if (strncmp(line, "find ", 5) == 0)
			rotation_find(line + 5);
		else
			rotation_give_up("what?");
		fflush(stdout);
	}
	return 0;
}

#endif
