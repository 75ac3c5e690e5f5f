/* SPDX-License-Identifier: Apache-2.0 */
/* lwIP's network interface and its clockwork, over struct board. TCP is in stream.c. */
#include "firmware/net/ip.h"

#include "core/address.h"

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include <string.h>

#define FRAMES_AT_ONCE 16  /* then timers get their turn, however much comes */
#define NAME           254 /* bytes of a name, with its NUL */

static struct {
	const struct board *board;
	struct netif netif;
	uint8_t frame[BOARD_FRAME_MAX]; /* one on its way out, or one for which there is no room */
} ip;

static struct {
	char name[NAME];
	enum ip_answer answer;
	uint32_t address;
} lookup;

uint64_t ip_now(void)
{
	return ip.board->system.now(ip.board->system.ctx);
}

/* --- the interface --------------------------------------------------------------- */

static err_t send_frame(struct netif *netif, struct pbuf *p)
{
	const struct board_eth *eth = &ip.board->eth;

	(void)netif;
	if (pbuf_copy_partial(p, ip.frame, sizeof(ip.frame), 0) != p->tot_len)
		return ERR_BUF;
	return eth->send(eth->ctx, ip.frame, p->tot_len) ? ERR_OK : ERR_MEM;
}

static err_t start_netif(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->mtu = 1500;
	netif->hwaddr_len = BOARD_MAC;
	memcpy(netif->hwaddr, ip.board->eth.mac, BOARD_MAC);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
	netif->output = etharp_output;
	netif->linkoutput = send_frame;
	return ERR_OK;
}

bool ip_start(const struct board *board)
{
	ip.board = board;
	lwip_init();
	if (!netif_add_noaddr(&ip.netif, NULL, start_netif, ethernet_input))
		return false;
	netif_set_default(&ip.netif);
	netif_set_up(&ip.netif);
	return dhcp_start(&ip.netif) == ERR_OK;
}

bool ip_up(void)
{
	return dhcp_supplied_address(&ip.netif);
}

/* Straight into lwIP's memory. Where it has none left the frame is lost, as on a full wire, and TCP sends it again. */
static bool receive_frame(void)
{
	const struct board_eth *eth = &ip.board->eth;
	struct pbuf *p = pbuf_alloc(PBUF_RAW, BOARD_FRAME_MAX, PBUF_POOL);
	size_t n;

	if (!p || p->next) {
		if (p)
			pbuf_free(p);
		return eth->receive(eth->ctx, ip.frame) > 0;
	}
	n = eth->receive(eth->ctx, p->payload);
	if (n == 0) {
		pbuf_free(p);
		return false;
	}
	pbuf_realloc(p, (u16_t)n);
	if (ip.netif.input(p, &ip.netif) != ERR_OK)
		pbuf_free(p);
	return true;
}

void ip_poll(uint32_t ms)
{
	const struct board_system *system = &ip.board->system;
	unsigned frames = 0;
	u32_t due;

	while (frames < FRAMES_AT_ONCE && receive_frame())
		frames++;
	sys_check_timeouts();
	if (frames || ms == 0)
		return;
	due = sys_timeouts_sleeptime();
	system->idle(system->ctx, due < ms ? due : ms);
}

/* --- names ------------------------------------------------------------------------- */

static void found(const char *name, const ip_addr_t *address, void *arg)
{
	(void)arg;
	if (strcmp(name, lookup.name) != 0)
		return; /* the answer to one that was dropped */
	lookup.answer = address ? IP_FOUND : IP_NOT_FOUND;
	if (address)
		lookup.address = ip_addr_get_ip4_u32(address);
}

static void look_up(const char *name)
{
	ip_addr_t address;
	err_t started;

	memcpy(lookup.name, name, strlen(name) + 1);
	lookup.answer = IP_NOT_YET;
	started = dns_gethostbyname(name, &address, found, NULL);
	if (started == ERR_OK)
		found(name, &address, NULL);
	else if (started != ERR_INPROGRESS)
		lookup.answer = IP_NOT_FOUND;
}

enum ip_answer ip_resolve(const char *name, uint32_t *address)
{
	struct mtls_addr figures;
	enum ip_answer answer;

	if (mtls_addr_parse(mtls_bytes_of(name), &figures) && figures.family == 4) {
		memcpy(address, figures.ip, sizeof(*address));
		return IP_FOUND;
	}
	if (!*name || strlen(name) >= NAME)
		return IP_NOT_FOUND;
	if (!ip_up())
		return IP_NOT_YET; /* whom to ask comes with the address */
	if (strcmp(name, lookup.name) != 0)
		look_up(name);
	answer = lookup.answer;
	*address = lookup.address;
	if (answer != IP_NOT_YET)
		lookup.name[0] = '\0'; /* the next one asks anew; lwIP remembers for as long as it may */
	return answer;
}
