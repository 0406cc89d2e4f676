/*
 * The life of dns/, and its answer to "where does this TCP connection go".
 * See dns.h for the modes, answer.c for what queries get, udp_port.c for UDP.
 */
#include "dns/dns.h"

#include <errno.h>
#include <string.h>

#include "dns/alias.h"
#include "dns/chooser.h"
#include "dns/state.h"
#include "dns/upstream.h"
#include "loop/loop.h"

struct dns_state dns_state;
static bool ready, own_map;

void dns_serve_stream(struct stream *s)
{
	dns_service_serve(dns_state.service, s);
}

struct dns_service *dns_main_service(void)
{
	return dns_state.service;
}

/* ---- life ---- */

static int open_service(const struct dns_options *o)
{
	struct dns_chooser_options c = {
		.mode = o->mode,
		.acl = o->acl,
		.near = o->near,
		.seen = o->seen,
		.own = o->own,
		.n_own = o->n_own,
	};

	c.far = dns_state.up = dns_upstream_new(o->outbound, &o->upstream);
	if (!c.far)
		return -ENOMEM;
	dns_state.service = dns_chooser_new(&c);
	return dns_state.service ? 0 : -ENOMEM;
}

static int open_map(const struct dns_options *o)
{
	static const struct fakeip_options own;

	own_map = !o->fakes;
	dns_state.fakes = own_map ? fakeip_new(&own) : o->fakes;
	return dns_state.fakes ? alias_init() : -ENOMEM;
}

static void close_all(void)
{
	dns_chooser_free(dns_state.service);
	dns_upstream_free(dns_state.up);
	if (own_map)
		fakeip_free(dns_state.fakes);
	dns_state.service = NULL;
	dns_state.up = NULL;
	dns_state.fakes = NULL;
	dns_state.seen = NULL;
}

int dns_init(const struct dns_options *o)
{
	int ret;

	dns_state.mode = o->mode;
	dns_state.upstream = o->upstream;
	dns_state.outbound = o->outbound;
	dns_state.no_ipv6 = o->no_ipv6;
	dns_state.seen = o->seen;
	memset(&dns_state.counters, 0, sizeof(dns_state.counters));
	ret = open_service(o);
	if (ret == 0)
		ret = open_map(o);
	ready = ret == 0;
	if (!ready)
		close_all();
	return ret;
}

void dns_change(const struct acl *acl, const struct target *own, int n_own)
{
	if (ready)
		dns_chooser_change(dns_state.service, acl, own, n_own);
}

void dns_free(void)
{
	if (!ready)
		return;
	ready = false;
	dns_service_end(dns_state.service);
	dns_udp_free();
	alias_free();
	close_all();
}

/* ---- names of addresses ---- */

enum dns_verdict dns_name_of(const struct target *in, struct target *out)
{
	uint32_t index;

	*out = *in;
	if (!dns_state.fakes || dns_state.mode != DNS_FAKE || target_is_name(in) || !fakeip_is_fake(dns_state.fakes, &in->ip))
		return DNS_PASS;
	out->name_len = fakeip_find(dns_state.fakes, &in->ip, out->name, &index);
	if (!out->name_len)
		return DNS_REFUSE;
	fakeip_touch(dns_state.fakes, index, loop_now());
	out->ip = (struct addr){ .port = in->ip.port };
	return DNS_MAPPED;
}

enum dns_verdict dns_target(const struct target *in, struct target *out)
{
	if (dns_state.mode == DNS_OFF || target_is_name(in) || target_port(in) != DNS_PORT)
		return dns_name_of(in, out);
	*out = *in;
	return DNS_SERVE;
}

bool dns_seen_name(const struct addr *a, struct target *name)
{
	return dns_state.seen && dns_seen_find(dns_state.seen, a, loop_now(), name);
}

const struct dns_counters *dns_counters(void)
{
	dns_state.counters.fake_map_size = dns_state.fakes ? fakeip_count(dns_state.fakes) : 0;
	return &dns_state.counters;
}
