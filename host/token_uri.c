/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7512; see token_uri.h. */
#include "host/token_uri.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const NAMES[TOKEN_PARTS] = {
	[TOKEN_LABEL] = "token",
	[TOKEN_MANUFACTURER] = "manufacturer",
	[TOKEN_MODEL] = "model",
	[TOKEN_SERIAL] = "serial",
	[TOKEN_OBJECT] = "object",
	[TOKEN_ID] = "id",
	[TOKEN_TYPE] = "type",
	[TOKEN_MODULE_PATH] = "module-path",
	[TOKEN_PIN_SOURCE] = "pin-source",
	[TOKEN_PIN_VALUE] = "pin-value",
};

/* Without what the part says: it may be a PIN. */
static enum mtls_reason malformed(struct mtls_error *error, const char *what, const char *why)
{
	char detail[sizeof(error->detail)];

	(void)snprintf(detail, sizeof(detail), "%.40s: %s", what, why);
	return mtls_fail(error, MTLS_KEY_MALFORMED, MTLS_KEY, mtls_bytes_of(detail));
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; it only becomes shorter. */
static bool decode(char *s, struct mtls_bytes *out)
{
	char *to = s;

	out->p = (unsigned char *)s;
	for (; *s; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		if (hex(s[1]) < 0 || hex(s[2]) < 0)
			return false;
		*to++ = (char)(hex(s[1]) << 4 | hex(s[2]));
		s += 2;
	}
	*to = '\0';
	out->n = (size_t)((unsigned char *)to - out->p);
	return true;
}

/* One "name=value". Of the query, what is not known is for others (RFC 7512, 2.4). */
static enum mtls_reason take(struct token_uri *uri, char *text, bool query, struct mtls_error *error)
{
	char *value = strchr(text, '=');
	size_t i = query ? TOKEN_MODULE_PATH : 0, end = query ? TOKEN_PARTS : TOKEN_MODULE_PATH;

	if (!*text)
		return MTLS_USABLE;
	if (!value)
		return malformed(error, query ? "query" : text, "there is no value");
	*value++ = '\0';
	while (i < end && strcmp(NAMES[i], text) != 0)
		i++;
	if (i == end)
		return query ? MTLS_USABLE : malformed(error, text, "not understood in a pkcs11: URI");
	if (uri->value[i].p)
		return malformed(error, text, "given twice");
	if (!decode(value, &uri->value[i]))
		return malformed(error, text, "a % without two hexadecimal figures");
	if (i != TOKEN_ID && memchr(uri->value[i].p, '\0', uri->value[i].n))
		return malformed(error, text, "has a NUL");
	if (i == TOKEN_TYPE && strcmp((const char *)uri->value[i].p, "private") != 0)
		return malformed(error, text, "only private keys are of use");
	return MTLS_USABLE;
}

static enum mtls_reason take_all(struct token_uri *uri, char *text, bool query, struct mtls_error *error)
{
	enum mtls_reason reason = MTLS_USABLE;
	char *next;

	for (; text && reason == MTLS_USABLE; text = next) {
		next = strchr(text, query ? '&' : ';');
		if (next)
			*next++ = '\0';
		reason = take(uri, text, query, error);
	}
	return reason;
}

enum mtls_reason mtls_token_uri_read(struct mtls_bytes text, struct token_uri *uri, struct mtls_error *error)
{
	enum mtls_reason reason;
	char *query;

