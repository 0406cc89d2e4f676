/*
 * UDP of a TUN device as a datagram_port. UDP never enters lwIP: a datagram is
 * cut out of its packet here and handed on in batches of up to 64, and a reply
 * gets headers of our own, with its true source.
 *
 * In: the payload stays where the packet was read (a reference is kept until
 * the batch was handed over). A super-packet of an app that uses UDP_SEGMENT
 * (USO) goes on as one datagram with `segment` set. What no app may expect an
 * answer from (broadcast, multicast) is dropped and counted; what is longer
 * than the outbound carries gets ICMP with the exact number.
 *
 * Out: runs of equal datagrams between the same two ends become one UDP_L4
 * super-packet where the device takes them; what exceeds the MTU is
 * fragmented; all else is one write each. There is no queue of our own in
 * either direction: under overload the excess is dropped in the TUN's queue,
 * before work was spent on it.
 */
#include "inbound/tun_udp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "inbound/icmp.h"
#include "inbound/ip_output.h"
#include "inbound/packet.h"
#include "io/datagram_counters.h"

#define RUN_SEGMENTS 64	  /* of one super-packet */
#define RUN_BYTES 65000u  /* payload of one super-packet */

/* One entry of the batch: the datagram, what it points to, and its packet. */
struct entry {
	struct packet packet;
	struct target remote;
};

/* In a pool buffer from the first datagram of a batch to its end. */
struct batch {
	struct entry entries[DATAGRAM_BATCH];
	struct datagram datagrams[DATAGRAM_BATCH];
};
static_assert(sizeof(struct batch) <= BUF_LARGE, "a batch fits a pool buffer");

struct tun_udp {
	struct datagram_port port;
	struct tun *tun;
	uint32_t max_payload;
	uint16_t path4, path6; /* 0: no limit */
	struct buf *scratch; /* of a struct batch, while n > 0 */
	int n;
};

static struct tun_udp *of(struct datagram_port *p)
{
	return container_of(p, struct tun_udp, port);
}

static struct batch *batch_of(const struct tun_udp *u)
{
	return (struct batch *)(void *)u->scratch->data;
}

/* ---- in ---- */

/* The payload of a UDP packet that is whole and whose length field is true. */
static bool cut_payload(const struct packet *p, struct slice *out)
{
	uint32_t l4_len = packet_l4_len(p), udp_len;

	if (l4_len < PACKET_UDP_HEADER)
		return false;
	udp_len = packet_get16(packet_l4(p) + 4);
	/* The length field of a super-packet may be that of a segment. */
	if (p->gso_size)
		udp_len = l4_len;
	if (udp_len < PACKET_UDP_HEADER || udp_len > l4_len)
		return false;
	*out = (struct slice){ p->ip.buf, p->ip.off + p->l4 + PACKET_UDP_HEADER, udp_len - PACKET_UDP_HEADER };
	return true;
}

static uint32_t headers_of(const struct packet *p)
{
	return (p->version == 4 ? PACKET_IP4_HEADER : PACKET_IP6_HEADER) + PACKET_UDP_HEADER;
}

/* The MTU that its sender is to be told of, or 0: it fits. Longer than that is no packet (of IPv6, whose headers
 * its own length does not count). */
static uint16_t limit_for(const struct tun_udp *u, const struct packet *p, uint32_t size)
{
	uint16_t path = p->version == 4 ? u->path4 : u->path6;

	if (size > u->max_payload)
		return u->max_payload + headers_of(p) < UINT16_MAX ? (uint16_t)(u->max_payload + headers_of(p)) : UINT16_MAX;
	return path && p->dont_fragment && size + headers_of(p) > path ? path : 0;
}

/* False: dropped, counted and, where there is an app to tell, told. */
static bool admit(struct tun_udp *u, const struct packet *p, const struct slice *payload)
{
	uint32_t size = p->gso_size && p->gso_size < payload->len ? p->gso_size : payload->len;
	uint16_t limit = limit_for(u, p, size);

	if (p->dst.port == 0 || (!p->l4_csum_ok && !packet_checksum_ok(p))) {
		datagram_counters.malformed++;
		return false;
	}
	if (packet_not_unicast(p)) {
		datagram_counters.dropped_acl++;
		return false;
	}
	if (limit) {
		datagram_counters.too_big++;
		icmp_send_unreachable(u->tun, p, ICMP_TOO_BIG, limit);
		return false;
	}
	return true;
}

