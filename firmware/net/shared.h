/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all connections share of the vault: certificates and settings, parsed once per boot. They cannot change before
 * the next one.
 */
#ifndef MTLS_FIRMWARE_NET_SHARED_H
#define MTLS_FIRMWARE_NET_SHARED_H

#include "core/settings.h"
#include "firmware/vault/vault.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

struct shared {
	/* MTLS_USABLE, or why no certificate will be presented; what is the file at fault then, or MTLS_FOLDER. */
	enum mtls_reason credential;
	enum mtls_part what;
	mbedtls_x509_crt chain; /* leaf first; only with MTLS_USABLE, as key, type, subject and sha256 */
	mbedtls_pk_context key; /* stands for vault_signer() */
	enum mtls_key_type type;
	char subject[VAULT_SUBJECT], sha256[65];
	mbedtls_x509_crt ca; /* the servers' issuers */
	bool has_ca;
	struct mtls_policy policy;
	const char *refusal; /* why there can be no TLS at all: a sentence; NULL: there can */
};

/* After vault_boot, once per boot. What could not be had is in the struct. */
void shared_load(void);
/* Not const, because mbedTLS wants it so; nobody changes it. */
struct shared *shared(void);

#endif
