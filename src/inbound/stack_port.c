/*
 * What lwIP's TCP stands on: instead of its IP layers, netifs and timers.
 *
 * In: a packet becomes a pbuf that refers to the buffer it was read into
 * (pbuf_custom), and goes
 * straight to tcp_input() with the addresses that tun.c parsed.
 * Out: lwIP calls ip4_output_if()/ip6_output_if(), which are here: an IP header
 * is put in front and one tun_write() made of the chain. The checksum field
 * holds the pseudo sum; the kernel finishes it, and cuts super-packets at the
 * peer's MSS.
 * Time: tcp_tmr() runs only while a connection is armed or in TIME_WAIT.
 *
 * There is one netif, which has no address: every destination is ours.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"
#include "base/clock.h"
#include "base/log.h"
#include "inbound/packet.h"
#include "io/own_sockets.h"
#include "inbound/stack_conn.h"
#include "loop/loop.h"

#include "lwip/ip.h"
#include "lwip/nd6.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#include "hooks.h"

#define PIECES_MAX 90  /* iovecs per packet; a longer chain is copied together */
#define HEADERS_MAX 160

struct rx_pbuf {
	struct pbuf_custom custom; /* first: a pbuf is one of these */
	struct buf *buf;
};

/* lwIP's own: who sent the packet that is being looked at. */
struct ip_globals ip_data;
const ip_addr_t ip_addr_any_type = IPADDR_ANY_TYPE_INIT;

static struct netif netif;
static struct tcp_pcb_listen *listener;
static struct loop_timer clock_timer;

/* ---- addresses ---- */

static ip_addr_t to_lwip(const struct addr *a)
{
	ip_addr_t out;

	memset(&out, 0, sizeof(out));
	if (a->family == AF_INET6) {
		memcpy(ip_2_ip6(&out)->addr, a->ip.bytes, 16);
		IP_SET_TYPE_VAL(out, IPADDR_TYPE_V6);
	} else {
		memcpy(&ip_2_ip4(&out)->addr, a->ip.bytes, 4);
		IP_SET_TYPE_VAL(out, IPADDR_TYPE_V4);
	}
	return out;
}

static struct addr from_lwip(const ip_addr_t *ip, uint16_t port)
{
	return IP_IS_V6(ip) ? addr_v6(ip_2_ip6(ip)->addr, port) : addr_v4(&ip_2_ip4(ip)->addr, port);
}

struct tcp_pcb *stack_port_find(const struct addr *app, const struct addr *target)
{
	ip_addr_t remote = to_lwip(app), local = to_lwip(target);

	return tcp_lookup(&local, target->port, &remote, app->port);
}

/* ---- in ---- */

static void free_rx(struct pbuf *p)
{
	struct rx_pbuf *rx = (struct rx_pbuf *)(void *)p;

	buf_unref(rx->buf);
	cell_free(rx);
}

static struct pbuf *wrap(struct buf *b, uint8_t *data, uint32_t len)
{
	struct rx_pbuf *rx = cell_new(sizeof(*rx));

	if (!rx)
		return NULL;
	rx->buf = buf_ref(b);
	rx->custom.custom_free_function = free_rx;
	return pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &rx->custom, data, (u16_t)len);
}

struct slice stack_port_slice(const struct pbuf *p)
{
	const struct rx_pbuf *rx = (const struct rx_pbuf *)(const void *)p;

	return (struct slice){ .buf = rx->buf, .off = (uint32_t)((uint8_t *)p->payload - rx->buf->data), .len = p->len };
}

/* tcp_input() takes the pbuf. */
static void input(struct pbuf *p, const struct addr *app, const struct addr *target)
{
	ip_data.current_netif = &netif;
	ip_data.current_input_netif = &netif;
	ip_data.current_iphdr_src = to_lwip(app);
	ip_data.current_iphdr_dest = to_lwip(target);
	tcp_input(p, &netif);
}

/* lwIP reads and writes 32-bit fields in the header; what reassembly made may
 * stand anywhere. */
static struct pbuf *wrap_aligned(const struct packet *packet)
{
	uint8_t *l4 = packet_l4(packet);
	uint32_t len = packet_l4_len(packet);
	struct buf *b;
	struct pbuf *p;

	if (((uintptr_t)l4 & 3) == 0)
		return wrap(packet->ip.buf, l4, len);
	b = buf_get(len);
	if (!b)
		return NULL;
	memcpy(b->data, l4, len);
	p = wrap(b, b->data, len);
	buf_unref(b);
	return p;
}

void stack_port_input(const struct packet *packet)
{
	struct pbuf *p = wrap_aligned(packet);

	if (p)
		input(p, &packet->src, &packet->dst);
}

