/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's state and the parsed certificates, field by field, in one of two notations. */
#include "firmware/app/status.h"

#include "firmware/net/dn.h"
#include "firmware/net/shared.h"
#include "firmware/net/words.h"

#include <mbedtls/platform_time.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>

#include <stdio.h>
#include <string.h>

#define SOON_DAYS 30

/* Where in the output we are. */
static struct {
	bool json, first;
	void (*put)(const char *text);
} out;

static char text[VAULT_SUBJECT]; /* what is being made into a field */

const char *status_state(enum mtls_reason reason)
{
	static const char *const words[] = {"absent", "removed", "usable", "broken"};

	return words[mtls_reason_state(reason)];
}

/* --- notation --------------------------------------------------------------------- */

/* All values are printable ASCII. */
static void put_string(const char *s)
{
	out.put("\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			out.put("\\");
		out.put((char[]){*s, '\0'});
	}
	out.put("\"");
}

static void put_key(const char *key)
{
	if (!out.json)
		return;
	out.put(out.first ? "{" : ",");
	out.first = false;
	put_string(key);
	out.put(":");
}

/* A line of its own where it is for people; there, nothing is said of what is not there. */
static void put_line(const char *key, const char *value)
{
	if (!*value)
		return;
	out.put(key);
	out.put(": ");
	out.put(value);
	out.put("\n");
}

static void field(const char *key, const char *value)
{
	put_key(key);
	if (!out.json)
		put_line(key, value);
	else if (*value)
		put_string(value);
	else
		out.put("null");
}

static void list_begin(const char *key)
{
	put_key(key);
	if (out.json)
		out.put("[");
	out.first = true;
}

static void item(const char *key, const char *value)
{
	if (!out.json) {
		put_line(key, value);
		return;
	}
	if (!out.first)
		out.put(",");
	out.first = false;
	put_string(value);
}

static void list_end(void)
{
	if (out.json)
		out.put("]");
	out.first = false;
}

/* --- fields ------------------------------------------------------------------------- */

static const char *name_text(const mbedtls_x509_name *name)
{
	dn_print(name, text, sizeof(text));
	return text;
}

static const char *time_text(const mbedtls_x509_time *t)
{
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", t->year, t->mon, t->day, t->hour, t->min,
		 t->sec);
	return text;
}

static const char *sha1_text(const mbedtls_x509_crt *leaf)
{
	unsigned char hash[20];

	if (mbedtls_sha1(leaf->raw.p, leaf->raw.len, hash) != 0)
		return "";
	mtls_bytes_hex(hash, sizeof(hash), text);
	return text;
}

static const char *key_text(void)
{
	switch (shared()->type) {
	case MTLS_KEY_RSA:
		snprintf(text, sizeof(text), "RSA %u", vault_signer()->bits());
		break;
	case MTLS_KEY_P256:
	case MTLS_KEY_P384:
	case MTLS_KEY_P521:
		snprintf(text, sizeof(text), "EC P-%u", vault_signer()->bits());
		break;
	default:
		snprintf(text, sizeof(text), "EC %u", vault_signer()->bits());
		break;
	}
	return text;
}

static void put_name(const mbedtls_x509_buf *entry)
{
	static const struct {
		int tag;
		const char *word;
	} kinds[] = {{MBEDTLS_X509_SAN_RFC822_NAME, "email:"},
		     {MBEDTLS_X509_SAN_DNS_NAME, "DNS:"},
		     {MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER, "URI:"}};
	int tag = entry->tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
	struct mtls_addr address;
	char figures[MTLS_ADDR_TEXT];
	size_t n = 0;

	if (tag == MBEDTLS_X509_SAN_IP_ADDRESS) {
		mtls_addr_set(&address, entry->p, entry->len, 0);
		snprintf(text, sizeof(text), "IP:%s", mtls_addr_print(&address, figures));
		item("name", text);
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].tag != tag)
			continue;
		n = strlen(kinds[i].word);
		memcpy(text, kinds[i].word, n);
		for (size_t j = 0; j < entry->len && n < sizeof(text) - 1; j++, n++)
			text[n] = (char)(entry->p[j] > ' ' && entry->p[j] <= '~' ? entry->p[j] : '?');
		text[n] = '\0';
		item("name", text);
	}
}

static void put_names(const mbedtls_x509_crt *leaf)
{
	const mbedtls_x509_sequence *entry = leaf ? &leaf->subject_alt_names : NULL;

	list_begin("names");
	for (; entry && entry->buf.p; entry = entry->next)
		put_name(&entry->buf);
	list_end();
}

