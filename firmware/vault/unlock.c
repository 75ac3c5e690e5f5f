/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decrypts a key: see unlock.h. The parameters are looked at before mbedTLS gets them, since its one error for all that
 * it cannot do tells nobody what that is, and since it would go through any number of rounds.
 */
#include "firmware/vault/unlock.h"
#include "firmware/vault/der.h"
#include "firmware/vault/name.h"
#include "core/text.h"
#include "firmware/vault/vault.h"

#include <string.h>

#include <mbedtls/cipher.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pkcs12.h>
#include <mbedtls/pkcs5.h>

#ifdef MBEDTLS_DES_C
#define PBES2_CIPHERS "AES and 3DES"
#else
#define PBES2_CIPHERS "AES"
#endif
#ifdef MBEDTLS_MD5_C
#define TRADITIONAL "AES and DES in CBC mode"
#else
#define TRADITIONAL "encrypted keys in PKCS#8 only"
#endif

struct unlock {
	const struct mtls_blocks *blocks;
	struct vault_heap *der;
	struct mtls_error *error;
};

static enum mtls_reason fail(const struct unlock *u, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(u->error, reason, part, mtls_bytes_of(detail));
}

static enum mtls_reason unsupported(const struct unlock *u, const char *before, struct mtls_bytes oid,
				    const char *behind)
{
	struct mtls_text t = {.n = 0};
	char name[VAULT_NAME];

	vault_name(oid, name);
	mtls_text_put(&t, before);
	mtls_text_put(&t, name);
	mtls_text_put(&t, behind);
	return fail(u, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, t.s);
}

static enum mtls_reason check_rounds(const struct unlock *u, uint32_t rounds)
{
	struct mtls_text t = {.n = 0};

	if (rounds <= VAULT_ROUNDS_MAX)
		return MTLS_USABLE;
	mtls_text_put(&t, "more than ");
	mtls_text_number(&t, VAULT_ROUNDS_MAX);
	mtls_text_put(&t, " rounds to derive the key of the encryption: too slow to boot with");
	return fail(u, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, t.s);
}

/* The last that is looked at before the passphrase is. */
static enum mtls_reason check_length(const struct unlock *u, size_t n, size_t block)
{
	if (n == 0 || n % block)
		return fail(u, MTLS_KEY_MALFORMED, MTLS_KEY, "length of the encrypted data");
	return mtls_blocks_passphrase(u->blocks, u->error);
}

/* --- PKCS#8: what it is encrypted with -------------------------------------------------------- */

static mbedtls_asn1_buf asn1(struct mtls_bytes content, int tag)
{
	return (mbedtls_asn1_buf){tag, content.n, (unsigned char *)content.p};
}

/* PBKDF2-params, RFC 8018 A.2. parameters: what stands behind the name. */
static enum mtls_reason check_pbkdf2(const struct unlock *u, struct mtls_bytes parameters, size_t key_size)
{
	static const unsigned char by_default[] = MBEDTLS_OID_HMAC_SHA1;
	struct mtls_bytes inside, salt, nothing, hash = {by_default, sizeof(by_default) - 1};
	mbedtls_md_type_t md;
	mbedtls_asn1_buf name;
	uint32_t rounds, size;

	if (!der_take(&parameters, DER_SEQUENCE, &inside) || parameters.n || !der_take(&inside, DER_OCTETS, &salt) ||
	    !der_number(&inside, &rounds) || rounds == 0 || (der_number(&inside, &size) && size != key_size) ||
	    (inside.n && (!der_algorithm(&inside, &hash, &nothing) || inside.n)))
		return fail(u, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, "parameters of PBKDF2");
	name = asn1(hash, DER_OID);
	if (mbedtls_oid_get_md_hmac(&name, &md) != 0 || !mbedtls_md_info_from_type(md))
		return unsupported(u, "PBKDF2 with ", hash, "; this device reads HMAC-SHA1 and HMAC-SHA2");
	return check_rounds(u, rounds);
}

/* PBES2-params, RFC 8018 A.4: *block is the cipher's, in bytes. */
static enum mtls_reason check_pbes2(const struct unlock *u, struct mtls_bytes both, size_t *block)
{
	struct mtls_bytes kdf, kdf_parameters, cipher, cipher_parameters, iv;
	const mbedtls_cipher_info_t *info = NULL;
	mbedtls_cipher_type_t type;
	mbedtls_asn1_buf name;

