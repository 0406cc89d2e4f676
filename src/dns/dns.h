/*
 * Names for everything behind a TUN: port 53 is answered here. fake: A and
 * AAAA from the fake-IP map, so that names travel in the tunnel; upstream: the
 * query itself travels in the tunnel; off: nothing is touched.
 */
#ifndef GATUN_DNS_DNS_H
#define GATUN_DNS_DNS_H

#include "base/addr.h"
#include "dns/near.h"
#include "dns/seen.h"
#include "dns/service.h"
#include "conf/config.h"
#include "io/datagram.h"
#include "outbound/outbound.h"
#include "resolve/fakeip.h"
#include "route/acl.h"

struct dns_options {
	enum config_dns mode;
	struct target upstream;
	struct outbound *outbound; /* for upstream queries */
	bool no_ipv6;		   /* it is not carried: no name has an AAAA */
	struct fakeip *fakes;	   /* the map; NULL: one of this process alone, in memory */

	/* Where an ACL parts the names (chooser.h); all or none of them. */
	const struct acl *acl;
	struct dns_near *near;
	struct dns_seen *seen;
	const struct target *own;
	int n_own;
};

int dns_init(const struct dns_options *); /* 0 or -errno; everything is borrowed */
void dns_free(void); /* may come without, or after a failed, dns_init() */
/* The list, and names of our own, are others from now on. */
void dns_change(const struct acl *, const struct target *own, int n_own);
/* What answers, for a listener (inbound/dns_listener.h). */
struct dns_service *dns_main_service(void);

/* An inbound port around `tun_udp` that answers port 53 itself, turns fake
 * addresses into names on the way out, and the sources of replies back into
 * the address that the app used. Bind the association table to it. */
struct datagram_port *dns_udp_port(struct datagram_port *tun_udp);
/* The same without port 53, which goes its way: for an inbound whose clients chose it. As it
 * is where there are no fake addresses. */
struct datagram_port *dns_udp_names(struct datagram_port *);
/* Takes away what these two put before a port, if they did: the port is as it was. dns_free()
 * does it for all. */
void dns_udp_leave(struct datagram_port *);

enum dns_verdict {
	DNS_PASS,   /* not ours: *out is the target as it is */
	DNS_MAPPED, /* *out is the name behind the fake address */
	DNS_REFUSE, /* a fake address that maps to nothing */
	DNS_SERVE,  /* port 53: give the stream to dns_serve_stream() */
};
enum dns_verdict dns_target(const struct target *in, struct target *out);
/* The same without port 53: never DNS_SERVE. */
enum dns_verdict dns_name_of(const struct target *in, struct target *out);
/* Was it in the answer to a question for a name, in the last hour? Then *name is that name. */
bool dns_seen_name(const struct addr *, struct target *name);
/* Takes the stream (accepts it, answers queries with 2-byte lengths, ends it). */
void dns_serve_stream(struct stream *);

struct dns_counters {
	uint64_t queries, fake_answers, upstream_queries, upstream_failures;
	uint32_t fake_map_size;
};
const struct dns_counters *dns_counters(void);

#endif
