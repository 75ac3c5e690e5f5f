/* SPDX-License-Identifier: Apache-2.0 */
/* A signal handler that does what a handler may: connect, which is a hook of the shim's. Nothing is sent to anybody. */
#ifndef MTLS_TESTS_HANDLER_H
#define MTLS_TESTS_HANDLER_H

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void connect_in_handler(int number)
{
	struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9)};
	int saved = errno, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)number;
	nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)!connect(fd, (struct sockaddr *)&nobody, sizeof(nobody));
	close(fd);
	errno = saved;
}

#endif
