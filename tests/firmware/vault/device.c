/* SPDX-License-Identifier: Apache-2.0 */
/* A device for the vault's tests: see device.h. */
#include "device.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/platform.h>

#include "firmware/port/port.h"
#include "firmware/vault/inbox.h"
#include "firmware/vault/store.h"

/* --- the board -------------------------------------------------------------------------- */

static bool entropy(void *ctx, void *to, size_t n)
{
	struct device *d = ctx;
	unsigned char *p = to;

	d->asked++;
	if (d->deny && d->asked >= d->deny)
		return false;
	for (size_t i = 0; i < n; i++) {
		d->random = d->random * 1664525 + 1013904223;
		p[i] = (unsigned char)(d->random >> 24);
	}
	return true;
}

static bool device_key(void *ctx, uint8_t key[BOARD_KEY])
{
	struct device *d = ctx;

	memcpy(key, d->key, BOARD_KEY);
	return !d->no_key;
}

static bool wall(void *ctx, int64_t *seconds)
{
	(void)ctx;
	(void)seconds;
	return false;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool read_flash(void *ctx, uint32_t at, void *to, size_t n)
{
	struct device *d = ctx;

	return d->ram.flash.read(d->ram.flash.ctx, at, to, n);
}

static bool erase_flash(void *ctx, uint32_t at)
{
	struct device *d = ctx;

	return d->ram.flash.erase_unit(d->ram.flash.ctx, at);
}

/* The word that is flaky loses one bit more than it should, or keeps one. */
static bool program_flash(void *ctx, uint32_t at, const void *from, size_t n)
{
	struct device *d = ctx;
	size_t words = n / d->ram.flash.word;
	uint32_t wrong;

	if (!d->ram.flash.program(d->ram.flash.ctx, at, from, n))
		return false;
	if (d->flaky && d->flaky <= words) {
		wrong = at + (uint32_t)(d->flaky - 1) * d->ram.flash.word;
		d->ram.bytes[wrong] ^= 1;
	}
	d->flaky = d->flaky > words ? d->flaky - (unsigned)words : 0;
	return true;
}

void device_make(struct device *d, uint32_t word, unsigned seed)
{
	memset(d, 0, sizeof(*d));
	ck_assert(flash_ram_make(&d->ram, 512 << 10, 4096, word));
	d->board = (struct board){
		.name = "test",
		.flash = {d->ram.flash.size, d->ram.flash.erase, word, read_flash, program_flash, erase_flash, d},
		.system = {.now = now, .wall = wall, .entropy = entropy, .key = device_key, .ctx = d},
	};
	d->random = seed;
	for (int i = 0; i < BOARD_KEY; i++)
		d->key[i] = (uint8_t)(seed * 7 + 31 * (unsigned)i);
	board_bind(&d->board);
}

void device_free(struct device *d)
{
	struct device none;

	/* A boot that comes to nothing gives back what the last one had. */
	device_make(&none, 4, 1);
	none.no_key = true;
	none.deny = 1;
	vault_boot(&none.board);
	board_bind(NULL);
	flash_ram_free(&none.ram);
	flash_ram_free(&d->ram);
}

enum vault_result device_boot(struct device *d)
{
	flash_ram_power(&d->ram);
	return vault_boot(&d->board);
}

struct vault_layout device_layout(const struct device *d)
{
	struct vault_layout l;

	ck_assert(vault_flash_layout(&d->board.flash, vault_inbox_bytes(), vault_store_bytes(), &l));
	return l;
}

static bool blank(const struct device *d, uint32_t at, uint32_t n)
{
	const uint8_t *p = d->ram.bytes + at;

	return p[0] == 0xff && memcmp(p, p + 1, n - 1) == 0;
}

bool device_is_tidy(const struct device *d)
{
	struct vault_layout l = device_layout(d);
	int records = !blank(d, l.slot[0], l.slot_size) + !blank(d, l.slot[1], l.slot_size);

	return blank(d, l.inbox, l.inbox_size) && records == (device_status().generation > 0);
}

enum vault_result device_upload(const struct upload *u)
{
	enum vault_result r = vault_begin();

	/* In pieces of all sizes. */
	for (int i = 0; i < VAULT_FILES; i++) {
		size_t at = 0, piece = 1;

		for (; r == VAULT_OK && u->file[i].p && (at < u->file[i].n || piece == 1); at += piece, piece *= 3) {
			if (piece > u->file[i].n - at)
				piece = u->file[i].n - at;
			r = vault_put((enum vault_file)i, u->file[i].p + at, piece);
			if (piece == 0)
				break;
		}
	}
	return r == VAULT_OK ? vault_commit() : r;
}

struct vault_status device_status(void)
{
	struct vault_status s;

	vault_status(&s);
	return s;
}

/* --- whose credential it is ------------------------------------------------------------------ */

static const struct {
	uint16_t scheme;
	const char *hash;
	int padding; /* 0: ECDSA */
} SCHEMES[] = {
	{0x0401, "SHA256", RSA_PKCS1_PADDING},
	{0x0501, "SHA384", RSA_PKCS1_PADDING},
	{0x0601, "SHA512", RSA_PKCS1_PADDING},
	{0x0804, "SHA256", RSA_PKCS1_PSS_PADDING},
	{0x0805, "SHA384", RSA_PKCS1_PSS_PADDING},
	{0x0806, "SHA512", RSA_PKCS1_PSS_PADDING},
	{0x0403, "SHA256", 0},
	{0x0503, "SHA384", 0},
	{0x0603, "SHA512", 0},
};

static bool verifies(EVP_PKEY *key, size_t i, const unsigned char *hash, size_t n, const unsigned char *signature,
		     size_t length)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	bool ok = EVP_PKEY_verify_init(c) > 0 &&
		  EVP_PKEY_CTX_set_signature_md(c, EVP_get_digestbyname(SCHEMES[i].hash)) > 0;

	if (ok && SCHEMES[i].padding)
		ok = EVP_PKEY_CTX_set_rsa_padding(c, SCHEMES[i].padding) > 0;
	if (ok && SCHEMES[i].padding == RSA_PKCS1_PSS_PADDING)
		ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
	ok = ok && EVP_PKEY_verify(c, signature, length, hash, n) == 1;
	EVP_PKEY_CTX_free(c);
	return ok;
}

