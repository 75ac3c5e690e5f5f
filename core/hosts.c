/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MTLS_HOSTS: the grammar of a word, and the three-valued match of one server
 * against it. One word is parsed at a time, each time it is needed, into a struct
 * that borrows from the text. Where names and peers come from is the adapters' business.
 *
 * Settled here, where the contract leaves room: host bits of a CIDR are ignored;
 * a mapped CIDR means its IPv4 part, so a length under /96 is refused; a length may stand
 * on either side of the bracket, not on both; *.domain needs a domain of its own, not an address.
 */
#include "core/hosts.h"

#define NAME_BYTES  253 /* RFC 1035 2.3.4, without the length bytes and the root */
#define LABEL_BYTES 63
#define NO_LENGTH   129 /* one more than any prefix length */

enum kind { HOST, SUBDOMAINS, NETWORK };

struct pattern {
	bool deny;
	enum kind kind;
	struct mtls_bytes name; /* HOST and SUBDOMAINS; without the trailing dot */
	struct mtls_addr net;   /* NETWORK */
	unsigned length;        /* bits of net that count */
	unsigned port;          /* 0: any */
};

struct server {
	struct mtls_bytes name;
	enum mtls_tri named; /* MTLS_YES: name is a host name; MTLS_NO: it is an address */
	struct mtls_addr peer;
};

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static bool is_label(unsigned char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_';
}

static bool is_separator(unsigned char c)
{
	return c == ',' || mtls_is_space(c);
}

static bool has(struct mtls_bytes b, char c)
{
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] == (unsigned char)c)
			return true;
	}
	return false;
}

/* Takes what comes before the first c, or everything where there is none. */
static struct mtls_bytes take_before(struct mtls_bytes *b, char c)
{
	struct mtls_bytes head = {b->p, 0};

	while (b->n && b->p[0] != (unsigned char)c) {
		b->p++;
		b->n--;
		head.n++;
	}
	return head;
}

/* A decimal number without leading zeros, at most max (which is far from overflow). */
static bool take_number(struct mtls_bytes *b, unsigned max, unsigned *value)
{
	if (b->n == 0 || !is_digit(b->p[0]) || (b->p[0] == '0' && b->n > 1 && is_digit(b->p[1])))
		return false;
	for (*value = 0; b->n && is_digit(b->p[0]) && *value <= max; b->n--)
		*value = *value * 10 + (unsigned)(*b->p++ - '0');
	return *value <= max;
}

static bool take_word(struct mtls_bytes *rest, struct mtls_bytes *word)
{
	while (rest->n && is_separator(rest->p[0])) {
		rest->p++;
		rest->n--;
	}
	*word = (struct mtls_bytes){rest->p, 0};
	while (rest->n && !is_separator(rest->p[0])) {
		rest->p++;
		rest->n--;
		word->n++;
	}
	return word->n > 0;
}

/* Is it a host name? Then it loses its trailing dot. RFC 3696 2: a last label of digits is no domain. */
static bool host_name(struct mtls_bytes *name)
{
	struct mtls_bytes b = *name;
	size_t label = 0;
	bool digits = true;

	if (b.n && b.p[b.n - 1] == '.')
		b.n--;
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			digits = true;
			continue;
		}
		if (!is_label(b.p[i]) || ++label > LABEL_BYTES)
			return false;
		digits = digits && is_digit(b.p[i]);
	}
	if (label == 0 || digits || b.n > NAME_BYTES)
		return false;
	*name = b;
	return true;
}

/* An optional "/N"; only one of the two places has it. */
static bool take_length(struct mtls_bytes *b, unsigned *length)
{
	return !mtls_bytes_take(b, "/") || (*length == NO_LENGTH && take_number(b, 128, length));
}

/* An optional ":N". */
static bool take_port(struct mtls_bytes *b, unsigned *port)
{
	return !mtls_bytes_take(b, ":") || (take_number(b, UINT16_MAX, port) && *port > 0);
}

static bool network(struct pattern *p, struct mtls_bytes target, bool bracketed, unsigned length)
{
	bool colons = has(target, ':');
	unsigned bits = colons ? 128 : 32;

	if (bracketed && !colons)
		return false;
	if (!mtls_addr_parse(target, &p->net))
		return false;
	p->length = length == NO_LENGTH ? bits : length;
	if (p->length > bits)
		return false;
	if (colons && p->net.family == 4) {
		if (p->length < 96)
			return false;
		p->length -= 96;
	}
	p->kind = NETWORK;
	return true;
}

static bool named(struct pattern *p, struct mtls_bytes target)
{
	p->kind = mtls_bytes_take(&target, "*.") ? SUBDOMAINS : HOST;
	p->name = target;
	return host_name(&p->name);
}