	memset(uri, 0, sizeof(*uri));
	uri->size = text.n + 1;
	uri->memory = malloc(uri->size);
	if (!uri->memory)
		return mtls_fail(error, MTLS_UNREADABLE, MTLS_KEY, mtls_bytes_of("out of memory"));
	memcpy(uri->memory, text.p, text.n);
	uri->memory[text.n] = '\0';
	if (memchr(text.p, '\0', text.n) || strncmp(uri->memory, "pkcs11:", 7) != 0)
		return malformed(error, "pkcs11", "no such URI");
	query = strchr(uri->memory, '?');
	if (query)
		*query++ = '\0';
	uri->plain = strdup(uri->memory);
	if (!uri->plain)
		return mtls_fail(error, MTLS_UNREADABLE, MTLS_KEY, mtls_bytes_of("out of memory"));
	reason = take_all(uri, uri->memory + 7, false, error);
	return reason == MTLS_USABLE ? take_all(uri, query, true, error) : reason;
}

void mtls_token_uri_free(struct token_uri *uri)
{
	if (uri->memory)
		OPENSSL_cleanse(uri->memory, uri->size);
	free(uri->memory);
	free(uri->plain);
	memset(uri, 0, sizeof(*uri));
}

/* --- its PIN ------------------------------------------------------------------------ */

/* "file:/PATH", "file://HOST/PATH" or "/PATH" (RFC 7512, 2.4). NULL: none of them, a command, say. */
static const char *pin_path(const char *source)
{
	if (strncmp(source, "file:", 5) == 0)
		source += 5;
	if (strncmp(source, "//", 2) == 0)
		source = strchr(source + 2, '/');
	return source && source[0] == '/' ? source : NULL;
}

/* As private_key_pass.txt: the first line. 0, or an errno; E2BIG: it is too long. */
static int read_line(const char *path, struct token_pin *pin)
{
	unsigned char room[MTLS_PASS_MAX + 3]; /* and CR, LF */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error = 0;
	struct mtls_bytes line = {room, 0};
	struct stat st;
	ssize_t n = -1;
	size_t at = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) != 0)
		error = errno;
	else if (!S_ISREG(st.st_mode))
		error = EINVAL;
	else if ((n = read(fd, room, sizeof(room))) < 0)
		error = errno;
	close(fd);
	if (n > 0)
		line = mtls_bytes_line((struct mtls_bytes){room, (size_t)n}, &at);
	if (line.n > MTLS_PASS_MAX)
		error = E2BIG;
	if (!error) {
		memcpy(pin->text, line.p, line.n);
		pin->n = line.n;
	}
	OPENSSL_cleanse(room, sizeof(room));
	return error;
}

static enum mtls_reason read_source(const char *source, struct token_pin *pin, struct mtls_error *error)
{
	const char *path = pin_path(source);
	enum mtls_reason reason = MTLS_UNREADABLE;
	char detail[sizeof(error->detail)];
	int why;

	pin->part = MTLS_KEY;
	if (!path)
		return malformed(error, "pin-source", "no file: URI with an absolute path");
	(void)snprintf(pin->where, sizeof(pin->where), " in %s", path);
	why = read_line(path, pin);
	if (!why)
		return MTLS_USABLE;
	if (why == ENOENT)
		reason = MTLS_PASSPHRASE_MISSING;
	else if (why == E2BIG)
		reason = MTLS_PASSPHRASE_TOO_LONG;
	(void)snprintf(detail, sizeof(detail), "pin-source %.60s: %s", path,
		       why == EINVAL ? "not a file" : strerror(why));
	return mtls_fail(error, reason, MTLS_KEY, mtls_bytes_of(detail));
}

enum mtls_reason mtls_token_pin(const struct token_uri *uri, struct mtls_bytes given, struct token_pin *pin,
				struct mtls_error *error)
{
	memset(pin, 0, sizeof(*pin));
	pin->part = MTLS_PASS;
	if (uri && uri->value[TOKEN_PIN_VALUE].p) {
		given = uri->value[TOKEN_PIN_VALUE];
		pin->part = MTLS_KEY;
	} else if (uri && uri->value[TOKEN_PIN_SOURCE].p) {
		return read_source((const char *)uri->value[TOKEN_PIN_SOURCE].p, pin, error);
	}
	if (given.n > MTLS_PASS_MAX)
		return mtls_fail(error, MTLS_PASSPHRASE_TOO_LONG, pin->part, mtls_bytes_of(NULL));
	/* libcrypto passes it on as a string. */
	if (given.n && memchr(given.p, '\0', given.n))
		return mtls_fail(error, MTLS_PASSPHRASE_WRONG, pin->part, mtls_bytes_of("a PIN has no NUL"));
	if (given.n)
		memcpy(pin->text, given.p, given.n);
	pin->n = given.n;
	return MTLS_USABLE;
}
