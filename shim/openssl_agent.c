/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider, see openssl_agent.h. Its keys are a certificate's public key and the claim to be private; what can be
 * asked of the public key is asked of libcrypto's own object for it. It exports that, and nothing where a private key
 * is wanted: libssl first tries to sign with the default provider, and comes to us when that could not have the key.
 * provider-base(7), provider-keymgmt(7), provider-signature(7).
 */
#include "shim/openssl_agent.h"

#include "shim/request.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define NAME "mtls"
#define GIVE "mtls-key" /* the one parameter of a new key: the address of what it is to be */

/* A key. */
struct held {
	const struct openssl *library; /* NULL: it has not been given anything yet */
	EVP_PKEY *public;              /* a reference */
	enum mtls_key_type type;
	unsigned char id[MTLS_KEY_ID];
};

/* A signature that is to be made. */
struct making {
	const struct held *key; /* the caller keeps it */
	const struct mtls_scheme *scheme;
	char hash[32];
	enum mtls_padding padding;
};

/* --- keys ------------------------------------------------------------------------- */

static void *key_new(void *context)
{
	(void)context;
	return calloc(1, sizeof(struct held));
}

static void key_free(void *data)
{
	struct held *key = data;

	if (key && key->library)
		key->library->crypto.EVP_PKEY_free(key->public);
	free(key);
}

static int key_has(const void *data, int selection)
{
	(void)selection;
	return data && ((const struct held *)data)->library;
}

static int key_match(const void *data1, const void *data2, int selection)
{
	const struct held *a = data1, *b = data2;

	(void)selection;
	return a->library && b->library && a->library->f.EVP_PKEY_eq(a->public, b->public) == 1;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
	const struct held *key = data;

	return key->library && key->library->f.EVP_PKEY_get_params(key->public, params);
}

static const OSSL_PARAM *key_gettable_params(void *context)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)context;
	return list;
}

/* Only what openssl_agent_key gives: no key of anybody else's becomes one of ours. */
static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct held *key = data, *given;

	(void)selection;
	if (key->library || strcmp(params[0].key ? params[0].key : "", GIVE) != 0 ||
	    params[0].data_size != sizeof(given))
		return 0;
	memcpy(&given, params[0].data, sizeof(given));
	*key = *given;
	return key->library->f.EVP_PKEY_up_ref(key->public);
}

static const OSSL_PARAM *key_import_types(int selection)
{
	static const OSSL_PARAM list[] = {OSSL_PARAM_octet_string(GIVE, NULL, 0), OSSL_PARAM_END};

	(void)selection;
	return list;
}

static int key_export(void *data, int selection, OSSL_CALLBACK *take, void *arg)
{
	const struct held *key = data;

	return key->library && !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) &&
	       key->library->f.EVP_PKEY_export(key->public, selection, take, arg);
}

static const OSSL_PARAM *key_export_types(int selection)
{
	return selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? NULL : key_gettable_params(NULL);
}

static const char *ec_signs_with(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* RSA and RSA-PSS */
static const char *rsa_signs_with(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

#define FUNCTION(id, function) \
	{ \
		id, (void (*)(void))(function) \
	}
#define KEYS(name, more) \
	static const OSSL_DISPATCH name[] = { \
		FUNCTION(OSSL_FUNC_KEYMGMT_NEW, key_new), \
		FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free), \
		FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has), \
		FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match), \
		FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params), \
		FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params), \
		FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, key_import), \
		FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types), \
		FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export), \
		FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types), \
		more, \
		{0, NULL}, \
	}
KEYS(ec_keys, FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_signs_with));
KEYS(rsa_keys, FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, rsa_signs_with));
KEYS(ed_keys, FUNCTION(0, NULL));

/* --- signatures ---------------------------------------------------------------------- */

static void *making_new(void *context, const char *properties)
{
	(void)context, (void)properties;
	return calloc(1, sizeof(struct making));
}

static void *making_copy(void *from)
{
	struct making *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *(struct making *)from;
	return copy;
}

static enum mtls_padding padding_of(enum mtls_key_type type)
{
	if (type == MTLS_KEY_RSA_PSS)
		return MTLS_PAD_PSS;
	return type == MTLS_KEY_RSA ? MTLS_PAD_PKCS1 : MTLS_PAD_NONE;
}

static bool is_text(const OSSL_PARAM *p, const char *text)
{
	return p->data_type == OSSL_PARAM_UTF8_STRING && p->data && strncmp(p->data, text, p->data_size) == 0;
}

