/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a PEM block to its DER, in memory that is wiped: libcrypto's own PEM
 * reader leaves copies of a key behind. What the DER means is not known here.
 */
#include "host/block.h"
#include "core/credential.h"

#include <stdlib.h>
#include <string.h>

bool mtls_buffer_reserve(struct mtls_buffer *b, size_t size)
{
	b->p = malloc(size);
	b->size = b->p ? size : 0;
	b->n = 0;
	return b->p;
}

void mtls_buffer_wipe(const struct mtls_crypto *c, struct mtls_buffer *b)
{
	if (b->p)
		c->OPENSSL_cleanse(b->p, b->size);
	free(b->p);
}

/* EVP_DecodeBlock wants no line ends. EVP_DecodeUpdate takes them, but leaves text of the key in a context that is not
 * wiped. */
bool mtls_block_decode(const struct mtls_crypto *c, struct mtls_bytes block, struct mtls_pem *pem,
		       struct mtls_buffer *der)
{
	struct mtls_buffer text = {0};
	const unsigned char *p, *end;
	size_t at = 0, pad = 0;
	int n = -1;

	if (!mtls_pem_next(block, &at, pem) || !pem->well_formed || pem->whole.n > MTLS_FILE_MAX)
		return false;
	if (!mtls_buffer_reserve(&text, pem->whole.n) || !mtls_buffer_reserve(der, pem->whole.n))
		goto out;
	p = pem->headers.n ? pem->headers.p + pem->headers.n : pem->label.p + pem->label.n + strlen("-----");
	end = pem->whole.p + pem->whole.n;
	for (; p < end && *p != '-'; p++)
		if (!mtls_is_space(*p))
			text.p[text.n++] = *p;
	while (pad < text.n && pad < 2 && text.p[text.n - 1 - pad] == '=')
		pad++;
	n = c->EVP_DecodeBlock(der->p, text.p, (int)text.n);
	if (n > (int)pad)
		der->n = (size_t)n - pad;
out:
	mtls_buffer_wipe(c, &text);
	return der->n > 0;
}
