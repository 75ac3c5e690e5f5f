/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred new: a private key and a self-signed certificate in the folder, and
 * what a server's administrator wants to know of them; or with --csr a request, whose key waits beside the credential
 * in force. What is there already stays, unless --force is given: a key that is overwritten is lost for good. With
 * --key-uri the key is in a token and stays there; what would hold it holds its name.
 */
#include "launcher/cred/certificate.h"
#include "launcher/cred/report.h"
#include "launcher/cred/store.h"
#include "launcher/cred/target.h"
#include "launcher/cred/token.h"

#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	struct cred_request request;
	char host[HOST_NAME_MAX + 1];
	bool force, self_signed, csr, days_given, type_given;
	const char *uri;        /* --key-uri, or NULL */
	struct cred_bytes text; /* what it means */
	struct mtls_token token;
};

static int set_days(const struct cred *cred, struct options *o, const char *text)
{
	char *end;
	long days;

	errno = 0;
	days = strtol(text, &end, 10);
	if (errno || end == text || *end || days < 1 || days > CRED_DAYS_MAX)
		return cred_fail(cred, CRED_USAGE, "--days %s: not a number from 1 to %d", text, CRED_DAYS_MAX);
	o->request.days = (int)days;
	o->days_given = true;
	return CRED_GO_ON;
}

static int set_type(const struct cred *cred, struct options *o, const char *text)
{
	static const char *const names[] = {[CRED_EC] = "ec", [CRED_RSA] = "rsa", [CRED_ED25519] = "ed25519"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			o->request.type = (enum cred_key_type)i;
			o->type_given = true;
			return CRED_GO_ON;
		}
	return cred_fail(cred, CRED_USAGE, "--type %s: not one of ec, rsa, ed25519", text);
}

static int set_name(const struct cred *cred, struct options *o)
{
	if (!o->request.cn) {
		if (gethostname(o->host, sizeof(o->host) - 1) != 0 || !o->host[0])
			return cred_fail(cred, CRED_FAILED, "this host has no name: say --cn NAME");
		o->request.cn = o->host;
	}
	if (!o->request.cn[0] || strlen(o->request.cn) > CRED_CN_MAX)
		return cred_fail(cred, CRED_USAGE, "--cn: a name has 1 to %d bytes", CRED_CN_MAX);
	return CRED_GO_ON;
}

static int take_options(struct cred *cred, struct options *o, int argc, char **argv)
{
	static const struct option options[] = {{"cn", required_argument, NULL, 'n'},
						{"days", required_argument, NULL, 'D'},
						{"type", required_argument, NULL, 't'},
						{"force", no_argument, NULL, 'f'},
						{"self-signed", no_argument, NULL, 's'},
						{"csr", no_argument, NULL, 'r'},
						{"key-uri", required_argument, NULL, 'x'},
						CRED_COMMON_OPTIONS,
						{NULL, 0, NULL, 0}};
	int option, status = CRED_GO_ON;

	while (status == CRED_GO_ON && (option = getopt_long(argc, argv, CRED_SHORT, options, NULL)) != -1) {
		if (option == 'n')
			o->request.cn = optarg;
		else if (option == 'D')
			status = set_days(cred, o, optarg);
		else if (option == 't')
			status = set_type(cred, o, optarg);
		else if (option == 'f')
			o->force = true;
		else if (option == 's')
			o->self_signed = true;
		else if (option == 'r')
			o->csr = true;
		else if (option == 'x')
			o->uri = optarg;
		else
			status = cred_common_option(cred, option, argv);
	}
	if (status == CRED_GO_ON && o->uri && o->type_given)
		status = cred_fail(cred, CRED_USAGE, "--type: the key of --key-uri is there already");
	if (o->uri && !o->self_signed)
		o->csr = true;
	if (status == CRED_GO_ON && o->csr && (o->self_signed || o->days_given))
		status = cred_fail(cred, CRED_USAGE, "--csr: %s",
				   o->self_signed ? "a request is not self-signed; say one of the two"
						  : "who signs the request decides on its --days");
	if (status == CRED_GO_ON)
		status = set_name(cred, o);
	return status == CRED_GO_ON ? cred_begin(cred, argc, argv) : status;
}

