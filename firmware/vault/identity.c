/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser for mbedTLS: reads the chain and compares the pair. Keys are opened in key.c. Certificates are read one by
 * one and let go: a chain of 32 would be most of a small device's memory.
 */
#include "firmware/vault/identity.h"
#include "firmware/vault/der.h"
#include "firmware/vault/random.h"
#include "core/text.h"

#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#define ENTRY 5   /* bytes that TLS 1.3 adds to each certificate, RFC 8446 4.4.2; TLS 1.2 adds 3 */
#define FRAME 128 /* and to all of them, with room for a record's own */

/* mbedTLS's sums of a high-level and a low-level error. */
#define HIGH(ret) (-(-(ret) & ~0x7f))

/* In mbedTLS's memory: its certificates are large for a stack. */
struct load {
	const struct mtls_blocks *blocks;
	struct mtls_error *error;
	mbedtls_x509_crt leaf, other;
	size_t unsupported; /* number of the first certificate that mbedTLS cannot use, from 1; 0: none */
	const char *why;
};

static enum mtls_reason fail(struct mtls_error *e, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	return mtls_fail(e, reason, part, mtls_bytes_of(detail));
}

static enum mtls_reason fail_number(struct mtls_error *e, enum mtls_reason reason, enum mtls_part part,
				    const char *before, size_t number, const char *behind)
{
	struct mtls_text t = {.n = 0};

	mtls_text_put(&t, before);
	mtls_text_number(&t, number);
	mtls_text_put(&t, behind);
	return fail(e, reason, part, t.s);
}

/* --- one certificate ---------------------------------------------------------------------------- */

/* The certificate alone, cut off what OpenSSL writes behind a trusted one. */
static bool certificate_part(struct mtls_bytes label, struct vault_heap *der)
{
	struct mtls_bytes rest = {der->p, der->n}, content;

	if (!der_take(&rest, DER_SEQUENCE, &content))
		return false;
	der->n -= rest.n;
	if (rest.n == 0)
		return true;
	return mtls_bytes_start(label, "TRUSTED") && der_take(&rest, DER_SEQUENCE, &content) && rest.n == 0;
}

/* 0 and the certificate's DER, or mbedTLS's error. */
static int decode(struct mtls_bytes block, struct vault_heap *der)
{
	struct mtls_pem pem;
	int ret = vault_block_decode(block, &pem, der);

	if (ret == 0 && !certificate_part(pem.label, der)) {
		vault_heap_free(der);
		ret = MBEDTLS_ERR_X509_INVALID_FORMAT;
	}
	return ret;
}

/*
 * What mbedTLS says of a certificate that is well formed, but not for it; NULL: nothing. *surely: it cannot be that it
 * had no memory and does not tell.
 */
static const char *not_for_us(int ret, bool *surely)
{
	*surely = true;
	switch (HIGH(ret)) {
	case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
		return " has a kind of key that this device does not know";
	case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE:
		return " has a key on a curve that this device does not have";
	case MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG:
		return " is signed in a way that this device does not know";
	case MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE:
		return " has a critical extension that this device does not know";
	default:
		*surely = false;
	}
	/* Alone it is no error of the key's DER. */
	return ret == MBEDTLS_ERR_PK_INVALID_PUBKEY
		       ? " has a public key that this device cannot use (RSA: at most 4096 bits)"
		       : NULL;
}

/* One that mbedTLS knows it cannot use is left out of a list, and spoils no other. */
static bool is_left_out(int ret)
{
	bool surely;

	return not_for_us(ret, &surely) && surely;
}

static int parse(struct mtls_bytes block, mbedtls_x509_crt *crt)
{
	struct vault_heap der;
	int ret = decode(block, &der);

	if (ret != 0)
		return ret;
	ret = mbedtls_x509_crt_parse_der(crt, der.p, der.n);
	vault_heap_free(&der);
	return ret;
}

/* --- the chain ------------------------------------------------------------------------------------ */

