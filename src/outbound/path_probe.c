/*
 * One look: a Shadowsocks client of its own (ss_udp.c) whose socket forbids fragments, and
 * questions to a resolver, each in a packet of the size that is tried (path_search.h). An answer
 * means that this size has arrived. SIP022's padding makes the size, and the server takes it
 * off, so the resolver sees a small question; SIP004 has none, there it is EDNS padding (RFC
 * 7830) that travels on to the resolver. One that drops long questions looks like a limit then,
 * but only one that takes those of the floor.
 *
 * It knows sizes of IP packets, and no other user of the path.
 */
#include "outbound/path_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/random.h"
#include "io/path.h"
#include "outbound/path_search.h"
#include "proto/dns_message.h"
#include "resolve/resolve.h"
#include "sys/uplink.h"

#define FLOOR4 1024u /* TCP's own idea of what passes everywhere (tcp_base_mss) */
#define FLOOR6 1280u
#define HEADERS4 28u
#define HEADERS6 48u
#define MOST 9216u	  /* a jumbo frame: more is no path through a network */
#define MOST_OF_DNS 1500u /* where the resolver sees the size */
#define TURN_MS 1000u	  /* until an answer has come, */
#define TURN_MIN_MS 200u  /* and then this, or twice what it took */
#define LIFE_MS 600000u	  /* RFC 8899's PMTU_RAISE_TIMER */
#define AGAIN_MS 60000u	  /* nothing was learnt */
#define SUSPECT_MS 20000u /* a suspicion is not looked into more often */
#define SETTLE_MS 1000u	  /* after the network has changed */
#define LARGE (1280u - HEADERS6)
#define QUESTION_LEN (DNS_HEADER_LEN + 5u)
#define PADDING_BEFORE (11u + 4u) /* an OPT record and one option, without what it holds */
#define OPTION_PADDING 12

struct path_probe {
	struct path_watch watch;
	struct path_listener suspicions;
	struct path_probe_options options;
	struct target server, looked_at;
	struct socket_rules rules;
	struct loop_timer timer;
	uint64_t looked_ms;
	/* during a look */
	struct ss_udp_client *client;
	struct datagram_port *port;
	struct path_search search;
	uint16_t round, first_id; /* of the questions: the round that has these ids */
	uint64_t sent_ms;
	uint32_t turn_ms;
};

static const struct addr *peer_of(const struct path_probe *p)
{
	return &p->looked_at.ip;
}

static uint32_t headers_of(const struct path_probe *p)
{
	return peer_of(p)->family == AF_INET6 ? HEADERS6 : HEADERS4;
}

/* ---- questions ---- */

/* "." SOA: every resolver knows, and the answer is short. Returns its length. */
static uint32_t write_question(uint8_t *out, uint16_t id, uint32_t padded)
{
	uint32_t len = QUESTION_LEN;

	memset(out, 0, padded > len ? padded : len);
	dns_message_set_id(out, id);
	out[2] = 1; /* recursion desired */
	out[5] = 1;
	put16(out + DNS_HEADER_LEN + 1, DNS_TYPE_SOA);
	put16(out + DNS_HEADER_LEN + 3, DNS_CLASS_IN);
	if (padded < len + PADDING_BEFORE)
		return len;
	out[11] = 1;
	put16(out + len + 1, DNS_TYPE_OPT);
	put16(out + len + 3, DNS_UDP_MAX);
	put16(out + len + 9, padded - len - 11);
	put16(out + len + 11, OPTION_PADDING);
	put16(out + len + 13, padded - len - PADDING_BEFORE);
	return padded;
}

static void send_question(struct path_probe *p, uint16_t id, uint32_t size)
{
	const struct target *to = &p->options.resolver;
	uint32_t sealed = size - headers_of(p), overhead = ss_udp_client_overhead(p->client, to);
	struct datagram d = { .remote = to };
	struct buf *b = buf_get(MOST);

	if (!b)
		return;
	ss_udp_client_pad_to(p->client, (uint16_t)sealed);
	d.payload = (struct slice){ b, 0, write_question(b->data, id, p->options.udp.method->sip022 ? 0 : sealed - overhead) };
	datagram_send(p->port, &d, 1);
	buf_unref(b);
}

