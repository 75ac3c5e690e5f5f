/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a PEM block to its DER and back, in memory that is wiped. mbedTLS's own reader wants less than core/'s allows:
 * no blanks at the end of a line, headers to the letter. What the DER means is not known here.
 */
#ifndef MTLS_FIRMWARE_VAULT_BLOCK_H
#define MTLS_FIRMWARE_VAULT_BLOCK_H

#include "core/pem.h"

/* n of size bytes in mbedTLS's memory, owned by whoever has the struct; {0}: nothing. */
struct vault_heap {
	unsigned char *p;
	size_t n, size;
};

/* 0, or mbedTLS's error; nothing is in *heap before. */
int vault_heap_reserve(struct vault_heap *heap, size_t size);
/* Wipes. */
void vault_heap_free(struct vault_heap *);

/* The block's outline and its DER. 0, or mbedTLS's error and nothing: it is not well formed, or there is no memory. */
int vault_block_decode(struct mtls_bytes block, struct mtls_pem *, struct vault_heap *der);

/* Bytes of base64 for n bytes at most, in lines of 64 characters. */
#define VAULT_BASE64(n) (((n) + 2) / 3 * 4 + ((n) + 47) / 48)
/* In lines of 64 characters, or in one; with a line end behind the last. Returns its bytes. */
size_t vault_base64(struct mtls_bytes der, bool wrapped, unsigned char *to);

/*
 * Writes a block without a line end behind it: lines of 64 characters if there is room for them, else one line, which
 * is never longer than any block with the same label and DER. Returns its bytes; 0: there is no room.
 */
size_t vault_block_encode(const char *label, struct mtls_bytes der, unsigned char *to, size_t room);

#endif