/* mbedTLS sends the chain in one piece, and would end the handshake where it cannot. */
static enum mtls_reason read_chain(struct load *l)
{
	size_t size = FRAME;
	const char *why;
	bool surely;
	int ret;

	for (size_t i = 0; i < l->blocks->n_certs; i++) {
		mbedtls_x509_crt_init(&l->other);
		ret = parse(l->blocks->cert[i], i == 0 ? &l->leaf : &l->other);
		size += ENTRY + (i == 0 ? l->leaf.raw.len : l->other.raw.len);
		mbedtls_x509_crt_free(&l->other);
		if (ret == 0)
			continue;
		if (vault_no_memory(ret))
			return fail(l->error, MTLS_UNREADABLE, MTLS_CERT, "out of memory");
		why = not_for_us(ret, &surely);
		if (!why)
			return fail_number(l->error, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, "certificate ", i + 1, "");
		if (!l->unsupported) {
			l->unsupported = i + 1;
			l->why = why;
		}
	}
	if (size > MBEDTLS_SSL_OUT_CONTENT_LEN)
		return fail_number(l->error, MTLS_TOO_LARGE, MTLS_CERT,
				   "the chain is longer than this device can send (", MBEDTLS_SSL_OUT_CONTENT_LEN,
				   " bytes)");
	return MTLS_USABLE;
}

/* --- the pair --------------------------------------------------------------------------------------- */

static enum mtls_reason check_pair(struct load *l, const struct vault_identity *id)
{
	int ret;

	if (l->unsupported)
		return fail_number(l->error, MTLS_KEY_UNSUPPORTED, MTLS_CERT, "certificate ", l->unsupported, l->why);
	ret = mbedtls_pk_check_pair(&l->leaf.pk, &id->key, vault_random, NULL);
	if (ret == 0)
		return MTLS_USABLE;
	return vault_no_memory(ret) ? fail(l->error, MTLS_UNREADABLE, MTLS_KEY, "out of memory")
				    : fail(l->error, MTLS_PAIR_MISMATCH, MTLS_KEY, NULL);
}

static void unload(void *ctx, void *identity)
{
	struct vault_identity *id = identity;

	(void)ctx;
	if (!id)
		return;
	mbedtls_pk_free(&id->key);
	vault_heap_free(&id->plain);
	mbedtls_platform_zeroize(id, sizeof(*id));
	mbedtls_free(id);
}

static enum mtls_reason load(void *ctx, const struct mtls_blocks *blocks, void **identity, struct mtls_error *error)
{
	struct vault_identity *id = mbedtls_calloc(1, sizeof(*id));
	struct load *l = mbedtls_calloc(1, sizeof(*l));
	enum mtls_reason r;

	(void)ctx;
	*identity = NULL;
	if (!id || !l) {
		mbedtls_free(id);
		mbedtls_free(l);
		return fail(error, MTLS_UNREADABLE, MTLS_CERT, "out of memory");
	}
	l->blocks = blocks;
	l->error = error;
	mbedtls_pk_init(&id->key);
	mbedtls_x509_crt_init(&l->leaf);
	r = read_chain(l);
	if (r == MTLS_USABLE)
		r = vault_key_read(blocks, &id->key, &id->plain, error);
	if (r == MTLS_USABLE)
		r = check_pair(l, id);
	mbedtls_x509_crt_free(&l->leaf);
	mbedtls_free(l);
	if (r != MTLS_USABLE) {
		unload(NULL, id);
		return r;
	}
	id->type = vault_key_type(&id->key);
	*identity = id;
	return fail(error, MTLS_USABLE, MTLS_NOTHING, NULL);
}

const struct mtls_parser vault_parser = {load, unload};

/* --- lists of certificates ----------------------------------------------------------------------------- */

static bool is_certificate(struct mtls_bytes label)
{
	return mtls_bytes_equal(label, mtls_bytes_of("CERTIFICATE")) ||
	       mtls_bytes_equal(label, mtls_bytes_of("X509 CERTIFICATE")) ||
	       mtls_bytes_equal(label, mtls_bytes_of("TRUSTED CERTIFICATE"));
}