static bool stored_certificate_is_for(EVP_PKEY *key)
{
	struct mtls_bytes text = vault_file(VAULT_CERT);
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	bool is = x && EVP_PKEY_eq(X509_get0_pubkey(x), key) == 1;

	X509_free(x);
	BIO_free(bio);
	return is;
}

bool device_is(EVP_PKEY *key)
{
	const struct vault_signer *s = vault_signer();
	unsigned char hash[64], signature[VAULT_SIGNATURE];
	bool rsa = EVP_PKEY_is_a(key, "RSA");
	unsigned before = vault_signatures(), made = 0;
	size_t n, length;

	if (s->type() == MTLS_KEY_OTHER || (int)s->bits() != EVP_PKEY_get_bits(key))
		return false;
	memset(hash, 0x5a, sizeof(hash));
	for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
		n = (size_t)EVP_MD_get_size(EVP_get_digestbyname(SCHEMES[i].hash));
		if (s->sign(SCHEMES[i].scheme, hash, n, signature, &length) != (rsa == (SCHEMES[i].padding != 0)))
			return false;
		if (length == 0)
			continue;
		made++;
		if (!verifies(key, i, hash, n, signature, length) ||
		    s->sign(SCHEMES[i].scheme, hash, n - 1, signature, &length))
			return false;
	}
	return made >= 3 && vault_signatures() == before + made && stored_certificate_is_for(key);
}

bool device_signs_nothing(void)
{
	unsigned char hash[32] = {0}, signature[VAULT_SIGNATURE] = {1};
	size_t length;

	return vault_signer()->type() == MTLS_KEY_OTHER &&
	       !vault_signer()->sign(0x0403, hash, sizeof(hash), signature, &length) && length == 0 &&
	       signature[0] == 0;
}

/* --- secrets -------------------------------------------------------------------------------------- */

void secrets_add(struct secrets *s, const void *p, size_t n)
{
	ck_assert_uint_lt(s->n, SECRETS_MAX);
	ck_assert_uint_le(n, sizeof(s->secret[0].p));
	memcpy(s->secret[s->n].p, p, n);
	s->secret[s->n++].n = n;
}

void secrets_add_key(struct secrets *s, EVP_PKEY *key)
{
	static const char *const numbers[] = {OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PKEY_PARAM_RSA_D,
					      OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2};
	unsigned char bytes[512];
	int found = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		BIGNUM *number = NULL;

		if (!EVP_PKEY_get_bn_param(key, numbers[i], &number))
			continue;
		secrets_add(s, bytes, (size_t)BN_bn2bin(number, bytes));
		/* As mbedTLS has it in memory. */
		secrets_add(s, bytes, (size_t)BN_bn2lebinpad(number, bytes, BN_num_bytes(number)));
		BN_clear_free(number);
		found++;
	}
	ck_assert_int_gt(found, 0);
}

const char *secrets_in(const struct secrets *s, const void *p, size_t n)
{
	static const char begin[] = "-----BEGIN";
	static char said[64];
	size_t part = 12;

	if (memmem(p, n, begin, sizeof(begin) - 1))
		return begin;
	for (size_t i = 0; i < s->n; i++) {
		part = s->secret[i].n < 12 ? s->secret[i].n : 12;
		for (size_t at = 0; at + part <= s->secret[i].n; at += part) {
			if (!memmem(p, n, s->secret[i].p + at, part))
				continue;
			(void)snprintf(said, sizeof(said), "secret %zu, from its byte %zu", i, at);
			return said;
		}
	}
	return NULL;
}

/* --- mbedTLS's memory ------------------------------------------------------------------------------- */

static const struct secrets *watched;
static const char *seen;
static unsigned allocations, last_allocation;

static void *limited_calloc(size_t count, size_t size)
{
	if (++allocations == last_allocation)
		return NULL;
	return calloc(count, size);
}

/* glibc knows how long a block is. */
size_t malloc_usable_size(void *);

static void watching_free(void *p)
{
	if (p && watched && !seen)
		seen = secrets_in(watched, p, malloc_usable_size(p));
	free(p);
}

static void take_over(void)
{
	static bool done;

	if (!done)
		ck_assert_int_eq(mbedtls_platform_set_calloc_free(limited_calloc, watching_free), 0);
	done = true;
}

void secrets_watch(const struct secrets *s)
{
	take_over();
	watched = s;
	seen = NULL;
}

const char *secrets_seen(void)
{
	return seen;
}

unsigned memory_ends(unsigned k)
{
	unsigned before = allocations;

	take_over();
	allocations = 0;
	last_allocation = k;
	return before;
}
