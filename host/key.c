/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a private key. Decryption is done in its steps (parameters, passphrase,
 * padding, DER) and not by PEM_read_bio_PrivateKey: this way it cannot prompt, and
 * a wrong passphrase can be told from a bad key. Reading certificates is not done here.
 */
#include "host/key.h"
#include "host/block.h"

#include <stdio.h>
#include <string.h>

struct load {
	const struct mtls_crypto *c;
	const struct mtls_blocks *blocks;
	EVP_PKEY **key;
	struct mtls_error *error;
};

static enum mtls_reason fail(struct load *l, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(l->error, reason, part, mtls_bytes_of(detail));
}

/* type and value of the parameters, as X509_ALGOR_get0 gives them. */
static bool curve_unknown(const struct mtls_crypto *c, int type, const void *value, char name[MTLS_ALGORITHM_NAME])
{
	EC_GROUP *group;

	if (type == V_ASN1_SEQUENCE) {
		(void)snprintf(name, MTLS_ALGORITHM_NAME, "explicit curve parameters");
		return true;
	}
	if (type != V_ASN1_OBJECT || !value)
		return false;
	c->OBJ_obj2txt(name, MTLS_ALGORITHM_NAME, value, 0);
	group = c->EC_GROUP_new_by_curve_name(c->OBJ_obj2nid(value));
	c->EC_GROUP_free(group);
	return !group;
}

bool mtls_algorithm_unknown(const struct mtls_crypto *c, const X509_ALGOR *algorithm, char name[MTLS_ALGORITHM_NAME])
{
	const ASN1_OBJECT *object = NULL;
	const void *value = NULL;
	int type = 0, nid;

	c->X509_ALGOR_get0(&object, &type, &value, algorithm);
	nid = c->OBJ_obj2nid(object);
	if (nid == NID_X9_62_id_ecPublicKey)
		return curve_unknown(c, type, value, name);
	c->OBJ_obj2txt(name, MTLS_ALGORITHM_NAME, object, 0);
	return c->EVP_PKEY_type(nid) == NID_undef;
}

/* Takes the first element off rest. tag: its number, with the class bits for all but the universal class. */
static bool der_next(const struct mtls_crypto *c, struct mtls_bytes *rest, int *tag, struct mtls_bytes *content)
{
	const unsigned char *p = rest->p;
	int class = 0;
	long n = 0;

	if (c->ASN1_get_object(&p, &n, tag, &class, (long)rest->n) & 0x81) /* 0x80: error, 1: indefinite length */
		return false;
	*tag |= class;
	*content = (struct mtls_bytes){p, (size_t)n};
	rest->n -= (size_t)(p + n - rest->p);
	rest->p = p + n;
	return true;
}

/*
 * A SEQUENCE that fills der to the byte and begins with a version: what each form of key is. One wrong
 * passphrase in about 256 gives good padding; what it decrypts to does not look like this.
 */
static bool looks_like_key(const struct mtls_crypto *c, struct mtls_bytes der)
{
	struct mtls_bytes inside, content;
	int tag;

	if (!der_next(c, &der, &tag, &inside) || tag != V_ASN1_SEQUENCE || der.n)
		return false;
	if (!der_next(c, &inside, &tag, &content) || tag != V_ASN1_INTEGER || content.n != 1)
		return false;
	while (inside.n)
		if (!der_next(c, &inside, &tag, &content))
			return false;
	return true;
}

/* ECPrivateKey, RFC 5915: version, privateKey, [0] parameters. */
static bool sec1_curve_unknown(const struct mtls_crypto *c, struct mtls_bytes der, char name[MTLS_ALGORITHM_NAME])
{
	struct mtls_bytes inside, content, parameters;
	ASN1_OBJECT *curve = NULL;
	const unsigned char *p;
	bool unknown;
	int tag;

	if (!der_next(c, &der, &tag, &inside) || !der_next(c, &inside, &tag, &content) ||
	    !der_next(c, &inside, &tag, &content) || !der_next(c, &inside, &tag, &parameters) ||
	    tag != V_ASN1_CONTEXT_SPECIFIC)
		return false;
	p = parameters.p;
	if (!der_next(c, &parameters, &tag, &content))
		return false;
	if (tag == V_ASN1_OBJECT)
		curve = c->d2i_ASN1_OBJECT(NULL, &p, (long)(content.p + content.n - p));
	unknown = curve_unknown(c, tag, curve, name);
	c->ASN1_OBJECT_free(curve);
	return unknown;
}

static enum mtls_reason parse_pkcs8(struct load *l, struct mtls_bytes der)
{
	const X509_ALGOR *algorithm = NULL;
	const unsigned char *p = der.p;
	PKCS8_PRIV_KEY_INFO *info;
	char name[MTLS_ALGORITHM_NAME] = "";
	enum mtls_reason r;

