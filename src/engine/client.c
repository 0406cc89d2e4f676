/*
 * The near end: a TUN, names answered here, everything else through one
 * Shadowsocks outbound. Who made the TUN and when all this ends is not known
 * here (run.c, embed.c).
 *
 *	tun ── tcp ── stack ── on_stream ── relay ──┐
 *	    ── udp ── tun_udp ── dns ── assoc table ┴── shadowsocks
 *	    ── icmp, fragments
 */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "dns/dns.h"
#include "engine/client.h"
#include "engine/client_names.h"
#include "engine/client_route.h"
#include "engine/common.h"
#include "engine/outbounds.h"
#include "engine/status_client.h"
#include "flow/assoc.h"
#include "flow/relay.h"
#include "inbound/icmp.h"
#include "inbound/pcap_ring.h"
#include "inbound/reassembly.h"
#include "inbound/stack.h"
#include "inbound/tun.h"
#include "inbound/tun_udp.h"
#include "io/tcp_socket.h"

#define UDP_PAYLOAD_MAX 65507u
#define IPV6_ADDR_EXTRA 12 /* an IPv6 address in the header instead of an IPv4 one */

struct client {
	const struct config *config;
	struct outbound *shadowsocks;
	struct client_route *route;
	struct tun *tun;
	struct tun_udp *udp;
	struct reassembly *reassembly;
	struct assoc_table *associations;
	struct pcap_ring *pcap;
	uint64_t heard; /* packets of the device, when last asked for last words */
	bool closing; /* the device is still read, its packets are dropped */
};

/* ---- the TUN's handlers ---- */

static void on_tcp(void *owner, const struct packet *p)
{
	if (!((struct client *)owner)->closing)
		stack_input(p);
}

static void on_udp(void *owner, const struct packet *p)
{
	struct client *c = owner;

	if (!c->closing)
		tun_udp_input(c->udp, p);
}

static void on_icmp(void *owner, const struct packet *p)
{
	struct client *c = owner;

	icmp_input(c->tun, p, c->config->icmp_reply);
}

static void on_fragment(void *owner, const struct packet *p)
{
	struct client *c = owner;

	if (!c->closing)
		reassembly_input(c->reassembly, p);
}

static void on_batch_end(void *owner)
{
	struct client *c = owner;

	if (c->closing)
		return;
	stack_batch_end();
	tun_udp_batch_end(c->udp);
}

/* ---- TCP ---- */

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct client *c = owner;
	struct target mapped;

	switch (dns_target(target, &mapped)) {
	case DNS_SERVE:
		dns_serve_stream(s);
		break;
	case DNS_REFUSE:
		flow_counters.tcp.ended[END_NAME]++;
		stream_end(s, END_REFUSED);
		break;
	case DNS_PASS:
	case DNS_MAPPED:
		relay_start(s, client, &mapped, client_route_outbound(c->route));
		break;
	}
}

static const struct inbound_events inbound_events = { .stream = on_stream };

/* ---- set-up ---- */

static int open_tun(struct client *c, int fd, struct tun_features features)
{
	struct tun_handlers handlers = {
		.tcp = on_tcp,
		.udp = on_udp,
		.icmp = on_icmp,
		.fragment = on_fragment,
		.batch_end = on_batch_end,
		.owner = c,
	};

	c->tun = tun_new(fd, features, c->config->mtu, &handlers);
	if (!c->tun)
		return -errno;
	engine_status_add_tun(c->tun);
	if (!c->config->pcap_file)
		return 0;
	c->pcap = pcap_ring_open(c->config->pcap_file, c->config->pcap_limit);
	if (!c->pcap) {
		log_error("cannot write the capture %s err=%s", c->config->pcap_file, err_name(errno));
		return -errno;
	}
	tun_set_pcap(c->tun, c->pcap);
	return 0;
}

static int open_flows(struct client *c)
{
	struct assoc_limits limits = engine_assoc_limits(c->config, engine_outbound_method(c->config));
	struct datagram_port *names;
	int err = stack_init(c->tun, &inbound_events, c);

	if (err)
		return err;
	c->reassembly = reassembly_new(c->tun);
	c->udp = tun_udp_new(c->tun, UDP_PAYLOAD_MAX - engine_outbound_udp_overhead(c->config) - IPV6_ADDR_EXTRA);
	if (!c->udp || !c->reassembly)
		return -ENOMEM;
	names = dns_udp_port(tun_udp_port(c->udp));
	if (!names)
		return -ENOMEM;
	c->associations = assoc_table_new(names, client_route_outbound(c->route), &limits);
	return c->associations ? 0 : -ENOMEM;
}

static int open_all(struct client *c, int tun_fd, struct tun_features features)
{
	int err;

	c->shadowsocks = engine_outbound_new(c->config);
	if (c->shadowsocks) /* the command is not to reach this machine's own services past its sandbox */
		c->route = client_route_new(c->config, c->config->acl, c->shadowsocks, false);
	err = c->route ? client_names_open(c->config, c->config->dns, c->route, c->shadowsocks) : -ENOMEM;
	if (!err)
		err = open_tun(c, tun_fd, features);
	return err ? err : open_flows(c);
}

struct client *client_open(const struct config *config, int tun_fd, struct tun_features features, int *err)
{
	struct client *c = calloc(1, sizeof(*c));

	*err = -ENOMEM;
	if (!c)
		return NULL;
	c->config = config;
	*err = open_all(c, tun_fd, features);
	if (*err) {
		client_close(c);
		return NULL;
	}
	return c;
}

struct outbound *client_servers(const struct client *c)
{
	return c->shadowsocks;
}

int client_prepare(struct client *c)
{
	return client_route_prepare(c->route);
}

void client_withdraw(struct client *c)
{
	client_route_withdraw(c->route);
}

void client_apply(struct client *c, const struct config *fresh)
{
	struct assoc_limits limits = engine_assoc_limits(fresh, engine_outbound_method(fresh));
	struct relay_limits times = engine_relay_limits(fresh);

	client_route_apply(c->route, fresh);
	client_names_change(fresh, c->route);
	assoc_table_set_limits(c->associations, &limits);
	relay_set_limits(&times);
	c->config = fresh;
}

bool client_has_last_words(struct client *c)
{
	uint64_t heard = tun_counters(c->tun)->rx_packets;
	bool news = heard != c->heard, flows = relay_end_deserted();

	c->heard = heard;
	return news || flows || tcp_socket_closing();
}

void client_close(struct client *c)
{
	c->closing = true;
	relay_free();
	if (c->associations)
		assoc_table_free(c->associations);
	engine_drain();
	if (c->udp)
		tun_udp_free(c->udp);
	if (c->reassembly)
		reassembly_free(c->reassembly);
	client_names_close();
	stack_free();
	engine_drain();
	if (c->tun)
		tun_free(c->tun);
	if (c->pcap)
		pcap_ring_close(c->pcap);
	client_route_free(c->route);
	if (c->shadowsocks)
		engine_outbound_free(c->shadowsocks);
	engine_drain();
	free(c);
}
