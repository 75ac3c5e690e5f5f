/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new key with its self-signed client certificate or a request for one, as RFC 5280 wants an
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

static bool add_extension(STACK_OF(X509_EXTENSION) *list, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (extension && sk_X509_EXTENSION_push(list, extension) > 0)
		return true;
	X509_EXTENSION_free(extension);
	return false;
}

/* NULL without memory. */
static STACK_OF(X509_EXTENSION) *make_extensions(const char *cn)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	char name[sizeof("DNS:") + 253] = "";

	if (is_dns_name(cn))
		snprintf(name, sizeof(name), "DNS:%s", cn);
	if (list && add_extension(list, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(list, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(list, NID_ext_key_usage, "clientAuth") &&
	    (!name[0] || add_extension(list, NID_subject_alt_name, name)))
		return list;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return NULL;
}

static bool add_extensions(X509 *x, const char *cn)
{
	STACK_OF(X509_EXTENSION) *list = make_extensions(cn);
	bool ok = list;

	for (int i = 0; ok && i < sk_X509_EXTENSION_num(list); i++)
		ok = X509_add_ext(x, sk_X509_EXTENSION_value(list, i), -1);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ok;
}

static bool set_name(X509_NAME *name, const char *cn)
{
	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
}

/* EdDSA has its own hash; a curve has one of its size, and keys in tokens may allow no other. */
static const EVP_MD *hash_for(EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		return NULL;
	if (!EVP_PKEY_is_a(key, "EC") || bits <= 256)
		return EVP_sha256();
	return bits <= 384 ? EVP_sha384() : EVP_sha512();
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
	X509 *x = X509_new_ex(request->context, request->properties);

	if (x && X509_set_version(x, 2 /* v3 */) && set_serial(x) && X509_set_pubkey(x, key) &&
	    X509_gmtime_adj(X509_getm_notBefore(x), 0) &&
	    X509_time_adj_ex(X509_getm_notAfter(x), request->days, 0, NULL) &&
	    set_name(X509_get_subject_name(x), request->cn) && X509_set_issuer_name(x, X509_get_subject_name(x)) &&
	    add_extensions(x, request->cn) && X509_sign(x, key, hash_for(key)))
		return x;
	X509_free(x);
	return NULL;
}

X509_REQ *cred_make_request(const struct cred_request *request, EVP_PKEY *key)
{
	STACK_OF(X509_EXTENSION) *list = make_extensions(request->cn);
	X509_REQ *r = X509_REQ_new_ex(request->context, request->properties);
	bool ok = list && r && X509_REQ_set_version(r, 0 /* v1 */) && X509_REQ_set_pubkey(r, key) &&
		  set_name(X509_REQ_get_subject_name(r), request->cn) && X509_REQ_add_extensions(r, list) &&
		  X509_REQ_sign(r, key, hash_for(key));

	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	if (ok)
		return r;
	X509_REQ_free(r);
	return NULL;
}
