/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys can make which TLS signatures. Sources: RFC 8446 4.2.3 (schemes,
 * and the curve that each ECDSA scheme is tied to in TLS 1.3), RFC 5246 7.4.1.4.1 and
 * 7.4.4 (pairs of hash and signature, certificate types), RFC 8422 5.5 and 5.10 (EdDSA in TLS 1.2).
 */
#ifndef MTLS_CORE_SIGNATURE_H
#define MTLS_CORE_SIGNATURE_H

#include "core/hosts.h"

enum mtls_key_type {
	MTLS_KEY_OTHER, /* never has a signature in common */
	MTLS_KEY_RSA,
	MTLS_KEY_RSA_PSS, /* id-RSASSA-PSS */
	MTLS_KEY_P256,
	MTLS_KEY_P384,
	MTLS_KEY_P521,
	MTLS_KEY_EC_OTHER, /* another curve: TLS 1.2 only */
	MTLS_KEY_ED25519,
	MTLS_KEY_ED448,
};

/*
 * version as on the wire (0x0303, 0x0304, DTLS 0xfefd …). schemes: n SignatureScheme
 * code points that the server offered, as far as our side allows them too. types: n_types
 * ClientCertificateType bytes (TLS 1.2 and older; n_types 0: not told, does not count).
 * Below TLS 1.2 there is no list: RSA and EC keys fit.
 */
enum mtls_tri mtls_signature_common(enum mtls_key_type, unsigned version, const uint16_t *schemes, size_t n,
				    const unsigned char *types, size_t n_types);

/* TLS 1.3 or DTLS 1.3 or newer. DTLS counts downwards: 0xfefd is 1.2. */
bool mtls_version_13(unsigned version);
/* "1.3", "1.2", "1.1", "1.0", "dtls1.2", …; "unknown" else. */
const char *mtls_version_text(unsigned version);

#endif
