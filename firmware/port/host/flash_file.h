/* SPDX-License-Identifier: Apache-2.0 */
/* Flash in a file, as the emulated boards have it: the same image works in both. */
#ifndef MTLS_FIRMWARE_HOST_FLASH_FILE_H
#define MTLS_FIRMWARE_HOST_FLASH_FILE_H

#include "firmware/board.h"

#define FLASH_FILE_SIZE  (UINT32_C(16) << 20)
#define FLASH_FILE_ERASE 4096
#define FLASH_FILE_WORD  16

/*
 * path: made, erased and readable by its owner alone, where it does not exist; two that make it at once get one file.
 * false: errno says why; EINVAL where it has another size. One at a time: to open again closes the one before.
 */
bool flash_file_open(struct board_flash *, const char *path);
void flash_file_close(void);

#endif
