/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private key for GnuTLS whose signatures an agent makes (gnutls_privkey_import_ext4). GnuTLS hashes before it asks,
 * so that a digest is all there is to send, but for EdDSA.
 */
#include "shim/gnutls_records.h"

#include "core/signing.h"
#include "shim/request.h"

#include <string.h>

bool gtls_agent_asks(const struct gtls_identity *identity, struct mtls_question *probe)
{
	memcpy(probe->key, identity->key_id, sizeof(probe->key));
	probe->follows = mtls_signs_whole(identity->type) ? MTLS_OP_CONTENT : MTLS_OP_DIGEST;
	return identity->key != NULL;
}

/* GnuTLS calls a PSS signature by the key's type at one time and by the certificate's at another. */
static uint16_t scheme_for(const struct gtls_identity *identity, gnutls_sign_algorithm_t algorithm)
{
	uint16_t scheme = gtls_scheme_of(algorithm);

	if (identity->type == MTLS_KEY_RSA && scheme >= 0x0809 && scheme <= 0x080b)
		return (uint16_t)(scheme - 5);
	if (identity->type == MTLS_KEY_RSA_PSS && scheme >= 0x0804 && scheme <= 0x0806)
		return (uint16_t)(scheme + 5);
	return scheme;
}

/* PKCS#1 comes as a DigestInfo (RFC 8017 9.2, note 1), and below TLS 1.2 as MD5 and SHA-1: its length tells which. */
static uint16_t unwrap(struct mtls_bytes *info)
{
	static const struct {
		uint16_t scheme;
		size_t size, hash_size;
	} known[] = {{MTLS_SCHEME_MD5_SHA1, 36, 36},
		     {0x0201, 35, 20},
		     {0x0301, 47, 28},
		     {0x0401, 51, 32},
		     {0x0501, 67, 48},
		     {0x0601, 83, 64}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (info->n != known[i].size)
			continue;
		info->p += info->n - known[i].hash_size;
		info->n = known[i].hash_size;
		return known[i].scheme;
	}
	return 0;
}

static int sign(const struct gtls_identity *identity, struct mtls_question *q, gnutls_datum_t *signature)
{
	const struct gtls *library = identity->library;
	unsigned char answer[MTLS_SIGNATURE_MAX];
	size_t n = 0;

	memcpy(q->key, identity->key_id, sizeof(q->key));
	if (!request_sign(&library->is, q, answer, &n))
		return GNUTLS_E_PK_SIGN_FAILED;
	signature->data = (*library->f.gnutls_malloc)(n);
	if (!signature->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(signature->data, answer, n);
	signature->size = (unsigned)n;
	return 0;
}

static int sign_data(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *context, unsigned flags,
		     const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	const struct gtls_identity *identity = context;
	struct mtls_question q = {
		.op = MTLS_OP_CONTENT, .scheme = scheme_for(identity, algorithm), .content = {data->data, data->size}};

	(void)key, (void)flags;
	return sign(identity, &q, signature);
}

static int sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *context, unsigned flags,
		     const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	const struct gtls_identity *identity = context;
	struct mtls_question q = {.op = MTLS_OP_DIGEST, .content = {hash->data, hash->size}};

	(void)key, (void)flags;
	q.scheme = algorithm == GNUTLS_SIGN_RSA_RAW ? unwrap(&q.content) : scheme_for(identity, algorithm);
	return sign(identity, &q, signature);
}

/* gnutls_privkey_import_ext4(3): one question at a time. */
static int inform(gnutls_privkey_t key, unsigned flags, void *context)
{
	const struct gtls_identity *identity = context;
	const struct gtls *library = identity->library;
	unsigned bits = 0;
	int algorithm = library->f.gnutls_pubkey_get_pk_algorithm(identity->cert[0].pubkey, &bits);
	gnutls_sign_algorithm_t wanted = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);

	(void)key;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return wanted == GNUTLS_SIGN_RSA_RAW
			       ? identity->type == MTLS_KEY_RSA
			       : mtls_signature_fits(identity->type, scheme_for(identity, wanted));
	return flags & GNUTLS_PRIVKEY_INFO_SIGN_ALGO ? 0 : -1;
}

bool gtls_agent_key(const struct gtls *library, struct gtls_identity *identity)
{
	gnutls_privkey_t key;

	if (!identity->cert[0].pubkey || library->f.gnutls_privkey_init(&key) < 0)
		return false;
	identity->library = library;
	if (library->f.gnutls_privkey_import_ext4(key, identity, mtls_signs_whole(identity->type) ? sign_data : NULL,
						  sign_hash, NULL, NULL, inform, 0) < 0) {
		library->f.gnutls_privkey_deinit(key);
		return false;
	}
	identity->key = key;
	return true;
}