static bool is_number(const OSSL_PARAM *p, int number)
{
	int value = 0;

	if (p->data_type != OSSL_PARAM_INTEGER || p->data_size != sizeof(value) || !p->data)
		return false;
	memcpy(&value, p->data, sizeof(value));
	return value == number;
}

/* What else TLS may set here says what is so anyway: salt and MGF1 as the hash. */
static int making_set_params(void *context, const OSSL_PARAM params[])
{
	struct making *making = context;

	for (const OSSL_PARAM *p = params; p && p->key; p++) {
		if (strcmp(p->key, OSSL_SIGNATURE_PARAM_PAD_MODE) != 0)
			continue;
		if (is_number(p, RSA_PKCS1_PSS_PADDING) || is_text(p, OSSL_PKEY_RSA_PAD_MODE_PSS))
			making->padding = MTLS_PAD_PSS;
		else if (is_number(p, RSA_PKCS1_PADDING) || is_text(p, OSSL_PKEY_RSA_PAD_MODE_PKCSV15))
			making->padding = MTLS_PAD_PKCS1;
		else
			return 0;
	}
	return 1;
}

static const OSSL_PARAM *making_settable_params(void *context, void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)context, (void)provider;
	return list;
}

/* An RSA-PSS certificate may name the only hash (RFC 4055 3.1); libssl tries which ones it can begin with. */
static bool is_other_hash(const struct making *making)
{
	char only[sizeof(making->hash)] = "";
	OSSL_PARAM params[] = {
		{OSSL_PKEY_PARAM_MANDATORY_DIGEST, OSSL_PARAM_UTF8_STRING, only, sizeof(only), OSSL_PARAM_UNMODIFIED},
		{NULL, 0, NULL, 0, 0}};

	if (making->key->type != MTLS_KEY_RSA_PSS ||
	    making->key->library->f.EVP_PKEY_get_params(making->key->public, params) != 1 || !only[0])
		return false;
	return mtls_scheme_of(MTLS_KEY_RSA_PSS, MTLS_PAD_PSS, only) !=
	       mtls_scheme_of(MTLS_KEY_RSA_PSS, MTLS_PAD_PSS, making->hash);
}

static int making_begin(void *context, const char *hash, void *data, const OSSL_PARAM params[])
{
	struct making *making = context;

	making->key = data;
	making->padding = padding_of(making->key->type);
	strncpy(making->hash, hash ? hash : "", sizeof(making->hash) - 1);
	return !is_other_hash(making) && making_set_params(context, params);
}

/* A handshake that is too long for a question goes as its digest; a key that signs no digests then cannot sign. */
static void shorten(const struct openssl *library, struct mtls_question *q, const struct mtls_scheme *scheme,
		    unsigned char digest[EVP_MAX_MD_SIZE])
{
	const EVP_MD *hash = scheme->hash ? library->f.EVP_get_digestbyname(scheme->hash) : NULL;
	unsigned n = 0;

	if (!hash || !library->crypto.EVP_Digest(q->content.p, q->content.n, digest, &n, hash, NULL))
		return;
	q->op = MTLS_OP_DIGEST;
	q->content = (struct mtls_bytes){digest, n};
}

static int making_sign(void *context, unsigned char *signature, size_t *n, size_t room, const unsigned char *content,
		       size_t n_content)
{
	const struct making *making = context;
	const struct openssl *library = making->key->library;
	const struct mtls_scheme *scheme = mtls_scheme_of(making->key->type, making->padding, making->hash);
	struct mtls_question q = {.op = MTLS_OP_CONTENT, .content = {content, n_content}};
	unsigned char answer[MTLS_SIGNATURE_MAX], digest[EVP_MAX_MD_SIZE];
	size_t got = 0;

	if (!signature) {
		*n = (size_t)library->f.EVP_PKEY_get_size(making->key->public);
		return 1;
	}
	memcpy(q.key, making->key->id, sizeof(q.key));
	q.scheme = scheme ? scheme->code : 0;
	if (scheme && n_content > MTLS_SIGNING_CONTENT)
		shorten(library, &q, scheme, digest);
	if (!request_sign(&library->is, &q, answer, &got) || got > room)
		return 0;
	memcpy(signature, answer, got);
	*n = got;
	return 1;
}

/* libssl asks in one call. Programs that take the key from their SSL may not; 3.0 calls these without a look. */
static int making_add(void *context, const unsigned char *content, size_t n)
{
	(void)context, (void)content, (void)n;
	return 0;
}

static int making_end(void *context, unsigned char *signature, size_t *n, size_t room)
{
	(void)context, (void)signature, (void)n, (void)room;
	return 0;
}

