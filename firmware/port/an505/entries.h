/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secure image's entries: all that the non-secure one can ask of it. They are vault.h and what vault.h's callers
 * need of the board. Nothing is shared: what a pointer names is copied, in or out, before or after the work, and lies
 * in the non-secure RAM (or, where it is only read, in its code) from the first byte to the last; else the call is
 * refused and nothing was done. No entry calls back.
 */
#ifndef MTLS_FIRMWARE_AN505_ENTRIES_H
#define MTLS_FIRMWARE_AN505_ENTRIES_H

#include "firmware/vault/vault.h"

#include "core/settings.h"

#define SECURE_REFUSED (-1) /* a pointer, a length or a number that the caller may not use */
#define SECURE_HASH    64   /* bytes of the longest: SHA-512 */
#define SECURE_WORD    160  /* bytes of the longest text of secure_word, with its NUL */

/* Pointers into the secure image are of no use outside: setting stands for upload.setting. MTLS_SETTINGS: NULL. */
struct secure_status {
	struct vault_status status;
	enum mtls_setting setting;
};

struct secure_signature {
	uint16_t scheme;
	size_t n; /* bytes of the hash */
	uint8_t hash[SECURE_HASH];
	uint8_t signature[VAULT_SIGNATURE];
	size_t length;
	bool no_memory; /* why it was not made */
};

/* --- vault.h: an enum vault_result or SECURE_REFUSED -------------------------------------- */

int secure_vault_boot(void);
int secure_vault_begin(void);
int secure_vault_put(unsigned file, const void *data, size_t n);
int secure_vault_commit(void);

bool secure_vault_status(struct secure_status *);
/* Bytes of the file, copied where size has room for all of them; or SECURE_REFUSED. */
int secure_vault_file(unsigned file, void *to, size_t size);
int secure_vault_file_max(unsigned file);
/* vault_file_name and vault_result_sentence, NUL-ended; size: SECURE_WORD. */
bool secure_vault_file_name(unsigned file, char *to, size_t size);
bool secure_vault_sentence(unsigned result, char *to, size_t size);

unsigned secure_key_type(void);
/* 0: there is no key. */
unsigned secure_key_bits(void);
/* scheme, n and hash in, the others out. false: refused, or it cannot be done. */
bool secure_sign(struct secure_signature *);
unsigned secure_signatures(void);

/* --- board.h's struct board_system ---------------------------------------------------------- */

uint64_t secure_now(void);
/* -1: not known. */
int64_t secure_wall(void);
bool secure_entropy(void *to, size_t n);
void secure_idle(uint32_t ms);
void secure_exit(int status);

#endif
