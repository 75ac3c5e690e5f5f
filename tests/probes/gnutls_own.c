/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls_own SCENARIO PORT CERT KEY [CA]: as own.c, for GnuTLS: a program with a
 * certificate or retrieve functions of its own (the files CERT and KEY). Prints what a program can see of one
 * connection: what GnuTLS returned, how often each function was called and with what, what the server saw. Run with
 * and without the shim, the words must be the same wherever the program itself chooses.
 *
 * A scenario is a list of words with "+" between them, in this order of doing:
 *   cert                     a certificate in the credentials
 *   v1=A v2=A v3=A           gnutls_certificate_set_retrieve_function, …2, …3; a later one replaces an earlier one
 *   no-credentials           the session gets none at all
 *   late-v1=A late-v2=A …    as v1…, once the session has the credentials
 *   unset1 unset2 unset3     NULL is set by the function of that version
 *   verify                   CA is trusted and the server verified for localhost, in the handshake
 *   any-hook finished-hook ccs-hook   a handshake hook function for each message, each Finished, ChangeCipherSpec
 *   failing-hook no-hook     one that fails at the first message; one that is taken off again
 *   request-hook             one for the CertificateRequest, that puts the certificate into the credentials
 *   verify-cert              the program's verify function does that
 *   swap-hook=N              one for message N, that sets another in its own place: for ChangeCipherSpec
 * A is what the function does, one letter a call and the last for all that follow: "s"upplies the certificate, "n"one,
 * "f"ails; v1 also "g"ives copies away, which GnuTLS is to free (deinit_all).
 *
 * link: -lgnutls
 */
#include "tests/probes/gnutls_probe.h"

static const char *cert_file, *key_file, *ca_file;
static gnutls_certificate_credentials_t cred;
static gnutls_pcert_st own_list[4];
static unsigned own_length = 4;
static gnutls_privkey_t own_key;
static gnutls_x509_crt_t own_crt[4];
static unsigned own_crts = 4;
static gnutls_x509_privkey_t own_x509_key;

/* One function's answers, and how often it was called: [version]; late ones too. */
static struct script {
	const char *answers;
	int calls;
} scripts[4];

static char next_answer(int version)
{
	struct script *script = &scripts[version];
	char answer = *script->answers;

	script->calls++;
	if (script->answers[1])
		script->answers++;
	return answer;
}

static void asked(int version, gnutls_session_t session, int names, int algorithms)
{
	printf("v%d names=%d algorithms=%d status=%u\n", version, names, algorithms,
	       gnutls_certificate_client_get_request_status(session));
}

/* --- the three kinds ------------------------------------------------------------- */

static void give_away(gnutls_retr2_st *out)
{
	gnutls_datum_t cert;

	must("no certificate of its own", gnutls_load_file(cert_file, &cert));
	must("certificate", gnutls_x509_crt_list_import2(&out->cert.x509, &out->ncerts, &cert, GNUTLS_X509_FMT_PEM, 0));
	must("key", gnutls_x509_privkey_init(&out->key.x509));
	must("key", gnutls_x509_privkey_cpy(out->key.x509, own_x509_key));
	out->cert_type = GNUTLS_CRT_X509;
	out->key_type = GNUTLS_PRIVKEY_X509;
	out->deinit_all = 1;
	gnutls_free(cert.data);
}

static int retrieve1(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		     const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_retr2_st *out)
{
	(void)names, (void)algorithms;
	asked(1, session, n_names, n_algorithms);
	switch (next_answer(1)) {
	case 's':
		out->cert_type = GNUTLS_CRT_X509;
		out->key_type = GNUTLS_PRIVKEY_X509;
		out->cert.x509 = own_crt;
		out->ncerts = own_crts;
		out->key.x509 = own_x509_key;
		out->deinit_all = 0;
		return 0;
	case 'g':
		give_away(out);
		return 0;
	case 'f':
		return -1;
	default:
		out->ncerts = 0;
		return 0;
	}
}

