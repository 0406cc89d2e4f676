/*
 * struct datagram_port: where datagrams of associations go out or come in, in
 * batches. TUN UDP and ss_server UDP are inbound ports: one port, many clients,
 * told apart by `key`. direct and shadowsocks are outbound ports: one per
 * association (their key is ignored). One association table joins the two.
 *
 * The contract:
 * - send() borrows the batch for the call; what must wait is copied or
 *   referenced. It never blocks and never calls back. What cannot be sent is
 *   counted and dropped (datagrams may be lost, order within one association
 *   is kept). Sends reach the kernel at the end of the turn.
 * - receive() borrows too. Its payloads may be overwritten in place.
 * - segment != 0: payload holds several datagrams of that size, back to back,
 *   the last one possibly shorter (GRO in, GSO out). A port that cannot use it
 *   splits. A payload of 0 bytes with segment 0 is a datagram of 0 bytes.
 */
#ifndef GATUN_IO_DATAGRAM_H
#define GATUN_IO_DATAGRAM_H

#include "base/addr.h"
#include "io/flow_end.h"
#include "io/slice.h"

/* Who, on the inbound side: an app's source, a SIP004 client's address, or a
 * SIP022 client session (then addr is zero: the client may move). */
struct assoc_key {
	struct addr addr;
	uint64_t session;
};

struct datagram {
	struct assoc_key key;
	/* Towards an outbound: where to. From an outbound: who sent it (an IP). */
	const struct target *remote;
	/* The address of ours that it came to (PKTINFO), or NULL. */
	const struct addr *local;
	struct slice payload;
	uint16_t segment;
};

/* How many it holds. */
static inline uint32_t datagrams_in(const struct datagram *d)
{
	return d->segment && d->payload.len ? (d->payload.len + d->segment - 1u) / d->segment : 1;
}

struct datagram_port;

struct datagram_port_ops {
	void (*send)(struct datagram_port *, const struct datagram *, int n);
	/* Releases an outbound port; freed in the deferred pass, no event after. */
	void (*end)(struct datagram_port *, enum flow_end);
	/* Inbound only, may be NULL. What `key` sent to `remote` goes nowhere, and why: the inbound
	 * may tell the app, as its own network would (ICMP). The datagram itself if it is the one
	 * that the inbound hands over right now, else one without payload: it is gone. */
	void (*refuse)(struct datagram_port *, const struct datagram *, enum flow_end);
	/* The same: the association of `key` has ended, and state for it may be forgotten. */
	void (*forget)(struct datagram_port *, const struct assoc_key *);
	/* Outbound only: whose way its datagrams go now, for status; borrowed until the
	 * loop turns. NULL: that of the outbound which gave it, always. */
	const char *(*way)(const struct datagram_port *);
};

struct datagram_events {
	void (*receive)(void *owner, const struct datagram *, int n);
	/* The port broke and can only be ended. */
	void (*ended)(void *owner, enum flow_end);
	/* Outbound only, may be NULL: what was sent to `remote` (as it was told, or where its name led) goes nowhere. */
	void (*refused)(void *owner, const struct target *remote, enum flow_end);
};

/* Embedded as the first member by implementations. */
struct datagram_port {
	const struct datagram_port_ops *ops;
	const struct datagram_events *events;
	void *owner;
};

static inline void datagram_bind(struct datagram_port *p, const struct datagram_events *events, void *owner)
{
	p->events = events;
	p->owner = owner;
}
static inline void datagram_send(struct datagram_port *p, const struct datagram *d, int n) { p->ops->send(p, d, n); }
/* Not from inside a call of the port's owner. */
static inline void datagram_refused(const struct datagram_port *p, const struct target *remote, enum flow_end why)
{
	if (p->events->refused)
		p->events->refused(p->owner, remote, why);
}
static inline void datagram_end(struct datagram_port *p, enum flow_end why) { p->ops->end(p, why); }

/* Batches never exceed this; larger ones gained nothing when measured. */
#define DATAGRAM_BATCH 64

#endif