struct tcp_pcb *stack_port_open(struct stack_conn *c, const struct addr *app, const struct addr *target, const uint8_t *tcp,
				uint32_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
	struct tcp_pcb *pcb;

	if (!p)
		return NULL;
	memcpy(p->payload, tcp, len);
	/* The one listener is made to listen where this SYN goes. */
	listener->local_port = target->port;
	listener->callback_arg = c;
	input(p, app, target);
	listener->callback_arg = NULL;
	pcb = stack_port_find(app, target);
	return pcb && pcb->callback_arg == c ? pcb : NULL;
}

void stack_port_reset(const struct addr *app, const struct addr *target, uint32_t seq, uint32_t ack)
{
	ip_addr_t remote = to_lwip(app), local = to_lwip(target);

	tcp_rst_netif(&netif, seq, ack, &local, &remote, target->port, app->port);
}

void stack_port_ends(const struct tcp_pcb *pcb, struct addr *app, struct addr *target)
{
	*app = from_lwip(&pcb->remote_ip, pcb->remote_port);
	*target = from_lwip(&pcb->local_ip, pcb->local_port);
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	if (!arg || !pcb || err != ERR_OK)
		return ERR_VAL; /* its connection ended meanwhile: lwIP resets it */
	stack_conn_established(arg);
	return ERR_OK;
}

/* ---- out ---- */

struct netif *ip4_route(const ip4_addr_t *dest)
{
	(void)dest;
	return &netif;
}

struct netif *ip6_route(const ip6_addr_t *src, const ip6_addr_t *dest)
{
	(void)src, (void)dest;
	return &netif;
}

struct netif *netif_get_by_index(u8_t index)
{
	return index == netif_get_index(&netif) ? &netif : NULL;
}

u16_t nd6_get_destination_mtu(const ip6_addr_t *dest, struct netif *out)
{
	(void)dest;
	return out->mtu;
}

/* Asked only for a pcb without an address of its own; ours all have one. */
const ip_addr_t *ip6_select_source_address(struct netif *out, const ip6_addr_t *dest)
{
	(void)dest;
	return netif_ip_addr6(out, 0);
}

/* At which size the kernel is to cut: the peer's MSS. */
static uint16_t gso_of(const ip_addr_t *src, const ip_addr_t *dst, const struct tcp_hdr *tcp)
{
	const struct tcp_pcb *pcb = tcp_lookup(src, lwip_ntohs(tcp->src), dst, lwip_ntohs(tcp->dest));

	return pcb ? pcb->gso_mss : 0;
}

/* The answer to a packet of our own that was routed here, in the midst of its connection: a reset would
 * break what goes on when the route is mended. The one for a SYN that is refused has no
 * sequence number. */
static bool breaks_own(const uint8_t *tcp, const struct addr *src, const struct addr *dst)
{
	struct addr self = *dst, peer = *src;

	if (!(tcp[13] & TCP_RST) || packet_get32(tcp + 4) == 0)
		return false;
	self.port = packet_get16(tcp + 2);
	peer.port = packet_get16(tcp);
	return own_sockets_know(SOCK_STREAM, &self, &peer);
}

static err_t emit(struct pbuf *p, const struct addr *src, const struct addr *dst, u8_t ttl, uint16_t gso)
{
	static uint8_t headers[HEADERS_MAX], together[65536];
	struct iovec iov[PIECES_MAX];
	uint32_t ip_len = packet_build_ip(headers, src, dst, IPPROTO_TCP, p->tot_len, ttl, true);
	uint16_t pseudo = packet_fold(packet_pseudo_sum(src, dst, IPPROTO_TCP, p->tot_len));
	int n = 1;

	if (p->len > HEADERS_MAX - ip_len || p->len < TCP_HLEN)
		return ERR_BUF;
	if (breaks_own(p->payload, src, dst))
		return ERR_OK;
	memcpy(headers + ip_len, p->payload, p->len);
	memcpy(headers + ip_len + 16, &pseudo, 2);
	iov[0] = (struct iovec){ headers, ip_len + p->len };
	for (const struct pbuf *q = p->next; q; q = q->next) {
		if (n == PIECES_MAX) {
			uint16_t rest = (uint16_t)(p->tot_len - p->len);

			pbuf_copy_partial(p->next, together, rest, 0);
			iov[1] = (struct iovec){ together, rest };
			n = 2;
			break;
		}
		iov[n++] = (struct iovec){ q->payload, q->len };
	}
	return tun_write(stack.tun, iov, n, gso, true) ? ERR_BUF : ERR_OK;
}