	if (!der_algorithm(&both, &kdf, &kdf_parameters) || !der_algorithm(&both, &cipher, &cipher_parameters) ||
	    both.n)
		return fail(u, MTLS_KEY_MALFORMED, MTLS_KEY, "PBES2");
	name = asn1(kdf, DER_OID);
	if (MBEDTLS_OID_CMP(MBEDTLS_OID_PKCS5_PBKDF2, &name) != 0)
		return unsupported(u, "encrypted with ", kdf, "; this device reads PBKDF2");
	name = asn1(cipher, DER_OID);
	if (mbedtls_oid_get_cipher_alg(&name, &type) == 0)
		info = mbedtls_cipher_info_from_type(type);
	if (!info)
		return unsupported(u, "encrypted with ", cipher, "; this device reads " PBES2_CIPHERS " in CBC mode");
	*block = mbedtls_cipher_info_get_block_size(info);
	if (!der_take(&cipher_parameters, DER_OCTETS, &iv) || cipher_parameters.n ||
	    iv.n != mbedtls_cipher_info_get_iv_size(info))
		return fail(u, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, "parameters of the cipher");
	return check_pbkdf2(u, kdf_parameters, mbedtls_cipher_info_get_key_bitlen(info) / 8);
}

/* --- PKCS#8: PKCS#12's scheme, RFC 7292 appendix B ---------------------------------------------- */

#if defined(MBEDTLS_PKCS12_C)

#define PKCS12_PASS 128 /* bytes of a passphrase that mbedTLS takes there */

/* mbedTLS writes each byte as two, which is UTF-16 for ASCII only. */
static bool pkcs12_takes(struct mtls_bytes pass)
{
	size_t i = 0;

	while (i < pass.n && pass.p[i] < 0x80)
		i++;
	return i == pass.n && pass.n <= PKCS12_PASS;
}

static enum mtls_reason check_pkcs12(const struct unlock *u, const mbedtls_asn1_buf *oid, struct mtls_bytes both,
				     size_t *block)
{
	struct mtls_bytes salt, name = {oid->p, oid->len};
	const mbedtls_cipher_info_t *info = NULL;
	mbedtls_cipher_type_t cipher;
	mbedtls_md_type_t md;
	uint32_t rounds;

	if (mbedtls_oid_get_pkcs12_pbe_alg(oid, &md, &cipher) == 0)
		info = mbedtls_cipher_info_from_type(cipher);
	if (!info)
		return unsupported(u, "encrypted with ", name, "; this device reads PBES2 and SHA1-3DES");
	if (!der_take(&both, DER_OCTETS, &salt) || !der_number(&both, &rounds) || both.n || rounds == 0)
		return fail(u, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, "parameters of PKCS#12's encryption");
	if (!pkcs12_takes(u->blocks->pass))
		return fail(u, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM,
			    "PKCS#12's encryption with a passphrase that is long or not ASCII");
	*block = mbedtls_cipher_info_get_block_size(info);
	return check_rounds(u, rounds);
}

static int run_pkcs12(const mbedtls_asn1_buf *oid, mbedtls_asn1_buf *parameters, struct mtls_bytes pass,
		      struct mtls_bytes secret, size_t *n)
{
	mbedtls_cipher_type_t cipher;
	mbedtls_md_type_t md;

	if (mbedtls_oid_get_pkcs12_pbe_alg(oid, &md, &cipher) != 0)
		return MBEDTLS_ERR_PKCS12_FEATURE_UNAVAILABLE;
	return mbedtls_pkcs12_pbe_ext(parameters, MBEDTLS_PKCS12_PBE_DECRYPT, cipher, md, pass.p, pass.n, secret.p,
				      secret.n, (unsigned char *)secret.p, secret.n, n);
}

#else

static enum mtls_reason check_pkcs12(const struct unlock *u, const mbedtls_asn1_buf *oid, struct mtls_bytes both,
				     size_t *block)
{
	(void)both;
	(void)block;
	return unsupported(u, "encrypted with ", (struct mtls_bytes){oid->p, oid->len}, "; this device reads PBES2");
}