	info = l->c->d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
	if (!info || p != der.p + der.n) {
		r = fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, "PKCS#8");
		goto out;
	}
	*l->key = l->c->EVP_PKCS82PKEY(info);
	if (*l->key) {
		r = MTLS_USABLE;
		goto out;
	}
	l->c->PKCS8_pkey_get0(NULL, NULL, NULL, &algorithm, info);
	r = mtls_algorithm_unknown(l->c, algorithm, name) ? MTLS_KEY_UNSUPPORTED : MTLS_KEY_MALFORMED;
	r = fail(l, r, MTLS_KEY, name);
out:
	l->c->PKCS8_PRIV_KEY_INFO_free(info);
	return r;
}

/* PKCS#1 and SEC 1. */
static enum mtls_reason parse_traditional(struct load *l, struct mtls_bytes der)
{
	bool rsa = l->blocks->key_form == MTLS_KEY_PKCS1;
	const unsigned char *p = der.p;
	char name[MTLS_ALGORITHM_NAME] = "";

	*l->key = l->c->d2i_PrivateKey(rsa ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL, &p, (long)der.n);
	if (*l->key && p == der.p + der.n)
		return MTLS_USABLE;
	if (!rsa && sec1_curve_unknown(l->c, der, name))
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, name);
	return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, rsa ? "PKCS#1" : "SEC 1");
}

static enum mtls_reason parse_key(struct load *l, struct mtls_bytes der)
{
	if (l->blocks->key_encrypted && !looks_like_key(l->c, der))
		return fail(l, MTLS_PASSPHRASE_WRONG, MTLS_PASS, NULL);
	if (l->blocks->key_form == MTLS_KEY_PKCS1 || l->blocks->key_form == MTLS_KEY_SEC1)
		return parse_traditional(l, der);
	return parse_pkcs8(l, der);
}

/*
 * The passphrase, or a stand-in: a cipher is also set up without one, since only that
 * tells whether the library can do it, and key-unsupported comes before passphrase-missing.
 */
static struct mtls_bytes passphrase(const struct load *l)
{
	return l->blocks->pass.n ? l->blocks->pass : mtls_bytes_of("passphrase");
}

/* EncryptedPrivateKeyInfo, RFC 5958. *secret is borrowed from *sig, which the caller frees. */
static enum mtls_reason start_pkcs8(struct load *l, struct mtls_bytes der, EVP_CIPHER_CTX *cipher, X509_SIG **sig,
				    struct mtls_bytes *secret)
{
	const ASN1_OCTET_STRING *octets = NULL;
	struct mtls_bytes pass = passphrase(l);
	const X509_ALGOR *pbe = NULL;
	const unsigned char *p = der.p;
	char name[2 * MTLS_ALGORITHM_NAME + 1], kdf[MTLS_ALGORITHM_NAME], with[MTLS_ALGORITHM_NAME];
	PBE2PARAM *v2;

	*sig = l->c->d2i_X509_SIG(NULL, &p, (long)der.n);
	if (!*sig || p != der.p + der.n)
		return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, "encrypted PKCS#8");
	l->c->X509_SIG_get0(*sig, &pbe, &octets);
	*secret = (struct mtls_bytes){l->c->ASN1_STRING_get0_data(octets), (size_t)l->c->ASN1_STRING_length(octets)};
	l->c->OBJ_obj2txt(name, MTLS_ALGORITHM_NAME, pbe->algorithm, 0);
	if (l->c->OBJ_obj2nid(pbe->algorithm) == NID_pbes2) {
		if (!pbe->parameter || pbe->parameter->type != V_ASN1_SEQUENCE)
			return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, name);
		p = l->c->ASN1_STRING_get0_data(pbe->parameter->value.sequence);
		v2 = l->c->d2i_PBE2PARAM(NULL, &p, l->c->ASN1_STRING_length(pbe->parameter->value.sequence));
		if (!v2)
			return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, name);
		l->c->OBJ_obj2txt(kdf, sizeof(kdf), v2->keyfunc->algorithm, 0);
		l->c->OBJ_obj2txt(with, sizeof(with), v2->encryption->algorithm, 0);
		(void)snprintf(name, sizeof(name), "%s, %s", kdf, with);
		l->c->PBE2PARAM_free(v2);
	}
	if (!l->c->EVP_PBE_CipherInit(pbe->algorithm, (const char *)pass.p, (int)pass.n, pbe->parameter, cipher, 0))
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, name);
	return MTLS_USABLE;
}

/* The cipher of "DEK-Info: NAME,IV"; "" if there is none. */
static void dek_name(const char *headers, char name[MTLS_ALGORITHM_NAME])
{
	const char *p = strstr(headers, "DEK-Info:");
	size_t n = 0;

	if (p) {
		p += strlen("DEK-Info:");
		p += strspn(p, " \t");
		n = strcspn(p, ", \t\r\n");
		if (n >= MTLS_ALGORITHM_NAME)
			n = MTLS_ALGORITHM_NAME - 1;
		memcpy(name, p, n);
	}
	name[n] = '\0';
}

