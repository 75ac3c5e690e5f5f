/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/hosts.c against an oracle that is slow and plain, written from the
 * contract's section 2 with libc: regular expressions take a word apart, inet_pton
 * reads addresses, and networks are compared as strings of '0' and '1'. It shares no
 * code with core/. MTLS_SEED=N repeats a run; a failure prints seed, case and input.
 */
#include <arpa/inet.h>
#include <check.h>
#include <ctype.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/hosts.h"

Suite *oracle_hosts_suite(void);

#define CASES      100000
#define WORD       600 /* bytes of a buffer for one word; none comes near it */
#define SEPARATORS ", \t\n\v\f\r"

/* --- the oracle ------------------------------------------------------------ */

enum { NO, MAYBE, YES }; /* so that "and" is the smaller one */

struct rule {
	bool good, deny;
	char glob[WORD]; /* lower case, for fnmatch; "" for a network */
	char bits[160];  /* the family's digit and as many bits as count; "" for a name */
	long port;       /* 0: any */
};

struct server {
	const char *name, *ip;
	int port;
};

static regex_t plain, bracketed, bare;

static void compile_expressions(void)
{
#define PORT "(:([1-9][0-9]{0,4}))?$"
#define LEN  "(/(0|[1-9][0-9]{0,2}))?"
	ck_assert_int_eq(regcomp(&plain, "^(!?)([^]/:[]+)" LEN PORT, REG_EXTENDED), 0);
	ck_assert_int_eq(regcomp(&bracketed, "^(!?)\\[([^][/]*:[^][/]*)" LEN "\\]" LEN PORT, REG_EXTENDED), 0);
	ck_assert_int_eq(regcomp(&bare, "^(!?)([^][/]*:[^][/]*)" LEN PORT, REG_EXTENDED), 0);
}

/* Group i of the match as a string; "" where it took no part. */
static const char *group(const char *word, const regmatch_t *m, int i, char out[WORD])
{
	snprintf(out, WORD, "%.*s", m[i].rm_so < 0 ? 0 : (int)(m[i].rm_eo - m[i].rm_so),
		 word + (m[i].rm_so < 0 ? 0 : m[i].rm_so));
	return out;
}

/* "4" or "6" and all bits; a mapped address is the one of IPv4. false: no address. */
static bool expand(const char *text, char out[160], bool *mapped)
{
	unsigned char ip[16];
	int n = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
	char *p = out;

	*p++ = n == 4 ? '4' : '6';
	for (int i = 0; i < n * 8; i++)
		*p++ = (char)('0' + (ip[i / 8] >> (7 - i % 8) & 1));
	*p = '\0';
	*mapped = n == 16 && strspn(out + 1, "0") == 80 && strspn(out + 81, "1") >= 16;
	if (*mapped) {
		memmove(out + 1, out + 97, 33);
		out[0] = '4';
	}
	return n > 0;
}

static bool host_name(const char *text)
{
	char copy[WORD], *rest = copy, *label, *last = NULL;
	size_t n = strlen(text);

	if (n && text[n - 1] == '.')
		n--;
	if (n < 1 || n > 253)
		return false;
	snprintf(copy, sizeof copy, "%.*s", (int)n, text);
	while ((label = strsep(&rest, "."))) {
		size_t ok = strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

		if (ok < 1 || ok > 63 || label[ok])
			return false;
		last = label;
	}
	return last[strspn(last, "0123456789")] != '\0';
}

static void lower_without_dot(char *out, const char *text)
{
	char *p = out;

	for (; *text; text++)
		*p++ = (char)tolower((unsigned char)*text);
	if (p > out && p[-1] == '.')
		p--;
	*p = '\0';
}

static struct rule read_word(const char *word)
{
	struct rule r = {.deny = word[0] == '!'};
	char target[WORD], inner[WORD], outer[WORD], port[WORD];
	bool is_bracketed = false, mapped, colons;
	regmatch_t m[9];

