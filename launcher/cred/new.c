/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred new: a private key and a self-signed certificate in the folder, and
 * what a server's administrator wants to know of them; or with --csr a request, whose key waits beside the credential
 * in force. What is there already stays, unless --force is given: a key that is overwritten is lost for good.
 */
#include "launcher/cred/certificate.h"
#include "launcher/cred/report.h"
#include "launcher/cred/store.h"
#include "launcher/cred/target.h"

#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	struct cred_request request;
	char host[HOST_NAME_MAX + 1];
	bool force, self_signed, csr, days_given;
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
			status = cred_fail(cred, CRED_FAILED, "--key-uri: not in this version");
		else
			status = cred_common_option(cred, option, argv);
	}
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

/* A memory BIO wipes what it held when it grows and when it is freed. */
static int make_and_store(const struct cred *cred, const struct cred_request *request, bool force)
{
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
	EVP_PKEY *key = cred_make_key(request->type);
	X509 *cert = key ? cred_make_certificate(request, key) : NULL;
	int status = CRED_FAILED;

	if (!cert || !cert_pem || !key_pem || !PEM_write_bio_X509(cert_pem, cert) ||
	    !PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL))
		fail_crypto(cred);
	else if (cred_store(cred, cred->env.place[0].folder, cred_content(cert_pem), cred_content(key_pem), force,
			    NULL))
		status = CRED_GO_ON;
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(key_pem);
	BIO_free(cert_pem);
	return status;
}

/* The request goes out only after its key is safe. */
static int make_request(const struct cred *cred, const struct cred_request *request, bool force)
{
	const char *folder = cred->env.place[0].folder;
	BIO *pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
	EVP_PKEY *key = cred_make_key(request->type);
	X509_REQ *r = key ? cred_make_request(request, key) : NULL;
	int status = CRED_FAILED;

	if (!r || !pem || !key_pem || !PEM_write_bio_X509_REQ(pem, r) ||
	    !PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL))
		fail_crypto(cred);
	else if (cred_store_request_key(cred, folder, cred_content(key_pem), force))
		status = CRED_DONE;
	if (status == CRED_DONE) {
		fwrite(cred_content(pem).p, 1, cred_content(pem).n, stdout);
		cred_fail(cred, 0, "its key is %s/%s; when the certificate has come: mtls-cred import FILE", folder,
			  CRED_REQUEST_KEY);
	}
	X509_REQ_free(r);
	EVP_PKEY_free(key);
	BIO_free(key_pem);
	BIO_free(pem);
	return status;
}

int cred_new(struct cred *cred, int argc, char **argv)
{
	struct options o = {.request = {.days = 365}};
	int status = take_options(cred, &o, argc, argv);

	if (status == CRED_GO_ON)
		status = cred_target(cred);
	if (status != CRED_GO_ON)
		return status;
	if (o.csr)
		return make_request(cred, &o.request, o.force);
	status = make_and_store(cred, &o.request, o.force);
	return status == CRED_GO_ON ? cred_report(cred) : status;
}
