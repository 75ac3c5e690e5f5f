/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the board is divided between the two images: Arm application note 505, memory map, where bit 28 of an address
 * says secure (IoT Kit, ECM0601256). firmware.mk links the images to the same addresses. What is not listed here is
 * secure, the PSRAM with inbox and store above all.
 */
#ifndef MTLS_FIRMWARE_AN505_MEMORY_H
#define MTLS_FIRMWARE_AN505_MEMORY_H

#define HZ 20000000

/* SSRAM1, 4 MB: the lower half has the secure image (at 0x10000000), the upper one the other. */
#define NS_CODE      0x00200000
#define NS_CODE_SIZE 0x00200000
/* SSRAM2 is the secure image's RAM (at 0x38000000), SSRAM3 the other's. */
#define NS_RAM      0x28200000
#define NS_RAM_SIZE 0x00200000
#define NS_UART     0x40200000
#define NS_ETH      0x42000000

#define S_CODE 0x10000000
#define S_RAM  0x38000000
#define PSRAM  0x80000000

/* The same note, interrupts. */
#define UART0_RX (UINT64_C(1) << 32)
#define ETH_ANY  (UINT64_C(1) << 48)

#endif
