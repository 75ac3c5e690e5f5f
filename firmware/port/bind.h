/* SPDX-License-Identifier: Apache-2.0 */
/* Between bind.c and what it binds. */
#ifndef MTLS_FIRMWARE_PORT_BIND_H
#define MTLS_FIRMWARE_PORT_BIND_H

/* Gives mbedTLS the block of FIRMWARE_HEAP bytes, where there is one. */
void board_bind_memory(void);

#endif
