/* SPDX-License-Identifier: Apache-2.0 */
/* From an upload and what is stored to what is to be stored: see migrate.h. */
#include "firmware/vault/migrate.h"
#include "core/settings.h"
#include "core/text.h"

#include <string.h>

static enum mtls_reason fail(struct mtls_error *e, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(e, reason, part, mtls_bytes_of(detail));
}

/* The list of CAs is no part of the folder. */
static enum mtls_reason fail_file(struct mtls_error *e, enum mtls_reason reason, enum vault_file file,
				  const char *detail)
{
	struct mtls_text t = {.n = 0};

	if (file == VAULT_CA) {
		mtls_text_put(&t, vault_file_name(file));
		mtls_text_put(&t, ": ");
	}
	mtls_text_put(&t, detail);
	return fail(e, reason, file == VAULT_CA ? MTLS_NOTHING : (enum mtls_part)file, t.s);
}

static void fail_room(struct mtls_error *e, enum vault_file file, size_t room)
{
	struct mtls_text t = {.n = 0};

	mtls_text_put(&t, "all files together do not fit into ");
	mtls_text_number(&t, room);
	mtls_text_put(&t, " bytes");
	fail_file(e, MTLS_TOO_LARGE, file, t.s);
}

/* --- judging ---------------------------------------------------------------------------------- */

enum mtls_reason vault_judge(const struct vault_payload *payload, struct vault_identity **identity,
			     struct mtls_error *error)
{
	struct mtls_files files = {.place = MTLS_PLACE_OK};
	struct mtls_blocks blocks;
	enum mtls_reason r;
	void *made = NULL;

	*identity = NULL;
	for (unsigned i = 0; i < MTLS_FILES; i++)
		if (!vault_payload_find(payload, i, &files.file[i].data))
			files.file[i].how = MTLS_FILE_NONE;
	r = mtls_credential_scan(&files, &blocks, error);
	if (r != MTLS_USABLE)
		return r;
	r = vault_parser.load(NULL, &blocks, &made, error);
	*identity = made;
	return r;
}

/* The line that says "issuer = match", from 1. */
static unsigned issuer_line(struct mtls_bytes conf)
{
	struct mtls_policy policy;
	size_t at = 0;
	unsigned line;

	for (line = 1; at < conf.n; line++) {
		mtls_policy_init(&policy);
		mtls_policy_conf(&policy, mtls_bytes_line(conf, &at));
		if (policy.issuer == MTLS_ISSUER_MATCH)
			break;
	}
	return line;
}

/* Contract, section 5: mbedTLS does not hand out the issuers that a server names. */
static enum mtls_reason check_conf(struct mtls_bytes conf, struct mtls_error *error)
{
	struct mtls_policy policy;

	mtls_policy_init(&policy);
	if (mtls_policy_conf(&policy, conf) != MTLS_USABLE) {
		*error = policy.error;
		return MTLS_BAD_SETTING;
	}
	if (policy.issuer != MTLS_ISSUER_MATCH)
		return MTLS_USABLE;
	fail(error, MTLS_BAD_SETTING, MTLS_CONF, "match: a device does not learn which issuers a server accepts");
	error->setting = mtls_setting_key(MTLS_ISSUER);
	error->line = issuer_line(conf);
	return MTLS_BAD_SETTING;
}

/* --- putting together --------------------------------------------------------------------------- */

static bool is_void(struct mtls_bytes text)
{
	mtls_bytes_take(&text, MTLS_BOM);
	return mtls_bytes_trim(text).n == 0;
}

/* Uploaded files take the place of their twins. */
static bool merge(const struct board_flash *f, uint32_t inbox, const struct vault_upload *u,
		  struct vault_payload *payload, bool *refused, struct mtls_error *error)
{
	unsigned char *to;
	bool intact;

	for (unsigned i = 0; i < VAULT_FILES; i++)
		if (u->file[i].present)
			vault_payload_remove(payload, i);
	for (unsigned i = 0; i < VAULT_FILES && !*refused; i++) {
		if (!u->file[i].present)
			continue;
		to = vault_payload_add(payload, i, u->file[i].size);
		if (!to) {
			fail_room(error, (enum vault_file)i, payload->max);
			*refused = true;
		} else if (!vault_inbox_read(f, inbox, u, (enum vault_file)i, to, &intact)) {
			return false;
		} else if (!intact) {
			fail_file(error, MTLS_UNREADABLE, (enum vault_file)i, "damaged in the inbox");
			*refused = true;
		}
	}
	return true;
}

