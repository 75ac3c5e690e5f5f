/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the secure image. */
#ifndef MTLS_FIRMWARE_AN505_SECURE_H
#define MTLS_FIRMWARE_AN505_SECURE_H

/* Gives memory.h's memories and devices to the non-secure side, and nothing else. s_partition.c */
void partition_board(void);
/* Starts the image there, without privilege; returns if it does. */
void partition_enter(void);

#endif
