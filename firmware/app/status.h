/* SPDX-License-Identifier: Apache-2.0 */
/* What may be known of the device's credential, for people or as JSON with mtls-cred's keys. Never key material. */
#ifndef MTLS_FIRMWARE_APP_STATUS_H
#define MTLS_FIRMWARE_APP_STATUS_H

#include "core/reason.h"

#include <stdbool.h>
#include <stddef.h>

/* How the warning begins that tells of an upload that was refused; mtls-device looks for it. */
#define STATUS_REFUSED "the last upload was refused: "
/* And that of a vault which could not do its work: what was uploaded may still wait in the inbox. */
#define STATUS_FAILED "the secure store failed: "

/* After mtls_sockets_start. put gets the text in pieces. As JSON it is one line without its end. */
void status_print(bool json, void (*put)(const char *text));

/* "absent", "removed", "usable", "broken". */
const char *status_state(enum mtls_reason);

#endif