/* A file of certificates, without all else that it may have. */
static bool certificates_only(struct vault_payload *payload, enum vault_file file)
{
	struct mtls_bytes text;
	size_t n;

	if (!vault_payload_find(payload, file, &text))
		return true;
	n = text.n;
	if (!vault_certificates_only(payload->p + (text.p - payload->p), &n))
		return false;
	if (n)
		vault_payload_shorten(payload, file, n);
	else
		vault_payload_remove(payload, file);
	return true;
}

/* Nothing of the key as it came is kept, nor the passphrase. */
static bool replace_key(struct vault_payload *payload, const struct vault_heap *plain)
{
	unsigned char *to;

	vault_payload_remove(payload, VAULT_KEY);
	vault_payload_remove(payload, VAULT_PASS);
	to = vault_payload_add(payload, VAULT_KEY, plain->n);
	if (to)
		memcpy(to, plain->p, plain->n);
	return to;
}

/* Two empty files say that there was a credential. */
static bool replace_nothing(struct vault_payload *payload, bool removed)
{
	vault_payload_remove(payload, VAULT_CERT);
	vault_payload_remove(payload, VAULT_KEY);
	vault_payload_remove(payload, VAULT_PASS);
	return !removed || (vault_payload_add(payload, VAULT_CERT, 0) && vault_payload_add(payload, VAULT_KEY, 0));
}

static enum mtls_reason check_others(struct vault_payload *payload, struct mtls_error *error)
{
	struct mtls_bytes text;
	enum mtls_reason r = MTLS_USABLE;

	if (vault_payload_find(payload, VAULT_CONF, &text) && is_void(text))
		vault_payload_remove(payload, VAULT_CONF);
	else if (text.n)
		r = check_conf(text, error);
	if (r != MTLS_USABLE)
		return r;
	if (vault_payload_find(payload, VAULT_CA, &text) && is_void(text))
		vault_payload_remove(payload, VAULT_CA);
	else if (text.n)
		r = vault_check_cas(text, error);
	return r;
}

/* Once more, of what is to be stored: a boot must find what was judged. */
static bool judged_again(const struct vault_payload *payload, enum mtls_reason before)
{
	struct vault_identity *identity;
	bool same = vault_judge(payload, &identity, NULL) == before;

	vault_parser.unload(NULL, identity);
	return same;
}

static bool store_form(struct vault_payload *payload, enum mtls_reason state, const struct vault_identity *identity)
{
	if (!certificates_only(payload, VAULT_CA))
		return false;
	if (!identity)
		return replace_nothing(payload, state == MTLS_REMOVED);
	return certificates_only(payload, VAULT_CERT) && replace_key(payload, &identity->plain) &&
	       judged_again(payload, state);
}

bool vault_migrate(const struct board_flash *f, uint32_t inbox, const struct vault_upload *u,
		   struct vault_payload *payload, bool *refused, struct mtls_error *error)
{
	struct vault_identity *identity = NULL;
	enum mtls_reason state;
	struct mtls_error other;

	*refused = false;
	vault_payload_remove(payload, VAULT_TAG_UPLOAD);
	vault_payload_remove(payload, VAULT_TAG_OUTCOME);
	payload->max -= VAULT_NOTES_SIZE;
	if (!merge(f, inbox, u, payload, refused, error)) {
		payload->max += VAULT_NOTES_SIZE;
		return false;
	}
	if (*refused)
		goto out;
	state = vault_judge(payload, &identity, error);
	*refused = mtls_reason_state(state) == MTLS_STATE_BROKEN;
	if (!*refused && check_others(payload, &other) != MTLS_USABLE) {
		*error = other;
		*refused = true;
	}
	if (!*refused && !store_form(payload, state, identity)) {
		fail(error, MTLS_UNREADABLE, MTLS_NOTHING, "out of memory, or all files together do not fit");
		*refused = true;
	}
out:
	vault_parser.unload(NULL, identity);
	payload->max += VAULT_NOTES_SIZE;
	return true;
}
