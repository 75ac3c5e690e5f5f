/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges the files of a credential, and puts an upload together with what is stored. It works in the record's buffer
 * and on the inbox; it writes nothing to the flash.
 */
#ifndef MTLS_FIRMWARE_VAULT_MIGRATE_H
#define MTLS_FIRMWARE_VAULT_MIGRATE_H

#include "firmware/vault/identity.h"
#include "firmware/vault/inbox.h"
#include "firmware/vault/payload.h"

/*
 * The state of the credential in these files: MTLS_USABLE with *identity, which the caller unloads; MTLS_NO_CREDENTIAL,
 * MTLS_REMOVED, or a broken word.
 */
enum mtls_reason vault_judge(const struct vault_payload *, struct vault_identity **identity, struct mtls_error *);

/*
 * payload: what is stored, or nothing. *refused false: it is now what is to be stored, without its notes; error is the
 * state that it leaves. Else error says why, and the payload is worth nothing. false: the flash cannot be read.
 */
bool vault_migrate(const struct board_flash *, uint32_t inbox, const struct vault_upload *, struct vault_payload *,
		   bool *refused, struct mtls_error *error);

#endif
