/* SPDX-License-Identifier: Apache-2.0 */
/* How a key is encrypted, and its decryption with GnuTLS's primitives: see gnutls_decrypt.h. */
#include "shim/gnutls_decrypt.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KEY_MAX   32
#define HASH_MAX  64
#define MD5_SIZE  16
#define SALT_SIZE 8

static const struct {
	const char *dek, *oid; /* NULL: not in this form */
	struct gtls_lock lock;
} CIPHERS[] = {
	{"AES-128-CBC", "2.16.840.1.101.3.4.1.2", {.cipher = GNUTLS_CIPHER_AES_128_CBC, .key_size = 16, .block = 16}},
	{"AES-192-CBC", "2.16.840.1.101.3.4.1.22", {.cipher = GNUTLS_CIPHER_AES_192_CBC, .key_size = 24, .block = 16}},
	{"AES-256-CBC", "2.16.840.1.101.3.4.1.42", {.cipher = GNUTLS_CIPHER_AES_256_CBC, .key_size = 32, .block = 16}},
	{"DES-EDE3-CBC", "1.2.840.113549.3.7", {.cipher = GNUTLS_CIPHER_3DES_CBC, .key_size = 24, .block = 8}},
	{"CAMELLIA-128-CBC", NULL, {.cipher = GNUTLS_CIPHER_CAMELLIA_128_CBC, .key_size = 16, .block = 16}},
	{"CAMELLIA-192-CBC", NULL, {.cipher = GNUTLS_CIPHER_CAMELLIA_192_CBC, .key_size = 24, .block = 16}},
	{"CAMELLIA-256-CBC", NULL, {.cipher = GNUTLS_CIPHER_CAMELLIA_256_CBC, .key_size = 32, .block = 16}},
};
#define CIPHERS_N (sizeof(CIPHERS) / sizeof(CIPHERS[0]))

/* --- a traditional block -------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_iv(struct gtls_lock *lock, const char *p)
{
	int high, low;

	p += strspn(p, " \t");
	if (*p++ != ',')
		return false;
	p += strspn(p, " \t");
	for (size_t i = 0; i < lock->block; i++, p += 2) {
		high = hex(p[0]);
		low = high < 0 ? -1 : hex(p[1]);
		if (low < 0)
			return false;
		lock->iv[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* "DEK-Info: NAME,IV", as PEM_get_EVP_CIPHER_INFO reads it. */
enum mtls_reason gtls_lock_traditional(struct mtls_bytes headers, struct gtls_lock *lock,
				       char name[GTLS_ALGORITHM_NAME])
{
	static const char begin[] = "DEK-Info:";
	const char *p = NULL;
	char text[512];
	size_t n = 0;

	if (headers.n < sizeof(text) && !memchr(headers.p, '\0', headers.n)) {
		memcpy(text, headers.p, headers.n);
		text[headers.n] = '\0';
		p = strstr(text, begin);
	}
	if (p) {
		p += sizeof(begin) - 1;
		p += strspn(p, " \t");
		n = strcspn(p, ", \t\r\n");
	}
	(void)snprintf(name, GTLS_ALGORITHM_NAME, "headers");
	if (n == 0)
		return MTLS_KEY_MALFORMED;
	for (size_t i = 0; i < CIPHERS_N; i++) {
		if (strlen(CIPHERS[i].dek) != n || strncasecmp(p, CIPHERS[i].dek, n) != 0)
			continue;
		*lock = CIPHERS[i].lock;
		return read_iv(lock, p + n) ? MTLS_USABLE : MTLS_KEY_MALFORMED;
	}
	(void)snprintf(name, GTLS_ALGORITHM_NAME, "%.*s", (int)n, p);
	return MTLS_KEY_UNSUPPORTED;
}

