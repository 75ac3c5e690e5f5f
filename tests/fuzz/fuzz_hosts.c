/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/hosts.c on any text, name and peer: "TEXT|NAME|IP PORT", each but the text
 * may be missing. There is no expected answer here (oracle_hosts.c has one), only
 * what must hold between answers: of a list and its words, of more and fewer
 * patterns, of known and unknown facts.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/hosts.h"
#include "tests/fuzz/fuzz.h"

struct server {
	const char *name;
	struct mtls_addr peer;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_separator(unsigned char c)
{
	return c && strchr(", \t\n\v\f\r", c);
}

static bool allow(struct mtls_bytes text, const struct server *s)
{
	return mtls_hosts_allow(text, s->name, &s->peer);
}

/* A copy of a and b with a byte between that separates, in a block of that very size. */
static struct mtls_bytes joined(struct mtls_bytes a, const char *b)
{
	struct mtls_bytes more = mtls_bytes_of(b);
	unsigned char *p = malloc(a.n + 1 + more.n);

	must(p != NULL);
	if (a.n)
		memcpy(p, a.p, a.n);
	p[a.n] = ',';
	memcpy(p + a.n + 1, more.p, more.n);
	return (struct mtls_bytes){p, a.n + 1 + more.n};
}

/* The list is what its words are, each asked alone; so their order cannot matter. */
static void list_is_its_words(struct mtls_bytes text, const struct server *s, bool *has_allow, bool *has_word)
{
	bool good = true, denied = false, allowed = false, name = false, peer = false;
	struct mtls_bytes at = {0}, first_bad = {0};

	*has_allow = *has_word = false;
	for (size_t i = 0; i < text.n;) {
		struct mtls_bytes word = {text.p + i, 0};
		bool deny = text.p[i] == '!';

		if (is_separator(text.p[i])) {
			i++;
			continue;
		}
		while (i < text.n && !is_separator(text.p[i++]))
			word.n++;
		if (!mtls_hosts_check(word, &at)) {
			must(at.p == word.p && at.n == word.n && !allow(word, s));
			first_bad = good ? word : first_bad;
			good = false;
		}
		*has_word = true;
		*has_allow = *has_allow || !deny;
		denied = denied || (deny && !allow(word, s));
		allowed = allowed || (!deny && allow(word, s));
		name = name || mtls_hosts_need_name(word);
		peer = peer || mtls_hosts_need_peer(word);
	}
	if (!*has_word)
		first_bad = text;
	must(mtls_hosts_check(text, &at) == (good && *has_word));
	must((good && *has_word) || (at.p == first_bad.p && at.n == first_bad.n));
	must(mtls_hosts_need_name(text) == name && mtls_hosts_need_peer(text) == peer);
	must(!good || !*has_word || name || peer);
	must(allow(text, s) == (*has_word && !denied && (allowed || !*has_allow)));
}

static void more_patterns(struct mtls_bytes text, const struct server *s, bool has_allow, bool has_word)
{
	static const char *const allows[] = {"a", "*.com", "0.0.0.0/0", "::/0:443", "not..good"};
	static const char *const denies[] = {"!a", "!*.com", "!0.0.0.0/0", "!::/0:443", "!not..good"};

	for (size_t i = 0; i < sizeof allows / sizeof allows[0]; i++) {
		struct mtls_bytes wider = joined(text, allows[i]), narrower = joined(text, denies[i]);

		if (has_allow)
			must(!allow(text, s) || allow(wider, s));
		if (has_word)
			must(allow(text, s) || !allow(narrower, s));
		free((void *)wider.p);
		free((void *)narrower.p);
	}
}

/* Unknown is the stricter answer, and a fact that is not needed does not count. */
static void fewer_facts(struct mtls_bytes text, const struct server *s)
{
	struct server no_name = *s, no_ip = *s, no_port = *s, nothing = {0};

	no_name.name = NULL;
	mtls_addr_set(&no_ip.peer, NULL, 0, s->peer.port);
	no_port.peer.port = 0;
	must(!allow(text, &no_name) || allow(text, s));
	must(!allow(text, &no_ip) || allow(text, s));
	must(!allow(text, &no_port) || allow(text, s));
	must(!allow(text, &nothing) || (allow(text, &no_name) && allow(text, &no_ip) && allow(text, &no_port)));
	if (!mtls_hosts_need_name(text))
		must(allow(text, &no_name) == allow(text, s));
	if (!mtls_hosts_need_peer(text))
		must(allow(text, &no_ip) == allow(text, s) && allow(text, &no_port) == allow(text, s));
}

static void other_case(struct mtls_bytes text, const struct server *s)
{
	struct mtls_bytes upper = joined(text, "");

	for (size_t i = 0; i < upper.n; i++)
		((unsigned char *)upper.p)[i] = (unsigned char)toupper(upper.p[i]);
	must(allow(upper, s) == allow(text, s));
	free((void *)upper.p);
}

/* Takes what stands behind the last bar off the text, as a string to free; NULL: there is no bar. */
static char *take_field(struct mtls_bytes *text)
{
	const unsigned char *bar = text->n ? memrchr(text->p, '|', text->n) : NULL;
	char *field = NULL;

	if (bar) {
		size_t n = text->n - (size_t)(bar - text->p) - 1;

		field = malloc(n + 1);
		must(field != NULL);
		memcpy(field, bar + 1, n);
		field[n] = '\0';
		text->n = (size_t)(bar - text->p);
	}
	return field;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mtls_bytes input = {data, size}, text;
	char *peer = take_field(&input), *name = take_field(&input), *port = peer ? strchr(peer, ' ') : NULL;
	struct server s = {.name = name};
	bool has_allow, has_word;

	if (port)
		*port++ = '\0';
	mtls_addr_parse(mtls_bytes_of(peer), &s.peer);
	s.peer.port = (uint16_t)(port ? strtoul(port, NULL, 10) : 0);
	text = joined(input, "");
	list_is_its_words(text, &s, &has_allow, &has_word);
	more_patterns(text, &s, has_allow, has_word);
	fewer_facts(text, &s);
	other_case(text, &s);
	must(allow(text, &s) == allow(text, &s));
	free((void *)text.p);
	free(name);
	free(peer);
	return 0;
}
