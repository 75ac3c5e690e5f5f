/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred import: a pair and its chain, out of whatever files a CA or a colleague has sent, into the folder. Nothing
 * of the folder is touched before what is to be there was read as the shim will read it.
 */
#include "launcher/cred/pair.h"
#include "launcher/cred/report.h"
#include "launcher/cred/store.h"
#include "launcher/cred/target.h"
#include "launcher/cred/token.h"

#include "host/crypto_linked.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

struct import {
	struct cred *cred;
	struct cred_input in;
	struct cred_pair pair;
	struct cred_credential before; /* what is in the folder now */
	BIO *cert, *key;               /* what is to be there, as PEM */
	struct mtls_identity *after;   /* the same, as the shim reads it */
	OSSL_PROVIDER *legacy;         /* RC2 and the like; NULL: it is not installed */
	bool force;
};

static int take_options(struct import *i, int argc, char **argv)
{
	static const struct option options[] = {{"pass-file", required_argument, NULL, 'p'},
						{"force", no_argument, NULL, 'f'},
						CRED_COMMON_OPTIONS,
						{NULL, 0, NULL, 0}};
	int option, status = CRED_GO_ON;

	while (status == CRED_GO_ON && (option = getopt_long(argc, argv, CRED_SHORT_FILES, options, NULL)) != -1) {
		if (option == 'p')
			i->in.secret.file = optarg;
		else if (option == 'f')
			i->force = true;
		else
			status = cred_common_option(i->cred, option, argv);
	}
	if (status == CRED_GO_ON && optind == argc)
		status = cred_fail(i->cred, CRED_USAGE, "which files? mtls-cred import FILE...");
	return status == CRED_GO_ON ? cred_begin(i->cred, 0, argv) : status;
}

/* --- keys that are here already ----------------------------------------------------- */

static char *request_key_path(const struct import *i)
{
	char *path;

	return asprintf(&path, "%s/%s", i->cred->env.place[0].folder, CRED_REQUEST_KEY) < 0 ? NULL : path;
}

/* NULL: it is none, or encrypted. */
static EVP_PKEY *key_of(struct mtls_bytes pem)
{
	BIO *bio = pem.n ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;

	BIO_free(bio);
	return key;
}

/* The key of a request, or what names it. false: there is none that could be read. */
static bool read_request(const struct import *i, struct cred_bytes *out)
{
	char *path = request_key_path(i);
	bool ok = path && !cred_read(path, MTLS_FILE_MAX, out);

	free(path);
	return ok;
}

/* In PEM, or in a token. What is neither is left out. */
static int add_own(struct import *i, struct mtls_bytes text)
{
	const char *folder = i->cred->env.place[0].folder;
	EVP_PKEY *key;

	if (cred_token_is(&text))
		return cred_input_token(i->cred, &i->in, folder, text);
	key = key_of(text);
	return key ? cred_input_key(i->cred, &i->in, folder, key) : CRED_GO_ON;
}

/* For a certificate that came without its key: that of its request, or the one that is there. */
static int add_own_keys(struct import *i)
{
	struct mtls_bytes there = i->before.reading.files.file[MTLS_KEY].data, token = there;
	const char *folder = i->cred->env.place[0].folder;
	struct cred_bytes request = {0};
	int status = CRED_GO_ON;
	EVP_PKEY *key = i->before.identity ? i->before.identity->key : NULL;

	if (read_request(i, &request))
		status = add_own(i, (struct mtls_bytes){request.p, request.n});
	cred_bytes_free(&request);
	if (status != CRED_GO_ON)
		return status;
	if (key && EVP_PKEY_up_ref(key))
		status = cred_input_key(i->cred, &i->in, folder, key);
	else if (i->in.n_keys == 0 || !cred_token_is(&token)) /* a token is not opened in vain */
		status = add_own(i, there);                   /* it may wait there for this certificate */
	i->in.n_own = i->in.n_keys;
	return status;
}

static bool is_ours(const struct import *i, struct mtls_bytes text)
{
	EVP_PKEY *key;
	bool same;

	if (i->pair.token)
		return cred_token_is(&text) && mtls_bytes_equal(text, mtls_bytes_of(i->pair.token));
	key = key_of(text);
	same = key && EVP_PKEY_eq(key, i->pair.key) == 1;
	EVP_PKEY_free(key);
	return same;
}

static bool drop_request_key(const struct import *i)
{
	struct cred_bytes request = {0};
	bool ours = read_request(i, &request) && is_ours(i, (struct mtls_bytes){request.p, request.n});

	cred_bytes_free(&request);
	return !ours || cred_wipe_request_key(i->cred, i->cred->env.place[0].folder);
}

