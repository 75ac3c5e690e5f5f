/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP 2.2 as the device wants it: no operating system, one thread, the raw interface; IPv4 with TCP, UDP, DHCP and
 * DNS. Time and random numbers come from struct board, through firmware/port/bind_lwip.c.
 */
#ifndef MTLS_FIRMWARE_LWIPOPTS_H
#define MTLS_FIRMWARE_LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_STATS           0
#define LWIP_SINGLE_NETIF    1

#define LWIP_IPV4                1
#define LWIP_IPV6                0
#define LWIP_ARP                 1
#define LWIP_ICMP                1
#define LWIP_RAW                 0
#define LWIP_UDP                 1
#define LWIP_TCP                 1
#define LWIP_DHCP                1
#define LWIP_DHCP_DOES_ACD_CHECK 0 /* it takes 7 s */
#define LWIP_ACD                 0
#define LWIP_AUTOIP              0
#define LWIP_IGMP                0
#define LWIP_DNS                 1
#define IP_REASSEMBLY            0 /* nothing that the device talks needs it, and it is memory for strangers */
#define IP_FRAG                  0

/*
 * Memory: the rest is lwIP's own arithmetic. Each socket has a ring of TCP_WND bytes for what has come (net/stream.c);
 * the pool is for frames on their way there, and for a few that came out of turn: those are bounded too, since their
 * descriptors are shared with what is sent.
 */
#define MEM_ALIGNMENT __SIZEOF_POINTER__
#define TCP_MSS       1460
#ifdef FIRMWARE_SMALL
#define MEM_SIZE         (8 * 1024)
#define PBUF_POOL_SIZE   4
#define MEMP_NUM_TCP_PCB 6
#define TCP_WND          (2 * TCP_MSS)
#define TCP_SND_BUF      (2 * TCP_MSS)
#define TCP_QUEUE_OOSEQ  0 /* what comes after a lost segment is sent again */
#else
#define MEM_SIZE            (24 * 1024)
#define PBUF_POOL_SIZE      14
#define MEMP_NUM_TCP_PCB    10
#define TCP_WND             (4 * TCP_MSS)
#define TCP_SND_BUF         (4 * TCP_MSS)
#define TCP_OOSEQ_MAX_PBUFS 3
#endif
#define PBUF_POOL_BUFSIZE       1536 /* a whole frame */
#define TCP_SND_QUEUELEN        (4 * TCP_SND_BUF / TCP_MSS)
#define MEMP_NUM_TCP_SEG        (2 * TCP_SND_QUEUELEN)
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_UDP_PCB        4
#define MEMP_NUM_ARP_QUEUE      8
#define DNS_TABLE_SIZE          4
#define DNS_MAX_NAME_LENGTH     256

/*
 * RFC 6335 6's dynamic ports. lwIP takes the one after the last, and a start at 0xffff, which its own definition allows,
 * would make that 0: every 16,384th boot could not connect. So the last one is left out here.
 */
#define TCP_LOCAL_PORT_RANGE_START         0xc000
#define TCP_LOCAL_PORT_RANGE_END           0xffff
#define TCP_ENSURE_LOCAL_PORT_RANGE(start) ((u16_t)((start) % 0x3fff + TCP_LOCAL_PORT_RANGE_START))

#endif