static int look_at(const struct vault_heap *der)
{
	mbedtls_x509_crt crt;
	int ret;

	mbedtls_x509_crt_init(&crt);
	ret = mbedtls_x509_crt_parse_der(&crt, der->p, der->n);
	mbedtls_x509_crt_free(&crt);
	return ret;
}

/* What is written never passes what was read: see vault_block_encode, and there is a line end between two blocks. */
bool vault_certificates_only(unsigned char *text, size_t *n)
{
	struct vault_heap der;
	struct mtls_pem pem;
	size_t at = 0, to = 0, end;
	int ret;

	while (mtls_pem_next((struct mtls_bytes){text, *n}, &at, &pem)) {
		if (!is_certificate(pem.label))
			continue;
		ret = decode(pem.whole, &der);
		if (ret == 0)
			ret = look_at(&der);
		end = (size_t)(pem.whole.p - text) + pem.whole.n;
		if (ret == 0 && to)
			text[to++] = '\n';
		if (ret == 0)
			to += vault_block_encode("CERTIFICATE", (struct mtls_bytes){der.p, der.n}, text + to, end - to);
		vault_heap_free(&der);
		if (ret != 0 && !is_left_out(ret))
			return false;
	}
	mbedtls_platform_zeroize(text + to, *n - to);
	*n = to;
	return true;
}

/*
 * A boot parses the whole list, and keeps it beside all connections. What one of them needs is left free here: both
 * buffers, and 16 kB for the handshake's keys and certificates and for our own chain (docs/FIRMWARE.md has figures).
 * Each certificate could be parsed alone: what fails here is memory.
 */
static bool fits_memory(struct mtls_bytes text)
{
	size_t at = 0, need = MBEDTLS_SSL_IN_CONTENT_LEN + MBEDTLS_SSL_OUT_CONTENT_LEN + ((size_t)16 << 10);
	mbedtls_x509_crt all;
	struct mtls_pem pem;
	void *rest = NULL;
	bool fits = true;
	int ret;

	mbedtls_x509_crt_init(&all);
	while (fits && mtls_pem_next(text, &at, &pem)) {
		ret = is_certificate(pem.label) ? parse(pem.whole, &all) : 0;
		fits = ret == 0 || is_left_out(ret);
	}
	if (fits)
		rest = mbedtls_calloc(1, need);
	mbedtls_free(rest);
	mbedtls_x509_crt_free(&all);
	return fits && rest;
}

enum mtls_reason vault_check_cas(struct mtls_bytes text, struct mtls_error *error)
{
	static const char name[] = "ca_certs.pem: certificate ";
	const char *said, *why = NULL;
	size_t at = 0, number = 0, usable = 0;
	bool surely = true;
	struct vault_heap der;
	struct mtls_pem pem;
	int ret;

	while (mtls_pem_next(text, &at, &pem)) {
		if (!is_certificate(pem.label))
			continue;
		number++;
		ret = decode(pem.whole, &der);
		if (ret == 0)
			ret = look_at(&der);
		vault_heap_free(&der);
		usable += ret == 0;
		if (ret == 0)
			continue;
		if (vault_no_memory(ret))
			return fail(error, MTLS_UNREADABLE, MTLS_NOTHING, "ca_certs.pem: out of memory");
		said = not_for_us(ret, &surely);
		if (!said || !surely)
			return fail_number(error, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING, name, number,
					   said ? said : "");
		why = said;
	}
	if (usable && !fits_memory(text))
		return fail(error, MTLS_TOO_LARGE, MTLS_NOTHING,
			    "ca_certs.pem: too many CAs for the heap (FIRMWARE_HEAP)");
	if (usable)
		return fail(error, MTLS_USABLE, MTLS_NOTHING, NULL);
	if (number)
		return fail_number(error, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING, name, number, why);
	return fail(error, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING, "ca_certs.pem: no certificate block");
}