/* ---- a look ---- */

static void on_turn(struct loop_timer *);

static void learn_rhythm(struct path_probe *p)
{
	uint64_t twice = 2 * (loop_now() - p->sent_ms);

	if (twice < p->turn_ms)
		p->turn_ms = twice < TURN_MIN_MS ? TURN_MIN_MS : (uint32_t)twice;
}

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct path_probe *p = owner;

	for (int i = 0; i < n; i++) {
		const uint8_t *message = slice_data(&d[i].payload);
		uint16_t which;

		if (d[i].payload.len < DNS_HEADER_LEN || !(message[2] & 0x80) || p->round != p->search.round)
			continue;
		which = (uint16_t)(dns_message_id(message) - p->first_id);
		if (which < PATH_TRIES) {
			path_search_answered(&p->search, which);
			learn_rhythm(p);
		}
	}
	if (path_search_is_settled(&p->search))
		loop_timer_start(&p->timer, 0, on_turn); /* nothing ends inside its own event */
}

static void on_port_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why; /* the turns go on, and nothing is answered */
}

static const struct datagram_events port_events = { .receive = on_receive, .ended = on_port_ended };

static void stop_looking(struct path_probe *p)
{
	loop_timer_stop(&p->timer);
	if (p->port)
		datagram_end(p->port, END_DONE);
	if (p->client)
		ss_udp_client_free(p->client);
	p->port = NULL;
	p->client = NULL;
}

/* What the kernel knows is followed by others. */
static uint32_t most_of(const struct path_probe *p)
{
	int known = sys_uplink_mtu(peer_of(p), &p->rules);
	uint32_t most = p->options.udp.method->sip022 ? MOST : MOST_OF_DNS;

	return known > 0 && (uint32_t)known < most ? (uint32_t)known : most;
}

static void on_old(struct loop_timer *);

static void rest(struct path_probe *p, uint32_t ms)
{
	p->watch.due_ms = loop_now() + ms;
	p->watch.network = network_number;
	p->looked_ms = loop_now();
	if (path_limit(peer_of(p)))
		loop_timer_start(&p->timer, ms, on_old);
}

static void note_limit(struct path_probe *p, uint16_t limit)
{
	uint16_t before = path_limit(peer_of(p));

	if (p->options.udp.seen)
		p->options.udp.seen->path_limit = limit;
	if (limit == before)
		return;
	if (limit)
		log_warn("server %s: packets of more than %u bytes vanish on the way, and no ICMP says so: the tunnel keeps to that. "
			 "Better let ICMP (fragmentation needed, packet too big) through",
			 p->options.name, limit);
	else
		log_info("server %s: long packets pass again limit=%u", p->options.name, p->search.most);
	path_set_limit(peer_of(p), limit);
}

static void conclude(struct path_probe *p, enum path_verdict verdict)
{
	stop_looking(p);
	if (verdict == PATH_UNKNOWN)
		log_debug("server %s: its path was not measured, %s", p->options.name,
			  p->search.tries[0].answers ? "too much is lost" : "nothing is answered");
	else
		log_debug("server %s: its path was measured bytes=%u", p->options.name, p->search.low);
	if (verdict == PATH_OPEN)
		note_limit(p, 0);
	if (verdict == PATH_LIMITED)
		note_limit(p, p->search.low);
	rest(p, verdict == PATH_UNKNOWN ? AGAIN_MS : LIFE_MS);
}

static void send_due(struct path_probe *p)
{
	const struct path_search *s = &p->search;

	if (p->round != s->round) {
		p->round = s->round;
		p->first_id = (uint16_t)random_u64();
	}
	p->sent_ms = loop_now();
	for (int i = 0; i < s->n; i++)
		if (s->tries[i].due)
			send_question(p, (uint16_t)(p->first_id + i), s->tries[i].size);
}

static void on_turn(struct loop_timer *t)
{
	struct path_probe *p = container_of(t, struct path_probe, timer);
	uint32_t most = most_of(p);
	enum path_verdict verdict;

	if (most < p->search.most)
		path_search_shrink(&p->search, (uint16_t)most);
	verdict = path_search_turn(&p->search);
	if (verdict != PATH_SEARCHING) {
		conclude(p, verdict);
		return;
	}
	send_due(p);
	loop_timer_start(&p->timer, p->turn_ms, on_turn);
}