void tun_udp_input(struct tun_udp *u, const struct packet *p)
{
	struct slice payload;
	struct entry *e;

	if (!cut_payload(p, &payload)) {
		datagram_counters.malformed++;
		return;
	}
	if (!admit(u, p, &payload))
		return;
	if (u->n == DATAGRAM_BATCH)
		tun_udp_batch_end(u);
	if (!u->scratch)
		u->scratch = buf_get(sizeof(struct batch));
	if (!u->scratch) {
		datagram_counters.dropped_queue++;
		return;
	}
	e = &batch_of(u)->entries[u->n];
	e->packet = *p;
	target_from_addr(&e->remote, &p->dst);
	batch_of(u)->datagrams[u->n++] = (struct datagram){
		.key = { .addr = p->src },
		.remote = &e->remote,
		.payload = slice_ref(payload),
		.segment = p->gso_size < payload.len ? p->gso_size : 0,
	};
}

static void release_batch(struct tun_udp *u)
{
	for (int i = 0; i < u->n; i++)
		slice_unref(batch_of(u)->datagrams[i].payload);
	u->n = 0;
	if (u->scratch)
		buf_unref(u->scratch);
	u->scratch = NULL;
}

void tun_udp_batch_end(struct tun_udp *u)
{
	if (!u->n)
		return;
	u->port.events->receive(u->port.owner, batch_of(u)->datagrams, u->n);
	release_batch(u);
}

/* ---- out ---- */

static int write_fragmented(struct tun_udp *u, const struct addr *from, const struct addr *to, const uint8_t *data, uint32_t len)
{
	uint8_t header[PACKET_UDP_HEADER];

	packet_put16(header, from->port);
	packet_put16(header + 2, to->port);
	packet_put16(header + 4, PACKET_UDP_HEADER + len);
	return ip_output(u->tun, from, to, IPPROTO_UDP, header, sizeof(header), 6, data, len);
}

/* One datagram, or a super-packet of `segment` bytes each. */
static void write_packet(struct tun_udp *u, const struct addr *from, const struct addr *to, struct iovec *iov, int n,
			 uint32_t len, uint32_t segment)
{
	uint8_t head[PACKET_IP6_HEADER + PACKET_UDP_HEADER];

	iov[0] = (struct iovec){ head, packet_build_udp(head, from, to, len) };
	tun_write(u->tun, iov, n, (uint16_t)segment, true);
}

static void write_single(struct tun_udp *u, const struct addr *from, const struct addr *to, uint8_t *data, uint32_t len)
{
	uint32_t headers = (from->family == AF_INET ? PACKET_IP4_HEADER : PACKET_IP6_HEADER) + PACKET_UDP_HEADER;
	struct iovec iov[2] = { [1] = { data, len } };

	if (headers + len > (uint32_t)tun_mtu(u->tun)) {
		if (write_fragmented(u, from, to, data, len) == -EMSGSIZE)
			datagram_counters.too_big++;
		return;
	}
	write_packet(u, from, to, iov, len ? 2 : 1, len, 0);
}

static void write_singles(struct tun_udp *u, const struct datagram *d)
{
	uint8_t *data = slice_data(&d->payload);
	uint32_t rest = d->payload.len, size = d->segment ? d->segment : rest;

	do {
		uint32_t len = rest < size ? rest : size;

		write_single(u, &d->remote->ip, &d->key.addr, data, len);
		data += len;
		rest -= len;
	} while (rest);
}

static uint32_t size_of(const struct datagram *d)
{
	return d->segment ? d->segment : d->payload.len;
}

static uint32_t count_of(const struct datagram *d)
{
	return d->segment ? (d->payload.len + d->segment - 1) / d->segment : 1;
}

