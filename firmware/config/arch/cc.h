/* SPDX-License-Identifier: Apache-2.0 */
/* What lwIP asks of compiler and board. The functions are in firmware/port/bind_lwip.c. */
#ifndef MTLS_FIRMWARE_ARCH_CC_H
#define MTLS_FIRMWARE_ARCH_CC_H

#include <stdint.h>
#include <stdlib.h>

#define LWIP_NO_UNISTD_H 1

_Noreturn void board_assert(const char *what);
uint32_t board_random(void);

#define LWIP_PLATFORM_DIAG(x)
#ifdef FIRMWARE_SMALL
#define LWIP_PLATFORM_ASSERT(x) board_assert("") /* the texts are 6 kB */
#else
#define LWIP_PLATFORM_ASSERT(x) board_assert(x) /* without __FILE__, which is a path of the machine that built it */
#endif
#define LWIP_RAND()                                               board_random()
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) board_random()

#endif
