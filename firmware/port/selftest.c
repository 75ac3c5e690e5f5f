/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first program to run on a new port: each part of the board once, a line on the console for each, status 0 where
 * all is as board.h says. It erases the last two units of the flash.
 */
#include "firmware/port/port.h"

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <psa/crypto.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LEASE_MS 10000

static const struct board *board;
static bool all_well = true;

__attribute__((format(printf, 3, 4))) static void tell(bool well, const char *part, const char *format, ...)
{
	char line[160];
	va_list rest;
	int n = snprintf(line, sizeof(line), "%s %s: ", well ? "ok  " : "FAIL", part);

	va_start(rest, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, rest);
	va_end(rest);
	for (const char *at = line; *at; at++)
		board->uart.put(board->uart.ctx, (uint8_t)*at);
	board->uart.put(board->uart.ctx, '\n');
	all_well &= well;
}

/* --- flash ------------------------------------------------------------------------------ */

static const struct board_flash *flash;

static bool flash_read(uint32_t at, void *to, size_t n)
{
	return flash->read(flash->ctx, at, to, n);
}

static bool flash_program(uint32_t at, const void *from, size_t n)
{
	return flash->program(flash->ctx, at, from, n);
}

static bool flash_erase(uint32_t at)
{
	return flash->erase_unit(flash->ctx, at);
}

static bool holds(uint32_t at, uint32_t n, uint8_t byte)
{
	uint8_t one;

	for (uint32_t i = 0; i < n; i++)
		if (!flash_read(at + i, &one, 1) || one != byte)
			return false;
	return true;
}

static const char *flash_fault(void)
{
	uint32_t unit = flash->size - 2 * flash->erase, next = unit + flash->erase;
	uint8_t words[3 * 32 + 1], back[3 * 32];
	size_t n = (size_t)flash->word * 3;

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = (uint8_t)(i * 7 + 1);
	if (!flash_erase(unit) || !flash_erase(next))
		return "a unit cannot be erased";
	if (!holds(unit, 2 * flash->erase, 0xff))
		return "an erased unit is not erased";
	if (!flash_program(next - flash->word, words + 1, n)) /* across the edge, from an odd address */
		return "erased words cannot be programmed";
	if (!flash_read(next - flash->word, back, n) || memcmp(back, words + 1, n) != 0)
		return "what was programmed cannot be read";
	if (flash_program(next, back, flash->word))
		return "a word was programmed twice";
	if (flash_erase(unit + flash->word))
		return "a unit was erased from its middle";
	if (flash_read(flash->size, back, 1) || flash_program(flash->size, back, flash->word) ||
	    flash_erase(flash->size))
		return "there is something after the end";
	if (!flash_erase(next) || !holds(next, flash->erase, 0xff) || holds(next - flash->word, flash->word, 0xff))
		return "a unit cannot be erased alone";
	return flash_erase(unit) ? NULL : "a unit cannot be erased again";
}

static void test_flash(void)
{
	const char *fault;

	flash = &board->flash;
	fault = flash_fault();
	tell(!fault, "flash", "%lu kB, units of %lu, words of %lu%s%s", (unsigned long)(flash->size >> 10),
	     (unsigned long)flash->erase, (unsigned long)flash->word, fault ? ": " : "", fault ? fault : "");
}

/* --- system --------------------------------------------------------------------------------- */

static void test_system(void)
{
	const struct board_system *system = &board->system;
	uint8_t one[BOARD_KEY] = {0}, two[BOARD_KEY] = {0};
	uint64_t start = system->now(system->ctx);
	int64_t wall = 0;
	bool well;

	well = system->wall(system->ctx, &wall);
	tell(well, "time", "%ld s since 1970", (long)wall);
	well = system->entropy(system->ctx, one, sizeof(one)) && system->entropy(system->ctx, two, sizeof(two));
	tell(well && memcmp(one, two, sizeof(one)) != 0, "entropy", "%d bytes, twice", BOARD_KEY);
	well = system->key(system->ctx, one) && system->key(system->ctx, two);
	tell(well && memcmp(one, two, sizeof(one)) == 0, "key", "%s", well ? "the same twice" : "there is none");
	tell(psa_crypto_init() == PSA_SUCCESS && psa_generate_random(two, sizeof(two)) == PSA_SUCCESS, "mbedtls",
	     "random numbers");
	while (system->now(system->ctx) - start < 50)
		system->idle(system->ctx, 50);
	tell(true, "clock", "50 ms have passed");
}

/* --- Ethernet ----------------------------------------------------------------------------------- */

static err_t send_frame(struct netif *netif, struct pbuf *p)
{
	uint8_t frame[BOARD_FRAME_MAX];

	(void)netif;
	if (pbuf_copy_partial(p, frame, sizeof(frame), 0) != p->tot_len)
		return ERR_BUF;
	return board->eth.send(board->eth.ctx, frame, p->tot_len) ? ERR_OK : ERR_MEM;
}

static err_t start_netif(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->mtu = 1500;
	netif->hwaddr_len = BOARD_MAC;
	memcpy(netif->hwaddr, board->eth.mac, BOARD_MAC);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
	netif->output = etharp_output;
	netif->linkoutput = send_frame;
	return ERR_OK;
}

static void receive_frames(struct netif *netif)
{
	uint8_t frame[BOARD_FRAME_MAX];
	size_t n;

	while ((n = board->eth.receive(board->eth.ctx, frame)) > 0) {
		struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_POOL);

		if (p && (pbuf_take(p, frame, (u16_t)n) != ERR_OK || netif->input(p, netif) != ERR_OK))
			pbuf_free(p);
	}
}

static void test_eth(void)
{
	const struct board_system *system = &board->system;
	uint64_t start = system->now(system->ctx);
	struct netif netif;
	bool leased = false;

	lwip_init();
	netif_add_noaddr(&netif, NULL, start_netif, ethernet_input);
	netif_set_default(&netif);
	netif_set_up(&netif);
	dhcp_start(&netif);
	while (!leased && system->now(system->ctx) - start < LEASE_MS) {
		receive_frames(&netif);
		sys_check_timeouts();
		leased = dhcp_supplied_address(&netif);
		if (!leased)
			system->idle(system->ctx, 10);
	}
	tell(leased, "eth", "%s from DHCP after %lu ms", ip4addr_ntoa(netif_ip4_addr(&netif)),
	     (unsigned long)(system->now(system->ctx) - start));
	dhcp_release_and_stop(&netif);
	netif_remove(&netif);
}

int main(int argc, char **argv)
{
	board = board_start(argc, argv);
	if (!board)
		board_exit(1);
	board_bind(board);
	tell(true, "uart", "this is %s", board->name);
	test_flash();
	test_system();
	test_eth();
	tell(all_well, "selftest", "%s", all_well ? "all is well" : "see above");
	board_exit(all_well ? 0 : 1);
}