err_t ip4_output_if(struct pbuf *p, const ip4_addr_t *src, const ip4_addr_t *dest, u8_t ttl, u8_t tos, u8_t proto,
		    struct netif *out)
{
	struct addr from = addr_v4(&src->addr, 0), to = addr_v4(&dest->addr, 0);
	ip_addr_t s, d;

	(void)tos, (void)proto, (void)out;
	ip_addr_copy_from_ip4(s, *src);
	ip_addr_copy_from_ip4(d, *dest);
	return emit(p, &from, &to, ttl, p->next ? gso_of(&s, &d, p->payload) : 0);
}

err_t ip6_output_if(struct pbuf *p, const ip6_addr_t *src, const ip6_addr_t *dest, u8_t hl, u8_t tc, u8_t nexth,
		    struct netif *out)
{
	struct addr from = addr_v6(src->addr, 0), to = addr_v6(dest->addr, 0);
	ip_addr_t s, d;

	(void)tc, (void)nexth, (void)out;
	ip_addr_copy_from_ip6(s, *src);
	ip_addr_copy_from_ip6(d, *dest);
	return emit(p, &from, &to, hl, p->next ? gso_of(&s, &d, p->payload) : 0);
}

/* ---- hooks ---- */

u32_t stack_lwip_hash(const void *key, size_t len)
{
	return (u32_t)hash_bytes(key, len);
}

u32_t stack_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
	struct {
		ip_addr_t local, remote;
		u16_t local_port, remote_port;
	} key;

	memset(&key, 0, sizeof(key));
	key.local = *local;
	key.remote = *remote;
	key.local_port = local_port;
	key.remote_port = remote_port;
	return (u32_t)(hash_bytes(&key, sizeof(key)) + clock_ms() * 250); /* 4 us units, RFC 6528 */
}

void stack_lwip_dirty(struct tcp_pcb *pcb)
{
	struct stack_conn *c = pcb->callback_arg;

	if (!c) {
		tcp_output(pcb);
		return;
	}
	if (!c->closing) /* else only progress counts, not the answers to window probes */
		c->active_ms = loop_now();
	ip_reset_option(pcb, SOF_KEEPALIVE); /* it lives: stack.c asks again when it is silent for long */
	stack_mark_dirty(c);
}

void stack_lwip_gone(struct tcp_pcb *pcb)
{
	struct stack_conn *c = pcb->callback_arg;

	if (!c || c->pcb != pcb)
		return;
	c->pcb = NULL;
	stack_mark_dirty(c);
}

void lwip_assert_failed(const char *message, const char *file, int line)
{
	const char *base = strrchr(file, '/');

	log_error("lwIP: %s at=%s:%d", message, base ? base + 1 : file, line);
#ifndef NDEBUG
	abort();
#endif
}

unsigned lwip_random(void)
{
	static unsigned calls;

	calls++;
	return (unsigned)hash_bytes(&calls, sizeof(calls));
}

/* ---- time ---- */

static void on_clock(struct loop_timer *t)
{
	tcp_tmr();
	stack_tick();
	if (tcp_armed_pcbs || tcp_tw_pcbs || !list_empty(&stack.closing))
		loop_timer_start(t, TCP_TMR_INTERVAL, on_clock);
}

void tcp_timer_needed(void)
{
	if (!loop_timer_armed(&clock_timer))
		loop_timer_start(&clock_timer, TCP_TMR_INTERVAL, on_clock);
}

/* ---- life ---- */

void stack_follow_mtu(void)
{
	if (stack.tun)
		netif.mtu = (u16_t)tun_mtu(stack.tun);
}

int stack_port_init(void)
{
	struct tcp_pcb *pcb, *listening;

	memset(&netif, 0, sizeof(netif));
	netif.mtu = (u16_t)tun_mtu(stack.tun);
	netif.flags = NETIF_FLAG_UP | NETIF_FLAG_LINK_UP;
	netif.num = 0;
	tcp_init();
	pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
	if (!pcb)
		return -ENOMEM;
	if (tcp_bind(pcb, IP_ANY_TYPE, 1) != ERR_OK) {
		tcp_close(pcb);
		return -ENOMEM;
	}
	listening = tcp_listen(pcb);
	if (!listening) {
		tcp_close(pcb);
		return -ENOMEM;
	}
	tcp_accept(listening, on_accept);
	listener = (struct tcp_pcb_listen *)(void *)listening;
	return 0;
}

void stack_port_free(void)
{
	while (tcp_tw_pcbs)
		tcp_abort(tcp_tw_pcbs);
	while (tcp_active_pcbs)
		tcp_abort(tcp_active_pcbs);
	if (listener)
		tcp_close((struct tcp_pcb *)(void *)listener);
	listener = NULL;
	loop_timer_stop(&clock_timer);
}
