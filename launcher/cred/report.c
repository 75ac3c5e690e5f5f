/* SPDX-License-Identifier: Apache-2.0 */
/* The six lines that new and import end with; see report.h. */
#include "launcher/cred/report.h"

#include <errno.h>
#include <string.h>

struct mtls_bytes cred_content(BIO *bio)
{
	struct mtls_bytes b = {NULL, 0};
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	if (n > 0)
		b = (struct mtls_bytes){(unsigned char *)p, (size_t)n};
	return b;
}

int cred_report(const struct cred *cred)
{
	struct cred_credential credential;
	char sha1[41], date[16];
	bool in_token;
	X509 *leaf;

	if (!cred_open(cred, &credential))
		return cred_fail(cred, CRED_FAILED, "it cannot be read back: %s", strerror(errno));
	in_token = credential.reason == MTLS_KEY_NEEDS_AGENT;
	if (in_token)
		cred_without_key(&credential);
	if (credential.reason != MTLS_USABLE) {
		cred_explain(stderr, &credential.reading, &credential.error);
		cred_close(&credential);
		return CRED_FAILED;
	}
	leaf = credential.identity->leaf;
	cred_sha1(leaf, sha1);
	cred_date(X509_get0_notAfter(leaf), date);
	cred_say(stdout, "subject      %s", credential.identity->subject);
	cred_say(stdout, "valid until  %s", date);
	cred_say(stdout, "sha1         %s", sha1);
	cred_say(stdout, "sha256       %s", credential.identity->sha256);
	cred_say(stdout, "certificate  %s", cred->env.place[0].file[MTLS_CERT]);
	cred_say(stdout, "key          %s%s", cred->env.place[0].file[MTLS_KEY],
		 in_token ? " (in a token, for mtls-agent)" : "");
	cred_close(&credential);
	return CRED_DONE;
}