	if (regexec(&plain, word, 9, m, 0) == 0 || regexec(&bare, word, 9, m, 0) == 0) {
		group(word, m, 4, outer);
		group(word, m, 6, port);
		inner[0] = '\0';
	} else if (regexec(&bracketed, word, 9, m, 0) == 0) {
		is_bracketed = true;
		group(word, m, 4, inner);
		group(word, m, 6, outer);
		group(word, m, 8, port);
	} else {
		return r;
	}
	group(word, m, 2, target);
	r.port = atol(port);
	if (r.port > 65535 || (*inner && *outer))
		return r;
	colons = strchr(target, ':') != NULL;
	if (expand(target, r.bits, &mapped)) {
		const char *length = *inner ? inner : outer;
		long full = colons ? 128 : 32, n = *length ? atol(length) : full;

		/* IPv6 needs the brackets or a slash. */
		r.good = n <= full && (!mapped || n >= 96) && (!colons || is_bracketed || *length);
		if (r.good)
			r.bits[1 + n - (mapped ? 96 : 0)] = '\0';
		return r;
	}
	r.bits[0] = '\0';
	lower_without_dot(r.glob, target);
	r.good = !colons && !*outer && host_name(strncmp(target, "*.", 2) == 0 ? target + 2 : target);
	return r;
}

static int name_matches(const struct rule *r, const char *name)
{
	char lower[WORD], bits[160];
	bool mapped;

	if (!name)
		return MAYBE;
	if (!host_name(name))
		return expand(name, bits, &mapped) ? NO : MAYBE;
	lower_without_dot(lower, name);
	return fnmatch(r->glob, lower, FNM_NOESCAPE) == 0 ? YES : NO;
}

static int rule_matches(const struct rule *r, const struct server *s)
{
	int match, port = r->port == 0 ? YES : s->port == 0 ? MAYBE : s->port == r->port ? YES : NO;
	char bits[160];
	bool mapped;

	if (!r->bits[0])
		match = name_matches(r, s->name);
	else if (!s->ip)
		match = MAYBE;
	else
		match = expand(s->ip, bits, &mapped) && strncmp(bits, r->bits, strlen(r->bits)) == 0 ? YES : NO;
	return match < port ? match : port;
}

struct answer {
	bool good, need_name, need_peer, allowed;
	size_t at, at_length; /* of the first bad word */
};

static struct answer ask_oracle(const char *text, const struct server *s)
{
	struct answer a = {.good = true};
	bool any = false, only_denies = true, denied = false, allowed = false;

	for (const char *p = text + strspn(text, SEPARATORS); *p; p += strspn(p, SEPARATORS)) {
		char word[WORD];
		struct rule r;
		int match;

		snprintf(word, sizeof word, "%.*s", (int)strcspn(p, SEPARATORS), p);
		r = read_word(word);
		if (!r.good && a.good) {
			a.good = false;
			a.at = (size_t)(p - text);
			a.at_length = strlen(word);
		}
		match = r.good ? rule_matches(&r, s) : MAYBE;
		any = true;
		only_denies = only_denies && r.deny;
		denied = denied || (r.deny && match != NO);
		allowed = allowed || (!r.deny && match == YES);
		a.need_name = a.need_name || (r.good && r.glob[0]);
		a.need_peer = a.need_peer || (r.good && (r.bits[0] || r.port));
		p += strlen(word);
	}
	if (!any) {
		a.good = false;
		a.at_length = strlen(text);
	}
	a.allowed = any && !denied && (allowed || only_denies);
	return a;
}

/* --- the cases --------------------------------------------------------------- */

static void put(char *out, const char *text)
{
	memcpy(out, text, strlen(text) + 1);
}

static void add(char *out, const char *text)
{
	put(out + strlen(out), text);
}

static uint64_t state;

