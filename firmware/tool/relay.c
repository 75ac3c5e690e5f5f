/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection of a device in QEMU: between the socket that is our standard input and output, and the loopback.
 */
#include "firmware/tool/tool.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAREWELL_MS 5000 /* of a server's silence, once nothing more comes from the device */

static int connect_to(const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	return -1;
}

/* false: no more comes from there. */
static bool copy(int from, int to)
{
	static char buffer[1 << 16];
	ssize_t n = read(from, buffer, sizeof(buffer)), done;

	if (n < 0 && errno == EINTR)
		return true;
	for (ssize_t at = 0; at < n; at += done) {
		done = write(to, buffer + at, (size_t)(n - at));
		if (done <= 0)
			return false;
	}
	return n > 0;
}

int relay(const char *port)
{
	int server = connect_to(port);
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = server, .events = POLLIN}};

	if (server < 0)
		return TOOL_FAILED;
	/* Not every server ends a connection because its client has: without an end to that, we would stay for ever. */
	while (fds[1].fd >= 0 && poll(fds, 2, fds[0].fd < 0 ? FAREWELL_MS : -1) > 0) {
		if (fds[0].revents && !copy(STDIN_FILENO, server)) {
			shutdown(server, SHUT_WR);
			fds[0].fd = -1;
		}
		if (fds[1].revents && !copy(server, STDOUT_FILENO))
			fds[1].fd = -1;
	}
	return TOOL_DONE;
}
