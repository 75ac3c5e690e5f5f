/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMSC (Microchip) LAN9118 Ethernet controller, polled, without DMA; its interrupt is on for ticks_wait alone. Numbers
 * in brackets are sections of its datasheet, revision 1.5; what to write in which order is in SMSC's application
 * note 12.12.
 */
#include "firmware/port/mps2/drivers.h"

#include <string.h>

/* RX and TX FIFO ports [5.2] */
#define RX_DATA   0x00
#define TX_DATA   0x20
#define RX_STATUS 0x40
#define TX_STATUS 0x48

/* System control and status registers [5.3] */
#define IRQ_CFG      0x54
#define IRQ_HIGH     (UINT32_C(1) << 8 | UINT32_C(1) << 4 | UINT32_C(1) << 0) /* on, active high, push-pull */
#define INT_STS      0x58
#define INT_EN       0x5c
#define RX_CAME      (UINT32_C(1) << 3) /* RSFL: RX status FIFO level */
#define BYTE_TEST    0x64
#define BYTE_PATTERN 0x87654321
#define RX_CFG       0x6c
#define TX_CFG       0x70
#define TX_ON        (UINT32_C(1) << 1)
#define HW_CFG       0x74
#define SOFT_RESET   (UINT32_C(1) << 0)
#define TX_FIFO_5KB  (UINT32_C(5) << 16) /* the rest of 16 kB is RX's */
#define MUST_BE_ONE  (UINT32_C(1) << 20)
#define RX_FIFO_INF  0x7c
#define TX_FIFO_INF  0x80
#define STATUSES(x)  ((x) >> 16 & 0xff)
#define FREE(x)      ((x)&0xffff)
#define MAC_COMMAND  0xa4
#define MAC_BUSY     (UINT32_C(1) << 31)
#define MAC_READ     (UINT32_C(1) << 30)
#define MAC_DATA     0xa8

/* MAC control and status registers [5.4], reached through MAC_COMMAND and MAC_DATA */
#define MAC_CR    1
#define FULL      (UINT32_C(1) << 20)
#define TX_ENABLE (UINT32_C(1) << 3)
#define RX_ENABLE (UINT32_C(1) << 2)
#define ADDRH     2
#define ADDRL     3

/* TX commands A and B [3.12.2], RX status [3.13.3] */
#define TX_FIRST     (UINT32_C(1) << 13)
#define TX_LAST      (UINT32_C(1) << 12)
#define RX_LENGTH(x) ((x) >> 16 & 0x3fff)
#define RX_ERROR     (UINT32_C(1) << 15)
#define FCS          4 /* bytes of the check sum, which the chip passes on */

#define PATIENCE 1000000 /* reads of a register that should change within microseconds */

static uintptr_t chip;

static uint32_t get(uintptr_t offset)
{
	return *mps2_register(chip, offset);
}

static void set(uintptr_t offset, uint32_t value)
{
	*mps2_register(chip, offset) = value;
}

static bool clears(uintptr_t offset, uint32_t bits)
{
	for (unsigned i = 0; i < PATIENCE; i++)
		if (!(get(offset) & bits))
			return true;
	return false;
}

static bool mac_get(uint32_t which, uint32_t *value)
{
	set(MAC_COMMAND, MAC_BUSY | MAC_READ | which);
	if (!clears(MAC_COMMAND, MAC_BUSY))
		return false;
	*value = get(MAC_DATA);
	return true;
}

static bool mac_set(uint32_t which, uint32_t value)
{
	set(MAC_DATA, value);
	set(MAC_COMMAND, MAC_BUSY | which);
	return clears(MAC_COMMAND, MAC_BUSY);
}

static bool lan9118_send(void *ctx, const void *frame, size_t n)
{
	const uint8_t *from = frame;

	(void)ctx;
	while (STATUSES(get(TX_FIFO_INF)))
		(void)get(TX_STATUS); /* how sending went is TCP's affair; unread, they would stop it */
	if (n > BOARD_FRAME_MAX || FREE(get(TX_FIFO_INF)) < n + 3 + 8)
		return false;
	set(TX_DATA, TX_FIRST | TX_LAST | (uint32_t)n);
	set(TX_DATA, (uint32_t)n);
	for (size_t i = 0; i < n; i += 4) {
		uint32_t word = 0;

		memcpy(&word, from + i, n - i < 4 ? n - i : 4);
		set(TX_DATA, word);
	}
	return true;
}

static size_t lan9118_receive(void *ctx, void *frame)
{
	uint8_t *to = frame;
	uint32_t status, n;
	bool good;

	(void)ctx;
	set(INT_STS, RX_CAME);
	if (!STATUSES(get(RX_FIFO_INF)))
		return 0;
	status = get(RX_STATUS);
	n = RX_LENGTH(status);
	good = !(status & RX_ERROR) && n > FCS && n - FCS <= BOARD_FRAME_MAX;
	for (uint32_t i = 0; i < n; i += 4) {
		uint32_t word = get(RX_DATA);

		if (good && i < n - FCS)
			memcpy(to + i, &word, n - FCS - i < 4 ? n - FCS - i : 4);
	}
	return good ? n - FCS : 0;
}

/* What its EEPROM has given it, or else one that is locally administered (IEEE 802 8.2). */
static bool address(uint8_t mac[BOARD_MAC])
{
	static const uint8_t ours[BOARD_MAC] = {0x02, 0x00, 0x00, 0x91, 0x18, 0x01};
	uint32_t low, high;

	if (!mac_get(ADDRL, &low) || !mac_get(ADDRH, &high))
		return false;
	if (low == UINT32_MAX) {
		memcpy(&low, ours, 4);
		high = (uint32_t)ours[4] | (uint32_t)ours[5] << 8;
		if (!mac_set(ADDRH, high) || !mac_set(ADDRL, low))
			return false;
	}
	for (unsigned i = 0; i < BOARD_MAC; i++)
		mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
	return true;
}

bool lan9118_open(struct board_eth *eth, uintptr_t base)
{
	chip = base;
	(void)get(BYTE_TEST); /* wakes it */
	if (get(BYTE_TEST) != BYTE_PATTERN)
		return false;
	set(HW_CFG, SOFT_RESET);
	if (!clears(HW_CFG, SOFT_RESET))
		return false;
	set(HW_CFG, MUST_BE_ONE | TX_FIFO_5KB);
	set(IRQ_CFG, IRQ_HIGH);
	set(INT_EN, RX_CAME);
	set(RX_CFG, 0); /* frames start and end at words */
	set(TX_CFG, TX_ON);
	memset(eth, 0, sizeof(*eth));
	if (!address(eth->mac) || !mac_set(MAC_CR, FULL | TX_ENABLE | RX_ENABLE))
		return false;
	eth->send = lan9118_send;
	eth->receive = lan9118_receive;
	return true;
}
