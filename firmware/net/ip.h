/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's IPv4: lwIP over the board's Ethernet, an address from DHCP, names from DNS. Nothing here waits; whoever
 * has to runs ip_poll meanwhile. One thread, one board.
 */
#ifndef MTLS_FIRMWARE_NET_IP_H
#define MTLS_FIRMWARE_NET_IP_H

#include "firmware/board.h"

/*
 * Once, after board_bind. From here on DHCP asks for an address whenever ip_poll runs. The board stays borrowed. false:
 * there is no memory for an interface.
 */
bool ip_start(const struct board *);

/* Takes the frames that have come, does what is due, and where there was nothing is idle for at most ms milliseconds.
 */
void ip_poll(uint32_t ms);

/* The network has given an address. */
bool ip_up(void);

/* The board's clock, milliseconds. Compare differences only. */
uint64_t ip_now(void);

enum ip_answer { IP_FOUND, IP_NOT_YET, IP_NOT_FOUND };
/*
 * The address, in network order, of a name or of figures. IP_NOT_YET: ask again, with the same name, after ip_poll.
 * Only one name at a time is looked up: another one drops it.
 */
enum ip_answer ip_resolve(const char *name, uint32_t *address);

#endif
