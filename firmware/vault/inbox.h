/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox: an upload in the clear, for as short as can be. Each file has its fixed place; the commit record in front
 * of them says what there is, and its mark, programmed last, that it is to be carried out. Nothing is ever deleted but
 * by erasing all of it. What the files mean is not known here.
 */
#ifndef MTLS_FIRMWARE_VAULT_INBOX_H
#define MTLS_FIRMWARE_VAULT_INBOX_H

#include "firmware/vault/payload.h"

#define VAULT_SHA256 32

/* A committed upload. */
struct vault_upload {
	unsigned char id[VAULT_ID];
	struct {
		bool present;
		uint32_t size;
		unsigned char hash[VAULT_SHA256];
	} file[VAULT_FILES];
};

/* Bytes of flash that it needs. */
uint32_t vault_inbox_bytes(void);

/* *committed: there is an upload, and *out tells it. Whatever else is there is to be erased. false: flash. */
bool vault_inbox_open(const struct board_flash *, uint32_t inbox, struct vault_upload *out, bool *committed);
/* A present file's bytes. *intact: they are those that were committed. false: flash. */
bool vault_inbox_read(const struct board_flash *, uint32_t inbox, const struct vault_upload *, enum vault_file,
		      unsigned char *to, bool *intact);

/* --- an upload in the making: begins with an inbox that is blank ----------------------- */

struct vault_incoming {
	struct vault_upload upload; /* id and hashes come with the commit */
	bool open, failed;
	enum vault_file last;   /* the file that is being put, where it is present */
	unsigned char rest[32]; /* its last bytes that do not fill a word: size % sizeof(rest) of them */
};

void vault_inbox_begin(struct vault_incoming *);
enum vault_result vault_inbox_put(const struct board_flash *, uint32_t inbox, struct vault_incoming *, enum vault_file,
				  const void *data, size_t n);
enum vault_result vault_inbox_commit(const struct board_flash *, uint32_t inbox, struct vault_incoming *,
				     const unsigned char id[VAULT_ID]);
/* Ends it, whatever became of it, and wipes what it holds. */
void vault_inbox_end(struct vault_incoming *);

#endif