static bool may_run(const struct tun_udp *u, const struct datagram *d)
{
	uint32_t headers = (d->remote->ip.family == AF_INET ? PACKET_IP4_HEADER : PACKET_IP6_HEADER) + PACKET_UDP_HEADER;

	return tun_features(u->tun).uso && size_of(d) > 0 && headers + size_of(d) <= (uint32_t)tun_mtu(u->tun) &&
	       count_of(d) <= RUN_SEGMENTS && d->payload.len <= RUN_BYTES;
}

static bool same_ends(const struct datagram *a, const struct datagram *b)
{
	return addr_equal(&a->key.addr, &b->key.addr) && addr_equal(&a->remote->ip, &b->remote->ip);
}

/* Writes the run that starts at d[0]; how many datagrams it took (at least 1). */
static int write_run(struct tun_udp *u, const struct datagram *d, int n)
{
	struct iovec iov[1 + RUN_SEGMENTS];
	uint32_t size = size_of(&d[0]), bytes = 0, count = 0;
	int i = 0;

	do {
		iov[1 + i] = (struct iovec){ slice_data(&d[i].payload), d[i].payload.len };
		bytes += d[i].payload.len;
		count += count_of(&d[i]);
		i++;
		/* A shorter one ends the run. */
	} while (i < n && bytes % size == 0 && d[i].payload.len > 0 && (d[i].segment ? d[i].segment == size : d[i].payload.len <= size) &&
		 count + count_of(&d[i]) <= RUN_SEGMENTS && bytes + d[i].payload.len <= RUN_BYTES && same_ends(d, &d[i]));
	write_packet(u, &d->remote->ip, &d->key.addr, iov, 1 + i, bytes, count > 1 ? size : 0);
	return i;
}

static void tun_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct tun_udp *u = of(port);

	for (int i = 0; i < n;) {
		/* An answer of the other family, or by name, has no way into a packet. */
		if (d[i].remote->ip.family != d[i].key.addr.family) {
			datagram_counters.malformed++;
			i++;
		} else if (may_run(u, &d[i])) {
			i += write_run(u, &d[i], n - i);
		} else {
			write_singles(u, &d[i++]);
		}
	}
}

/* ---- the table's word ---- */

/* The packet that d was cut from, while its batch is being handed over. */
static const struct packet *packet_of(const struct tun_udp *u, const struct datagram *d)
{
	for (int i = 0; i < u->n; i++)
		if (batch_of(u)->datagrams[i].payload.buf == d->payload.buf && batch_of(u)->datagrams[i].payload.off == d->payload.off)
			return &batch_of(u)->entries[i].packet;
	return NULL;
}

/* The app learns it as from that host. */
static void tun_refuse(struct datagram_port *port, const struct datagram *d, enum flow_end why)
{
	struct tun_udp *u = of(port);
	const struct packet *p = packet_of(u, d);

	if (p)
		icmp_send_unreachable(u->tun, p, icmp_error_reason(why), 0);
	else if (!target_is_name(d->remote) && d->remote->ip.family == d->key.addr.family)
		icmp_send_about(u->tun, &d->key.addr, &d->remote->ip, icmp_error_reason(why));
}

static void tun_end(struct datagram_port *port, enum flow_end why)
{
	(void)port, (void)why; /* an inbound is freed by its owner */
}

static const struct datagram_port_ops tun_ops = { .send = tun_send, .end = tun_end, .refuse = tun_refuse };

struct tun_udp *tun_udp_new(struct tun *t, uint32_t max_payload)
{
	struct tun_udp *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->port.ops = &tun_ops;
	u->tun = t;
	u->max_payload = max_payload;
	return u;
}

void tun_udp_free(struct tun_udp *u)
{
	release_batch(u);
	free(u);
}

void tun_udp_set_path(struct tun_udp *u, uint16_t path4, uint16_t path6)
{
	u->path4 = path4;
	u->path6 = path6;
}

struct datagram_port *tun_udp_port(struct tun_udp *u)
{
	return &u->port;
}
