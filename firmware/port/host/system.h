/* SPDX-License-Identifier: Apache-2.0 */
/* Time, entropy, the device's key and idling, from this machine. */
#ifndef MTLS_FIRMWARE_HOST_SYSTEM_H
#define MTLS_FIRMWARE_HOST_SYSTEM_H

#include "firmware/board.h"

/* otp: as in struct host_wiring. */
void system_host_open(struct board_system *, const char *otp);

#endif
