/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault as the rest of the firmware sees it: the order of a boot's steps, and what may be known. The steps
 * themselves are in the other files of this folder.
 */
#include "firmware/vault/vault.h"
#include "firmware/vault/flash.h"
#include "firmware/vault/inbox.h"
#include "firmware/vault/migrate.h"
#include "firmware/vault/payload.h"
#include "firmware/vault/random.h"
#include "firmware/vault/signer.h"
#include "firmware/vault/store.h"

#include <string.h>

#include <mbedtls/platform_util.h>

#define LEAST(a, b) ((a) < (b) ? (a) : (b))

static struct {
	const struct board *board; /* NULL: the flash has no room for inbox and store */
	struct vault_layout layout;
	struct vault_payload payload; /* of the open record, without the key */
	struct vault_status status;
	struct vault_incoming incoming;
} vault;

/* --- words ------------------------------------------------------------------------------- */

const char *vault_file_name(enum vault_file file)
{
	return file == VAULT_CA ? "ca_certs.pem" : mtls_part_file((enum mtls_part)file);
}

size_t vault_file_max(enum vault_file file)
{
	switch (file) {
	case VAULT_KEY: /* RSA with 4096 bits has 4 kB, and there may be text around it */
	case VAULT_CONF:
		return LEAST(VAULT_FILE_MAX, (size_t)16 << 10);
	case VAULT_PASS: /* its first line counts */
		return LEAST(VAULT_FILE_MAX, (size_t)4 << 10);
	default:
		return VAULT_FILE_MAX;
	}
}

const char *vault_result_sentence(enum vault_result result)
{
	static const char *const SENTENCES[VAULT_RESULTS] = {
		[VAULT_OK] = "all went well",
		[VAULT_FLASH] = "the flash is too small or does not work: replace it, or correct its driver",
		[VAULT_NO_ROOM] = "the file is too long for the device: leave out what it does not need",
		[VAULT_NO_KEY] = "the board has no device key: nothing is stored or opened without it",
		[VAULT_NO_MEMORY] = "there is not enough memory: give the firmware a larger heap (FIRMWARE_HEAP)",
		[VAULT_NO_RANDOM] = "the board has no entropy: nothing is sealed or signed without it",
		[VAULT_DAMAGED] = "the stored credential cannot be opened: upload all files again",
		[VAULT_OUT_OF_ORDER] = "the upload has to begin anew: one file after the other, then the commit",
	};

	return (size_t)result < VAULT_RESULTS ? SENTENCES[result] : "unknown";
}

/* --- a boot --------------------------------------------------------------------------------- */

struct boot {
	struct vault_store store;
	struct vault_upload upload;
	bool committed; /* upload waits to be carried out, or its inbox to be erased */
	struct vault_outcome outcome;
};

/* What a reset does to memory, where it is called a second time. */
static void forget(void)
{
	vault_signer_clear();
	vault_random_stop();
	vault_inbox_end(&vault.incoming);
	memset(&vault, 0, sizeof(vault));
	vault_store_buffer(&vault.payload);
	vault.status.reason = MTLS_UNREADABLE;
	mtls_fail(&vault.status.upload, MTLS_NO_CREDENTIAL, MTLS_NOTHING, (struct mtls_bytes){NULL, 0});
}

static bool was_carried_out(const struct boot *b)
{
	struct mtls_bytes id;

	return b->store.open >= 0 && vault_payload_find(&vault.payload, VAULT_TAG_UPLOAD, &id) && id.n == VAULT_ID &&
	       memcmp(id.p, b->upload.id, VAULT_ID) == 0;
}

/* The flash, the inbox, random numbers, the store: whatever fails, what is in the clear and needless is erased. */
static enum vault_result open_all(struct boot *b, const struct board *board)
{
	const struct board_flash *f = &board->flash;
	struct vault_layout *l = &vault.layout;

	if (!vault_flash_layout(f, vault_inbox_bytes(), vault_store_bytes(), l))
		return VAULT_FLASH;
	vault.board = board;
	b->store = (struct vault_store){
		.board = board, .slot = {l->slot[0], l->slot[1]}, .slot_size = l->slot_size, .open = -1};
	if (!vault_inbox_open(f, l->inbox, &b->upload, &b->committed) ||
	    (!b->committed && !vault_flash_erase(f, l->inbox, l->inbox_size)))
		return VAULT_FLASH;
	if (!vault_random_start(board))
		return VAULT_NO_RANDOM;
	return vault_store_open(&b->store, &vault.payload);
}

/*
 * The upload, into a new record. One that is refused becomes a record too: the old files, with the outcome; but nothing
 * is written over a store that is damaged, since it may be only the device's key that cannot be read today.
 */
