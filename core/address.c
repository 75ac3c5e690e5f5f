/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses from text and back (RFC 4291 2.2, RFC 5952), and the one place where
 * an IPv4-mapped address becomes IPv4. Which addresses a pattern covers is
 * decided in hosts.c; sockaddr is the callers' business.
 */
#include "core/address.h"

#define GROUPS 8            /* of 16 bits in an IPv6 address */
#define NO_GAP (GROUPS + 1) /* not GROUPS: there "1:2:3:4:5:6:7:8::" has its gap */

static unsigned digit_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - (unsigned)'0';
	if (c >= 'a' && c <= 'f')
		return c - (unsigned)'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - (unsigned)'A' + 10;
	return 16;
}

/* Takes up to four digits of that base off b, as many as an address has in one place; returns how many there were. */
static unsigned take_digits(struct mtls_bytes *b, unsigned base, unsigned *value)
{
	unsigned n = 0;

	*value = 0;
	while (n < 4 && b->n && digit_value(b->p[0]) < base) {
		*value = *value * base + digit_value(b->p[0]);
		b->p++;
		b->n--;
		n++;
	}
	return n;
}

static bool parse_ipv4(struct mtls_bytes text, unsigned char ip[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned value, digits;
		bool zero;

		if (i > 0 && !mtls_bytes_take(&text, "."))
			return false;
		zero = text.n && text.p[0] == '0';
		digits = take_digits(&text, 10, &value);
		/* Elsewhere "010" is octal: two readers would see two addresses. */
		if (digits == 0 || (zero && digits > 1) || value > 255)
			return false;
		ip[i] = (unsigned char)value;
	}
	return text.n == 0;
}

static void put_group(unsigned char ip[16], size_t group, unsigned value)
{
	ip[2 * group] = (unsigned char)(value >> 8);
	ip[2 * group + 1] = (unsigned char)value;
}

/* Opens the "::" at group gap so that the n groups become all eight. */
static void spread(unsigned char ip[16], size_t gap, size_t n)
{
	size_t missing = GROUPS - n;

	for (size_t i = n; i-- > gap;)
		put_group(ip, i + missing, (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
	mtls_set(ip + 2 * gap, 0, 2 * missing);
}

static bool parse_ipv6(struct mtls_bytes text, unsigned char ip[16])
{
	size_t n = 0, gap = NO_GAP; /* gap: the group before which "::" stands */

	if (mtls_bytes_take(&text, "::"))
		gap = 0;
	while (text.n) {
		struct mtls_bytes piece = text;
		unsigned value, digits = take_digits(&text, 16, &value);

		if (text.n && text.p[0] == '.') {
			if (n > GROUPS - 2 || !parse_ipv4(piece, ip + 2 * n))
				return false;
			n += 2;
			break;
		}
		if (n == GROUPS || digits == 0)
			return false;
		put_group(ip, n++, value);
		if (text.n == 0)
			break;
		if (!mtls_bytes_take(&text, ":"))
			return false;
		if (mtls_bytes_take(&text, ":")) {
			if (gap != NO_GAP)
				return false;
			gap = n;
		} else if (text.n == 0) {
			return false;
		}
	}
	if (gap == NO_GAP)
		return n == GROUPS;
	/* RFC 4291 2.2: "::" is one or more groups. */
	if (n == GROUPS)
		return false;
	spread(ip, gap, n);
	return true;
}

bool mtls_addr_parse(struct mtls_bytes text, struct mtls_addr *out)
{
	unsigned char ip[16];
	size_t n = 0;

	if (parse_ipv4(text, ip))
		n = 4;
	else if (parse_ipv6(text, ip))
		n = 16;
	mtls_addr_set(out, ip, n, 0);
	return n > 0;
}

void mtls_addr_set(struct mtls_addr *a, const unsigned char *ip, size_t n, uint16_t port)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (n == 16 && mtls_compare(ip, mapped, sizeof mapped) == 0) {
		ip += sizeof mapped;
		n = 4;
	}
	mtls_set(a, 0, sizeof *a);
	a->port = port;
	if (n != 4 && n != 16)
		return;
	mtls_copy(a->ip, ip, n);
	a->family = n == 4 ? 4 : 6;
}

static char *put_decimal(char *p, unsigned value)
{
	if (value >= 100)
		*p++ = (char)('0' + value / 100);
	if (value >= 10)
		*p++ = (char)('0' + value / 10 % 10);
	*p++ = (char)('0' + value % 10);
	return p;
}

static char *put_hex(char *p, unsigned value)
{
	static const char digits[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4) {
		if (shift == 0 || value >> shift)
			*p++ = digits[value >> shift & 15];
	}
	return p;
}

static char *print_ipv4(char *p, const unsigned char *ip)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = put_decimal(p, ip[i]);
	}
	return p;
}

static size_t zero_groups(const unsigned char *ip, size_t from)
{
	size_t n = 0;

	while (from + n < GROUPS && ip[2 * (from + n)] == 0 && ip[2 * (from + n) + 1] == 0)
		n++;
	return n;
}

static char *print_ipv6(char *p, const unsigned char *ip)
{
	size_t gap = NO_GAP, longest = 1; /* RFC 5952 4.2: not for one group, and the first of the longest */

	for (size_t i = 0; i < GROUPS; i++) {
		if (zero_groups(ip, i) > longest) {
			gap = i;
			longest = zero_groups(ip, i);
		}
	}
	for (size_t i = 0; i < GROUPS;) {
		if (i == gap) {
			*p++ = ':';
			*p++ = ':';
			i += longest;
			continue;
		}
		if (i > 0 && p[-1] != ':')
			*p++ = ':';
		p = put_hex(p, (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
		i++;
	}
	return p;
}

const char *mtls_addr_print(const struct mtls_addr *a, char buffer[MTLS_ADDR_TEXT])
{
	char *end = buffer;

	if (a->family == 4)
		end = print_ipv4(buffer, a->ip);
	else if (a->family == 6)
		end = print_ipv6(buffer, a->ip);
	*end = '\0';
	return buffer;
}
