/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/line.c: the exact text of a log line, its limit, and that nothing can be
 * forged. The decoder here is written from the contract (section 3), not from line.c.
 */
#include <check.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/line.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define SHA         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DOTS        "..."
#define ROUNDS      20000

Suite *line_suite(void);

static const struct mtls_event whole = {
	.verb = "presented",
	.reason = MTLS_PRESENTED,
	.what = "/etc/mtls/mtls.conf",
	.host = "a.example",
	.port = 443,
	.version = 0x0304,
	.library = "openssl/3.0.22",
	.subject = "CN=host",
	.sha256 = SHA,
};

/* The line in memory of just its size, so that one byte too many is seen. NUL-ended copy; the caller frees. */
static char *format(unsigned pid, const struct mtls_event *event)
{
	char *out = malloc(MTLS_LINE_MAX), *text;
	size_t n;

	memset(out, '#', MTLS_LINE_MAX);
	n = mtls_line(out, pid, event);
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_le(n, MTLS_LINE_MAX);
	ck_assert_ptr_null(memchr(out, '\0', n));
	text = strndup(out, n);
	free(out);
	return text;
}

static void ck_line(const struct mtls_event *event, const char *expected)
{
	char *line = format(42, event);

	ck_assert_str_eq(line, expected);
	free(line);
}

START_TEST(every_key_in_order)
{
	ck_line(&whole,
		"mtls-run[42] presented reason=presented what=/etc/mtls/mtls.conf host=a.example port=443 tls=1.3 "
		"lib=openssl/3.0.22 subject=\"CN=host\" sha256=" SHA "\n");
}
END_TEST

START_TEST(unknown_keys_are_left_out)
{
	struct mtls_event e = {.verb = "loaded", .reason = MTLS_REASONS};

	ck_line(&e, "mtls-run[42] loaded\n");
	e = (struct mtls_event){.verb = "broken", .reason = MTLS_KEY_MISSING, .what = "k", .host = "", .subject = ""};
	ck_line(&e, "mtls-run[42] broken reason=key-missing what=k\n");
	e = (struct mtls_event){.verb = "generation", .reason = MTLS_REASONS, .library = "l", .sha256 = SHA};
	ck_line(&e, "mtls-run[42] generation lib=l sha256=" SHA "\n");
	e = (struct mtls_event){.verb = "withheld", .reason = MTLS_USABLE, .port = 1, .version = 0x0303};
	ck_line(&e, "mtls-run[42] withheld reason=usable port=1 tls=1.2\n");
	e = (struct mtls_event){.verb = "withheld", .reason = MTLS_HTTP2, .host = "::1", .version = 0xfefd};
	ck_line(&e, "mtls-run[42] withheld reason=http2 host=::1 tls=dtls1.2\n");
	e = (struct mtls_event){.verb = "withheld", .reason = MTLS_HTTP2, .port = 65535, .version = 0x7777};
	ck_line(&e, "mtls-run[42] withheld reason=http2 port=65535 tls=unknown\n");
}
END_TEST

START_TEST(numbers)
{
	static const unsigned pids[] = {0, 1, 9, 10, 4194304, UINT_MAX};
	struct mtls_event e = {.verb = "loaded", .reason = MTLS_REASONS};

	for (size_t i = 0; i < COUNT(pids); i++) {
		char expected[64], *line = format(pids[i], &e);

		snprintf(expected, sizeof(expected), "mtls-run[%u] loaded\n", pids[i]);
		ck_assert_str_eq(line, expected);
		free(line);
	}
}
END_TEST

static const struct {
	const char *value, *text;
} values[] = {
	{"a", "a"},
	{"A.b-c_d:e/f,g;h!i~", "A.b-c_d:e/f,g;h!i~"},
	{"a b", "\"a b\""},
	{" ", "\" \""},
	{"a=b", "\"a=b\""},
	{"\"", "\"\\x22\""},
	{"a\"b", "\"a\\x22b\""},
	{"\\", "\"\\x5c\""},
	{"\\x0a", "\"\\x5cx0a\""},
	{"\n", "\"\\x0a\""},
	{"a\r\nb", "\"a\\x0d\\x0ab\""},
	{"\t", "\"\\x09\""},
	{"\x1b[31m", "\"\\x1b[31m\""},
	{"\x7f", "\"\\x7f\""},
	{"\x80\xff", "\"\\x80\\xff\""},
	{"b\xc3\xbc", "\"b\\xc3\\xbc\""},
	{"\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\""},
	{"x\" sha256=1", "\"x\\x22 sha256=1\""},
	{"'", "'"},
	{"%s%n", "%s%n"},
};

START_TEST(quoting)
{
	struct mtls_event e = {.verb = "withheld", .reason = MTLS_REASONS};
	char expected[200];

	for (size_t i = 0; i < COUNT(values); i++) {
		e.what = e.host = e.library = e.subject = e.sha256 = values[i].value;
		snprintf(expected, sizeof(expected),
			 "mtls-run[42] withheld what=%s host=%s lib=%s subject=%s sha256=%s\n", values[i].text,
			 values[i].text, values[i].text, values[i].text, values[i].text);
		ck_line(&e, expected);
	}
}
END_TEST

