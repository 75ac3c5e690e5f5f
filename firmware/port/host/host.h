/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device as a program of this machine, for tests and fuzzers under a sanitizer, and for looking into it. A test
 * that wants another part than these (flash_ram.h, a clock that stands still) copies the board and changes the copy.
 */
#ifndef MTLS_FIRMWARE_HOST_HOST_H
#define MTLS_FIRMWARE_HOST_HOST_H

#include "firmware/board.h"

struct host_wiring {
	const char *flash; /* file of the flash; NULL: there is no flash */
	const char *otp;   /* file of the device's key, made on first use; NULL: there is no key. Not copied. */
	uint16_t port;     /* of this machine's loopback, which the device reaches as 10.0.2.100; 0: none */
	int in, out;       /* the console; -1: none */
};

/* One board at a time. NULL: *why is a sentence, until the next call. */
const struct board *host_open(const struct host_wiring *, const char **why);
void host_close(void);

#endif
