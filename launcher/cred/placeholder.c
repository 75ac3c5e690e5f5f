/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names are placeholders. Only what can be nothing else: a warning that comes every day for a
 * name that somebody chose would be switched off with the others. So "localhost" and the names under .test
 * and .example are not here, which people use on purpose.
 */
#include "launcher/cred/placeholder.h"

#include <string.h>
#include <strings.h>

/* The defaults of openssl.cnf (upstream, Fedora's), and what tutorials ask the reader to replace. */
static const char *const wholes[] = {
	"Internet Widgits Pty Ltd",
	"Some-State",
	"Default Company Ltd",
	"Default City",
	"changeme",
	"change-me",
	"change_me",
	"change me",
	"replaceme",
	"replace-me",
	"replace_me",
	"replace me",
	"Your Name",
	"Your Company",
	"Your Organization",
	"Example Inc",
	"Example Inc.",
	"Example Corp",
	"Example Company",
	"Example Organization",
};

/* RFC 2606, 3: nobody owns them. */
static const char *const domains[] = {"example.com", "example.net", "example.org"};

/* A variable that no shell and no template engine has replaced. */
static const char *const variables[] = {"${", "$(", "{{", "<%"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool equal(struct mtls_bytes value, const char *word)
{
	return value.n == strlen(word) && strncasecmp((const char *)value.p, word, value.n) == 0;
}

/* Of a URI its host and port; of a mail address what is behind the @. */
static struct mtls_bytes host_of(struct mtls_bytes value)
{
	const unsigned char *start = memmem(value.p, value.n, "://", 3), *at = memchr(value.p, '@', value.n);
	const unsigned char *end = value.p + value.n, *slash;

	if (start)
		start += 3;
	else if (at)
		start = at + 1;
	else
		return value;
	slash = memchr(start, '/', (size_t)(end - start));
	return (struct mtls_bytes){start, (size_t)((slash ? slash : end) - start)};
}

/* The domain itself, or a name below it. */
static bool in_domain(struct mtls_bytes host, const char *domain)
{
	size_t n = strlen(domain);

	if (host.n > n && host.p[host.n - n - 1] != '.')
		return false;
	if (host.n > n)
		host = (struct mtls_bytes){host.p + host.n - n, n};
	return equal(host, domain);
}

bool cred_is_placeholder(struct mtls_bytes value)
{
	value = mtls_bytes_trim(value);
	if (!value.n)
		return false;
	for (size_t i = 0; i < COUNT(wholes); i++)
		if (equal(value, wholes[i]))
			return true;
	for (size_t i = 0; i < COUNT(domains); i++)
		if (in_domain(host_of(value), domains[i]))
			return true;
	for (size_t i = 0; i < COUNT(variables); i++)
		if (memmem(value.p, value.n, variables[i], strlen(variables[i])))
			return true;
	return value.n > 2 && value.p[0] == '<' && value.p[value.n - 1] == '>'; /* <your name> */
}