static int retrieve2(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
		     const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **list,
		     unsigned *length, gnutls_privkey_t *key)
{
	(void)names, (void)algorithms;
	asked(2, session, n_names, n_algorithms);
	*length = 0;
	switch (next_answer(2)) {
	case 's':
		*list = own_list;
		*length = own_length;
		*key = own_key;
		return 0;
	case 'f':
		return -1;
	default:
		return 0;
	}
}

static int retrieve3(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **list,
		     unsigned *length, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key,
		     unsigned *flags)
{
	(void)ocsp;
	asked(3, session, info->nreqs, info->pk_algos_length);
	printf("v3 credentials=%d flags=%u\n", info->cred == cred, *flags);
	*length = *n_ocsp = 0;
	switch (next_answer(3)) {
	case 's':
		*list = own_list;
		*length = own_length;
		*key = own_key;
		return 0;
	case 'f':
		return -1;
	default:
		return 0;
	}
}

static void set_function(int version, bool on)
{
	if (version == 1)
		gnutls_certificate_set_retrieve_function(cred, on ? retrieve1 : NULL);
	else if (version == 2)
		gnutls_certificate_set_retrieve_function2(cred, on ? retrieve2 : NULL);
	else
		gnutls_certificate_set_retrieve_function3(cred, on ? retrieve3 : NULL);
}

/* --- the scenario -------------------------------------------------------------------- */

static void load(void)
{
	gnutls_datum_t cert, key;

	must("no certificate of its own", gnutls_load_file(cert_file, &cert));
	must("no key of its own", gnutls_load_file(key_file, &key));
	must("certificate", gnutls_pcert_list_import_x509_raw(own_list, &own_length, &cert, GNUTLS_X509_FMT_PEM, 0));
	must("key", gnutls_privkey_init(&own_key));
	must("key", gnutls_privkey_import_x509_raw(own_key, &key, GNUTLS_X509_FMT_PEM, NULL, 0));
	must("certificate", gnutls_x509_crt_list_import(own_crt, &own_crts, &cert, GNUTLS_X509_FMT_PEM, 0));
	must("key", gnutls_x509_privkey_init(&own_x509_key));
	must("key", gnutls_x509_privkey_import(own_x509_key, &key, GNUTLS_X509_FMT_PEM));
	gnutls_free(cert.data);
	gnutls_free(key.data);
}

static void unload(void)
{
	for (unsigned i = 0; i < own_length; i++)
		gnutls_pcert_deinit(&own_list[i]);
	for (unsigned i = 0; i < own_crts; i++)
		gnutls_x509_crt_deinit(own_crt[i]);
	gnutls_privkey_deinit(own_key);
	gnutls_x509_privkey_deinit(own_x509_key);
}

/* The value of word or word=; NULL where the scenario does not have it. */
static const char *word(char *const words[], const char *wanted)
{
	size_t n = strlen(wanted);

	for (; *words; words++)
		if (strncmp(*words, wanted, n) == 0 && ((*words)[n] == '=' || (*words)[n] == '\0'))
			return *words + n + ((*words)[n] == '=');
	return NULL;
}

static void set_functions(char *const words[], const char *prefix)
{
	char name[16];

	for (int version = 1; version <= 3; version++) {
		const char *answers;

		snprintf(name, sizeof(name), "%sv%d", prefix, version);
		answers = word(words, name);
		if (!answers)
			continue;
		scripts[version].answers = answers;
		set_function(version, true);
	}
}

static int hook_calls;

static int message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		   const gnutls_datum_t *data)
{
	(void)session;
	printf("message=%u when=%u incoming=%u data=%d\n", type, when, incoming, data && data->size > 0);
	hook_calls++;
	return 0;
}

static int failing_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			   const gnutls_datum_t *data)
{
	message(session, type, when, incoming, data);
	return GNUTLS_E_UNWANTED_ALGORITHM;
}