static int run_pkcs12(const mbedtls_asn1_buf *oid, mbedtls_asn1_buf *parameters, struct mtls_bytes pass,
		      struct mtls_bytes secret, size_t *n)
{
	(void)oid;
	(void)parameters;
	(void)pass;
	(void)secret;
	(void)n;
	return MBEDTLS_ERR_PKCS12_FEATURE_UNAVAILABLE;
}

#endif

/* --- PKCS#8: the whole ----------------------------------------------------------------------------- */

static enum mtls_reason decrypted(const struct unlock *u, int ret)
{
	switch (ret) {
	case 0:
		return MTLS_USABLE;
	case MBEDTLS_ERR_PKCS5_PASSWORD_MISMATCH:
	case MBEDTLS_ERR_PKCS12_PASSWORD_MISMATCH:
	case MBEDTLS_ERR_PEM_PASSWORD_MISMATCH:
		return fail(u, MTLS_PASSPHRASE_WRONG, MTLS_PASS, NULL);
	default: /* all else was looked at before */
		return fail(u, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	}
}

/* EncryptedPrivateKeyInfo, RFC 5958. mbedTLS decrypts in place. */
static enum mtls_reason unlock_pkcs8(const struct unlock *u)
{
	struct mtls_bytes rest = {u->der->p, u->der->n}, inside, oid, parameters, content, secret;
	mbedtls_asn1_buf name, buf;
	enum mtls_reason r;
	size_t block = 1, n = 0;
	bool pbes2;
	int ret;

	if (!der_take(&rest, DER_SEQUENCE, &inside) || rest.n || !der_algorithm(&inside, &oid, &parameters) ||
	    !der_take(&inside, DER_OCTETS, &secret) || inside.n)
		return fail(u, MTLS_KEY_MALFORMED, MTLS_KEY, "encrypted PKCS#8");
	name = asn1(oid, DER_OID);
	pbes2 = MBEDTLS_OID_CMP(MBEDTLS_OID_PKCS5_PBES2, &name) == 0;
	if (!der_take(&parameters, DER_SEQUENCE, &content) || parameters.n)
		return pbes2 ? fail(u, MTLS_KEY_MALFORMED, MTLS_KEY, "PBES2")
			     : unsupported(u, "encrypted with ", oid, "; this device reads PBES2");
	buf = asn1(content, DER_SEQUENCE);
	r = pbes2 ? check_pbes2(u, content, &block) : check_pkcs12(u, &name, content, &block);
	if (r == MTLS_USABLE)
		r = check_length(u, secret.n, block);
	if (r != MTLS_USABLE)
		return r;
	if (pbes2)
		ret = mbedtls_pkcs5_pbes2_ext(&buf, MBEDTLS_PKCS5_DECRYPT, u->blocks->pass.p, u->blocks->pass.n,
					      secret.p, secret.n, (unsigned char *)secret.p, secret.n, &n);
	else
		ret = run_pkcs12(&name, &buf, u->blocks->pass, secret, &n);
	if (ret == 0) {
		memmove(u->der->p, secret.p, n);
		u->der->n = n;
	}
	return decrypted(u, ret);
}

/* --- traditional PEM --------------------------------------------------------------------------------- */

#define DEK_NAME 24 /* bytes, with the NUL: of the longest name that mbedTLS knows, and some more */
#define DEK_IV   32 /* hexadecimal figures of the longest */

static bool is_space_or_comma(unsigned char c)
{
	return c == ',' || mtls_is_space(c);
}

/* "DEK-Info: NAME,IV", with the freedom that OpenSSL has there. n: of the name, which may be cut. */
static bool read_dek(struct mtls_bytes headers, char name[DEK_NAME], struct mtls_bytes *iv)
{
	struct mtls_bytes line = {NULL, 0};
	size_t at = 0, n = 0;

	while (at < headers.n) {
		line = mtls_bytes_line(headers, &at);
		if (mtls_bytes_take(&line, "DEK-Info:"))
			break;
		line.n = 0;
	}
	line = mtls_bytes_trim(line);
	for (; line.n && !is_space_or_comma(line.p[0]); line.p++, line.n--)
		if (n < DEK_NAME - 1)
			name[n++] = (char)(line.p[0] >= 'a' && line.p[0] <= 'z' ? line.p[0] - 'a' + 'A' : line.p[0]);
	name[n] = '\0';
	line = mtls_bytes_trim(line);
	if (mtls_bytes_take(&line, ","))
		line = mtls_bytes_trim(line);
	*iv = line;
	if (iv->n > DEK_IV)
		iv->n = DEK_IV;
	return n > 0;
}

#define BEGIN "-----BEGIN KEY-----"
#define END   "-----END KEY-----"

static void put(struct vault_heap *out, const void *p, size_t n)
{
	memcpy(out->p + out->n, p, n);
	out->n += n;
}

/* The block anew, with its headers to the letter as mbedTLS wants them, and a NUL. */
static int rewrite(struct mtls_bytes der, const char *name, struct mtls_bytes iv, struct vault_heap *out)
{
	static const char head[] = BEGIN "\nProc-Type: 4,ENCRYPTED\nDEK-Info: ", tail[] = END "\n";
	int ret = vault_heap_reserve(out, sizeof(head) + DEK_NAME + DEK_IV + 3 + VAULT_BASE64(der.n) + sizeof(tail));

	if (ret != 0)
		return ret;
	put(out, head, sizeof(head) - 1);
	put(out, name, strlen(name));
	put(out, ",", 1);
	put(out, iv.p, iv.n);
	put(out, "\n\n", 2);
	out->n += vault_base64(der, true, out->p + out->n);
	put(out, tail, sizeof(tail));
	return 0;
}

static int read_traditional(const struct vault_heap *text, mbedtls_pem_context *pem, struct mtls_bytes pass)
{
	size_t used;

	mbedtls_pem_init(pem);
	return mbedtls_pem_read_buffer(pem, BEGIN, END, text->p, pass.p, pass.n, &used);
}

static enum mtls_reason check_dek(const struct unlock *u, int ret, const char *name)
{
	struct mtls_text t = {.n = 0};

