/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of a device's remedies: see words.h. */
#include "firmware/net/words.h"

#include <stdio.h>

#include <mbedtls/build_info.h>

#ifdef MBEDTLS_RSA_C
#define KEYS "RSA (to 4096 bits) or EC P-256"
#else
#define KEYS "EC P-256"
#endif

#define ANY MTLS_PARTS

/* The first row that fits. Reasons that no device has are left out: nobody else has rights, folders or an agent here.
 */
static const struct row {
	enum mtls_reason reason;
	enum mtls_part part;
	const char *remedy;
} rows[] = {
	{MTLS_USABLE, ANY, ""},
	{MTLS_PRESENTED, ANY, ""},
	{MTLS_NO_CREDENTIAL, ANY, "upload client_cert.pem and private_key.pem"},
	{MTLS_REMOVED, ANY, "upload a certificate with its key if that was not meant"},

	{MTLS_CERTIFICATE_MISSING, ANY, "upload it together with its key"},
	{MTLS_KEY_MISSING, ANY, "upload it together with its certificate"},
	{MTLS_UNREADABLE, ANY, "upload it again, or give the firmware a larger heap (FIRMWARE_HEAP)"},
	{MTLS_TOO_LARGE, MTLS_CERT, "keep the leaf and its intermediates only"},
	{MTLS_TOO_LARGE, ANY, "leave out what the device does not need"},
	{MTLS_PASSPHRASE_TOO_LONG, ANY, "encrypt the key again with a shorter one, and upload both"},
	{MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING,
	 "write it again: one PEM block for each CA of a server, whose key is " KEYS},
	{MTLS_CERTIFICATE_MALFORMED, ANY,
	 "write it again as PEM, leaf first; for PFX: openssl pkcs12 -in FILE.pfx -clcerts -nokeys"},
	{MTLS_KEY_MALFORMED, ANY, "write it again as PEM; for PFX: openssl pkcs12 -in FILE.pfx -nocerts"},
	{MTLS_KEY_UNSUPPORTED, MTLS_CERT,
	 "get another: " KEYS " in all of its chain, and no unusual critical extension"},
	{MTLS_KEY_UNSUPPORTED, MTLS_KEY_FORM, "write it again: openssl pkcs8 -topk8 -v2 aes-256-cbc"},
	{MTLS_KEY_UNSUPPORTED, ANY, "make another as openssl genpkey does, " KEYS ", and get a certificate for it"},
	{MTLS_KEY_NEEDS_AGENT, ANY, "upload a key itself, with its certificate"},
	{MTLS_PASSPHRASE_MISSING, ANY, "upload it with private_key_pass.txt, whose first line is the passphrase"},
	{MTLS_PASSPHRASE_WRONG, ANY, "correct the first line of private_key_pass.txt, and upload it with the key"},
	{MTLS_PAIR_MISMATCH, ANY, "upload the certificate together with the key of its request"},

	{MTLS_BAD_SETTING, ANY, "correct mtls.conf and upload it again"},
	{MTLS_HOST_NOT_LISTED, ANY, "add it to hosts in mtls.conf if it should see the certificate"},
	{MTLS_TLS_TOO_OLD, ANY, "let the server speak TLS 1.3"},
	{MTLS_SERVER_NOT_VERIFIED, ANY, "put the server's CA into ca_certs.pem"},
	{MTLS_NO_COMMON_SIGNATURE, ANY, "use another type of key: " KEYS},
};

static const struct row *find(enum mtls_reason reason, enum mtls_part part)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].reason == reason && (rows[i].part == part || rows[i].part == ANY))
			return &rows[i];
	return NULL;
}

const char *words_remedy(enum mtls_reason reason, enum mtls_part part)
{
	const struct row *row = find(reason, part);

	return row ? row->remedy : "";
}

void words_explain(const struct mtls_error *e, char *to, size_t size)
{
	const char *file = mtls_part_file(e->part), *remedy = words_remedy(e->reason, e->part);
	char line[24] = "";

	if (e->line)
		snprintf(line, sizeof(line), ", line %u", e->line);
	snprintf(to, size, "%s%s%s%s%s%s%s%s%s%s", file, line, *file ? ": " : "", mtls_reason_sentence(e->reason),
		 e->setting ? ": " : "", e->setting ? e->setting : "", *e->detail ? ": " : "", e->detail,
		 *remedy ? "; " : "", remedy);
}