/* EVP_BytesToKey with MD5 and one round: each part of the key hashes the part before, the passphrase and the IV. */
static bool derive_md5(const struct gtls *g, const struct gtls_lock *lock, struct mtls_bytes pass,
		       unsigned char key[KEY_MAX])
{
	unsigned char text[MD5_SIZE + MTLS_PASS_MAX + SALT_SIZE];
	size_t before = 0;
	bool ok = true;

	for (size_t n = 0; ok && n < lock->key_size; n += MD5_SIZE) {
		memcpy(text + before, pass.p, pass.n);
		memcpy(text + before + pass.n, lock->iv, SALT_SIZE);
		ok = g->f.gnutls_hash_fast(GNUTLS_DIG_MD5, text, before + pass.n + SALT_SIZE, text) >= 0;
		before = MD5_SIZE;
		memcpy(key + n, text, lock->key_size - n < MD5_SIZE ? lock->key_size - n : MD5_SIZE);
	}
	gtls_wipe(text, sizeof(text));
	return ok;
}

/* --- PBES2 ---------------------------------------------------------------- */

/* An AlgorithmIdentifier: its name, and what comes behind that. */
static bool read_algorithm(struct mtls_bytes *from, char name[GTLS_ALGORITHM_NAME], struct mtls_bytes *parameters)
{
	struct mtls_bytes oid;

	return gtls_der_take(from, DER_SEQUENCE, parameters) && gtls_der_take(parameters, DER_OID, &oid) &&
	       gtls_der_oid(oid, name, GTLS_ALGORITHM_NAME);
}

static bool read_number(struct mtls_bytes *from, unsigned *number)
{
	struct mtls_bytes content;

	if (!gtls_der_take(from, DER_INTEGER, &content) || content.n == 0 || content.n > 4 || content.p[0] & 0x80)
		return false;
	for (*number = 0; content.n; content.p++, content.n--)
		*number = *number << 8 | content.p[0];
	return true;
}

/* PBKDF2-params, RFC 8018 A.2. */
static bool read_pbkdf2(const struct gtls *g, struct mtls_bytes parameters, struct gtls_lock *lock)
{
	struct mtls_bytes inside, nothing;
	char name[GTLS_ALGORITHM_NAME];
	unsigned size;

	if (!gtls_der_take(&parameters, DER_SEQUENCE, &inside) || parameters.n)
		return false;
	if (!gtls_der_take(&inside, DER_OCTETS, &lock->salt) || !read_number(&inside, &lock->iterations) ||
	    lock->iterations == 0)
		return false;
	if (read_number(&inside, &size) && size != lock->key_size)
		return false;
	lock->prf = GNUTLS_MAC_SHA1;
	if (inside.n == 0)
		return true;
	if (!read_algorithm(&inside, name, &nothing) || inside.n)
		return false;
	lock->prf = g->f.gnutls_oid_to_mac(name);
	return lock->prf != GNUTLS_MAC_UNKNOWN;
}

static bool read_cipher(const char *oid, struct mtls_bytes parameters, struct gtls_lock *lock)
{
	struct mtls_bytes iv;

	for (size_t i = 0; i < CIPHERS_N; i++) {
		if (!CIPHERS[i].oid || strcmp(oid, CIPHERS[i].oid) != 0)
			continue;
		*lock = CIPHERS[i].lock;
		if (!gtls_der_take(&parameters, DER_OCTETS, &iv) || parameters.n || iv.n != lock->block)
			return false;
		memcpy(lock->iv, iv.p, iv.n);
		return true;
	}
	return false;
}

