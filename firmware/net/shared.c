/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the vault's files for the connections. Failures are kept as reasons: a device goes on without. */
#include "firmware/net/shared.h"

#include "firmware/net/dn.h"
#include "firmware/net/signer.h"
#include "firmware/port/port.h"

#include <mbedtls/sha256.h>
#include <psa/crypto.h>

static struct shared now;

struct shared *shared(void)
{
	return &now;
}

/* mbedTLS wants the NUL that the vault keeps behind the text. 0: all of it could be read. */
static int parse(mbedtls_x509_crt *chain, struct mtls_bytes text)
{
	return text.n ? mbedtls_x509_crt_parse(chain, text.p, text.n + 1) : -1;
}

static void print_sha256(const mbedtls_x509_crt *leaf, char text[65])
{
	unsigned char hash[32];

	text[0] = '\0';
	if (mbedtls_sha256(leaf->raw.p, leaf->raw.len, hash, 0) == 0)
		mtls_bytes_hex(hash, sizeof(hash), text);
}

static void refuse(enum mtls_reason reason, enum mtls_part file)
{
	now.credential = reason;
	now.what = file;
	mbedtls_x509_crt_free(&now.chain);
	mbedtls_pk_free(&now.key);
}

static void load_credential(void)
{
	struct vault_status status;
	int ret;

	vault_status(&status);
	now.credential = status.reason;
	if (status.reason != MTLS_USABLE)
		return;
	ret = parse(&now.chain, vault_file(VAULT_CERT));
	if (ret != 0) {
		refuse(ret == MBEDTLS_ERR_X509_ALLOC_FAILED ? MTLS_UNREADABLE : MTLS_CERTIFICATE_MALFORMED, MTLS_CERT);
		return;
	}
	if (!signer_setup(&now.key)) {
		refuse(MTLS_KEY_UNSUPPORTED, MTLS_KEY);
		return;
	}
	now.type = vault_signer()->type();
	dn_print(&now.chain.subject, now.subject, sizeof(now.subject));
	print_sha256(&now.chain, now.sha256);
}

/* What the vault has let in is good. A device that has another idea all the same presents nothing. */
static void load_policy(void)
{
	struct mtls_bytes conf = vault_file(VAULT_CONF);

	mtls_policy_init(&now.policy);
	now.policy.log = MTLS_LOG_INFO; /* nobody has set it: a device has no other way to tell */
	if (conf.n)
		mtls_policy_conf(&now.policy, conf);
	if (now.policy.error.reason == MTLS_USABLE && now.policy.issuer == MTLS_ISSUER_MATCH) {
		mtls_fail(&now.policy.error, MTLS_BAD_SETTING, MTLS_CONF, mtls_bytes_of("match"));
		now.policy.error.setting = mtls_setting_key(MTLS_ISSUER);
	}
}

/* All or none: with a part of the list, which servers are trusted would depend on how much memory there is. */
static void load_cas(void)
{
	struct mtls_bytes text = vault_file(VAULT_CA);

	(void)board_had_no_memory();
	now.has_ca = parse(&now.ca, text) == 0;
	if (now.has_ca)
		return;
	mbedtls_x509_crt_free(&now.ca);
	if (!text.n)
		now.refusal = "there is no ca_certs.pem: the device trusts no server; upload one";
	else if (board_had_no_memory())
		now.refusal = "ca_certs.pem: too many CAs for the heap (FIRMWARE_HEAP)";
	else
		now.refusal = "ca_certs.pem cannot be read: upload it again";
}

void shared_load(void)
{
	now.what = MTLS_FOLDER;
	mbedtls_x509_crt_init(&now.chain);
	mbedtls_x509_crt_init(&now.ca);
	mbedtls_pk_init(&now.key);
	load_policy();
	if (psa_crypto_init() != PSA_SUCCESS) {
		now.credential = MTLS_UNREADABLE;
		now.refusal = "the board has no entropy: nothing can be kept secret";
		return;
	}
	load_credential();
	load_cas();
}