static bool open_way(struct path_probe *p)
{
	struct ss_udp_client_options o = p->options.udp;

	o.server = &p->looked_at;
	o.rules = &p->rules;
	o.seen = NULL;
	p->client = ss_udp_client_new(&o);
	p->port = p->client ? ss_udp_client_port(p->client) : NULL;
	if (p->port)
		datagram_bind(p->port, &port_events, p);
	return p->port;
}

static bool is_own_machine(const struct addr *a)
{
	return a->family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&a->ip.v6) : a->ip.bytes[0] == 127;
}

static void look(struct path_probe *p)
{
	uint32_t floor = peer_of(p)->family == AF_INET6 ? FLOOR6 : FLOOR4, most = most_of(p);

	stop_looking(p);
	if (most <= floor || is_own_machine(peer_of(p)) || !open_way(p)) {
		stop_looking(p);
		rest(p, AGAIN_MS);
		return;
	}
	p->watch.due_ms = UINT64_MAX;
	p->watch.network = network_number;
	p->turn_ms = TURN_MS;
	path_search_begin(&p->search, (uint16_t)floor, (uint16_t)most);
	p->round = 0;
	on_turn(&p->timer);
}

/* ---- when ---- */

static void on_wanted(struct loop_timer *t)
{
	look(container_of(t, struct path_probe, timer));
}

/* Inside somebody else's call: the look begins from the loop. */
static void look_again(struct path_probe *p, uint32_t ms)
{
	stop_looking(p);
	p->watch.due_ms = UINT64_MAX;
	p->watch.network = network_number;
	loop_timer_start(&p->timer, ms, on_wanted);
}

static void look_at(struct path_probe *p, const struct addr *peer)
{
	target_from_addr(&p->looked_at, peer);
	p->looked_at.ip.port = target_port(&p->server);
	look_again(p, 0);
}

static void on_old(struct loop_timer *t)
{
	struct path_probe *p = container_of(t, struct path_probe, timer);

	if (path_was_used(peer_of(p)))
		look(p);
	else
		loop_timer_start(t, LIFE_MS, on_old);
}

static void on_large(struct path_watch *w, const struct addr *server)
{
	look_at(container_of(w, struct path_probe, watch), server);
}

static bool is_my_server(const struct path_probe *p, const struct addr *peer)
{
	struct resolved r;

	if (peer->port != target_port(&p->server))
		return false;
	if (!target_is_name(&p->server))
		return addr_ip_equal(&p->server.ip, peer);
	if (!resolve_cached(p->server.name, p->server.name_len, &r))
		return false;
	for (int i = 0; i < r.n; i++)
		if (addr_ip_equal(&r.addrs[i], peer))
			return true;
	return false;
}

static void on_suspicion(struct path_listener *l, const struct addr *peer)
{
	struct path_probe *p = container_of(l, struct path_probe, suspicions);
	bool looking = p->client || p->watch.due_ms == UINT64_MAX;

	if (!peer) {
		if (peer_of(p)->family && path_limit(peer_of(p)))
			look_again(p, SETTLE_MS);
		return;
	}
	if (looking || (p->looked_ms && loop_now() - p->looked_ms < SUSPECT_MS) || !is_my_server(p, peer))
		return;
	look_at(p, peer);
}

/* ---- life ---- */

struct path_watch *path_probe_watch(struct path_probe *p)
{
	return &p->watch;
}

struct path_probe *path_probe_new(const struct path_probe_options *o)
{
	struct path_probe *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->options = *o;
	p->server = *o->udp.server;
	if (o->udp.rules)
		p->rules = *o->udp.rules;
	p->rules.no_fragments = true;
	if (o->udp.seen && !target_is_name(&p->server))
		o->udp.seen->path_limit = path_limit(&p->server.ip);
	p->watch = (struct path_watch){ .network = network_number, .large = LARGE, .seen = on_large };
	path_listen(&p->suspicions, on_suspicion);
	return p;
}

void path_probe_free(struct path_probe *p)
{
	if (!p)
		return;
	stop_looking(p);
	path_unlisten(&p->suspicions);
	free(p);
}
