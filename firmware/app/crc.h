/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 (ISO 3309, as in Ethernet and zip): against bytes that a serial line lost, not against anybody. */
#ifndef MTLS_FIRMWARE_APP_CRC_H
#define MTLS_FIRMWARE_APP_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc, 0 at the start. */
static inline uint32_t crc32_add(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *at = data;

	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

#endif
