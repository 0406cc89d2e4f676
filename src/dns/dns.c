/*
 * The life of dns/, and its answer to "where does this TCP connection go".
 * See dns.h for the modes, answer.c for what queries get, udp_port.c for UDP.
 */
#include "dns/dns.h"

#include <errno.h>
#include <string.h>

#include "dns/alias.h"
#include "dns/service.h"
#include "dns/state.h"
#include "dns/upstream.h"
#include "loop/loop.h"

struct dns_state dns_state;
static bool ready;

/* ---- the TUN's service: all of it through the tunnel ---- */

static void *ask(struct dns_service *s, const struct dns_question *q, const uint8_t *query, size_t len, dns_upstream_done *done,
		 void *owner)
{
	(void)s, (void)q;
	return dns_upstream_ask(dns_state.up, query, len, done, owner);
}

static void cancel(struct dns_service *s, void *request)
{
	(void)s;
	dns_upstream_cancel(request);
}

static const struct dns_service_ops service_ops = { .ask = ask, .cancel = cancel };
static struct dns_service service = { .ops = &service_ops };

void dns_serve_stream(struct stream *s)
{
	service.mode = dns_state.mode;
	dns_service_serve(&service, s);
}

/* ---- life ---- */

int dns_init(const struct dns_options *o)
{
	int ret;

	dns_state.mode = o->mode;
	dns_state.upstream = o->upstream;
	dns_state.outbound = o->outbound;
	memset(&dns_state.counters, 0, sizeof(dns_state.counters));
	dns_state.up = dns_upstream_new(o->outbound, &o->upstream);
	if (!dns_state.up)
		return -ENOMEM;
	ret = fakeip_init(&dns_state.fakes, 0);
	if (ret == 0 && (ret = alias_init()) < 0)
		fakeip_free(&dns_state.fakes);
	ready = ret == 0;
	if (!ready)
		dns_upstream_free(dns_state.up);
	return ret;
}

void dns_free(void)
{
	if (!ready)
		return;
	ready = false;
	dns_service_end(&service);
	dns_udp_free();
	dns_upstream_free(dns_state.up);
	alias_free();
	fakeip_free(&dns_state.fakes);
}

enum dns_verdict dns_target(const struct target *in, struct target *out)
{
	struct fakeip_entry *e;

	*out = *in;
	if (dns_state.mode == DNS_OFF || target_is_name(in))
		return DNS_PASS;
	if (target_port(in) == DNS_PORT)
		return DNS_SERVE;
	if (dns_state.mode != DNS_FAKE || !fakeip_is_fake(&dns_state.fakes, &in->ip))
		return DNS_PASS;
	e = fakeip_find_addr(&dns_state.fakes, &in->ip);
	if (!e)
		return DNS_REFUSE;
	fakeip_touch(&dns_state.fakes, e, loop_now());
	out->ip = (struct addr){ .port = in->ip.port };
	out->name_len = e->len;
	memcpy(out->name, e->name, e->len + 1u);
	return DNS_MAPPED;
}

const struct dns_counters *dns_counters(void)
{
	dns_state.counters.fake_map_size = dns_state.fakes.count;
	return &dns_state.counters;
}