static enum vault_result carry_out(struct boot *b)
{
	struct vault_outcome *o = &b->outcome;
	bool damaged = b->store.damaged;
	enum vault_result r;

	if (!vault_migrate(&vault.board->flash, vault.layout.inbox, &b->upload, &vault.payload, &o->refused, &o->error))
		return VAULT_FLASH;
	if (o->refused) {
		vault_payload_wipe(&vault.payload);
		r = damaged ? VAULT_OK : vault_store_open(&b->store, &vault.payload);
		if (damaged || r != VAULT_OK)
			return r;
	}
	if (!vault_payload_note(&vault.payload, b->upload.id, o))
		return VAULT_FLASH;
	return vault_store_write(&b->store, &vault.payload);
}

/* What is in the clear goes first; what was not committed is gone already. */
static enum vault_result tidy(struct boot *b)
{
	if (b->committed && !vault_flash_erase(&vault.board->flash, vault.layout.inbox, vault.layout.inbox_size))
		return VAULT_FLASH;
	return vault_store_tidy(&b->store);
}

/* From the open record to the status and the signer. The key is in mbedTLS's memory from here on, and nowhere else. */
static void use(const struct boot *b)
{
	struct vault_status *s = &vault.status;
	struct vault_identity *identity;
	struct vault_outcome o;
	struct mtls_bytes ca;

	s->reason = vault_judge(&vault.payload, &identity, NULL);
	if (identity)
		vault_signer_take(&identity->key, identity->type);
	vault_parser.unload(NULL, identity);
	vault_payload_remove(&vault.payload, VAULT_KEY);
	s->has_ca = vault_payload_find(&vault.payload, VAULT_CA, &ca);
	s->generation = b->store.generation;
	vault_payload_outcome(&vault.payload, &o);
	s->refused = o.refused;
	s->upload = o.error;
}

/* After a failure: the old record, if there is one. The upload stays for the next boot. */
static void fall_back(struct boot *b)
{
	vault_payload_wipe(&vault.payload);
	if (vault_store_open(&b->store, &vault.payload) == VAULT_OK && b->store.open >= 0)
		use(b);
}

static enum vault_result finish(struct boot *b)
{
	enum vault_result r;

	/* No cut leaves a torn record, and no upload that was run again by now. */
	b->store.damaged = b->store.damaged || b->store.torn;
	r = tidy(b);
	if (!b->store.damaged) {
		use(b);
		return r;
	}
	vault.status.refused = b->outcome.refused;
	if (b->outcome.refused)
		vault.status.upload = b->outcome.error;
	return VAULT_DAMAGED;
}

enum vault_result vault_boot(const struct board *board)
{
	struct boot b = {.committed = false};
	enum vault_result r;

	forget();
	r = open_all(&b, board);
	if (r == VAULT_OK && b.committed && !was_carried_out(&b)) {
		r = carry_out(&b);
		if (r != VAULT_OK)
			fall_back(&b);
	}
	if (r == VAULT_OK)
		r = finish(&b);
	mbedtls_platform_zeroize(&b, sizeof(b));
	vault.status.result = r;
	return r;
}

/* --- what may be known -------------------------------------------------------------------- */

void vault_status(struct vault_status *out)
{
	*out = vault.status;
}

struct mtls_bytes vault_file(enum vault_file file)
{
	struct mtls_bytes value = {NULL, 0};

	if (vault.board && (file == VAULT_CERT || file == VAULT_CONF || file == VAULT_CA))
		vault_payload_find(&vault.payload, file, &value);
	return value;
}

/* --- the upload --------------------------------------------------------------------------- */

enum vault_result vault_begin(void)
{
	vault_inbox_end(&vault.incoming);
	if (!vault.board)
		return VAULT_FLASH;
	if (!vault_flash_erase(&vault.board->flash, vault.layout.inbox, vault.layout.inbox_size))
		return VAULT_FLASH;
	vault_inbox_begin(&vault.incoming);
	return VAULT_OK;
}

enum vault_result vault_put(enum vault_file file, const void *data, size_t n)
{
	if (!vault.board)
		return VAULT_OUT_OF_ORDER;
	return vault_inbox_put(&vault.board->flash, vault.layout.inbox, &vault.incoming, file, data, n);
}

enum vault_result vault_commit(void)
{
	unsigned char id[VAULT_ID];

	if (!vault.board)
		return VAULT_OUT_OF_ORDER;
	if (!vault.board->system.entropy(vault.board->system.ctx, id, sizeof(id)))
		return VAULT_NO_RANDOM;
	return vault_inbox_commit(&vault.board->flash, vault.layout.inbox, &vault.incoming, id);
}
