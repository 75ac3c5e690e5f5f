/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguished names as text. mbedTLS's own goes the other way round, with blanks. */
#ifndef MTLS_FIRMWARE_NET_DN_H
#define MTLS_FIRMWARE_NET_DN_H

#include <mbedtls/x509.h>

/* RFC 4514, printable ASCII, as OpenSSL's XN_FLAG_RFC2253 has it; NUL-ended, and cut with "..." if longer. */
void dn_print(const mbedtls_x509_name *, char *to, size_t size);

#endif
