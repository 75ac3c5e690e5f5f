/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a descriptor is connected to. connect(2) is called between fork and exec
 * and from signal handlers, so recording is one store into a fixed slot: no lock, no memory. Descriptors
 * are reused: an entry counts only while getpeername(2) still gives the recorded address.
 */
#ifndef MTLS_SHIM_PEERS_H
#define MTLS_SHIM_PEERS_H

#include "core/address.h"

#include <sys/socket.h>

#define PEERS_MAX 32 /* candidates that a decision looks at */

/* Records fd's peer; other families than IPv4 and IPv6 are passed over. Async-signal-safe. Changes errno. */
void peers_connected(int fd, const struct sockaddr *address, socklen_t n);

/* The peer of a connected socket, by getpeername; family 0 where it has none. Keeps errno. */
void peers_of(int fd, struct mtls_addr *out);

/*
 * Every live connected socket of this process with that type (SOCK_STREAM, SOCK_DGRAM), as far as connect
 * was seen; returns how many (at most PEERS_MAX). *complete is false where some may be missing. Keeps errno.
 */
size_t peers_live(int type, struct mtls_addr out[PEERS_MAX], bool *complete);

/* From a socket address; family 0 where it is neither IPv4 nor IPv6. */
void peers_address(const struct sockaddr *, socklen_t, struct mtls_addr *out);

#endif
