/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking for TLS inside a file; see fingerprint.h. It reads and does not map: a file
 * that somebody cuts meanwhile would end a mapping's reader (SIGBUS), and copying 64 KiB at
 * a time through the cache is as fast.
 */
#include "launcher/run/fingerprint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launcher/run/elf.h"

#define WINDOW      65536
#define NEEDLE_MAX  40
#define QUICK_MAX   (64ULL << 20)
#define FULL_MAX    (1ULL << 30)
#define QUICK_WHOSE (16ULL << 20) /* seven words at once: 1 ms for each 1.5 MiB */

enum needle {
	TLS13,     /* RFC 8446, 4.4.3 */
	FINISHED,  /* RFC 5246, 7.4.9 … */
	EXPANSION, /* … and 6.3; one of them alone is in others too */
	RUSTLS,    /* before BoringSSL, of which such programs have a part and the name */
	BORINGSSL,
	BORINGSSL2,
	WOLFSSL,
	MBEDTLS,
	OPENSSL,
	OPENSSL_STATEM,
	GO_BUILD,
	NEEDLES
};

#define HAS(found, needle) ((found)&1u << (needle))
#define WHOSE              (~0u << RUSTLS & ~(1u << GO_BUILD) & ~(~0u << NEEDLES))

/* In halves, or this program itself would have them all inside. */
static const char *const halves[NEEDLES][2] = {
	[TLS13] = {"TLS 1.3, client ", "CertificateVerify"},
	[FINISHED] = {"client ", "finished"},
	[EXPANSION] = {"key ", "expansion"},
	[RUSTLS] = {"rus", "tls"},
	[BORINGSSL] = {"Boring", "SSL"},
	[BORINGSSL2] = {"boring", "ssl"},
	[WOLFSSL] = {"wolf", "SSL"},
	[MBEDTLS] = {"mbed", " TLS"},
	[OPENSSL] = {"Open", "SSL 3."},
	[OPENSSL_STATEM] = {"ssl/", "statem/"},
	[GO_BUILD] = {"\xff Go ", "buildinf:"},
};

struct search {
	int fd;
	unsigned wanted, found; /* bits of enum needle */
	unsigned enough;        /* any of these ends the search; 0: none does */
	uint64_t budget;        /* bytes that may still be read */
	bool cut;
	char needle[NEEDLES][NEEDLE_MAX];
};

static ssize_t read_some(int fd, char *buffer, size_t n, uint64_t at)
{
	ssize_t got;

	if (at > INT64_MAX - n)
		return 0;
	do
		got = pread(fd, buffer, n, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

static bool finished(const struct search *s)
{
	return (s->found & s->enough) || (s->found & s->wanted) == s->wanted;
}

static void look(struct search *s, const char *window, size_t n)
{
	for (unsigned i = 0; i < NEEDLES && !finished(s); i++)
		if (HAS(s->wanted & ~s->found, i) && memmem(window, n, s->needle[i], strlen(s->needle[i])))
			s->found |= 1u << i;
}

/* A visitor. Windows overlap, so that a string across their border is seen. */
static void search_stretch(void *context, uint64_t at, uint64_t n)
{
	static char window[WINDOW];
	struct search *s = context;
	size_t kept = 0;

	while (n > 0 && !finished(s)) {
		size_t want = n < WINDOW - kept ? (size_t)n : WINDOW - kept;
		ssize_t got;

		if (s->budget < want) {
			s->cut = true;
			return;
		}
		got = read_some(s->fd, window + kept, want, at);
		if (got <= 0)
			return;
		s->budget -= (uint64_t)got;
		at += (uint64_t)got;
		n -= (uint64_t)got;
		look(s, window, kept + (size_t)got);
		kept += (size_t)got;
		if (kept > NEEDLE_MAX) {
			memmove(window, window + kept - NEEDLE_MAX, NEEDLE_MAX);
			kept = NEEDLE_MAX;
		}
	}
}

static unsigned search(struct search *s, unsigned wanted, unsigned enough)
{
	struct elf_visitor constants = {.context = s, .constants = search_stretch};
	struct elf_visitor data = {.context = s, .data = search_stretch}; /* with PIE it is anywhere in it */

	s->wanted = wanted;
	s->enough = enough;
	s->found = 0;
	elf_visit(elf_from_file, &s->fd, wanted == 1u << GO_BUILD ? &data : &constants);
	return s->found;
}

static enum flavour whose(struct search *s)
{
	unsigned found;

	if (search(s, 1u << GO_BUILD, 0))
		return FLAVOUR_GO;
	found = search(s, WHOSE, 1u << RUSTLS);
	if (HAS(found, RUSTLS))
		return FLAVOUR_RUSTLS;
	if (HAS(found, BORINGSSL) || HAS(found, BORINGSSL2))
		return FLAVOUR_BORINGSSL;
	if (HAS(found, OPENSSL) || HAS(found, OPENSSL_STATEM))
		return FLAVOUR_OPENSSL;
	if (HAS(found, WOLFSSL))
		return FLAVOUR_WOLFSSL;
	return HAS(found, MBEDTLS) ? FLAVOUR_MBEDTLS : FLAVOUR_UNKNOWN;
}

enum flavour fingerprint(int fd, enum fingerprint_effort effort, bool *cut)
{
	struct search s = {.fd = fd, .budget = effort == FINGERPRINT_QUICK ? QUICK_MAX : FULL_MAX};
	unsigned older = 1u << FINISHED | 1u << EXPANSION, found;

	for (unsigned i = 0; i < NEEDLES; i++)
		snprintf(s.needle[i], NEEDLE_MAX, "%s%s", halves[i][0], halves[i][1]);
	found = search(&s, 1u << TLS13 | (effort == FINGERPRINT_FULL ? older : 0), 1u << TLS13);
	*cut = s.cut;
	if (!HAS(found, TLS13) && (found & older) != older)
		return FLAVOUR_NONE;
	s.budget = effort == FINGERPRINT_QUICK ? QUICK_WHOSE : FULL_MAX;
	return whose(&s);
}

const char *flavour_name(enum flavour flavour)
{
	static const char *const names[] = {
		[FLAVOUR_GO] = "Go",           [FLAVOUR_RUSTLS] = "rustls",   [FLAVOUR_BORINGSSL] = "BoringSSL",
		[FLAVOUR_OPENSSL] = "OpenSSL", [FLAVOUR_WOLFSSL] = "wolfSSL", [FLAVOUR_MBEDTLS] = "mbedTLS",
	};

	return (size_t)flavour < sizeof(names) / sizeof(*names) && names[flavour] ? names[flavour] : "unknown";
}
