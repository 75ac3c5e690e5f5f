/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new key and its self-signed client certificate, as RFC 5280 wants an
 * end-entity certificate for TLS client authentication. Used by mtls-cred new.
 */
#include "launcher/cred/certificate.h"
#include "core/address.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define RSA_BITS    3072 /* 128 bits of security, NIST SP 800-57 */
#define SERIAL_BITS 159  /* RFC 5280, 4.1.2.2: positive and at most 20 bytes */

EVP_PKEY *cred_make_key(enum cred_key_type type)
{
	static const int ids[] = {
		[CRED_EC] = EVP_PKEY_EC, [CRED_RSA] = EVP_PKEY_RSA, [CRED_ED25519] = EVP_PKEY_ED25519};
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(ids[type], NULL);
	EVP_PKEY *key = NULL;

	if (!context || EVP_PKEY_keygen_init(context) <= 0)
		goto out;
	if (type == CRED_EC && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) <= 0)
		goto out;
	if (type == CRED_RSA && EVP_PKEY_CTX_set_rsa_keygen_bits(context, RSA_BITS) <= 0)
		goto out;
	if (EVP_PKEY_keygen(context, &key) <= 0)
		key = NULL;
out:
	EVP_PKEY_CTX_free(context);
	return key;
}

/* A host's name as RFC 1123, 2.1 has it, and no address. */
static bool is_dns_name(const char *s)
{
	struct mtls_addr address;
	size_t label = 0;

	if (strlen(s) > 253 || mtls_addr_parse(mtls_bytes_of(s), &address))
		return false;
	for (;; s++) {
		bool end = *s == '.' || *s == '\0';

		if (end && (label == 0 || label > 63 || s[-1] == '-'))
			return false;
		if (!*s)
			return true;
		if (!end && !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", *s))
			return false;
		if (*s == '-' && label == 0)
			return false;
		label = end ? 0 : label + 1;
	}
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool ok;

	X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = extension && X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

static bool add_extensions(X509 *x, const char *cn)
{
	char name[sizeof("DNS:") + 253];

	if (!add_extension(x, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(x, NID_key_usage, "critical,digitalSignature") ||
	    !add_extension(x, NID_ext_key_usage, "clientAuth"))
		return false;
	if (!is_dns_name(cn))
		return true;
	snprintf(name, sizeof(name), "DNS:%s", cn);
	return add_extension(x, NID_subject_alt_name, name);
}

static bool set_serial(X509 *x)
{
	BIGNUM *serial = BN_new();
	bool ok = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
		  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x));

	BN_free(serial);
	return ok;
}

X509 *cred_make_certificate(const struct cred_request *request, EVP_PKEY *key)
{
	const EVP_MD *hash = request->type == CRED_ED25519 ? NULL : EVP_sha256(); /* Ed25519 has its own */
	X509 *x = X509_new();
	X509_NAME *name;

	if (!x || !X509_set_version(x, 2 /* v3 */) || !set_serial(x) || !X509_set_pubkey(x, key) ||
	    !X509_gmtime_adj(X509_getm_notBefore(x), 0) ||
	    !X509_time_adj_ex(X509_getm_notAfter(x), request->days, 0, NULL))
		goto fail;
	name = X509_get_subject_name(x);
	if (!X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)request->cn, -1, -1,
					0) ||
	    !X509_set_issuer_name(x, name) || !add_extensions(x, request->cn) || !X509_sign(x, key, hash))
		goto fail;
	return x;
fail:
	X509_free(x);
	return NULL;
}
