/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a PEM block to its DER, in memory that is wiped: libcrypto's own PEM
 * reader leaves copies of a key behind. What the DER means is not known here.
 */
#ifndef MTLS_HOST_BLOCK_H
#define MTLS_HOST_BLOCK_H

#include "core/pem.h"
#include "host/crypto.h"

/* n bytes of size, malloc'ed. Begins as {0}. */
struct mtls_buffer {
	unsigned char *p;
	size_t n, size;
};

bool mtls_buffer_reserve(struct mtls_buffer *, size_t size);
/* Wipes and frees; also a {0}. */
void mtls_buffer_wipe(const struct mtls_crypto *, struct mtls_buffer *);

/* One block of core/pem.h. *pem tells its label and headers, borrowed from block. der is to be wiped in any case. */
bool mtls_block_decode(const struct mtls_crypto *, struct mtls_bytes block, struct mtls_pem *pem,
		       struct mtls_buffer *der);

#endif