/* Traditional encryption, RFC 1421 4.6.1: as PEM_do_header does it. */
static enum mtls_reason start_traditional(struct load *l, struct mtls_bytes headers, EVP_CIPHER_CTX *cipher)
{
	unsigned char key[EVP_MAX_KEY_LENGTH];
	struct mtls_bytes pass = passphrase(l);
	char text[512], name[MTLS_ALGORITHM_NAME];
	EVP_CIPHER_INFO info;
	bool ok;

	if (headers.n >= sizeof(text) || memchr(headers.p, '\0', headers.n))
		return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, "headers");
	memcpy(text, headers.p, headers.n);
	text[headers.n] = '\0';
	dek_name(text, name);
	if (name[0] && !l->c->EVP_get_cipherbyname(name))
		return fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, name);
	if (!l->c->PEM_get_EVP_CIPHER_INFO(text, &info) || !info.cipher)
		return fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, "headers");
	ok = l->c->EVP_BytesToKey(info.cipher, l->c->EVP_md5(), info.iv, pass.p, (int)pass.n, 1, key, NULL) > 0 &&
	     l->c->EVP_CipherInit_ex(cipher, info.cipher, NULL, key, info.iv, 0);
	l->c->OPENSSL_cleanse(key, sizeof(key));
	return ok ? MTLS_USABLE : fail(l, MTLS_KEY_UNSUPPORTED, MTLS_KEY, name);
}

/* Starts again with the same key and IV each time. */
static bool run_cipher(const struct mtls_crypto *c, EVP_CIPHER_CTX *cipher, bool padding, struct mtls_bytes secret,
		       struct mtls_buffer *plain)
{
	int n = 0, last = 0;

	if (!c->EVP_CipherInit_ex(cipher, NULL, NULL, NULL, NULL, 0) ||
	    !c->EVP_CIPHER_CTX_set_padding(cipher, padding) ||
	    !c->EVP_CipherUpdate(cipher, plain->p, &n, secret.p, (int)secret.n) ||
	    !c->EVP_CipherFinal_ex(cipher, plain->p + n, &last))
		return false;
	plain->n = (size_t)n + (size_t)last;
	return true;
}

static enum mtls_reason decrypt_key(struct load *l, struct mtls_bytes der, struct mtls_bytes headers,
				    struct mtls_buffer *plain)
{
	EVP_CIPHER_CTX *cipher = l->c->EVP_CIPHER_CTX_new();
	struct mtls_bytes secret = der;
	X509_SIG *sig = NULL;
	enum mtls_reason r;

	if (!cipher || !mtls_buffer_reserve(plain, der.n + EVP_MAX_BLOCK_LENGTH)) {
		r = fail(l, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
		goto out;
	}
	if (l->blocks->key_form == MTLS_KEY_PKCS8_ENCRYPTED)
		r = start_pkcs8(l, der, cipher, &sig, &secret);
	else
		r = start_traditional(l, headers, cipher);
	if (r != MTLS_USABLE)
		goto out;
	/*
	 * Without padding no passphrase fails, only a length that is no whole number of blocks
	 * (or a mode that wants a tag, for which there is no room).
	 */
	if (!secret.n || !run_cipher(l->c, cipher, false, secret, plain)) {
		r = fail(l, MTLS_KEY_MALFORMED, MTLS_KEY, "length of the encrypted data");
		goto out;
	}
	r = mtls_blocks_passphrase(l->blocks, l->error);
	if (r == MTLS_USABLE && !run_cipher(l->c, cipher, true, secret, plain))
		r = fail(l, MTLS_PASSPHRASE_WRONG, MTLS_PASS, NULL);
out:
	l->c->EVP_CIPHER_CTX_free(cipher);
	l->c->X509_SIG_free(sig);
	return r;
}

enum mtls_reason mtls_key_read(const struct mtls_crypto *c, const struct mtls_blocks *blocks, EVP_PKEY **out,
			       struct mtls_error *error)
{
	struct load l = {c, blocks, out, error};
	struct mtls_buffer der = {0}, plain = {0};
	enum mtls_reason r = MTLS_USABLE;
	struct mtls_bytes bytes;
	struct mtls_pem pem;

	*out = NULL;
	if (!mtls_block_decode(c, blocks->key, &pem, &der)) {
		r = fail(&l, MTLS_KEY_MALFORMED, MTLS_KEY, "base64");
		goto out;
	}
	bytes = (struct mtls_bytes){der.p, der.n};
	if (blocks->key_encrypted) {
		r = decrypt_key(&l, bytes, pem.headers, &plain);
		bytes = (struct mtls_bytes){plain.p, plain.n};
	}
	if (r == MTLS_USABLE)
		r = parse_key(&l, bytes);
	if (r == MTLS_USABLE)
		r = mtls_blocks_passphrase(blocks, error); /* also without encryption: a named file may be lost */
	if (r != MTLS_USABLE) {
		c->EVP_PKEY_free(*out);
		*out = NULL;
	}
out:
	mtls_buffer_wipe(c, &plain);
	mtls_buffer_wipe(c, &der);
	return r;
}