enum mtls_reason gtls_lock_pbes2(const struct gtls *g, struct mtls_bytes parameters, struct gtls_lock *lock, char *name,
				 size_t size)
{
	struct mtls_bytes both, kdf_parameters, cipher_parameters;
	char kdf[GTLS_ALGORITHM_NAME], cipher[GTLS_ALGORITHM_NAME];

	(void)snprintf(name, size, "PBES2");
	if (!gtls_der_take(&parameters, DER_SEQUENCE, &both) || parameters.n ||
	    !read_algorithm(&both, kdf, &kdf_parameters) || !read_algorithm(&both, cipher, &cipher_parameters) ||
	    both.n)
		return MTLS_KEY_MALFORMED;
	(void)snprintf(name, size, "%s, %s", kdf, cipher);
	if (strcmp(kdf, "1.2.840.113549.1.5.12") != 0 || !read_cipher(cipher, cipher_parameters, lock) ||
	    !read_pbkdf2(g, kdf_parameters, lock))
		return MTLS_KEY_UNSUPPORTED;
	return MTLS_USABLE;
}

/* RFC 8018 5.2. GnuTLS has a function for it, but only since 3.6.13. */
static bool derive_pbkdf2(const struct gtls *g, const struct gtls_lock *lock, struct mtls_bytes pass,
			  unsigned char key[KEY_MAX])
{
	size_t n = 0, part, size = g->f.gnutls_hmac_get_len(lock->prf);
	unsigned char u[HASH_MAX], t[HASH_MAX], number[4] = {0};
	gnutls_hmac_hd_t mac = NULL;
	bool ok = size && size <= HASH_MAX && g->f.gnutls_hmac_init(&mac, lock->prf, pass.p, pass.n) >= 0;

	while (ok && n < lock->key_size) {
		number[3]++;
		ok = g->f.gnutls_hmac(mac, lock->salt.p, lock->salt.n) >= 0 && g->f.gnutls_hmac(mac, number, 4) >= 0;
		g->f.gnutls_hmac_output(mac, u);
		memcpy(t, u, size);
		for (unsigned i = 1; ok && i < lock->iterations; i++) {
			ok = g->f.gnutls_hmac(mac, u, size) >= 0;
			g->f.gnutls_hmac_output(mac, u);
			for (size_t k = 0; k < size; k++)
				t[k] ^= u[k];
		}
		part = lock->key_size - n < size ? lock->key_size - n : size;
		memcpy(key + n, t, part);
		n += part;
	}
	if (mac)
		g->f.gnutls_hmac_deinit(mac, NULL);
	gtls_wipe(u, sizeof(u));
	gtls_wipe(t, sizeof(t));
	return ok;
}

/* --- both ----------------------------------------------------------------- */

bool gtls_unlock(const struct gtls *g, const struct gtls_lock *lock, struct mtls_bytes pass, struct mtls_bytes secret,
		 struct gtls_buffer *plain)
{
	gnutls_datum_t iv = {(unsigned char *)lock->iv, (unsigned)lock->block};
	unsigned char key[KEY_MAX];
	gnutls_datum_t key_datum = {key, (unsigned)lock->key_size};
	gnutls_cipher_hd_t cipher = NULL;
	bool ok = pass.n <= MTLS_PASS_MAX && gtls_buffer_reserve(plain, secret.n);

	if (ok)
		ok = lock->prf == GNUTLS_MAC_UNKNOWN ? derive_md5(g, lock, pass, key)
						     : derive_pbkdf2(g, lock, pass, key);
	if (ok && g->f.gnutls_cipher_init(&cipher, lock->cipher, &key_datum, &iv) >= 0) {
		if (g->f.gnutls_cipher_decrypt2(cipher, secret.p, secret.n, plain->p, secret.n) >= 0)
			plain->n = secret.n;
		g->f.gnutls_cipher_deinit(cipher);
	}
	gtls_wipe(key, sizeof(key));
	return plain->n > 0;
}

bool gtls_padding_off(const struct gtls_lock *lock, struct gtls_buffer *plain)
{
	size_t pad = plain->n ? plain->p[plain->n - 1] : 0;

	if (pad == 0 || pad > lock->block || pad > plain->n)
		return false;
	for (size_t i = 1; i <= pad; i++)
		if (plain->p[plain->n - i] != pad)
			return false;
	plain->n -= pad;
	return true;
}
