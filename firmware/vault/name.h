/* SPDX-License-Identifier: Apache-2.0 */
/* What people call the algorithms that a key may have or be encrypted with. */
#ifndef MTLS_FIRMWARE_VAULT_NAME_H
#define MTLS_FIRMWARE_VAULT_NAME_H

#include "core/bytes.h"

#define VAULT_NAME 40 /* bytes of a name with its NUL */

/* oid: the content of an OBJECT IDENTIFIER. Dotted, and maybe cut, where it has no name here. */
void vault_name(struct mtls_bytes oid, char name[VAULT_NAME]);

#endif