static const OSSL_DISPATCH signatures[] = {
	FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, making_new),
	FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, free),
	FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, making_copy),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, making_begin),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, making_sign),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, making_add),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, making_end),
	FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, making_set_params),
	FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, making_settable_params),
	{0, NULL},
};

/* --- the provider ---------------------------------------------------------------------- */

/* Programs that ask for the default provider's algorithms alone get them for all else; in here are only ours. */
#define PROPERTIES "provider=default"
#define EC         "EC:id-ecPublicKey:1.2.840.10045.2.1"
#define RSA_KEY    "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define PSS        "RSA-PSS:RSASSA-PSS:id-RSASSA-PSS:1.2.840.113549.1.1.10"
#define ED25519    "ED25519:1.3.101.112"
#define ED448      "ED448:1.3.101.113"

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_store)
{
	static const OSSL_ALGORITHM keys[] = {
		{EC, PROPERTIES, ec_keys, NULL},    {RSA_KEY, PROPERTIES, rsa_keys, NULL},
		{PSS, PROPERTIES, rsa_keys, NULL},  {ED25519, PROPERTIES, ed_keys, NULL},
		{ED448, PROPERTIES, ed_keys, NULL}, {NULL, NULL, NULL, NULL},
	};
	static const OSSL_ALGORITHM signs[] = {
		{"ECDSA", PROPERTIES, signatures, NULL},
		{RSA_KEY, PROPERTIES, signatures, NULL},
		{ED25519, PROPERTIES, signatures, NULL},
		{ED448, PROPERTIES, signatures, NULL},
		{NULL, NULL, NULL, NULL},
	};

	(void)context;
	*no_store = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return keys;
	return operation == OSSL_OP_SIGNATURE ? signs : NULL;
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **ours, void **context)
{
	static const OSSL_DISPATCH provider[] = {FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), {0, NULL}};

	(void)core;
	*ours = provider;
	*context = (void *)(uintptr_t)handle; // NOLINT(performance-no-int-to-ptr): anything but NULL
	return 1;
}

/* Made once for each libssl, and never freed: keys of ours may outlive everything else. */
static OSSL_LIB_CTX *private_context(const struct openssl *library)
{
	struct openssl *own = library->is.parser.context;
	OSSL_LIB_CTX *made, *there = atomic_load(&own->agent_context);

	if (there)
		return there;
	made = library->f.OSSL_LIB_CTX_new();
	if (!made)
		return NULL;
	if (library->f.OSSL_PROVIDER_add_builtin(made, NAME, start) == 1 &&
	    library->f.OSSL_PROVIDER_load(made, NAME) != NULL &&
	    atomic_compare_exchange_strong(&own->agent_context, &there, made))
		return made;
	library->f.OSSL_LIB_CTX_free(made);
	return there;
}

static const char *name_of(enum mtls_key_type type)
{
	switch (type) {
	case MTLS_KEY_RSA:
		return "RSA";
	case MTLS_KEY_RSA_PSS:
		return "RSA-PSS";
	case MTLS_KEY_ED25519:
		return "ED25519";
	case MTLS_KEY_ED448:
		return "ED448";
	case MTLS_KEY_P256:
	case MTLS_KEY_P384:
	case MTLS_KEY_P521:
	case MTLS_KEY_EC_OTHER:
		return "EC";
	case MTLS_KEY_OTHER:
	default:
		return NULL;
	}
}

bool openssl_agent_fits(const struct openssl *library)
{
	return library->f.OSSL_PROVIDER_add_builtin != NULL;
}

bool openssl_agent_key(const struct openssl *library, struct mtls_identity *identity)
{
	struct held key = {library, library->crypto.X509_get0_pubkey(identity->leaf), identity->type, {0}};
	struct held *give = &key;
	OSSL_PARAM params[] = {{GIVE, OSSL_PARAM_OCTET_STRING, &give, sizeof(give), 0}, {NULL, 0, NULL, 0, 0}};
	OSSL_LIB_CTX *context = name_of(identity->type) ? private_context(library) : NULL;
	EVP_PKEY_CTX *making;

	if (!context)
		return !name_of(identity->type); /* no signature is in common with it: nothing is asked of the key */
	memcpy(key.id, identity->key_id, sizeof(key.id));
	making = library->f.EVP_PKEY_CTX_new_from_name(context, name_of(identity->type), NULL);
	if (making && library->f.EVP_PKEY_fromdata_init(making) == 1 &&
	    library->f.EVP_PKEY_fromdata(making, &identity->key, EVP_PKEY_KEYPAIR, params) != 1)
		identity->key = NULL;
	library->f.EVP_PKEY_CTX_free(making);
	return identity->key != NULL;
}
