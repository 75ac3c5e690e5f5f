/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom this process is connected to, where the TLS library does not tell the descriptor. The kernel is asked at the
 * moment of the question: every number in /proc/self/fd, so that it does not matter how a descriptor came to be
 * (connect, accept, dup, inherited, sent by another process). Where there is no /proc: every small number, and every
 * one that connect(2) was seen with. All of it is async-signal-safe and no point of cancellation.
 *
 * A stream that is not IPv4 or IPv6 (a proxy's Unix socket, vsock) is a peer of family 0, unknown: it matches no allow
 * and every deny. Not counted, because TLS does not go that way, and whole classes of innocent programs hold one:
 *  - a Unix socket whose other end has no name. That is a socketpair, or what came in by accept: a wake-up pair
 *    within the program (as in curl's resolver) or a pipe to a helper. Whoever reaches a server through it
 *    has another part of the program between;
 *  - the sockets of the journal (standard output of every systemd service), the system bus, nscd and sssd
 *    (which libc's look-ups open and keep);
 *  - Unix datagram sockets (syslog) and netlink.
 */
#ifndef MTLS_SHIM_PEERS_H
#define MTLS_SHIM_PEERS_H

#include "core/address.h"

#include <sys/socket.h>

#define PEERS_MAX 32 /* different candidates that a decision looks at */

/* Notes that fd is, or will be, connected; called between fork and exec too: one store. Changes errno. */
void peers_connected(int fd);

/* The peer of a connected socket, by getpeername; family 0 where it has none. Keeps errno. */
void peers_of(int fd, struct mtls_addr *out);

/*
 * The different peers of every connected socket of this process with that type (SOCK_STREAM, SOCK_DGRAM); returns how
 * many (at most PEERS_MAX). *complete is false where some may be missing. Keeps errno.
 */
size_t peers_live(int type, struct mtls_addr out[PEERS_MAX], bool *complete);

/* From a socket address; family 0 where it is neither IPv4 nor IPv6. */
void peers_address(const struct sockaddr *, socklen_t, struct mtls_addr *out);

#endif