static void put_chain(const mbedtls_x509_crt *leaf)
{
	list_begin("chain");
	for (; leaf; leaf = leaf->next)
		item("chain", name_text(&leaf->subject));
	list_end();
}

/* --- warnings ------------------------------------------------------------------------- */

static void warn_of_dates(const mbedtls_x509_crt *crt, unsigned number)
{
	const mbedtls_x509_time *end = &crt->valid_to;
	mbedtls_time_t seconds = mbedtls_time(NULL);
	mbedtls_x509_time later;
	bool expired = mbedtls_x509_time_is_past(end), soon;

	seconds += (mbedtls_time_t)SOON_DAYS * 24 * 3600;
	soon = mbedtls_x509_time_gmtime(seconds, &later) == 0 && mbedtls_x509_time_cmp(end, &later) < 0;
	if (mbedtls_x509_time_is_future(&crt->valid_from)) {
		snprintf(text, sizeof(text), "certificate %u is not valid before %04d-%02d-%02d", number,
			 crt->valid_from.year, crt->valid_from.mon, crt->valid_from.day);
		item("warning", text);
	}
	if (expired || soon) {
		snprintf(text, sizeof(text), "certificate %u expire%s on %04d-%02d-%02d", number, expired ? "d" : "s",
			 end->year, end->mon, end->day);
		item("warning", text);
	}
}

static void warn_of(const struct mtls_error *e, const char *before, const char *behind)
{
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", before);

	words_explain(e, text + n, sizeof(text) - n);
	n = strlen(text);
	snprintf(text + n, sizeof(text) - n, "%s", behind);
	item("warning", text);
}

static void warn_of_upload(const struct vault_status *status)
{
	char word[40];

	snprintf(word, sizeof(word), " (%s)", mtls_reason_word(status->upload.reason));
	if (status->refused)
		warn_of(&status->upload, STATUS_REFUSED, word);
}

/* Of what the vault has taken, maybe with another firmware, and this device cannot use all the same. */
static void warn_of_credential(const struct vault_status *status)
{
	const struct shared *device = shared();
	struct mtls_error e = {.reason = device->credential, .part = device->what};
	bool stored = status->result == VAULT_OK && mtls_reason_state(status->reason) == MTLS_STATE_BROKEN;

	if (stored || *mtls_part_file(device->what))
		warn_of(&e, "", "");
}

/* Without a clock every date is past and future to mbedTLS. */
static void warn_of_time(const mbedtls_x509_crt *leaf)
{
	unsigned number = 1;

	if (mbedtls_time(NULL) < 0) {
		item("warning", "the time is not known: no server's certificate is valid");
		return;
	}
	for (; leaf; leaf = leaf->next)
		warn_of_dates(leaf, number++);
}

static void warn_of_vault(const struct vault_status *status)
{
	if (status->result == VAULT_OK)
		return;
	snprintf(text, sizeof(text), STATUS_FAILED "%s", vault_result_sentence(status->result));
	item("warning", text);
}

static void put_warnings(const struct vault_status *status, const mbedtls_x509_crt *leaf)
{
	list_begin("warnings");
	warn_of_time(leaf);
	warn_of_vault(status);
	warn_of_upload(status);
	warn_of_credential(status);
	if (shared()->refusal)
		item("warning", shared()->refusal);
	if (shared()->policy.error.reason != MTLS_USABLE)
		warn_of(&shared()->policy.error, "", "; no certificate is presented");
	list_end();
}

void status_print(bool json, void (*put)(const char *text))
{
	const struct shared *device = shared();
	const mbedtls_x509_crt *leaf = device->credential == MTLS_USABLE ? &device->chain : NULL;
	struct vault_status status;

	out.json = json;
	out.first = true;
	out.put = put;
	vault_status(&status);
	field("state", status_state(device->credential));
	field("reason", mtls_reason_word(device->credential));
	field("subject", leaf ? device->subject : "");
	field("issuer", leaf ? name_text(&leaf->issuer) : "");
	put_names(leaf);
	field("key", leaf ? key_text() : "");
	field("not_before", leaf ? time_text(&leaf->valid_from) : "");
	field("not_after", leaf ? time_text(&leaf->valid_to) : "");
	field("sha1", leaf ? sha1_text(leaf) : "");
	field("sha256", leaf ? device->sha256 : "");
	put_chain(leaf);
	put_warnings(&status, leaf);
	if (json)
		out.put("}");
}
