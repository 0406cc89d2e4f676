/*
 * The TUN device.
 *
 * Theory of operation
 *
 * In: one read() per packet, up to BATCH per turn, each into the same large
 * buffer while nobody keeps it. With IFF_VNET_HDR a packet may be a TSO or USO
 * super-packet of 64 KiB, and says whether its checksum is known to be right.
 * Small packets are copied out (a cache line or a few), so that a 64 KiB buffer
 * is never pinned by a packet of 60 bytes; what is left in the large buffer
 * goes up without a copy, and a fresh buffer takes its place if it was kept.
 * A packet is parsed once (packet_parse), its checksum verified unless the
 * kernel vouches for it, and handed to one of four handlers; after the last of
 * the batch they are told, so that they send once per flow and not per packet.
 *
 * Out: one writev() per packet or super-packet, the virtio_net_hdr in front.
 * Without IFF_VNET_HDR the same calls cut and checksum here (tun_segment.c).
 *
 * Invariants: nothing leaves this file towards a handler that packet_parse()
 * did not accept; a packet that cannot be written is dropped and counted, never
 * queued: the kernel's queue in front of us is the only one.
 *
 * It knows no flows, no addresses of its own, no routes.
 */
#include "inbound/tun.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inbound/packet.h"
#include "inbound/pcap_ring.h"
#include "inbound/tun_owners.h"
#include "inbound/tun_segment.h"
#include "loop/loop.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define BATCH 64
#define IOV_MAX_PACKET 96
#define VNET_LEN ((uint32_t)sizeof(struct virtio_net_hdr))
#define IP_ALIGN 16u /* where the IP header stands in a buffer: lwIP reads 32-bit fields */
#define PACKET_MAX 65535u
#define RETRY_MS 5 /* when the pool has no buffer */

struct tun {
	struct loop_io io;
	struct loop_timer retry;
	struct tun_features features;
	int mtu;
	struct tun_handlers handlers;
	struct tun_counters counters;
	struct pcap_ring *pcap;
	struct tun_owners *owners; /* NULL: all is ours */
	struct buf *spare; /* the large buffer that is read into */
};

static void no_handler(void *owner, const struct packet *p)
{
	(void)owner, (void)p;
}

/* ---- in ---- */

/* What the kernel says of a packet, brought into struct packet. False: it
 * contradicts the packet. */
