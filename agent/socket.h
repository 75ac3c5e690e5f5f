/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's listening socket: one of its own, or one that systemd hands over. */
#ifndef MTLS_AGENT_SOCKET_H
#define MTLS_AGENT_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

struct agent_socket {
	int fd;
	char *path;   /* NULL where it was handed over */
	dev_t device; /* of the path, to remove no other one */
	ino_t inode;
	bool handed;
};

/*
 * Whether systemd (sd_listen_fds(3)) hands descriptor 3 over to this process: 1, 0, or -1 and said that it cannot be
 * used. Takes the variables out of the environment.
 */
int agent_socket_handed(void);
/* Listens. path: or NULL for the default, whose folder is made. all: everybody may connect. false: said. */
bool agent_socket_open(struct agent_socket *, bool handed, const char *path, bool all);
/* Closes and removes it. */
void agent_socket_close(struct agent_socket *);

#endif
