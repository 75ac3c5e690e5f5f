/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred new: a private key and a self-signed certificate in the folder, and
 * what a server's administrator wants to know of them. What is there already stays, unless --force is given: a
 * key that is overwritten is lost for good.
 */
#include "launcher/cred/certificate.h"
#include "launcher/cred/cred.h"
#include "launcher/cred/store.h"

#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	struct cred_request request;
	char host[HOST_NAME_MAX + 1];
	bool force;
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
						{"csr", no_argument, NULL, 'x'},
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
		else if (option == 'x')
			status = cred_fail(cred, CRED_FAILED, "--csr and --key-uri: not in this version");
		else if (option != 's')
			status = cred_common_option(cred, option, argv);
	}
	if (status == CRED_GO_ON)
		status = set_name(cred, o);
	return status == CRED_GO_ON ? cred_begin(cred, argc, argv) : status;
}

/* Makes the folder to write the only place of the environment. */
static int choose_folder(struct cred *cred)
{
	const struct mtls_place *place, *places = cred->env.place;
	size_t last = cred->env.n_places - 1;
	struct mtls_mark mark;
	char *folder;

	/* With an agent the key in the folder would not count, and be overwritten. */
	free(cred->env.agent);
	cred->env.agent = NULL;
	mtls_mark_take(&cred->env, &mark);
	place = mark.place;
	if (place && !place->folder)
		return cred_fail(cred, CRED_FAILED, "MTLS_CERT names single files: say -d FOLDER");
	if (!place && geteuid() == 0)
		place = &places[last];
	else if (!place && last > 0 && strcmp(places[last - 1].why, "CREDENTIALS_DIRECTORY") != 0)
		place = &places[last - 1];
	if (!place)
		return cred_fail(cred, CRED_FAILED, "HOME is not set: say -d FOLDER");
	folder = strdup(place->folder);
	if (folder)
		mtls_environment_folder(&cred->env, folder, place->why);
	free(folder);
	if (!folder || cred->env.incomplete)
		return cred_fail(cred, CRED_FAILED, "out of memory");
	return CRED_GO_ON;
}

/* May files be put there? */
static int check_vacancy(const struct cred *cred, bool force)
{
	const char *folder = cred->env.place[0].folder;
	struct cred_credential credential;
	int status = CRED_GO_ON;
	enum mtls_state state;

	if (!cred_open(cred, &credential))
		return cred_fail(cred, CRED_FAILED, "%s: %s", folder, strerror(errno));
	state = mtls_reason_state(credential.reason);
	if (credential.reading.files.folder_unsafe)
		status = cred_fail(cred, CRED_FAILED, "%s: everybody may write here; make it yours with chmod go-w",
				   folder);
	else if (state == MTLS_STATE_USABLE && !force)
		status = cred_fail(cred, CRED_FAILED, "%s: has a usable credential (%s); --force replaces it", folder,
				   credential.identity->subject);
	else if (state == MTLS_STATE_BROKEN && credential.reason != MTLS_FOLDER_MISSING && !force)
		status = cred_fail(cred, CRED_FAILED,
				   "%s: has a credential that is not usable (%s); --force replaces it", folder,
				   mtls_reason_word(credential.reason));
	cred_close(&credential);
	return status;
}

static struct mtls_bytes content(BIO *bio)
{
	struct mtls_bytes b = {NULL, 0};
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	if (n > 0)
		b = (struct mtls_bytes){(unsigned char *)p, (size_t)n};
	return b;
}

/* A memory BIO wipes what it held when it grows and when it is freed. */
static int make_and_store(const struct cred *cred, const struct cred_request *request)
{
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
	EVP_PKEY *key = cred_make_key(request->type);
	X509 *cert = key ? cred_make_certificate(request, key) : NULL;
	int status = CRED_FAILED;

	if (cert && cert_pem && key_pem && PEM_write_bio_X509(cert_pem, cert) &&
	    PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL)) {
		if (cred_store(cred, cred->env.place[0].folder, content(cert_pem), content(key_pem)))
			status = CRED_GO_ON;
	} else {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());

		cred_fail(cred, CRED_FAILED, "libcrypto cannot make it: %s", why ? why : "no reason given");
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(key_pem);
	BIO_free(cert_pem);
	return status;
}

/* Says what a person registers at a server, from the files as the shim will find them. */
static int report(const struct cred *cred)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	struct cred_credential credential;
	char sha1[41] = "", date[16];
	unsigned int n = 0;
	X509 *leaf;

	if (!cred_open(cred, &credential))
		return cred_fail(cred, CRED_FAILED, "it cannot be read back: %s", strerror(errno));
	if (credential.reason != MTLS_USABLE) {
		cred_explain(stderr, &credential.reading, &credential.error);
		cred_close(&credential);
		return CRED_FAILED;
	}
	leaf = credential.identity->leaf;
	X509_digest(leaf, EVP_sha1(), hash, &n);
	mtls_bytes_hex(hash, n < 20 ? n : 20, sha1);
	cred_date(X509_get0_notAfter(leaf), date);
	cred_say(stdout, "subject      %s", credential.identity->subject);
	cred_say(stdout, "valid until  %s", date);
	cred_say(stdout, "sha1         %s", sha1);
	cred_say(stdout, "sha256       %s", credential.identity->sha256);
	cred_say(stdout, "certificate  %s", cred->env.place[0].file[MTLS_CERT]);
	cred_say(stdout, "key          %s", cred->env.place[0].file[MTLS_KEY]);
	cred_close(&credential);
	return CRED_DONE;
}

int cred_new(struct cred *cred, int argc, char **argv)
{
	struct options o = {.request = {.days = 365}};
	int status = take_options(cred, &o, argc, argv);

	if (status == CRED_GO_ON)
		status = choose_folder(cred);
	if (status == CRED_GO_ON)
		status = check_vacancy(cred, o.force);
	if (status == CRED_GO_ON)
		status = make_and_store(cred, &o.request);
	return status == CRED_GO_ON ? report(cred) : status;
}
