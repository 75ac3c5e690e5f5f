/* SPDX-License-Identifier: Apache-2.0 */
/* Walks DER (X.690) element by element, with mbedTLS's reader of tags and lengths. */
#ifndef MTLS_FIRMWARE_VAULT_DER_H
#define MTLS_FIRMWARE_VAULT_DER_H

#include "core/bytes.h"

#include <mbedtls/asn1.h>

#define DER_INTEGER   MBEDTLS_ASN1_INTEGER
#define DER_OCTETS    MBEDTLS_ASN1_OCTET_STRING
#define DER_OID       MBEDTLS_ASN1_OID
#define DER_SEQUENCE  (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)
#define DER_CONTEXT_0 (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED)

/* Takes the first element off rest, if it has this tag. */
static inline bool der_take(struct mtls_bytes *rest, int tag, struct mtls_bytes *content)
{
	unsigned char *p = (unsigned char *)rest->p;
	size_t n;

	if (rest->n == 0 || mbedtls_asn1_get_tag(&p, rest->p + rest->n, &n, tag) != 0)
		return false;
	*content = (struct mtls_bytes){p, n};
	rest->n -= (size_t)(p + n - rest->p);
	rest->p = p + n;
	return true;
}

/* Whatever it is. */
static inline bool der_next(struct mtls_bytes *rest, int *tag, struct mtls_bytes *content)
{
	*tag = rest->n ? rest->p[0] : -1;
	return rest->n && der_take(rest, *tag, content);
}

/* AlgorithmIdentifier (RFC 5280 4.1.1.2): its name, and what comes behind that. */
static inline bool der_algorithm(struct mtls_bytes *rest, struct mtls_bytes *oid, struct mtls_bytes *parameters)
{
	return der_take(rest, DER_SEQUENCE, parameters) && der_take(parameters, DER_OID, oid);
}

/* A number that is not negative; more than UINT32_MAX gives that. */
static inline bool der_number(struct mtls_bytes *rest, uint32_t *number)
{
	struct mtls_bytes content;
	uint64_t value = 0;

	if (!der_take(rest, DER_INTEGER, &content) || content.n == 0 || content.p[0] & 0x80)
		return false;
	for (; content.n; content.p++, content.n--)
		value = value > UINT32_MAX ? value : value << 8 | content.p[0];
	*number = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
	return true;
}

#endif
