/* SPDX-License-Identifier: Apache-2.0 */
/* Names of algorithms that mbedTLS cannot do, or not as it is configured here: see name.h. */
#include "firmware/vault/name.h"

#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#define PKCS     "\x2a\x86\x48\x86\xf7\x0d\x01"
#define PBES1    PKCS "\x05"
#define PKCS12   PKCS "\x0c\x01"
#define CAMELLIA "\x2a\x83\x08\x8c\x9a\x4b\x3d\x01\x01\x01"
#define ARIA     "\x2a\x83\x1a\x8c\x9a\x6e\x01\x01"
#define AES      "\x60\x86\x48\x01\x65\x03\x04\x01"

static const char NONE[] = "an algorithm without a name";

#define OID(bytes) \
	{ \
		(const unsigned char *)(bytes), sizeof(bytes) - 1 \
	}

static const struct {
	struct mtls_bytes oid;
	const char *name;
} NAMES[] = {
	/* keys */
	{OID("\x2b\x65\x6e"), "X25519"},
	{OID("\x2b\x65\x6f"), "X448"},
	{OID("\x2b\x65\x70"), "Ed25519"},
	{OID("\x2b\x65\x71"), "Ed448"},
	{OID(PKCS "\x01\x01"), "RSA"},
	{OID(PKCS "\x01\x0a"), "RSASSA-PSS"},
	{OID("\x2a\x86\x48\xce\x38\x04\x01"), "DSA"},
	{OID("\x2b\x81\x04\x01\x0c"), "ECDH"},
	{OID("\x2a\x81\x1c\xcf\x55\x01\x82\x2d"), "SM2"},
	/* curves */
	{OID("\x2a\x86\x48\xce\x3d\x03\x01\x01"), "P-192"},
	{OID("\x2b\x81\x04\x00\x21"), "P-224"},
	{OID("\x2b\x81\x04\x00\x22"), "P-384"},
	{OID("\x2b\x81\x04\x00\x23"), "P-521"},
	{OID("\x2b\x81\x04\x00\x0a"), "secp256k1"},
	{OID("\x2b\x24\x03\x03\x02\x08\x01\x01\x07"), "brainpoolP256r1"},
	{OID("\x2b\x24\x03\x03\x02\x08\x01\x01\x0b"), "brainpoolP384r1"},
	{OID("\x2b\x24\x03\x03\x02\x08\x01\x01\x0d"), "brainpoolP512r1"},
	/* derivation of a key from a passphrase */
	{OID("\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"), "scrypt"},
	{OID(PBES1 "\x0c"), "PBKDF2"},
	{OID(PBES1 "\x0d"), "PBES2"},
	{OID("\x2a\x86\x48\x86\xf7\x0d\x02\x07"), "HMAC-SHA1"},
	/* encryption in the ways before PBES2 */
	{OID(PBES1 "\x01"), "MD2-DES (PBES1)"},
	{OID(PBES1 "\x03"), "MD5-DES (PBES1)"},
	{OID(PBES1 "\x04"), "MD2-RC2 (PBES1)"},
	{OID(PBES1 "\x06"), "MD5-RC2 (PBES1)"},
	{OID(PBES1 "\x0a"), "SHA1-DES (PBES1)"},
	{OID(PBES1 "\x0b"), "SHA1-RC2 (PBES1)"},
	{OID(PKCS12 "\x01"), "SHA1-RC4-128 (PBES1)"},
	{OID(PKCS12 "\x02"), "SHA1-RC4-40 (PBES1)"},
	{OID(PKCS12 "\x03"), "SHA1-3DES (PBES1)"},
	{OID(PKCS12 "\x04"), "SHA1-2DES (PBES1)"},
	{OID(PKCS12 "\x05"), "SHA1-RC2-128 (PBES1)"},
	{OID(PKCS12 "\x06"), "SHA1-RC2-40 (PBES1)"},
	/* ciphers */
	{OID("\x2a\x86\x48\x86\xf7\x0d\x03\x02"), "RC2"},
	{OID("\x2a\x86\x48\x86\xf7\x0d\x03\x07"), "3DES"},
	{OID(CAMELLIA "\x02"), "Camellia-128"},
	{OID(CAMELLIA "\x03"), "Camellia-192"},
	{OID(CAMELLIA "\x04"), "Camellia-256"},
	{OID(ARIA "\x02"), "ARIA-128"},
	{OID(ARIA "\x0c"), "ARIA-256"},
	{OID(AES "\x06"), "AES-128-GCM"},
	{OID(AES "\x1a"), "AES-192-GCM"},
	{OID(AES "\x2e"), "AES-256-GCM"},
};

void vault_name(struct mtls_bytes oid, char name[VAULT_NAME])
{
	mbedtls_asn1_buf buf = {MBEDTLS_ASN1_OID, oid.n, (unsigned char *)oid.p};
	const char *found = NONE;

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
		if (mtls_bytes_equal(NAMES[i].oid, oid))
			found = NAMES[i].name;
	if (found == NONE && mbedtls_oid_get_numeric_string(name, VAULT_NAME, &buf) > 0)
		return;
	memcpy(name, found, strlen(found) + 1);
}
