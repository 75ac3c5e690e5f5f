/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taken_key PORT: connects, and then asks of the key on its connection object what programs ask of keys, without a look
 * at what comes of it. Prints what the server saw, and "signed" if the key signed something that is not TLS.
 *
 * link: -lssl -lcrypto
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tests/probes/probe.h"

#include <openssl/pem.h>

static bool sign_in_parts(EVP_PKEY *key, const EVP_MD *hash)
{
	EVP_MD_CTX *making = EVP_MD_CTX_new();
	unsigned char signature[2048];
	size_t n = sizeof(signature);
	bool made;

	EVP_DigestSignInit(making, NULL, hash, NULL, key);
	EVP_DigestSignUpdate(making, "text", 4);
	made = EVP_DigestSignFinal(making, signature, &n) > 0;
	EVP_MD_CTX_free(making);
	return made;
}

static bool sign_at_once(EVP_PKEY *key, const EVP_MD *hash)
{
	EVP_MD_CTX *making = EVP_MD_CTX_new();
	unsigned char signature[2048];
	size_t n = sizeof(signature);
	bool made;

	EVP_DigestSignInit(making, NULL, hash, NULL, key);
	made = EVP_DigestSign(making, signature, &n, (const unsigned char *)"text", 4) > 0;
	EVP_MD_CTX_free(making);
	return made;
}

static bool sign_digest(EVP_PKEY *key)
{
	EVP_PKEY_CTX *making = EVP_PKEY_CTX_new(key, NULL);
	unsigned char signature[2048], digest[32] = {0};
	size_t n = sizeof(signature);
	bool made = EVP_PKEY_sign_init(making) > 0 && EVP_PKEY_sign(making, signature, &n, digest, sizeof(digest)) > 0;

	EVP_PKEY_CTX_free(making);
	return made;
}

static bool sign_request(EVP_PKEY *key)
{
	X509_REQ *request = X509_REQ_new();
	bool made;

	X509_REQ_set_pubkey(request, key);
	made = X509_REQ_sign(request, key, EVP_sha256()) > 0;
	X509_REQ_free(request);
	return made;
}

/* true: written */
static bool write_out(EVP_PKEY *key)
{
	BIO *out = BIO_new(BIO_s_mem());
	bool written = PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) > 0 ||
		       PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) > 0 ||
		       i2d_PrivateKey(key, NULL) > 0;

	PEM_write_bio_PUBKEY(out, key);
	EVP_PKEY_print_public(out, key, 0, NULL);
	EVP_PKEY_print_private(out, key, 0, NULL);
	BIO_free(out);
	return written;
}

static void use(EVP_PKEY *key)
{
	if (write_out(key))
		puts("written");
	if (sign_in_parts(key, EVP_sha256()) || sign_in_parts(key, NULL) || sign_at_once(key, EVP_sha256()) ||
	    sign_at_once(key, NULL) || sign_digest(key) || sign_request(key))
		puts("signed");
	if (EVP_PKEY_get0_RSA(key) || EVP_PKEY_get0_EC_KEY(key))
		puts("opened");
}

int main(int argc, char *argv[])
{
	SSL_CTX *ctx = context_new();
	SSL *ssl = ssl_new(ctx);
	int fd = connect_to("127.0.0.1", argc == 2 ? argv[1] : "");

	SSL_set_fd(ssl, fd);
	talk(ssl, fd);
	if (!SSL_get_privatekey(ssl))
		die("no key");
	use(SSL_get_privatekey(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return 0;
}
