/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/address.c: any bytes as text, and as an address. What is read, printed and
 * read again is the same address; where libc reads the text too, it reads the same.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "tests/fuzz/fuzz.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The bytes of an address that libc read, with our rule for mapped ones. */
static struct mtls_addr from_libc(const unsigned char *ip, size_t n)
{
	struct mtls_addr a = {.family = n == 4 ? 4 : 6};

	memcpy(a.ip, ip, n);
	if (n == 16 && memcmp(ip, "\0\0\0\0\0\0\0\0\0\0\377\377", 12) == 0) {
		a = (struct mtls_addr){.family = 4};
		memcpy(a.ip, ip + 12, 4);
	}
	return a;
}

static void same(const struct mtls_addr *a, const struct mtls_addr *b)
{
	must(a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0 && a->port == b->port);
}

static void round_trip(const struct mtls_addr *a)
{
	char text[MTLS_ADDR_TEXT], again[MTLS_ADDR_TEXT];
	unsigned char ip[16];
	struct mtls_addr back;

	must(mtls_addr_print(a, text) == text && strlen(text) < sizeof text);
	must(mtls_addr_parse(mtls_bytes_of(text), &back));
	same(a, &back);
	must(strcmp(mtls_addr_print(&back, again), text) == 0);
	must(inet_pton(a->family == 4 ? AF_INET : AF_INET6, text, ip) == 1);
	must(memcmp(ip, a->ip, a->family == 4 ? 4 : 16) == 0);
}

static void as_text(const uint8_t *data, size_t size)
{
	unsigned char *exact = malloc(size + 1), ip[16]; /* malloc(0) may be NULL */
	struct mtls_bytes text = {exact + 1, size};
	struct mtls_addr a, libc;
	char ended[64];

	must(exact != NULL);
	memcpy(exact + 1, data, size);
	if (mtls_addr_parse(text, &a)) {
		must((a.family == 4 || a.family == 6) && size < 64 && !memchr(data, 0, size));
		round_trip(&a);
		memcpy(ended, data, size);
		ended[size] = '\0';
		if (inet_pton(AF_INET, ended, ip) == 1) {
			libc = from_libc(ip, 4);
			same(&a, &libc);
		} else if (inet_pton(AF_INET6, ended, ip) == 1) {
			libc = from_libc(ip, 16);
			same(&a, &libc);
		}
	} else {
		must(a.family == 0);
	}
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mtls_addr a;

	as_text(data, size);
	if (size == 4 || size == 16) {
		struct mtls_addr libc = from_libc(data, size);

		mtls_addr_set(&a, data, size, 0);
		same(&a, &libc);
		round_trip(&a);
	}
	return 0;
}
