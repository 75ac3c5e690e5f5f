/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h for the non-secure image: each function asks the secure one. Texts and files that vault.h hands out as
 * pointers are copies, made at boot, as vault.h lets them be.
 */
#include "firmware/port/an505/entries.h"
#include "firmware/port/port.h"

#include <string.h>

static struct {
	struct mtls_bytes file[VAULT_FILES];
	unsigned char cert[VAULT_FILE_MAX + 1], ca[VAULT_FILE_MAX + 1], conf[VAULT_FILE_MAX + 1];
} copies;

static enum vault_result result_of(int r)
{
	return r == SECURE_REFUSED ? VAULT_OUT_OF_ORDER : (enum vault_result)r;
}

/* --- words ------------------------------------------------------------------------------- */

const char *vault_file_name(enum vault_file file)
{
	static char names[VAULT_FILES][SECURE_WORD];

	if ((size_t)file >= VAULT_FILES || !secure_vault_file_name(file, names[file], SECURE_WORD))
		return "";
	return names[file];
}

size_t vault_file_max(enum vault_file file)
{
	int n = secure_vault_file_max(file);

	return n == SECURE_REFUSED ? 0 : (size_t)n;
}

const char *vault_result_sentence(enum vault_result result)
{
	static char sentences[VAULT_RESULTS][SECURE_WORD];

	if ((size_t)result >= VAULT_RESULTS || !secure_vault_sentence(result, sentences[result], SECURE_WORD))
		return "unknown";
	return sentences[result];
}

/* --- boot, and what may be known ------------------------------------------------------------ */

static void copy_file(enum vault_file file, unsigned char to[VAULT_FILE_MAX + 1])
{
	int n = secure_vault_file(file, to, VAULT_FILE_MAX);

	if (n < 0 || (size_t)n > VAULT_FILE_MAX)
		n = 0;
	to[n] = '\0';
	copies.file[file] = (struct mtls_bytes){to, (size_t)n};
}

enum vault_result vault_boot(const struct board *board)
{
	enum vault_result r = result_of(secure_vault_boot());

	(void)board;
	copy_file(VAULT_CERT, copies.cert);
	copy_file(VAULT_CONF, copies.conf);
	copy_file(VAULT_CA, copies.ca);
	return r;
}

void vault_status(struct vault_status *out)
{
	struct secure_status now = {.setting = MTLS_SETTINGS};

	if (!secure_vault_status(&now)) {
		now.status.reason = MTLS_UNREADABLE;
		now.status.result = VAULT_OUT_OF_ORDER;
	}
	*out = now.status;
	out->upload.setting = now.setting < MTLS_SETTINGS ? mtls_setting_key(now.setting) : NULL;
}

struct mtls_bytes vault_file(enum vault_file file)
{
	return (size_t)file < VAULT_FILES ? copies.file[file] : (struct mtls_bytes){NULL, 0};
}

/* --- the upload --------------------------------------------------------------------------- */

enum vault_result vault_begin(void)
{
	return result_of(secure_vault_begin());
}

enum vault_result vault_put(enum vault_file file, const void *data, size_t n)
{
	return result_of(secure_vault_put(file, data, n));
}

enum vault_result vault_commit(void)
{
	return result_of(secure_vault_commit());
}

/* --- the signer --------------------------------------------------------------------------- */

static enum mtls_key_type type(void)
{
	return (enum mtls_key_type)secure_key_type();
}

static bool sign(uint16_t scheme, const void *hash, size_t n, uint8_t signature[VAULT_SIGNATURE], size_t *length)
{
	static struct secure_signature s;

	*length = 0;
	if (n > sizeof(s.hash))
		return false;
	s.scheme = scheme;
	s.n = n;
	s.no_memory = false;
	memcpy(s.hash, hash, n);
	if (!secure_sign(&s) || s.length > VAULT_SIGNATURE) {
		if (s.no_memory)
			board_note_no_memory();
		return false;
	}
	memcpy(signature, s.signature, s.length);
	*length = s.length;
	return true;
}

const struct vault_signer *vault_signer(void)
{
	static const struct vault_signer there = {type, secure_key_bits, sign};

	return &there;
}

unsigned vault_signatures(void)
{
	return secure_signatures();
}
