/* SPDX-License-Identifier: Apache-2.0 */
/* The list of entries: see payload.h. What is shortened or removed is wiped, since it may be a key. */
#include "firmware/vault/payload.h"
#include "core/settings.h"
#include "firmware/vault/flash.h"

#include <string.h>

#include <mbedtls/platform_util.h>

#define HEAD (VAULT_ENTRY - 1) /* tag and length */

void vault_payload_wipe(struct vault_payload *l)
{
	mbedtls_platform_zeroize(l->p, l->max);
	l->n = 0;
}

/* The entry at at, which moves behind it. */
static bool next(const struct vault_payload *l, size_t *at, unsigned *tag, struct mtls_bytes *value)
{
	const unsigned char *p = l->p + *at;
	size_t rest = l->n - *at;

	if (rest < VAULT_ENTRY)
		return false;
	*tag = p[0];
	*value = (struct mtls_bytes){p + HEAD, vault_get32(p + 1)};
	if (value->n > rest - VAULT_ENTRY || value->p[value->n] != '\0')
		return false;
	*at += VAULT_ENTRY + value->n;
	return true;
}

bool vault_payload_valid(const struct vault_payload *l)
{
	bool seen[VAULT_TAGS] = {false};
	struct mtls_bytes value;
	size_t at = 0;
	unsigned tag;

	while (at < l->n) {
		if (!next(l, &at, &tag, &value) || tag >= VAULT_TAGS || seen[tag])
			return false;
		seen[tag] = true;
	}
	return true;
}

bool vault_payload_find(const struct vault_payload *l, unsigned tag, struct mtls_bytes *value)
{
	size_t at = 0;
	unsigned found;

	while (at < l->n && next(l, &at, &found, value))
		if (found == tag)
			return true;
	*value = (struct mtls_bytes){NULL, 0};
	return false;
}

unsigned char *vault_payload_add(struct vault_payload *l, unsigned tag, size_t n)
{
	unsigned char *p = l->p + l->n;

	if (l->max - l->n < VAULT_ENTRY || n > l->max - l->n - VAULT_ENTRY)
		return NULL;
	p[0] = (unsigned char)tag;
	vault_put32(p + 1, (uint32_t)n);
	p[HEAD + n] = '\0';
	l->n += VAULT_ENTRY + n;
	return p + HEAD;
}

/* Moves what stands at from and behind it to the place to, before it. */
static void close_gap(struct vault_payload *l, size_t to, size_t from)
{
	memmove(l->p + to, l->p + from, l->n - from);
	l->n -= from - to;
	mbedtls_platform_zeroize(l->p + l->n, from - to);
}

void vault_payload_shorten(struct vault_payload *l, unsigned tag, size_t n)
{
	struct mtls_bytes value;
	size_t at;

	if (!vault_payload_find(l, tag, &value) || n >= value.n)
		return;
	at = (size_t)(value.p - l->p);
	vault_put32(l->p + at - HEAD + 1, (uint32_t)n);
	close_gap(l, at + n, at + value.n); /* the NUL moves with it */
}

void vault_payload_remove(struct vault_payload *l, unsigned tag)
{
	struct mtls_bytes value;
	size_t at;

	if (!vault_payload_find(l, tag, &value))
		return;
	at = (size_t)(value.p - l->p);
	close_gap(l, at - HEAD, at + value.n + 1);
}

/* --- the outcome: refused, part, setting (0xff: none), line (4 bytes), the reason's word, NUL, the detail ----- */

#define FIXED      7
#define NO_SETTING 0xff

static unsigned setting_number(const char *key)
{
	unsigned i;

	for (i = 0; key && i < MTLS_SETTINGS; i++)
		if (strcmp(key, mtls_setting_key((enum mtls_setting)i)) == 0)
			return i;
	return NO_SETTING;
}

bool vault_payload_note(struct vault_payload *l, const unsigned char id[VAULT_ID], const struct vault_outcome *o)
{
	/* The word, not the number: a later firmware may have others. */
	const char *word = mtls_reason_word(o->error.reason);
	size_t word_n = strlen(word) + 1, detail_n = strlen(o->error.detail);
	unsigned char *p;

	vault_payload_remove(l, VAULT_TAG_UPLOAD);
	vault_payload_remove(l, VAULT_TAG_OUTCOME);
	p = vault_payload_add(l, VAULT_TAG_UPLOAD, VAULT_ID);
	if (!p)
		return false;
	memcpy(p, id, VAULT_ID);
	p = vault_payload_add(l, VAULT_TAG_OUTCOME, FIXED + word_n + detail_n);
	if (!p)
		return false;
	p[0] = o->refused;
	p[1] = (unsigned char)o->error.part;
	p[2] = (unsigned char)setting_number(o->error.setting);
	vault_put32(p + 3, o->error.line);
	memcpy(p + FIXED, word, word_n);
	memcpy(p + FIXED + word_n, o->error.detail, detail_n);
	return true;
}

static enum mtls_reason reason_of(const char *word)
{
	for (int i = 0; i < MTLS_REASONS; i++)
		if (strcmp(word, mtls_reason_word((enum mtls_reason)i)) == 0)
			return (enum mtls_reason)i;
	return MTLS_UNREADABLE;
}

void vault_payload_outcome(const struct vault_payload *l, struct vault_outcome *out)
{
	struct mtls_bytes value, detail;
	const char *word;
	size_t word_n;

	out->refused = false;
	mtls_fail(&out->error, MTLS_NO_CREDENTIAL, MTLS_NOTHING, (struct mtls_bytes){NULL, 0});
	if (!vault_payload_find(l, VAULT_TAG_OUTCOME, &value) || value.n <= FIXED || value.p[1] >= MTLS_PARTS)
		return;
	word = (const char *)value.p + FIXED; /* ends at the entry's NUL at the latest */
	word_n = strlen(word);
	detail = (struct mtls_bytes){value.p + FIXED, 0};
	if (FIXED + word_n < value.n)
		detail = (struct mtls_bytes){value.p + FIXED + word_n + 1, value.n - FIXED - word_n - 1};
	out->refused = value.p[0];
	mtls_fail(&out->error, reason_of(word), (enum mtls_part)value.p[1], detail);
	if (value.p[2] < MTLS_SETTINGS)
		out->error.setting = mtls_setting_key((enum mtls_setting)value.p[2]);
	out->error.line = vault_get32(value.p + 3);
}