/* --- what is to be there --------------------------------------------------------------- */

static bool write_key(const struct import *i)
{
	if (i->pair.token)
		return BIO_printf(i->key, "%s\n", i->pair.token) > 0;
	return PEM_write_bio_PKCS8PrivateKey(i->key, i->pair.key, NULL, NULL, 0, NULL, NULL);
}

static int write_pem(struct import *i)
{
	bool ok;

	i->cert = BIO_new(BIO_s_mem());
	i->key = BIO_new(BIO_s_mem());
	ok = i->cert && i->key && PEM_write_bio_X509(i->cert, i->pair.leaf) && write_key(i);
	for (int n = 0; ok && n < sk_X509_num(i->pair.chain); n++)
		ok = PEM_write_bio_X509(i->cert, sk_X509_value(i->pair.chain, n));
	return ok ? CRED_GO_ON : cred_fail(i->cred, CRED_FAILED, "libcrypto cannot write it as PEM");
}

/* As the shim will: the same code decides, and the subject is spelled as it spells it. */
static int judge(struct import *i)
{
	struct mtls_files files = {.file[MTLS_CERT].data = cred_content(i->cert),
				   .file[MTLS_KEY].data = cred_content(i->key),
				   .file[MTLS_PASS].how = MTLS_FILE_NONE,
				   .file[MTLS_CONF].how = MTLS_FILE_NONE,
				   .agent = i->pair.token};
	struct mtls_blocks blocks;
	struct mtls_error error;
	enum mtls_reason reason = mtls_credential_scan(&files, &blocks, &error);

	if (reason == MTLS_USABLE)
		reason = mtls_identity_load(&mtls_crypto_linked, &blocks, &i->after, &error);
	if (reason == MTLS_USABLE)
		return CRED_GO_ON;
	return cred_fail(i->cred, CRED_FAILED, "%s, as it would be: %s%s%s%s; %s", mtls_part_file(error.part),
			 mtls_reason_sentence(reason), error.detail[0] ? " (" : "", error.detail,
			 error.detail[0] ? ")" : "", mtls_reason_remedy(reason));
}

static int read_files(struct import *i, int n, char **files)
{
	int status = CRED_GO_ON;

	i->legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
	for (int k = 0; status == CRED_GO_ON && k < n; k++)
		status = cred_input_file(i->cred, &i->in, files[k]);
	if (status == CRED_GO_ON && i->in.n_keys == 0)
		status = add_own_keys(i);
	return status;
}

static bool store(const struct import *i, const char *folder)
{
	struct cred_bytes pin = {0};
	struct cred_files files = {.cert = cred_content(i->cert), .key = cred_content(i->key)};
	bool ok;

	if (i->pair.token && !i->in.secret.file)
		cred_token_pin(i->cred, mtls_bytes_of(i->pair.token), &pin);
	files.pass = (struct mtls_bytes){pin.p, pin.n};
	ok = cred_store(i->cred, folder, &files, i->force, i->after->subject);
	cred_bytes_free(&pin);
	return ok;
}

static int carry_out(struct import *i, int n, char **files)
{
	const char *folder;
	int status = cred_target(i->cred);

	if (status != CRED_GO_ON)
		return status;
	folder = i->cred->env.place[0].folder;
	if (!cred_open(i->cred, &i->before))
		return cred_fail(i->cred, CRED_FAILED, "%s: %s", folder, strerror(errno));
	status = read_files(i, n, files);
	if (status == CRED_GO_ON)
		status = cred_pair_choose(i->cred, &i->in, folder, &i->pair);
	if (status == CRED_GO_ON)
		status = write_pem(i);
	if (status == CRED_GO_ON)
		status = judge(i);
	if (status != CRED_GO_ON)
		return status;
	if (!store(i, folder) || !drop_request_key(i))
		return CRED_FAILED;
	cred_pair_note_gap(i->cred, &i->pair);
	if (i->pair.left_out)
		cred_fail(i->cred, CRED_DONE, "note: %u certificates that are not of its chain were left out",
			  i->pair.left_out);
	return cred_report(i->cred);
}

int cred_import(struct cred *cred, int argc, char **argv)
{
	struct import i = {.cred = cred};
	int status = take_options(&i, argc, argv), first = optind;

	if (status == CRED_GO_ON)
		status = carry_out(&i, argc - first, argv + first);
	BIO_free(i.key);
	BIO_free(i.cert);
	cred_pair_free(&i.pair);
	cred_input_free(&i.in);
	mtls_identity_free(&mtls_crypto_linked, i.after);
	cred_close(&i.before);
	OSSL_PROVIDER_unload(i.legacy);
	return status;
}