/* --- the decoder ----------------------------------------------------------- */

struct pair {
	char key[16];
	char value[MTLS_LINE_MAX];
};

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* A value at *at; moves behind it. false: not logfmt. */
static bool take_value(const char **at, char *value)
{
	const char *p = *at;
	bool quoted = *p == '"';

	for (p += quoted; *p && *p != '"'; p++) {
		if (*p < ' ' || *p > '~' || (!quoted && (*p == ' ' || *p == '=' || *p == '\\')))
			break;
		*value = *p;
		if (*p == '\\') {
			if (p[1] != 'x' || hex_digit(p[2]) < 0 || hex_digit(p[3]) < 0)
				return false;
			*value = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
			p += 3;
		}
		value++;
	}
	*value = '\0';
	if (quoted && *p != '"')
		return false;
	*at = p + quoted;
	return **at == ' ' || **at == '\n';
}

/* The pairs of a line; -1 where it is not one line of logfmt. verb gets what stands before them. */
static int decode(const char *line, char verb[32], struct pair *pair, int max)
{
	unsigned pid;
	int n = 0, at = 0;
	const char *p;

	if (sscanf(line, "mtls-run[%u] %31[a-z]%n", &pid, verb, &at) != 2)
		return -1;
	for (p = line + at; *p == ' '; n++) {
		size_t length = strcspn(++p, "=");

		if (n == max || length == 0 || length >= sizeof(pair[n].key) || p[length] != '=')
			return -1;
		memcpy(pair[n].key, p, length);
		pair[n].key[length] = '\0';
		if (strspn(pair[n].key, "abcdefghijklmnopqrstuvwxyz0123456789") != length)
			return -1;
		p += length + 1;
		if (!take_value(&p, pair[n].value))
			return -1;
	}
	return strcmp(p, "\n") == 0 ? n : -1;
}

/* Whole, or a beginning of it that ends in dots. */
static bool stands_for(const char *value, const char *original)
{
	size_t n = strlen(value);

	if (strcmp(value, original) == 0)
		return true;
	return n > strlen(DOTS) && strcmp(value + n - strlen(DOTS), DOTS) == 0 &&
	       strncmp(value, original, n - strlen(DOTS)) == 0 && strlen(original) > n - strlen(DOTS);
}

static void ck_decoded(const struct mtls_event *e, const char *line)
{
	static const char *const keys[] = {"reason", "what", "host", "port", "tls", "lib", "subject", "sha256"};
	char reason[32] = "", port[16] = "", verb[32];
	static struct pair pair[COUNT(keys)];
	int n, at = 0;

	if (e->reason != MTLS_REASONS)
		snprintf(reason, sizeof(reason), "%s", mtls_reason_word(e->reason));
	if (e->port)
		snprintf(port, sizeof(port), "%u", e->port);
	n = decode(line, verb, pair, COUNT(keys));
	ck_assert_msg(n >= 0, "not one line of logfmt: %s", line);
	ck_assert_str_eq(verb, e->verb);
	for (size_t k = 0; k < COUNT(keys); k++) {
		const char *original[] = {
			reason,     e->what,    e->host,  port, e->version ? mtls_version_text(e->version) : "",
			e->library, e->subject, e->sha256};

		if (!original[k] || !*original[k])
			continue;
		ck_assert_msg(at < n && strcmp(pair[at].key, keys[k]) == 0, "%s missing: %s", keys[k], line);
		ck_assert_msg(stands_for(pair[at].value, original[k]), "%s: %s", keys[k], line);
		at++;
	}
	ck_assert_msg(at == n, "a forged key: %s", line);
}

START_TEST(the_decoder_sees_forgeries)
{
	static const char *const bad[] = {
		"mtls-run[1] withheld host=a\nmtls-run[1] presented\n",
		"mtls-run[1] withheld host=a\n\n",
		"mtls-run[1] withheld host=a",
		"mtls-run[1] withheld host=\"a\n",
		"mtls-run[1] withheld host=\"a\"b\"\n",
		"mtls-run[1] withheld host=a=b\n",
		"mtls-run[1] withheld host=a b\n",
		"mtls-run[1] withheld host=\\x41\n",
		"mtls-run[1] withheld host=\"\\x4\"\n",
		"mtls-run[1] withheld host=\"\x80\"\n",
		"mtls-run[1] withheld  host=a\n",
	};
	struct mtls_event e = {.verb = "withheld", .reason = MTLS_REASONS, .host = "a"};
	char verb[32];
	struct pair pair[4];

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(decode(bad[i], verb, pair, 4) < 0, "%s", bad[i]);
	ck_decoded(&e, "mtls-run[1] withheld host=a\n");
}
END_TEST

/* --- limits and hostile bytes ------------------------------------------------ */

