/*
 * Where a Shadowsocks server takes UDP, and what leads there: sockets that are
 * connected to it, or ports of the outbound that stands before it. The name is
 * looked up when first needed and again now and then; a server that has moved
 * is followed. It does not know what the datagrams hold.
 */
#ifndef GATUN_OUTBOUND_SS_UDP_WAY_H
#define GATUN_OUTBOUND_SS_UDP_WAY_H

#include "io/udp_socket.h"
#include "outbound/outbound.h"
#include "resolve/resolve.h"
#include "transport/ss_port.h"

/* The server. Set server, via, seen, rules, located and owner; the rest is zero. */
struct ss_udp_place {
	struct target server;
	struct outbound *via; /* what stands before it, or NULL */
	struct outbound_seen *seen;
	const struct socket_rules *rules; /* or NULL */
	/* The name was looked up; `found`: there is an address, now or from before. */
	void (*located)(void *owner, bool found);
	void *owner;

	struct addr addr;      /* family 0: not resolved yet */
	struct resolved found; /* addr is one of them */
	uint32_t generation;   /* counts its changes */
	struct resolve_query *query;
	uint64_t asked_ms;
	uint32_t network; /* io/network.h: when the name was last asked for */
};

/* A socket to it, or a port of what stands before it. */
struct ss_udp_way {
	struct udp_socket *socket;
	struct datagram_port *via;
	uint64_t tried_ms; /* when it was made; 0 = never */
	uint32_t generation;
	uint32_t network;	/* io/network.h: in which its source address was right */
	uint32_t paths;		/* io/path.h: when its limit was asked for */
	struct ss_port_hole hole;
	bool answers;		/* something came back, once */
	uint8_t renewed;	/* how often it was made anew since then */
	uint64_t unanswered_ms; /* when the first datagram after the last answer was sent; 0 = none was */
};

/* Is it known where to send? If not, located() tells. */
bool ss_udp_place_known(struct ss_udp_place *);
/* Stops asking. */
void ss_udp_place_free(struct ss_udp_place *);
/* An error that the network sent about a datagram (errno, positive). */
void ss_udp_place_note(struct ss_udp_place *, int err, const struct addr *remote);

/* Opens the way if it is not open, and makes a broken one anew, at most once a
 * second. False: there is none now. */
bool ss_udp_way_ready(struct ss_udp_place *, struct ss_udp_way *, const struct udp_socket_events *,
		      const struct datagram_events *, void *owner);
void ss_udp_way_close(struct ss_udp_way *);
/* Something authentic came back. Only a way whose owner says so is made anew
 * when it falls silent. */
static inline void ss_udp_way_heard(struct ss_udp_way *w)
{
	w->answers = true;
	w->renewed = 0;
	w->unanswered_ms = 0;
}

#endif