static unsigned below(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

#define PICK(array) ((array)[below(sizeof(array) / sizeof((array)[0]))])

/* Few labels, so that names are often the same, or the same but for one. */
static void make_name(char *out)
{
	static const char *const labels[] = {"a", "b", "com", "COM", "x-1", "_t", "1", "10", "a1"};
	static const char *const ends[] = {"a", "com", "Com", "b", "e1"};
	unsigned n = below(3);

	*out = '\0';
	while (n--) {
		add(out, PICK(labels));
		add(out, ".");
	}
	add(out, PICK(ends));
	if (one_in(200)) { /* round the limits: 62 to 64, and 252 to 254 */
		size_t length = (one_in(2) ? 62 : 252) + below(3);

		memset(out, 'a', length);
		for (size_t i = 63; length > 64 && i < length; i += 64)
			out[i] = '.';
		out[length] = '\0';
	}
	if (one_in(8))
		add(out, ".");
}

static void make_ip(char *out)
{
	static const char *const starts4[] = {"10.0.0", "10.0.1", "10.128.0", "192.168.1", "0.0.0"};
	static const char *const starts6[] = {
		"2001:db8::", "2001:DB8:8000::", "::", "::ffff:0:", "fe80::1:", "::fffe:0:"};

	switch (below(4)) {
	case 0:
		sprintf(out, "%s%x", PICK(starts6), below(4));
		break;
	case 1:
		sprintf(out, "::%s:%s.%u", one_in(4) ? "ffff:0" : "FFFF", PICK(starts4), below(4));
		break;
	default:
		sprintf(out, "%s.%u", PICK(starts4), below(4));
	}
}

/* What is neither a host name nor an address, or nearly. */
static void make_odd_name(char *out)
{
	static const char *const odd[] = {
		"",      "a..com",       ".com",    "a.com..",       "127.1",      "10.0.0.1.", "*.com",     "*",
		"[::1]", "fe80::1%eth0", "a b.com", "b\303\274.com", "10.0.0.256", "1",         "10.0.0.01", "::1"};

	put(out, PICK(odd));
}

static const int ports[] = {443, 443, 80, 1, 65535, 4433};

static int make_port(const struct server *s)
{
	static const int odd[] = {0, -1, 65536, 99999, 443 + 65536};

	if (one_in(50))
		return PICK(odd);
	return s->port && !one_in(3) ? s->port : PICK(ports);
}

/* One byte changed, doubled or dropped: most such words are bad, in many ways. */
static void damage(char *word)
{
	static const char bytes[] = {'!', '*', '.', ':', '/', '[', ']',  '0',    '1', '9',
				     'a', 'Z', '-', '_', '%', '@', '\\', '\200', '\1'};
	size_t n = strlen(word), i = below((unsigned)n);

	switch (below(3)) {
	case 0:
		word[i] = PICK(bytes);
		break;
	case 1:
		memmove(word + i + 1, word + i, n - i + 1);
		break;
	default:
		memmove(word + i, word + i + 1, n - i);
	}
}

static void make_network(char *out, const char *like)
{
	bool six, wrapped, inside, outside;
	char ip[100];

	if (like && !one_in(3))
		put(ip, like);
	else
		make_ip(ip);
	six = strchr(ip, ':') != NULL;
	wrapped = six ? !one_in(4) : one_in(30);
	inside = wrapped && one_in(3);
	outside = inside ? one_in(20) : one_in(2);
	out += sprintf(out, wrapped ? "[%s" : "%s", ip);
	if (inside)
		out += sprintf(out, "/%u", below(six ? 134 : 35));
	if (wrapped)
		*out++ = ']';
	*out = '\0';
	if (outside)
		sprintf(out, "/%u", below(six ? 134 : 35));
}

static void make_pattern_name(char *out, const char *like)
{
	char name[WORD];
	const char *from = name;

	if (like && *like && !one_in(3))
		put(name, like);
	else
		make_name(name);
	if (one_in(3) && strchr(name, '.'))
		from = strchr(name, '.') + 1;
	put(out, one_in(3) ? "*." : "");
	add(out, from);
	for (char *p = out; *p; p++) {
		if (one_in(4))
			*p = (char)(islower((unsigned char)*p) ? toupper((unsigned char)*p)
							       : tolower((unsigned char)*p));
	}
	if (one_in(8))
		add(out, ".");
}

static void make_text(char *out, const struct server *s)
{
	static const char *const between[] = {",", " ", ", ", "\t", "\n", ",,", " ,\r\n"};
	unsigned n = one_in(50) ? 0 : 1 + below(4);
	bool denies = one_in(4);

	put(out, one_in(10) ? PICK(between) : "");
	while (n--) {
		char word[WORD] = "", target[WORD];

		if (one_in(2))
			make_network(target, s->ip);
		else
			make_pattern_name(target, s->name);
		put(word, denies || one_in(4) ? "!" : "");
		add(word, target);
		if (one_in(3))
			sprintf(word + strlen(word), ":%d", make_port(s));
		if (one_in(25) && *word)
			damage(word);
		add(out, word);
		if (n || one_in(10))
			add(out, PICK(between));
	}
}

/* A mapped address stays in its longer form: the matcher has to know. */
static struct mtls_addr peer_of(const struct server *s)
{
	struct mtls_addr a = {.port = (uint16_t)s->port};

	if (s->ip && inet_pton(AF_INET, s->ip, a.ip) == 1)
		a.family = 4;
	else if (s->ip && inet_pton(AF_INET6, s->ip, a.ip) == 1)
		a.family = 6;
	return a;
}

START_TEST(random_cases)
{
	const char *chosen = getenv("MTLS_SEED");
	unsigned long seed = chosen ? strtoul(chosen, NULL, 0) : 20240607;
	unsigned good = 0, allowed = 0, refused = 0;

	state = seed;
	compile_expressions();
	for (int i = 0; i < CASES; i++) {
		char text[4096], name[WORD], ip[100];
		struct server s = {one_in(6) ? NULL : name, one_in(6) ? NULL : ip, one_in(6) ? 0 : PICK(ports)};
		struct mtls_addr peer;
		struct mtls_bytes bytes, at = {0};
		struct answer want, got;

		make_ip(ip);
		switch (below(12)) {
		case 0:
			make_odd_name(name);
			break;
		case 1:
			make_ip(name);
			break;
		default:
			make_name(name);
		}
		make_text(text, &s);
		peer = peer_of(&s);
		want = ask_oracle(text, &s);
		bytes = mtls_bytes_of(text);
		got.good = mtls_hosts_check(bytes, &at);
		got.need_name = mtls_hosts_need_name(bytes);
		got.need_peer = mtls_hosts_need_peer(bytes);
		got.allowed = mtls_hosts_allow(bytes, s.name, &peer);
		got.at = at.p ? (size_t)(at.p - bytes.p) : 0;
		got.at_length = at.n;
		if (got.good != want.good || got.need_name != want.need_name || got.need_peer != want.need_peer ||
		    got.allowed != want.allowed || got.at != want.at || got.at_length != want.at_length)
			ck_abort_msg(
				"seed %lu case %d: \"%s\" with name \"%s\" ip %s port %d: good %d name %d peer %d allowed %d at %zu+%zu, "
				"oracle %d %d %d %d %zu+%zu",
				seed, i, text, s.name ? s.name : "(unknown)", s.ip ? s.ip : "(unknown)", s.port,
				got.good, got.need_name, got.need_peer, got.allowed, got.at, got.at_length, want.good,
				want.need_name, want.need_peer, want.allowed, want.at, want.at_length);
		good += want.good;
		allowed += want.good && want.allowed;
		refused += want.good && !want.allowed;
	}
	/* The generator must keep reaching every outcome. */
	ck_assert_msg(good < CASES * 9 / 10 && allowed > CASES / 10 && refused > CASES / 5,
		      "%u good, %u allowed, %u refused", good, allowed, refused);
	regfree(&plain);
	regfree(&bracketed);
	regfree(&bare);
}
END_TEST

Suite *oracle_hosts_suite(void)
{
	Suite *s = suite_create("oracle_hosts");
	TCase *t = tcase_create("oracle_hosts");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, random_cases);
	suite_add_tcase(s, t);
	return s;
}