static char *repeated(char c, size_t n)
{
	char *s = malloc(n + 1);

	memset(s, c, n);
	s[n] = '\0';
	return s;
}

/* Whatever a peer, a path or a subject holds, the fingerprint stays whole and the line ends. */
START_TEST(all_values_huge)
{
	static const char bytes[] = {'a', ' ', '"', '\\', '\n', '\x80'};

	for (size_t i = 0; i < sizeof(bytes); i++) {
		char *huge = repeated(bytes[i], 100000), *line;
		struct mtls_event e = {"generation", MTLS_CERTIFICATE_MALFORMED, huge, huge, 65535, 0xfefd, huge, huge,
				       SHA};

		line = format(UINT_MAX, &e);
		ck_assert_msg(strlen(line) > strlen(SHA) + 9, "%s", line);
		ck_assert_str_eq(line + strlen(line) - strlen(" sha256=" SHA "\n"), " sha256=" SHA "\n");
		ck_decoded(&e, line);
		free(line);
		free(huge);
	}
}
END_TEST

/* No caller does so: then the line is cut, but it is one line within its bounds all the same. */
START_TEST(beyond_all_budgets)
{
	char *huge = repeated('v', 100000), *line;
	struct mtls_event e = {huge, MTLS_CERTIFICATE_MALFORMED, huge, huge, UINT_MAX, 0xfefd, huge, huge, huge};

	line = format(UINT_MAX, &e);
	ck_assert_uint_eq(strlen(line), MTLS_LINE_MAX);
	ck_assert_ptr_eq(strchr(line, '\n'), line + MTLS_LINE_MAX - 1);
	free(line);
	free(huge);
}
END_TEST

/* Every length around every budget, for each kind of byte: never half an escape, never a value without an end. */
START_TEST(all_lengths)
{
	static const char bytes[] = {'a', ' ', '\n'};

	for (size_t i = 0; i < sizeof(bytes); i++)
		for (size_t n = 0; n < 330; n++) {
			char *value = repeated(bytes[i], n), *line;
			struct mtls_event e = {"withheld", MTLS_REASONS, value, value, 1, 0x0304, value, value, SHA};

			line = format(1, &e);
			ck_decoded(&e, line);
			free(line);
			free(value);
		}
}
END_TEST

/* What usually is in a log fits: a path of 255 bytes, a DNS name of 190, an X.500 name of 200. */
START_TEST(usual_values_are_whole)
{
	char *path = repeated('p', 255), *host = repeated('h', 190), *subject = repeated('s', 200), *line;
	struct mtls_event e = whole;

	e.what = path;
	e.host = host;
	e.subject = subject;
	line = format(UINT_MAX, &e);
	ck_assert_ptr_null(strstr(line, DOTS));
	free(line);
	free(path);
	free(host);
	free(subject);
}
END_TEST

static char *random_value(void)
{
	static const char *const words[] = {"\"",    "\\", "\n", " ", "=", " sha256=", "mtls-run[1] presented",
					    "\\x22", "\r", "..."};
	size_t limit = random() % 4 ? 40 : 400, n = 0;
	char *s = malloc(limit + 32);

	while (n < limit && random() % (long)limit) {
		if (random() % 3 == 0)
			n += (size_t)sprintf(s + n, "%s", words[(size_t)random() % COUNT(words)]);
		else
			s[n++] = (char)(1 + random() % 255);
	}
	s[n] = '\0';
	return s;
}

START_TEST(hostile_bytes)
{
	srandom(1);
	for (int i = 0; i < ROUNDS / 4; i++) {
		char *value[4], *line;
		struct mtls_event e = {.verb = "withheld"};

		for (int k = 0; k < 4; k++)
			value[k] = random_value();
		e.reason = (enum mtls_reason)(random() % (MTLS_REASONS + 1));
		e.what = value[0];
		e.host = value[1];
		e.library = value[2];
		e.subject = value[3];
		e.sha256 = random() % 2 ? SHA : NULL;
		e.port = random() % 2 ? (unsigned)(random() & 65535) : 0;
		e.version = random() % 2 ? 0x0304 : 0;
		line = format((unsigned)random(), &e);
		ck_decoded(&e, line);
		free(line);
		for (int k = 0; k < 4; k++)
			free(value[k]);
	}
}
END_TEST

Suite *line_suite(void)
{
	Suite *s = suite_create("line");
	TCase *c = tcase_create("line");

	tcase_add_test(c, every_key_in_order);
	tcase_add_test(c, unknown_keys_are_left_out);
	tcase_add_test(c, numbers);
	tcase_add_test(c, quoting);
	tcase_add_test(c, the_decoder_sees_forgeries);
	tcase_add_test(c, all_values_huge);
	tcase_add_test(c, beyond_all_budgets);
	tcase_add_test(c, all_lengths);
	tcase_add_test(c, usual_values_are_whole);
	tcase_add_test(c, hostile_bytes);
	suite_add_tcase(s, c);
	return s;
}
