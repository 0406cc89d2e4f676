/*
 * Shadowsocks over UDP sockets, what client and server have in common: sealing
 * datagrams into one shared arena, so that what is sealed one after another
 * lies back to back and leaves as one UDP_SEGMENT group, and opening what
 * came. Sessions, windows and who is whom are the business of outbound/ss_udp
 * and inbound/ss_server_udp.
 */
#ifndef GATUN_TRANSPORT_SS_PORT_H
#define GATUN_TRANSPORT_SS_PORT_H

#include "io/datagram.h"
#include "io/udp_socket.h"
#include "proto/ss_packet.h"

/* Sealed lengths that vanish on the way, because the kernel takes them for short enough to leave
 * whole: over `from` bytes, up to `to`. Padded beyond (SIP022), a datagram leaves in pieces. to 0: none do. */
struct ss_port_hole {
	uint16_t from, to;
};

/* Which way sealed datagrams leave. */
struct ss_port_way {
	struct udp_socket *socket;
	struct datagram_port *via;   /* in place of the socket: another outbound's port, */
	const struct target *server; /* and where it takes them */
	const struct addr *remote, *local; /* as in struct udp_outgoing */
	uint32_t flow;
	uint16_t exact; /* SIP022: pad to so many sealed bytes; 0: as chance has it */
	struct ss_port_hole hole;
};

/* Seals d (each of its segments) in session s and queues it. o->remote is taken
 * from d, o->padding is chosen here. What cannot be sent is counted. Returns
 * -EOVERFLOW when the session's packet ids are used up, else 0. */
int ss_port_seal(struct ss_packet_codec *c, struct ss_packet_session *s, struct ss_packet_out *o,
		 const struct datagram *d, const struct ss_port_way *way);

/* What d, which holds n datagrams, may grow to when it is sealed by the server:
 * padding at its most, addresses at their longest. */
uint64_t ss_port_sealed_max(const struct ss_packet_codec *c, const struct datagram *d, uint32_t n);

/* Counts a datagram that did not open (err of ss_packet_identify or _open). */
void ss_port_count_bad(int err);

/* One datagram of a received message, which may hold several (GRO). */
struct ss_port_cut {
	uint8_t *data;
	uint32_t off, len;
};
/* The i-th; false past the end. Start with *off = 0. */
static inline bool ss_port_cut(const struct udp_message *m, uint32_t *off, struct ss_port_cut *out)
{
	uint32_t rest = m->payload.len - *off;

	if (rest == 0)
		return false;
	out->off = m->payload.off + *off;
	out->data = m->payload.buf->data + out->off;
	out->len = m->segment && m->segment < rest ? m->segment : rest;
	*off += out->len;
	return true;
}

/* Announces to the codec what is opened next: m[0] from byte `off` of its payload
 * on, then m[1..n-1]. Call before each datagram; it does something now and then. */
void ss_port_expect(struct ss_packet_codec *c, const struct udp_message *m, int n, uint32_t off);

#endif
