/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's random numbers: a CTR_DRBG (NIST SP 800-90A) of its own, seeded by the board. It fails closed. */
#ifndef MTLS_FIRMWARE_VAULT_RANDOM_H
#define MTLS_FIRMWARE_VAULT_RANDOM_H

#include "firmware/board.h"

/* false: the board has no entropy; then vault_random fails. The board stays borrowed. */
bool vault_random_start(const struct board *);
void vault_random_stop(void);
/* As mbedTLS calls it: 0, or its error. ctx is not looked at. */
int vault_random(void *ctx, unsigned char *to, size_t n);

#endif
