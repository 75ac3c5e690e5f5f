/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a PEM block to its DER, and steps into DER, for a parser without libcrypto: in memory that is wiped, because
 * GnuTLS's own PEM reader leaves copies of a key behind and takes other blocks than core/pem.h. What the DER means is
 * not known here, and no TLS library is called.
 */
#ifndef MTLS_SHIM_GNUTLS_BLOCK_H
#define MTLS_SHIM_GNUTLS_BLOCK_H

#include "core/pem.h"

enum {
	DER_INTEGER = 0x02,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
	DER_CONTEXT_0 = 0xa0,
	DER_CONTEXT_1 = 0xa1,
};

/* n bytes of size, malloc'ed. Begins as {0}. */
struct gtls_buffer {
	unsigned char *p;
	size_t n, size;
};

bool gtls_buffer_reserve(struct gtls_buffer *, size_t size);
/* Wipes and frees; also a {0}. */
void gtls_buffer_wipe(struct gtls_buffer *);
void gtls_wipe(void *, size_t);

/* One block of core/pem.h. *pem tells its label and headers, borrowed from block. der is to be wiped in any case. */
bool gtls_block_decode(struct mtls_bytes block, struct mtls_pem *pem, struct gtls_buffer *der);

/* Takes the first element off rest; its identifier is one byte (X.690 8.1.2.2) and its length definite. */
bool gtls_der_next(struct mtls_bytes *rest, unsigned *tag, struct mtls_bytes *content);
/* The same, where it has this tag; else rest stays. */
bool gtls_der_take(struct mtls_bytes *rest, unsigned tag, struct mtls_bytes *content);
/* "1.2.840.113549.1.1.1", cut to fit; false where content is no identifier. */
bool gtls_der_oid(struct mtls_bytes content, char *text, size_t size);

#endif
