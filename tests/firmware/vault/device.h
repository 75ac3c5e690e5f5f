/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device for the vault's tests: flash in memory, a key, entropy that can fail; one upload and boot after another; and
 * what a test may ask of it from outside: whose credential it signs with, and what can be read in its flash.
 */
#ifndef MTLS_TESTS_VAULT_DEVICE_H
#define MTLS_TESTS_VAULT_DEVICE_H

#include <openssl/evp.h>

#include "firmware/port/host/flash_ram.h"
#include "firmware/vault/flash.h"

struct device {
	struct flash_ram ram;
	struct board board;
	uint8_t key[BOARD_KEY];
	bool no_key;
	unsigned asked, deny; /* calls of entropy; the one, from 1, from which on there is none; 0: never */
	unsigned random;      /* state of what stands for entropy */
	unsigned flaky; /* the word programmed, from 1, that comes out wrong though it is reported done; 0: none */
};

/* In a flash with units of 4 kB. seed: of key and entropy. */
void device_make(struct device *, uint32_t word, unsigned seed);
void device_free(struct device *);
/* With the power back. */
enum vault_result device_boot(struct device *);

/* Where inbox and slots are. */
struct vault_layout device_layout(const struct device *);
/* Nothing is in the inbox, and of the slots at most the one with the record in force is not erased. */
bool device_is_tidy(const struct device *);

/* What is uploaded at once; p == NULL: not this file. */
struct upload {
	struct mtls_bytes file[VAULT_FILES];
};
enum vault_result device_upload(const struct upload *);

struct vault_status device_status(void);
#define ck_state(expected) ck_assert_str_eq(mtls_reason_word(device_status().reason), mtls_reason_word(expected))

/*
 * Does the device sign with this key, in each scheme that its type has, and is the certificate that it stores for it?
 * libcrypto says so.
 */
bool device_is(EVP_PKEY *);
/* It has no key: nothing is signed. */
bool device_signs_nothing(void);

/* A text or number that must not be found in a flash. */
#define SECRETS_MAX 32
struct secrets {
	struct {
		unsigned char p[512];
		size_t n;
	} secret[SECRETS_MAX];
	size_t n;
};
void secrets_add(struct secrets *, const void *p, size_t n);
/* The key's private numbers. */
void secrets_add_key(struct secrets *, EVP_PKEY *);
/* What is found there: NULL or one of them, in words; "-----BEGIN" is always one. Parts of 12 bytes count. */
const char *secrets_in(const struct secrets *, const void *p, size_t n);
/* And of all memory that mbedTLS gave back while it is watched. */
void secrets_watch(const struct secrets *);
const char *secrets_seen(void);

/* mbedTLS's memory runs out with its k-th allocation, from 1; 0: never. Returns how many there were. */
unsigned memory_ends(unsigned k);

#endif
