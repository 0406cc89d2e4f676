/*
 * Names for everything behind a TUN: port 53 is answered here. fake: A and
 * AAAA from the fake-IP map, so that names travel in the tunnel; upstream: the
 * query itself travels in the tunnel; off: nothing is touched.
 */
#ifndef GATUN_DNS_DNS_H
#define GATUN_DNS_DNS_H

#include "base/addr.h"
#include "conf/config.h"
#include "io/datagram.h"
#include "outbound/outbound.h"

struct dns_options {
	enum config_dns mode;
	struct target upstream;
	struct outbound *outbound; /* for upstream queries */
};

int dns_init(const struct dns_options *); /* 0 or -errno */
void dns_free(void); /* may come without, or after a failed, dns_init() */

/* An inbound port around `tun_udp` that answers port 53 itself, turns fake
 * addresses into names on the way out, and the sources of replies back into
 * the address that the app used. Bind the association table to it. */
struct datagram_port *dns_udp_port(struct datagram_port *tun_udp);

enum dns_verdict {
	DNS_PASS,   /* not ours: *out is the target as it is */
	DNS_MAPPED, /* *out is the name behind the fake address */
	DNS_REFUSE, /* a fake address that maps to nothing */
	DNS_SERVE,  /* port 53: give the stream to dns_serve_stream() */
};
enum dns_verdict dns_target(const struct target *in, struct target *out);
/* Takes the stream (accepts it, answers queries with 2-byte lengths, ends it). */
void dns_serve_stream(struct stream *);

struct dns_counters {
	uint64_t queries, fake_answers, upstream_queries, upstream_failures;
	uint32_t fake_map_size;
};
const struct dns_counters *dns_counters(void);

#endif
