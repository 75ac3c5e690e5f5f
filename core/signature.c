/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of what each type of key can sign, and the versions that read it
 * differently. Whether the library or a security level allows a scheme is for the
 * adapter to filter before it asks. A version that is none of ours has no answer.
 */
#include "core/signature.h"

enum { RSA_SIGN = 1, ECDSA_SIGN = 64 }; /* ClientCertificateType */

/* Lists end with 0, which is no scheme of any key. */
struct ability {
	uint16_t tls13[4], tls12[9];
	unsigned char type; /* that must be among the types, if there are any */
	bool before12;      /* has a signature that needs no list of schemes */
};

#define PSS_RSAE     0x0804, 0x0805, 0x0806
#define PSS_PSS      0x0809, 0x080a, 0x080b
#define PKCS1        0x0401, 0x0501, 0x0601, 0x0301, 0x0201
#define ECDSA_HASHES 0x0403, 0x0503, 0x0603, 0x0303, 0x0203 /* in TLS 1.2 the hash says nothing about the curve */
#define ED25519      0x0807
#define ED448        0x0808

static const struct ability abilities[] = {
	[MTLS_KEY_RSA] = {{PSS_RSAE}, {PSS_RSAE, PKCS1}, RSA_SIGN, true},
	[MTLS_KEY_RSA_PSS] = {{PSS_PSS}, {PSS_PSS}, RSA_SIGN, false},
	[MTLS_KEY_P256] = {{0x0403}, {ECDSA_HASHES}, ECDSA_SIGN, true},
	[MTLS_KEY_P384] = {{0x0503}, {ECDSA_HASHES}, ECDSA_SIGN, true},
	[MTLS_KEY_P521] = {{0x0603}, {ECDSA_HASHES}, ECDSA_SIGN, true},
	[MTLS_KEY_EC_OTHER] = {{0}, {ECDSA_HASHES}, ECDSA_SIGN, true},
	[MTLS_KEY_ED25519] = {{ED25519}, {ED25519}, ECDSA_SIGN, false},
	[MTLS_KEY_ED448] = {{ED448}, {ED448}, ECDSA_SIGN, false},
};

static bool version_12(unsigned version)
{
	return version == 0x0303 || version == 0xfefd;
}

static bool version_before12(unsigned version)
{
	return (version >= 0x0300 && version < 0x0303) || version == 0xfeff;
}

bool mtls_version_13(unsigned version)
{
	return (version >= 0x0304 && version <= 0x03ff) || (version <= 0xfefc && version >= 0xfe00);
}

static bool type_accepted(unsigned char type, const unsigned char *types, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (types[i] == type)
			return true;
	}
	return n == 0;
}

/* able ends with 0. */
static enum mtls_tri common(const uint16_t *able, const uint16_t *schemes, size_t n)
{
	for (; *able; able++) {
		for (size_t i = 0; i < n; i++) {
			if (schemes[i] == *able)
				return MTLS_YES;
		}
	}
	return MTLS_NO;
}

enum mtls_tri mtls_signature_common(enum mtls_key_type key, unsigned version, const uint16_t *schemes, size_t n,
				    const unsigned char *types, size_t n_types)
{
	bool known = (size_t)key < sizeof abilities / sizeof abilities[0];
	const struct ability *a = &abilities[known ? key : MTLS_KEY_OTHER];

	if (mtls_version_13(version))
		return common(a->tls13, schemes, n);
	if (!version_12(version) && !version_before12(version))
		return MTLS_UNKNOWN;
	if (!type_accepted(a->type, types, n_types))
		return MTLS_NO;
	if (version_12(version))
		return common(a->tls12, schemes, n);
	return a->before12 ? MTLS_YES : MTLS_NO;
}

const char *mtls_version_text(unsigned version)
{
	switch (version) {
	case 0x0300:
		return "ssl3";
	case 0x0301:
		return "1.0";
	case 0x0302:
		return "1.1";
	case 0x0303:
		return "1.2";
	case 0x0304:
		return "1.3";
	case 0xfeff:
		return "dtls1.0";
	case 0xfefd:
		return "dtls1.2";
	case 0xfefc:
		return "dtls1.3";
	default:
		return "unknown";
	}
}
