/* What the files of dns/ share: the mode, the fake map, the counters. Not for
 * other rooms (those read dns.h). */
#ifndef GATUN_DNS_STATE_H
#define GATUN_DNS_STATE_H

#include "dns/dns.h"
#include "dns/seen.h"
#include "dns/service.h"
#include "dns/upstream.h"
#include "resolve/fakeip.h"

#define DNS_PORT 53

struct dns_state {
	enum config_dns mode;
	struct target upstream;
	struct outbound *outbound;
	bool no_ipv6;
	struct dns_upstream *up;
	struct dns_service *service;
	struct fakeip *fakes; /* NULL: in a process without dns_init() */
	struct dns_seen *seen; /* or NULL */
	struct dns_counters counters;
};

extern struct dns_state dns_state;

/* udp_port.c: everything that still lives there. */
void dns_udp_free(void);

#endif
