/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs of mtls-cred share: messages, the options that all take, and
 * the credential in force. Which credential that is and what state it is in
 * is decided in host/ and core/.
 */
#include "launcher/cred/cred.h"
#include "host/crypto_linked.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void say_v(FILE *stream, const char *before, const char *format, va_list arguments)
{
	char *line;

	if (vasprintf(&line, format, arguments) < 0)
		return;
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	fprintf(stream, "%s%s\n", before, line);
	free(line);
}

void cred_say(FILE *stream, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_v(stream, "", format, arguments);
	va_end(arguments);
}

int cred_fail(const struct cred *cred, int status, const char *format, ...)
{
	va_list arguments;
	char before[40];

	snprintf(before, sizeof(before), "mtls-cred%s%s: ", cred->verb ? " " : "", cred->verb ? cred->verb : "");
	va_start(arguments, format);
	say_v(stderr, before, format, arguments);
	va_end(arguments);
	return status;
}

char *cred_sentence(const struct mtls_reading *reading, const struct mtls_error *error)
{
	int n = mtls_reading_explain(reading, error, NULL, 0);
	char *line = n < 0 ? NULL : malloc((size_t)n + 1);

	if (line)
		mtls_reading_explain(reading, error, line, (size_t)n + 1);
	return line;
}

void cred_explain(FILE *stream, const struct mtls_reading *reading, const struct mtls_error *error)
{
	char *line = cred_sentence(reading, error);

	if (line)
		cred_say(stream, "%s", line);
	free(line);
}

void cred_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* In a cluster of short options getopt is still at it, and only optopt tells which it is. */
static int fail_option(const struct cred *cred, const char *at)
{
	char name[] = {'-', (char)optopt, '\0'};

	return cred_fail(cred, CRED_USAGE, "%s: unknown option; see mtls-cred --help",
			 strncmp(at, "--", 2) == 0 ? at : name);
}

int cred_common_option(struct cred *cred, int option, char **argv)
{
	switch (option) {
	case 'd':
		if (!*optarg)
			return cred_fail(cred, CRED_USAGE, "--dir: no folder is named");
		cred->dir = optarg;
		return CRED_GO_ON;
	case 'h':
		cred_help();
		return CRED_DONE;
	case ':':
		return cred_fail(cred, CRED_USAGE, "%s: a value is missing; see mtls-cred --help", argv[optind - 1]);
	default:
		return fail_option(cred, argv[optind - 1]);
	}
}

int cred_begin(struct cred *cred, int argc, char **argv)
{
	if (optind < argc)
		return cred_fail(cred, CRED_USAGE, "%s: one argument too many; see mtls-cred --help", argv[optind]);
	mtls_environment_read(&cred->env, environ);
	if (cred->dir)
		mtls_environment_folder(&cred->env, cred->dir, "--dir");
	if (cred->env.incomplete)
		return cred_fail(cred, cred->failed, "out of memory, or the working folder is gone");
	return CRED_GO_ON;
}

int cred_begin_plain(struct cred *cred, int argc, char **argv)
{
	static const struct option options[] = {CRED_COMMON_OPTIONS, {NULL, 0, NULL, 0}};
	int option, status = CRED_GO_ON;

	while (status == CRED_GO_ON && (option = getopt_long(argc, argv, CRED_SHORT, options, NULL)) != -1)
		status = cred_common_option(cred, option, argv);
	return status == CRED_GO_ON ? cred_begin(cred, argc, argv) : status;
}

/* As the shim does before it offers the certificate: OpenSSL programs send the whole content, GnuTLS ones a digest
 * where the signature is made of one. */
static void ask_agent(const char *agent, struct cred_credential *credential)
{
	const struct mtls_identity *id = credential->identity;

	credential->agent = mtls_agent_probe(agent, id->key_id, MTLS_OP_CONTENT);
	credential->agent_gnutls =
		credential->agent == MTLS_AGENT_READY &&
		(mtls_signs_whole(id->type) || mtls_agent_probe(agent, id->key_id, MTLS_OP_DIGEST) == MTLS_AGENT_READY);
}

char *cred_agent_ready(const char *agent, const struct cred_credential *credential)
{
	char *text;

	if (asprintf(&text, "%s: ready%s", agent,
		     credential->agent_gnutls ? "" : ", but not for GnuTLS programs, as it signs whole messages only") <
	    0)
		return NULL;
	return text;
}

bool cred_open(const struct cred *cred, struct cred_credential *credential)
{
	memset(credential, 0, sizeof(*credential));
	if (!mtls_reading_make(&cred->env, &credential->reading))
		return false;
	credential->reason = credential->reading.reason;
	credential->error = credential->reading.error;
	if (credential->reason == MTLS_USABLE)
		credential->reason = mtls_identity_load(&mtls_crypto_linked, &credential->reading.blocks,
							&credential->identity, &credential->error);
	if (credential->reason == MTLS_USABLE && cred->env.agent)
		ask_agent(cred->env.agent, credential);
	return true;
}

void cred_without_key(struct cred_credential *credential)
{
	struct mtls_reading *r = &credential->reading;

	r->files.agent = true;
	credential->reason = mtls_credential_scan(&r->files, &r->blocks, &credential->error);
	if (credential->reason == MTLS_USABLE)
		credential->reason =
			mtls_identity_load(&mtls_crypto_linked, &r->blocks, &credential->identity, &credential->error);
}

void cred_close(struct cred_credential *credential)
{
	mtls_identity_free(&mtls_crypto_linked, credential->identity);
	mtls_reading_free(&credential->reading);
}

char *cred_name(const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes, *text = NULL;
	long n;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(bio, &bytes);
		text = n > 0 ? strndup(bytes, (size_t)n) : strdup("");
	}
	BIO_free(bio);
	if (text)
		cred_printable(text);
	return text;
}

void cred_sha1(X509 *x, char text[41])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	text[0] = '\0';
	if (X509_digest(x, EVP_sha1(), hash, &n) && n == 20)
		mtls_bytes_hex(hash, n, text);
}

char *cred_why(const struct cred *cred, const struct cred_credential *credential)
{
	char *places, *line;

	if (credential->reading.mark.place || mtls_reason_state(credential->reason) != MTLS_STATE_ABSENT)
		return cred_sentence(&credential->reading, &credential->error);
	places = cred_places(&cred->env);
	if (!places || asprintf(&line, "%s; looked at: %s; %s", mtls_reason_sentence(credential->reason), places,
				mtls_reason_remedy(credential->reason)) < 0)
		line = NULL;
	free(places);
	return line;
}

char *cred_place(const struct mtls_place *place)
{
	char *text;

	if (asprintf(&text, "%s (%s%s)", place->folder ? place->folder : place->file[MTLS_CERT],
		     place->named ? "named by " : "the first place with a credential: ", place->why) < 0)
		return NULL;
	return text;
}

char *cred_places(const struct mtls_environment *env)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	for (size_t i = 0; i < env->n_places; i++)
		fprintf(stream, "%s%s (%s)", i ? ", " : "", env->place[i].folder, env->place[i].why);
	return fclose(stream) == 0 ? text : NULL;
}

void cred_date(const ASN1_TIME *time, char text[16])
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm) || !strftime(text, 16, "%Y-%m-%d", &tm))
		snprintf(text, 16, "?");
}
