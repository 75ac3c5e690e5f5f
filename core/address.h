/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as bytes: parse and print without a libc. */
#ifndef MTLS_CORE_ADDRESS_H
#define MTLS_CORE_ADDRESS_H

#include "core/bytes.h"

#define MTLS_ADDR_TEXT 46 /* bytes for the longest printed address with its NUL */

/* family 0: unknown. IPv4 in the first four bytes. An IPv4-mapped IPv6 address is to be stored as IPv4. port in host
 * order, 0: unknown. */
struct mtls_addr {
	unsigned char ip[16];
	uint16_t port;
	uint8_t family; /* 0, 4 or 6 */
};

/* Dotted quad without leading zeros, or IPv6 (RFC 4291 2.2, mapped forms become IPv4) without brackets or zone. port is
 * left 0. */
bool mtls_addr_parse(struct mtls_bytes text, struct mtls_addr *out);
/* From 4 or 16 bytes in network order; n else gives family 0. */
void mtls_addr_set(struct mtls_addr *, const unsigned char *ip, size_t n, uint16_t port);
/* RFC 5952 text, NUL-ended; "" for family 0. Returns buffer. */
const char *mtls_addr_print(const struct mtls_addr *, char buffer[MTLS_ADDR_TEXT]);

#endif
