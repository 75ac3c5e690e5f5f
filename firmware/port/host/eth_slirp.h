/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet to a network in this process (libslirp): 10.0.2.0/24 with DHCP, where 10.0.2.100 is this machine's loopback
 * with one open port and nothing else answers. QEMU is started so that its network is the same.
 */
#ifndef MTLS_FIRMWARE_HOST_ETH_SLIRP_H
#define MTLS_FIRMWARE_HOST_ETH_SLIRP_H

#include "firmware/board.h"

/* port: the one that can be reached, 0: none. false: out of memory. One at a time: opening closes the one before. */
bool eth_slirp_open(struct board_eth *, uint16_t port);
void eth_slirp_close(void);
/* Another port from now on; connections to the one before hang. */
void eth_slirp_port(uint16_t port);
/* Until a frame has come, fd (or -1) can be read, or for ms milliseconds at most. */
void eth_slirp_wait(int fd, uint32_t ms);

#endif
