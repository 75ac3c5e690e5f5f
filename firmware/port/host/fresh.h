/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are made on first use, whole or not at all: by the host's port, and by mtls-device. */
#ifndef MTLS_FIRMWARE_HOST_FRESH_H
#define MTLS_FIRMWARE_HOST_FRESH_H

#include <stdbool.h>

/*
 * An open descriptor of the file at path, with these flags of open(2); -1 with errno. Where there is none, it is made
 * with mode 0600 and what fill writes (false: errno says why), and appears under its name when it is complete. Whoever
 * is first wins.
 */
int fresh_open(const char *path, int flags, bool (*fill)(int fd));

/* For fill: an erased flash, and fuses with a random key. */
bool fresh_flash(int fd);
bool fresh_fuses(int fd);

/* All n bytes, or false with errno. */
bool fresh_write(int fd, const void *data, unsigned long n);

#endif
