/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secure sockets in the manner of Zephyr's: an application opens one, names the host, connects, sends and receives. The
 * device's certificate is not its affair: it goes to servers that ask for it and that the device's mtls.conf allows.
 *
 * One thread. A call that has to wait runs the network meanwhile, until the socket's deadline; a socket with
 * O_NONBLOCK never waits: the call gives EAGAIN (mtls_connect: EINPROGRESS), and mtls_poll tells when to try again.
 * Errors are -1 with errno, as in POSIX; mtls_socket_reason has the sentence. Numbers of options are Zephyr's
 * (include/zephyr/net/socket.h). The pool is fixed: SOCKETS_MAX at once, EMFILE else.
 */
#ifndef MTLS_FIRMWARE_SOCKET_H
#define MTLS_FIRMWARE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SOCKETS_MAX
#define SOCKETS_MAX 4
#endif

#define SOCKETS_DEADLINE 30000 /* ms that a call waits at most, unless SO_RCVTIMEO or SO_SNDTIMEO say otherwise */
#define SOCKETS_HOST     254   /* bytes of a host's name, the NUL included (RFC 1035 2.3.4) */
#define SOCKETS_REASON   304   /* bytes of the longest sentence of mtls_socket_reason, the NUL included */

enum { MTLS_AF_INET = 1 };
enum { MTLS_SOCK_STREAM = 1 };
/* The lowest version that the socket speaks; 1.3 is always offered. MTLS_IPPROTO_TCP: no TLS. */
enum { MTLS_IPPROTO_TCP = 6, MTLS_IPPROTO_TLS_1_2 = 258, MTLS_IPPROTO_TLS_1_3 = 261 };
enum { MTLS_SOL_SOCKET = 1, MTLS_SOL_TLS = 282 };
/*
 * MTLS_TLS_HOSTNAME: the name, without NUL or with it; sent as SNI, and the server's certificate must be for it.
 * Without it mtls_connect fails with EDESTADDRREQ: nobody is verified by mistake against nothing. MTLS_TLS_PEER_VERIFY:
 * int, 2 (required) and the only value; others are EINVAL: verification cannot be turned off. MTLS_SO_RCVTIMEO,
 * MTLS_SO_SNDTIMEO: uint32_t, milliseconds; the latter is for mtls_connect too. MTLS_SO_NONBLOCK: int, 0 or 1.
 */
enum { MTLS_TLS_HOSTNAME = 2, MTLS_TLS_PEER_VERIFY = 5 };
enum { MTLS_SO_RCVTIMEO = 20, MTLS_SO_SNDTIMEO = 21, MTLS_SO_NONBLOCK = 0x4000 };
enum { MTLS_POLLIN = 1, MTLS_POLLOUT = 4, MTLS_POLLERR = 8, MTLS_POLLHUP = 16 };

struct mtls_pollfd {
	int fd;
	short events, revents;
};

struct board;
/*
 * Once, after board_bind and vault_boot: the network starts, and asks for an address whenever it is run. log: gets each
 * line of the contract's section 3, n bytes with the line feed; NULL: nobody does. The board stays borrowed. false:
 * there is no memory for a network.
 */
bool mtls_sockets_start(const struct board *, void (*log)(const char *line, size_t n));
/* Runs the network; where nothing happens it is idle for at most ms milliseconds. For a program's own loop. */
void mtls_sockets_run(uint32_t ms);

/* A socket, 0 or greater. EMFILE, EPROTONOSUPPORT, EAFNOSUPPORT. */
int mtls_socket(int family, int type, int protocol);
int mtls_setsockopt(int fd, int level, int option, const void *value, size_t n);
/*
 * address: of the host in network order; port in the host's. Also does the TLS handshake. ETIMEDOUT, ECONNREFUSED,
 * ECONNRESET, EDESTADDRREQ, EACCES (the server is not who it should be, or the device trusts none), EPROTO (TLS
 * failed), ENOMEM. After EINPROGRESS it is called again, once mtls_poll has told MTLS_POLLOUT or MTLS_POLLERR: 0, or
 * why not. The address and port do not count then. What has failed stays so: close it and open another.
 */
int mtls_connect(int fd, uint32_t address, uint16_t port);
/*
 * Bytes taken, 1 to n. A socket that waits has handed them to TCP when it returns; one with MTLS_SO_NONBLOCK may keep
 * some until the next call or mtls_poll (MTLS_POLLOUT: nothing is kept).
 */
long mtls_send(int fd, const void *data, size_t n);
/*
 * Bytes received, 1 to n; 0: the server has ended the connection properly. EPROTO where it did not, and where a TLS 1.3
 * server wants a certificate that was not presented: only the first receive can tell.
 */
long mtls_recv(int fd, void *data, size_t n);
/*
 * How many of them are ready; 0 after ms milliseconds; ms < 0: no end. MTLS_POLLERR and MTLS_POLLHUP (the number is no
 * open socket) come unasked.
 */
int mtls_poll(struct mtls_pollfd *fds, unsigned n, int ms);
/*
 * Says goodbye to the server without waiting for its answer. The number can be another socket's at once. 0, or -1 and
 * EBADF.
 */
int mtls_close(int fd);

/*
 * IPv4 address in network order of a name, or of an address in figures, by the network's resolver. 0, or -1 and ENOENT
 * (there is no such name) or ETIMEDOUT.
 */
int mtls_resolve(const char *name, uint32_t *address, uint32_t deadline_ms);

/* Why the last call on this socket failed: a sentence; "" where none did. Until the next call. */
const char *mtls_socket_reason(int fd);

#endif