static int fail_crypto(const struct cred *cred)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	return cred_fail(cred, CRED_FAILED, "libcrypto cannot make it: %s", why ? why : "no reason given");
}

/* A new one, or the token's. */
static EVP_PKEY *take_key(struct options *o)
{
	if (!o->uri)
		return cred_make_key(o->request.type);
	return EVP_PKEY_up_ref(o->token.key) ? o->token.key : NULL;
}

/* What stands for it in private_key.pem. A memory BIO wipes what it held when it grows and when it is freed. */
static bool write_key(const struct options *o, EVP_PKEY *key, BIO *out)
{
	if (!o->uri)
		return PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	return BIO_write(out, o->text.p, (int)o->text.n) > 0 && BIO_puts(out, "\n") > 0;
}

static int make_and_store(const struct cred *cred, struct options *o)
{
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
	EVP_PKEY *key = take_key(o);
	X509 *cert = key ? cred_make_certificate(&o->request, key) : NULL;
	struct cred_bytes pin = {0};
	int status = CRED_FAILED;

	if (o->uri)
		cred_token_pin(cred, (struct mtls_bytes){o->text.p, o->text.n}, &pin);
	if (!cert || !cert_pem || !key_pem || !PEM_write_bio_X509(cert_pem, cert) || !write_key(o, key, key_pem))
		fail_crypto(cred);
	else if (cred_store(cred, cred->env.place[0].folder,
			    &(struct cred_files){cred_content(cert_pem), cred_content(key_pem), {pin.p, pin.n}},
			    o->force, NULL))
		status = CRED_GO_ON;
	cred_bytes_free(&pin);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(key_pem);
	BIO_free(cert_pem);
	return status;
}

/* The request goes out only after its key is safe. */
static int make_request(const struct cred *cred, struct options *o)
{
	const char *folder = cred->env.place[0].folder;
	BIO *pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
	EVP_PKEY *key = take_key(o);
	X509_REQ *r = key ? cred_make_request(&o->request, key) : NULL;
	int status = CRED_FAILED;

	if (!r || !pem || !key_pem || !PEM_write_bio_X509_REQ(pem, r) || !write_key(o, key, key_pem))
		fail_crypto(cred);
	else if (cred_store_request_key(cred, folder, cred_content(key_pem), o->force))
		status = CRED_DONE;
	if (status == CRED_DONE) {
		fwrite(cred_content(pem).p, 1, cred_content(pem).n, stdout);
		cred_fail(cred, 0, "its key is %s%s/%s; when the certificate has come: mtls-cred import FILE",
			  o->uri ? "named in " : "", folder, CRED_REQUEST_KEY);
	}
	X509_REQ_free(r);
	EVP_PKEY_free(key);
	BIO_free(key_pem);
	BIO_free(pem);
	return status;
}

static int open_token(const struct cred *cred, struct options *o)
{
	int status = cred_token_option(cred, o->uri, &o->text);

	if (status == CRED_GO_ON)
		status = cred_token_open(cred, NULL, (struct mtls_bytes){o->text.p, o->text.n}, &o->token);
	o->request.context = o->token.context;
	o->request.properties = o->token.properties;
	return status;
}

int cred_new(struct cred *cred, int argc, char **argv)
{
	struct options o = {.request = {.days = 365}};
	int status = take_options(cred, &o, argc, argv);

	if (status == CRED_GO_ON)
		status = cred_target(cred);
	if (status == CRED_GO_ON && o.uri)
		status = open_token(cred, &o);
	if (status == CRED_GO_ON)
		status = o.csr ? make_request(cred, &o) : make_and_store(cred, &o);
	mtls_token_close(&o.token);
	cred_bytes_free(&o.text);
	return status == CRED_GO_ON ? cred_report(cred) : status;
}
