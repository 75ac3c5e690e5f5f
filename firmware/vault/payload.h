/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record holds: a list of tag, length, value, edited in place in the one static buffer. It knows no flash, no
 * cryptography and no meaning but the tags.
 *
 * An entry: tag (1 byte), bytes of the value (4, little-endian), the value, one NUL. No tag stands twice.
 */
#ifndef MTLS_FIRMWARE_VAULT_PAYLOAD_H
#define MTLS_FIRMWARE_VAULT_PAYLOAD_H

#include "firmware/vault/vault.h"

/* The files have the tags 0 to VAULT_FILES - 1; an entry of no bytes is an empty file. */
enum vault_tag {
	VAULT_TAG_UPLOAD = 16, /* VAULT_ID bytes: the upload that was carried out last */
	VAULT_TAG_OUTCOME,     /* and what came of it */
	VAULT_TAGS
};

#define VAULT_ENTRY      6   /* bytes of an entry besides its value */
#define VAULT_ID         16  /* bytes of the random number that tells one upload from another */
#define VAULT_OUTCOME    160 /* bytes of an outcome at most */
#define VAULT_NOTES_SIZE (VAULT_ENTRY + VAULT_ID + VAULT_ENTRY + VAULT_OUTCOME)

/* n of max bytes at p are in use. Behind max there is nothing that may be written. */
struct vault_payload {
	unsigned char *p;
	size_t n, max;
};

/* Wipes all of it, used or not. */
void vault_payload_wipe(struct vault_payload *);
/* Is it a whole list, as it should be? For what was read. */
bool vault_payload_valid(const struct vault_payload *);
/* false: there is no such entry. The value is valid until the next change. */
bool vault_payload_find(const struct vault_payload *, unsigned tag, struct mtls_bytes *value);
/* Room for a value of n bytes that the caller fills, with its NUL behind it; NULL: there is no room. tag is not there
 * yet. */
unsigned char *vault_payload_add(struct vault_payload *, unsigned tag, size_t n);
/* The entry is there and has more bytes than n: keeps the first n. */
void vault_payload_shorten(struct vault_payload *, unsigned tag, size_t n);
/* If it is there. Nothing of it is left in the buffer. */
void vault_payload_remove(struct vault_payload *, unsigned tag);

/* --- the outcome of an upload, as a value ------------------------------------------- */

struct vault_outcome {
	bool refused;
	struct mtls_error error;
};

/* Replaces both notes of a payload that has VAULT_NOTES_SIZE bytes of room without them; false: it has not. */
bool vault_payload_note(struct vault_payload *, const unsigned char id[VAULT_ID], const struct vault_outcome *);
/* What the payload has noted; where it has nothing, or a word that this firmware does not know, *out says so. */
void vault_payload_outcome(const struct vault_payload *, struct vault_outcome *out);

#endif