static bool apply_vnet(struct packet *p, const struct virtio_net_hdr *h)
{
	uint8_t type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint8_t proto;

	p->l4_csum_ok = h->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
	if (type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (type == VIRTIO_NET_HDR_GSO_UDP_L4)
		proto = IPPROTO_UDP;
	else if (type == (p->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6))
		proto = IPPROTO_TCP;
	else
		return false;
	p->gso_size = h->gso_size;
	return p->proto == proto && !p->fragment && h->gso_size;
}

/* Neighbour and router discovery, and multicast listener reports: the kernel's
 * own chatter on any link; there is nobody to answer (RFC 4861, RFC 3810). */
static bool is_link_chatter(const struct packet *p)
{
	uint8_t type = *packet_l4(p);

	return p->proto == IPPROTO_ICMPV6 && ((type >= 130 && type <= 137) || type == 143);
}

static void dispatch(struct tun *t, const struct packet *p)
{
	struct tun_handlers *h = &t->handlers;

	if (p->fragment)
		h->fragment(h->owner, p);
	else if (p->proto == IPPROTO_TCP)
		h->tcp(h->owner, p);
	else if (p->proto == IPPROTO_UDP)
		h->udp(h->owner, p);
	else if (!is_link_chatter(p))
		h->icmp(h->owner, p);
}

/* Steering looks for no ports behind IPv6 extension headers. */
static bool is_for_another(const struct tun *t, const struct packet *p)
{
	return t->owners && p->version == 6 && p->l4 != PACKET_IP6_HEADER && !p->fragment && tun_owners_hand_over(t->owners, p);
}

static void parsed(struct tun *t, struct packet *p)
{
	if (!p->fragment && !p->l4_csum_ok && !packet_checksum_ok(p)) {
		t->counters.rx_bad_checksum++;
		return;
	}
	p->l4_csum_ok = true;
	dispatch(t, p);
}

static void take(struct tun *t, struct slice ip, const struct virtio_net_hdr *vnet)
{
	struct packet p;
	int err = packet_parse(&p, ip);

	if (err == -EPROTONOSUPPORT)
		return;
	if (err || (vnet && !apply_vnet(&p, vnet)))
		t->counters.rx_malformed++;
	else if (!is_for_another(t, &p))
		parsed(t, &p);
}

/* What was not steered by its ports: a datagram put together, or another's. */
static void take_whole(struct tun *t, struct slice ip, uint16_t gso_size, bool l4_csum_ok)
{
	struct packet p;
	int err = packet_parse(&p, ip);

	if (err || p.fragment) {
		t->counters.rx_malformed += err != -EPROTONOSUPPORT;
		return;
	}
	p.gso_size = gso_size;
	p.l4_csum_ok = l4_csum_ok;
	p.dont_fragment = false; /* what came in parts may leave in parts */
	if (!t->owners || !tun_owners_hand_over(t->owners, &p))
		parsed(t, &p);
}

void tun_inject(struct tun *t, struct slice ip_packet)
{
	take_whole(t, ip_packet, 0, false);
}

void tun_inject_from(struct tun *t, struct slice ip_packet, uint16_t gso_size, bool l4_csum_ok)
{
	take_whole(t, ip_packet, gso_size, l4_csum_ok);
	if (t->handlers.batch_end)
		t->handlers.batch_end(t->handlers.owner);
}

/* A buffer of its own size for a packet that would pin much more than itself. */
static struct buf *shrink(const struct buf *from, uint32_t len)
{
	uint32_t size = IP_ALIGN + len;
	struct buf *b;

	if (size > BUF_MEDIUM)
		return NULL;
	b = buf_get(size);
	if (b)
		memcpy(b->data + IP_ALIGN, from->data + IP_ALIGN, len);
	return b;
}

static void record(struct tun *t, const struct iovec *iov, int n)
{
	if (t->pcap)
		pcap_ring_append(t->pcap, iov, n);
}

/* One packet of `len` bytes stands in t->spare. */
static void arrived(struct tun *t, uint32_t len)
{
	struct virtio_net_hdr vnet;
	struct buf *b = shrink(t->spare, len);
	struct slice ip = { .buf = b ? b : t->spare, .off = IP_ALIGN, .len = len };

	t->counters.rx_packets++;
	t->counters.rx_bytes += len;
	record(t, &(struct iovec){ slice_data(&ip), len }, 1);
	memcpy(&vnet, t->spare->data + IP_ALIGN - VNET_LEN, VNET_LEN);
	take(t, ip, t->features.vnet_hdr ? &vnet : NULL);
	if (b)
		buf_unref(b);
	if (t->spare->refs > 1) {
		buf_unref(t->spare);
		t->spare = NULL;
	}
}

/* False: nothing more to read now. */
static bool read_one(struct tun *t)
{
	uint32_t front = t->features.vnet_hdr ? VNET_LEN : 0;
	ssize_t n;

	if (!t->spare)
		t->spare = buf_get(BUF_LARGE);
	if (!t->spare)
		return false;
	n = read(t->io.fd, t->spare->data + IP_ALIGN - front, PACKET_MAX + front);
	if (n < 0)
		return errno == EINTR;
	if ((size_t)n <= front) {
		t->counters.rx_malformed += n != 0;
		return n != 0;
	}
	arrived(t, (uint32_t)n - front);
	return true;
}

static void on_retry(struct loop_timer *timer)
{
	loop_again(&container_of(timer, struct tun, retry)->io, LOOP_READ);
}

static void on_ready(struct loop_io *io, unsigned events)
{
	struct tun *t = container_of(io, struct tun, io);
	int i;

	if (!(events & LOOP_READ))
		return;
	for (i = 0; i < BATCH && read_one(t); i++)
		;
	if (i == BATCH)
		loop_again(io, LOOP_READ);
	else if (!t->spare)
		loop_timer_start(&t->retry, RETRY_MS, on_retry);
	if (i && t->handlers.batch_end)
		t->handlers.batch_end(t->handlers.owner);
}

/* ---- out ---- */

static int write_now(struct tun *t, const struct iovec *iov, int n)
{
	ssize_t rc;

	do
		rc = writev(t->io.fd, iov, n);
	while (rc < 0 && errno == EINTR);
	if (rc >= 0)
		return 0;
	t->counters.tx_dropped++;
	return errno == EAGAIN ? -EAGAIN : -ENOBUFS;
}

static uint32_t total_len(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len > PACKET_MAX ? PACKET_MAX + 1 : (uint32_t)len;
}

static int fill_vnet(struct virtio_net_hdr *h, const struct iovec *head, uint32_t len, uint16_t gso_size, bool csum)
{
	struct tun_layout l;

	memset(h, 0, sizeof(*h));
	if (!csum)
		return 0;
	if (tun_layout_of(head, &l))
		return -EINVAL;
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = (uint16_t)l.l4;
	h->csum_offset = l.proto == IPPROTO_TCP ? 16 : 6;
	h->hdr_len = (uint16_t)l.headers;
	if (!gso_size || len - l.headers <= gso_size)
		return 0;
	h->gso_size = gso_size;
	h->gso_type = l.proto == IPPROTO_UDP ? VIRTIO_NET_HDR_GSO_UDP_L4
		      : l.version == 4	     ? VIRTIO_NET_HDR_GSO_TCPV4
					     : VIRTIO_NET_HDR_GSO_TCPV6;
	return 0;
}

static int write_vnet(struct tun *t, const struct iovec *iov, int n, uint32_t len, uint16_t gso_size, bool csum)
{
	struct virtio_net_hdr h;
	struct iovec v[IOV_MAX_PACKET + 1];

	if (fill_vnet(&h, &iov[0], len, gso_size, csum) < 0)
		return -EINVAL;
	v[0] = (struct iovec){ &h, sizeof(h) };
	memcpy(v + 1, iov, (size_t)n * sizeof(*iov));
	return write_now(t, v, n + 1);
}

static int emit_piece(void *owner, const uint8_t *packet, uint32_t len)
{
	return write_now(owner, &(struct iovec){ (void *)(uintptr_t)packet, len }, 1);
}

/* Without a virtio_net_hdr: in one piece, cut and summed here. */
static int write_plain(struct tun *t, const struct iovec *iov, int n, uint16_t gso_size, bool csum)
{
	static uint8_t packet[PACKET_MAX];
	struct tun_layout l;
	uint32_t len = 0;

	if (!csum)
		return write_now(t, iov, n);
	if (tun_layout_of(&iov[0], &l))
		return -EINVAL;
	for (int i = 0; i < n; i++) {
		memcpy(packet + len, iov[i].iov_base, iov[i].iov_len);
		len += (uint32_t)iov[i].iov_len;
	}
	if (gso_size && len - l.headers > gso_size)
		return tun_cut(packet, len, &l, gso_size, emit_piece, t);
	tun_finish_checksum(packet, len, &l);
	return emit_piece(t, packet, len);
}

int tun_write(struct tun *t, const struct iovec *iov, int n, uint16_t gso_size, bool csum)
{
	uint32_t len = total_len(iov, n);
	int err;

	if (n < 1 || n > IOV_MAX_PACKET || len > PACKET_MAX)
		return -EINVAL;
	record(t, iov, n);
	if (t->features.vnet_hdr)
		err = write_vnet(t, iov, n, len, gso_size, csum);
	else
		err = write_plain(t, iov, n, gso_size, csum);
	if (!err) {
		t->counters.tx_packets++;
		t->counters.tx_bytes += len;
	}
	return err;
}

/* ---- life ---- */

struct tun *tun_new(int fd, struct tun_features features, int mtu, const struct tun_handlers *handlers)
{
	struct tun *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return NULL;
	t->features = features;
	t->mtu = mtu;
	t->handlers = *handlers;
	if (!t->handlers.fragment)
		t->handlers.fragment = no_handler;
	if (!t->handlers.icmp)
		t->handlers.icmp = no_handler;
	if (!t->handlers.udp)
		t->handlers.udp = no_handler;
	if (!t->handlers.tcp)
		t->handlers.tcp = no_handler;
	err = loop_io_start(&t->io, fd, on_ready);
	if (err) {
		free(t);
		errno = -err;
		return NULL;
	}
	return t;
}

void tun_free(struct tun *t)
{
	if (!t)
		return;
	loop_timer_stop(&t->retry);
	loop_io_stop(&t->io);
	close(t->io.fd);
	if (t->spare)
		buf_unref(t->spare);
	free(t);
}

int tun_mtu(const struct tun *t)
{
	return t->mtu;
}

void tun_set_mtu(struct tun *t, int mtu)
{
	t->mtu = mtu;
}

struct tun_features tun_features(const struct tun *t)
{
	return t->features;
}

void tun_set_owners(struct tun *t, struct tun_owners *owners)
{
	t->owners = owners;
}

void tun_set_pcap(struct tun *t, struct pcap_ring *ring)
{
	t->pcap = ring;
}

const struct tun_counters *tun_counters(const struct tun *t)
{
	return &t->counters;
}
