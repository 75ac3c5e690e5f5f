/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe: what the numbers of TLS are called, in the IANA registries "TLS Alerts", "TLS SignatureScheme" and
 * "TLS ClientCertificateType Identifiers" and in RFC 8446. libssl's own texts are close to them, but not them, and
 * nobody finds those in a standard or in another library's log.
 */
#include "launcher/cred/probe.h"

struct name {
	unsigned number;
	const char *name;
};

static const struct name alerts[] = {
	{0, "close_notify"},
	{10, "unexpected_message"},
	{20, "bad_record_mac"},
	{21, "decryption_failed"},
	{22, "record_overflow"},
	{30, "decompression_failure"},
	{40, "handshake_failure"},
	{41, "no_certificate"},
	{42, "bad_certificate"},
	{43, "unsupported_certificate"},
	{44, "certificate_revoked"},
	{45, "certificate_expired"},
	{46, "certificate_unknown"},
	{47, "illegal_parameter"},
	{48, "unknown_ca"},
	{49, "access_denied"},
	{50, "decode_error"},
	{51, "decrypt_error"},
	{60, "export_restriction"},
	{70, "protocol_version"},
	{71, "insufficient_security"},
	{80, "internal_error"},
	{86, "inappropriate_fallback"},
	{90, "user_canceled"},
	{100, "no_renegotiation"},
	{109, "missing_extension"},
	{110, "unsupported_extension"},
	{111, "certificate_unobtainable"},
	{112, "unrecognized_name"},
	{113, "bad_certificate_status_response"},
	{114, "bad_certificate_hash_value"},
	{115, "unknown_psk_identity"},
	{116, "certificate_required"},
	{120, "no_application_protocol"},
	{121, "ech_required"},
};

/* In TLS 1.2 an ECDSA scheme says nothing about the curve, but it has no other name. */
static const struct name schemes[] = {
	{0x0201, "rsa_pkcs1_sha1"},
	{0x0202, "dsa_sha1"},
	{0x0203, "ecdsa_sha1"},
	{0x0301, "rsa_pkcs1_sha224"},
	{0x0302, "dsa_sha224"},
	{0x0303, "ecdsa_sha224"},
	{0x0401, "rsa_pkcs1_sha256"},
	{0x0402, "dsa_sha256"},
	{0x0403, "ecdsa_secp256r1_sha256"},
	{0x0501, "rsa_pkcs1_sha384"},
	{0x0502, "dsa_sha384"},
	{0x0503, "ecdsa_secp384r1_sha384"},
	{0x0601, "rsa_pkcs1_sha512"},
	{0x0602, "dsa_sha512"},
	{0x0603, "ecdsa_secp521r1_sha512"},
	{0x0708, "sm2sig_sm3"},
	{0x0804, "rsa_pss_rsae_sha256"},
	{0x0805, "rsa_pss_rsae_sha384"},
	{0x0806, "rsa_pss_rsae_sha512"},
	{0x0807, "ed25519"},
	{0x0808, "ed448"},
	{0x0809, "rsa_pss_pss_sha256"},
	{0x080a, "rsa_pss_pss_sha384"},
	{0x080b, "rsa_pss_pss_sha512"},
	{0x081a, "ecdsa_brainpoolP256r1tls13_sha256"},
	{0x081b, "ecdsa_brainpoolP384r1tls13_sha384"},
	{0x081c, "ecdsa_brainpoolP512r1tls13_sha512"},
	{0x0904, "mldsa44"},
	{0x0905, "mldsa65"},
	{0x0906, "mldsa87"},
};

static const struct name types[] = {
	{1, "rsa_sign"},      {2, "dss_sign"},      {3, "rsa_fixed_dh"},    {4, "dss_fixed_dh"},
	{20, "fortezza_dms"}, {64, "ecdsa_sign"},   {65, "rsa_fixed_ecdh"}, {66, "ecdsa_fixed_ecdh"},
	{67, "gost_sign256"}, {68, "gost_sign512"},
};

static const char *find(const struct name *table, size_t n, unsigned number)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].number == number)
			return table[i].name;
	return NULL;
}

#define FIND(table, number) find(table, sizeof(table) / sizeof((table)[0]), number)

const char *probe_alert_name(unsigned description)
{
	return FIND(alerts, description);
}

const char *probe_scheme_name(unsigned scheme)
{
	return FIND(schemes, scheme);
}

const char *probe_type_name(unsigned type)
{
	return FIND(types, type);
}
