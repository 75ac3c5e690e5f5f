/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token FILE [PIN-FILE [CERTIFICATE]]: opens the key that FILE names (host/token.h), signs with each scheme that TLS
 * has for it, and verifies with its public key in the default context, as a peer would. Prints "usable: SCHEME...", or
 * the reason word with its part and detail. After each line of standard input it does so again, the key of before still
 * open; after "again" that key is closed first, as it is at the end.
 */
#include "core/signing.h"
#include "host/token.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *hash, *type;
	int padding, bits;
} schemes[] = {
	{"ecdsa-sha256", "SHA256", "EC", 0, 256},
	{"ecdsa-sha384", "SHA384", "EC", 0, 384},
	{"rsa-pss-sha256", "SHA256", "RSA", RSA_PKCS1_PSS_PADDING, 0},
	{"rsa-pss-sha512", "SHA512", "RSA", RSA_PKCS1_PSS_PADDING, 0},
	{"rsa-pkcs1-sha256", "SHA256", "RSA", RSA_PKCS1_PADDING, 0},
	{"ed25519", NULL, "ED25519", 0, 0},
};

static bool pad(EVP_PKEY_CTX *c, int padding)
{
	if (padding && EVP_PKEY_CTX_set_rsa_padding(c, padding) <= 0)
		return false;
	return padding != RSA_PKCS1_PSS_PADDING || EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool works(const struct mtls_token *t, EVP_PKEY *public, const char *hash, int padding)
{
	static const unsigned char text[] = "to be signed";
	EVP_MD_CTX *c = EVP_MD_CTX_new(), *v = EVP_MD_CTX_new();
	unsigned char signature[MTLS_SIGNATURE_MAX];
	size_t n = sizeof(signature);
	EVP_PKEY_CTX *p;
	bool ok = EVP_DigestSignInit_ex(c, &p, hash, t->context, t->properties, t->key, NULL) > 0 && pad(p, padding) &&
		  EVP_DigestSign(c, signature, &n, text, sizeof(text)) > 0 &&
		  EVP_DigestVerifyInit_ex(v, &p, hash, NULL, NULL, public, NULL) > 0 && pad(p, padding) &&
		  EVP_DigestVerify(v, signature, n, text, sizeof(text)) > 0;

	EVP_MD_CTX_free(c);
	EVP_MD_CTX_free(v);
	return ok;
}

static size_t read_file(const char *path, unsigned char *room, size_t size)
{
	FILE *f = path ? fopen(path, "re") : NULL;
	size_t n = f ? fread(room, 1, size, f) : 0;

	if (f)
		fclose(f);
	return n;
}

static EVP_PKEY *public_of(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	const unsigned char *p = der;
	EVP_PKEY *public = n > 0 ? d2i_PUBKEY(NULL, &p, n) : NULL;

	OPENSSL_free(der);
	return public;
}

static void try(const struct mtls_token *t, const char *certificate)
{
	FILE *f = certificate ? fopen(certificate, "re") : NULL;
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	EVP_PKEY *public = x ? X509_get_pubkey(x) : public_of(t->key);

	printf("usable:");
	if (!public)
		printf(" no-public-key");
	if (x && !X509_check_private_key(x, t->key))
		printf(" no-pair");
	for (size_t i = 0; public && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (EVP_PKEY_is_a(public, schemes[i].type) &&
		    (!schemes[i].bits || schemes[i].bits == EVP_PKEY_get_bits(public)) &&
		    works(t, public, schemes[i].hash, schemes[i].padding))
			printf(" %s", schemes[i].name);
	printf("\n");
	EVP_PKEY_free(public);
	X509_free(x);
	if (f)
		fclose(f);
}

/* The PIN as core/ reads it: the first line. */
static void open_and_try(char **argv, struct mtls_token *token)
{
	unsigned char text[8192], pass[2000];
	struct mtls_bytes all = {text, read_file(argv[1], text, sizeof(text))}, pin = {pass, 0};
	size_t n = argv[2] ? read_file(argv[2], pass, sizeof(pass)) : 0, at = 0;
	struct mtls_error e = {.detail = ""};
	enum mtls_reason reason;

	if (n)
		pin = mtls_bytes_line((struct mtls_bytes){pass, n}, &at);
	reason = mtls_token_open(all, pin, token, &e);
	if (reason == MTLS_USABLE)
		try(token, argv[2] ? argv[3] : NULL);
	else
		printf("%s: %s: %s\n", mtls_reason_word(reason), mtls_part_file(e.part), e.detail);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct mtls_token token = {NULL, NULL, NULL, NULL}, before = token;
	char line[100];

	if (argc < 2)
		return 64;
	open_and_try(argv, &token);
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "again\n") == 0)
			mtls_token_close(&token);
		mtls_token_close(&before);
		before = token;
		open_and_try(argv, &token);
	}
	mtls_token_close(&before);
	mtls_token_close(&token);
	return 0;
}