static bool parse(struct mtls_bytes word, struct pattern *p)
{
	struct mtls_bytes target;
	unsigned length = NO_LENGTH;
	bool bracketed;

	*p = (struct pattern){.deny = mtls_bytes_take(&word, "!")};
	bracketed = mtls_bytes_take(&word, "[");
	if (bracketed) {
		struct mtls_bytes inside = take_before(&word, ']');

		target = take_before(&inside, '/');
		if (!take_length(&inside, &length) || inside.n || !mtls_bytes_take(&word, "]"))
			return false;
	} else {
		/* A slash makes the colons before it the address's own. */
		target = take_before(&word, has(word, '/') ? '/' : ':');
	}
	if (!take_length(&word, &length) || !take_port(&word, &p->port) || word.n)
		return false;
	if (network(p, target, bracketed, length))
		return true;
	return !bracketed && length == NO_LENGTH && named(p, target);
}

bool mtls_hosts_check(struct mtls_bytes text, struct mtls_bytes *at)
{
	struct mtls_bytes rest = text, word;
	struct pattern p;
	bool any = false;

	while (take_word(&rest, &word)) {
		if (!parse(word, &p)) {
			*at = word;
			return false;
		}
		any = true;
	}
	if (!any)
		*at = text;
	return any;
}

bool mtls_hosts_need_name(struct mtls_bytes text)
{
	struct mtls_bytes word;
	struct pattern p;

	while (take_word(&text, &word)) {
		if (parse(word, &p) && p.kind != NETWORK)
			return true;
	}
	return false;
}

bool mtls_hosts_need_peer(struct mtls_bytes text)
{
	struct mtls_bytes word;
	struct pattern p;

	while (take_word(&text, &word)) {
		if (parse(word, &p) && (p.kind == NETWORK || p.port))
			return true;
	}
	return false;
}

static enum mtls_tri both(enum mtls_tri a, enum mtls_tri b)
{
	if (a == MTLS_NO || b == MTLS_NO)
		return MTLS_NO;
	return a == MTLS_YES && b == MTLS_YES ? MTLS_YES : MTLS_UNKNOWN;
}

static enum mtls_tri tri(bool yes)
{
	return yes ? MTLS_YES : MTLS_NO;
}

static bool same_name(struct mtls_bytes a, struct mtls_bytes b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

static enum mtls_tri match_name(const struct pattern *p, const struct server *s)
{
	struct mtls_bytes name = s->name;

	if (s->named != MTLS_YES)
		return s->named;
	if (p->kind == SUBDOMAINS) {
		size_t suffix = p->name.n + 1;

		if (name.n <= suffix || name.p[name.n - suffix] != '.')
			return MTLS_NO;
		name.p += name.n - p->name.n;
		name.n = p->name.n;
	}
	return tri(same_name(name, p->name));
}

static enum mtls_tri match_network(const struct pattern *p, const struct mtls_addr *peer)
{
	unsigned whole = p->length / 8, rest = p->length % 8;

	if (peer->family == 0)
		return MTLS_UNKNOWN;
	if (peer->family != p->net.family || mtls_compare(peer->ip, p->net.ip, whole) != 0)
		return MTLS_NO;
	return tri(rest == 0 || (peer->ip[whole] ^ p->net.ip[whole]) >> (8 - rest) == 0);
}

static enum mtls_tri match_port(const struct pattern *p, const struct mtls_addr *peer)
{
	if (p->port == 0)
		return MTLS_YES;
	return peer->port == 0 ? MTLS_UNKNOWN : tri(peer->port == p->port);
}

/*
 * What is neither a host name nor an address (a zone, 8-bit characters, "a..b")
 * stays unknown: another reader may find a denied name in it.
 */
static struct server server_of(const char *name, const struct mtls_addr *peer)
{
	struct server s = {.name = mtls_bytes_of(name)};
	struct mtls_addr literal;
	size_t n = peer->family == 4 ? 4 : peer->family == 6 ? 16 : 0;

	/* Set anew: a mapped address that an adapter stored as it came would pass a denied IPv4 network. */
	mtls_addr_set(&s.peer, peer->ip, n, peer->port);
	if (host_name(&s.name))
		s.named = MTLS_YES;
	else if (mtls_addr_parse(s.name, &literal))
		s.named = MTLS_NO;
	return s;
}

bool mtls_hosts_allow(struct mtls_bytes text, const char *name, const struct mtls_addr *peer)
{
	struct server server = server_of(name, peer);
	bool allows = false, denies = false, allowed = false;
	struct mtls_bytes word;

	while (take_word(&text, &word)) {
		struct pattern p;
		bool good = parse(word, &p);
		enum mtls_tri match = MTLS_UNKNOWN;

		if (good) {
			match = p.kind == NETWORK ? match_network(&p, &server.peer) : match_name(&p, &server);
			match = both(match, match_port(&p, &server.peer));
		}
		if (p.deny && match != MTLS_NO)
			return false;
		denies = denies || p.deny;
		allows = allows || !p.deny;
		allowed = allowed || match == MTLS_YES;
	}
	return allowed || (denies && !allows);
}