	switch (ret) {
	case MBEDTLS_ERR_PEM_PASSWORD_REQUIRED:
		return check_length(u, u->der->n, strncmp(name, "DES", 3) == 0 ? 8 : 16);
	case MBEDTLS_ERR_PEM_UNKNOWN_ENC_ALG:
	case MBEDTLS_ERR_PEM_FEATURE_UNAVAILABLE:
		mtls_text_put(&t, "encrypted with ");
		mtls_text_put(&t, name);
		mtls_text_put(&t, "; this device reads " TRADITIONAL);
		return fail(u, MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, t.s);
	case MBEDTLS_ERR_PEM_ALLOC_FAILED:
		return fail(u, MTLS_UNREADABLE, MTLS_KEY, "out of memory");
	default:
		return fail(u, MTLS_KEY_MALFORMED, MTLS_KEY, "headers");
	}
}

static enum mtls_reason unlock_traditional(const struct unlock *u, struct mtls_bytes headers)
{
	struct vault_heap text = {0};
	mbedtls_pem_context pem;
	char name[DEK_NAME];
	struct mtls_bytes iv;
	const unsigned char *plain;
	enum mtls_reason r;
	int ret;

	if (!read_dek(headers, name, &iv))
		return fail(u, MTLS_KEY_MALFORMED, MTLS_KEY, "headers");
	ret = rewrite((struct mtls_bytes){u->der->p, u->der->n}, name, iv, &text);
	if (ret == 0)
		ret = read_traditional(&text, &pem, (struct mtls_bytes){NULL, 0});
	r = check_dek(u, ret, name);
	if (r == MTLS_USABLE) {
		ret = read_traditional(&text, &pem, u->blocks->pass);
		if (ret == 0) {
			plain = mbedtls_pem_get_buffer(&pem, &u->der->n);
			memcpy(u->der->p, plain, u->der->n);
		}
		mbedtls_pem_free(&pem);
		r = decrypted(u, ret);
	}
	vault_heap_free(&text);
	return r;
}

enum mtls_reason vault_unlock(const struct mtls_blocks *blocks, const struct mtls_pem *pem, struct vault_heap *der,
			      struct mtls_error *error)
{
	struct unlock u = {blocks, der, error};

	return blocks->key_form == MTLS_KEY_PKCS8_ENCRYPTED ? unlock_pkcs8(&u) : unlock_traditional(&u, pem->headers);
}