static void add_certificate(void)
{
	must("certificate refused",
	     gnutls_certificate_set_x509_key_file(cred, cert_file, key_file, GNUTLS_X509_FMT_PEM));
}

static int adding_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			  const gnutls_datum_t *data)
{
	add_certificate();
	return message(session, type, when, incoming, data);
}

static int swapping_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			    const gnutls_datum_t *data)
{
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CHANGE_CIPHER_SPEC, GNUTLS_HOOK_BOTH, message);
	return message(session, type, when, incoming, data);
}

static int adding_verify(gnutls_session_t session)
{
	(void)session;
	add_certificate();
	return 0;
}

static void on_session(char *const words[], gnutls_session_t session)
{
	char name[16];

	set_functions(words, "late-");
	for (int version = 1; version <= 3; version++) {
		snprintf(name, sizeof(name), "unset%d", version);
		if (word(words, name))
			set_function(version, false);
	}
	if (word(words, "verify"))
		gnutls_session_set_verify_cert(session, "localhost", 0);
	if (word(words, "any-hook"))
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, message);
	if (word(words, "finished-hook"))
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, message);
	if (word(words, "ccs-hook"))
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CHANGE_CIPHER_SPEC, GNUTLS_HOOK_BOTH,
						   message);
	if (word(words, "failing-hook"))
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST, failing_message);
	if (word(words, "request-hook"))
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CERTIFICATE_REQUEST, GNUTLS_HOOK_POST,
						   adding_message);
	if (word(words, "swap-hook"))
		gnutls_handshake_set_hook_function(session, (unsigned)atoi(word(words, "swap-hook")), GNUTLS_HOOK_PRE,
						   swapping_message);
	if (word(words, "verify-cert"))
		gnutls_session_set_verify_function(session, adding_verify);
	if (word(words, "no-hook")) {
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, message);
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, NULL);
	}
}

static bool is_own(gnutls_session_t session)
{
	const gnutls_datum_t *ours = gnutls_certificate_get_ours(session);

	return ours && ours->size == own_list[0].cert.size &&
	       memcmp(ours->data, own_list[0].cert.data, ours->size) == 0;
}

static void connect_once(char *const words[], const char *port)
{
	gnutls_session_t session = session_new(word(words, "no-credentials") ? NULL : cred);
	char answer[1200];
	int fd = connect_to("127.0.0.1", port), ret;

	on_session(words, session);
	gnutls_transport_set_int(session, fd);
	ret = shake(session);
	printf("handshake=%s\n", ret < 0 ? gnutls_strerror_name(ret) : "0");
	printf("calls=%d,%d,%d,%d\n", scripts[1].calls, scripts[2].calls, scripts[3].calls, hook_calls);
	if (ret == 0) {
		ask(session, answer, sizeof(answer));
		puts(answer);
		say_goodbye(session);
	} else {
		gnutls_alert_send_appropriate(session, ret);
	}
	printf("own=%d asked=%d\n", is_own(session), (int)gnutls_certificate_client_get_request_status(session));
	gnutls_deinit(session);
	close(fd);
}

int main(int argc, char *argv[])
{
	char *words[8] = {NULL};
	int n = 0;

	if (argc < 5)
		die("usage: gnutls_own SCENARIO PORT CERT KEY [CA]", 0);
	for (char *w = strtok(argv[1], "+"); w && n < 7; w = strtok(NULL, "+"))
		words[n++] = w;
	cert_file = argv[3];
	key_file = argv[4];
	ca_file = argv[5];
	load();
	cred = credentials_new();
	if (ca_file)
		must("no CA", gnutls_certificate_set_x509_trust_file(cred, ca_file, GNUTLS_X509_FMT_PEM));
	if (word(words, "cert"))
		add_certificate();
	set_functions(words, "");
	connect_once(words, argv[2]);
	gnutls_certificate_free_credentials(cred);
	unload();
	return 0;
}
