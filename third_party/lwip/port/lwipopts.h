/*
 * lwIP as gatun uses it: TCP for IPv4 and IPv6 with the raw API, one thread,
 * no IP layer (inbound/tun parses and builds IP), no static pools.
 *
 * Memory is malloc's: nothing is held before the first flow, and a flow holds
 * its pcb and what is in flight. Checksums are the TUN's business: it has
 * verified what comes in, and the kernel finishes what goes out.
 */
#ifndef GATUN_LWIPOPTS_H
#define GATUN_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0 /* tcp_tmr() is called by inbound/stack_port.c while something is armed */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_IPV6_SCOPES 0
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define LWIP_ICMP 0
#define LWIP_ICMP6 0
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_RAW 0
#define LWIP_UDP 0
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define LWIP_IGMP 0
#define LWIP_STATS 0
#define LWIP_NETIF_LOOPBACK 0

/* base/cells.h, where what flows leave behind goes back to the system. */
#include <stddef.h>
void *cell_new(size_t size);
void cell_free(void *cell);
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC cell_new
#define MEM_CUSTOM_CALLOC(n, size) cell_new((size_t)(n) * (size))
#define MEM_CUSTOM_FREE cell_free
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8

#define CHECKSUM_GEN_IP 0
#define CHECKSUM_GEN_TCP 0
#define CHECKSUM_CHECK_IP 0
#define CHECKSUM_CHECK_TCP 0
#define LWIP_CHECKSUM_ON_COPY 0

#define LWIP_TCP 1
#define LWIP_CALLBACK_API 1
#define TCP_LISTEN_BACKLOG 0 /* held SYNs are counted by the glue */
/* The largest segment that may ever be built: 64 KiB less IPv6 and TCP headers
 * with options. The real one is per connection: a multiple of the peer's MSS. */
#define TCP_MSS 65400
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
/* Measured through Shadowsocks (one stream, 2 cores): a window of 256 KiB costs 8 %
 * more CPU per byte, above 512 KiB nothing is gained; a send bound of 256 or 512
 * KiB costs 20 and 13 % more than 768. The window is memory only while an upstream
 * is slow, and the bound only while a reader keeps up (inbound/stack_stream.c). */
#define TCP_WND (512 * 1024)
#define TCP_SND_BUF (768 * 1024)
#define TCP_SND_QUEUELEN 8192
#define TCP_SNDLOWAT 1
#define TCP_OVERSIZE 0 /* nothing is ever copied into a segment */
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_OOSEQ_MAX_PBUFS 256
#define LWIP_TCP_SACK_OUT 1 /* the TUN queue of the kernel drops when hundreds of flows burst at once */
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_KEEPALIVE 1
#define TCP_MAXRTX 12
#define MEMP_NUM_TCP_SEG 65535 /* only checked against the above: memory is malloc's */
/* TIME_WAIT of our own (patch 0003); never TCP_MSL, which is LAST_ACK's limit too. */
#define TCP_TIME_WAIT_INTERVAL 2000
/* Oldest first beyond this many (patch 0003): about 350 bytes each. */
#define TCP_TIME_WAIT_MAX 16384

#define LWIP_HOOK_FILENAME "hooks.h"

#endif
