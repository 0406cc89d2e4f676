/*
 * The Shadowsocks outbound: dials the server, by itself or through what stands
 * before it (`via`), then lays a Shadowsocks stream over the connection; a port
 * per UDP association from ss_udp.c. The stream "stands" when the server's TCP
 * does: Shadowsocks itself answers nothing before the target's first byte.
 *
 * Dials, streams and ports use it; freed while it is used (a reload replaced
 * it), it lives on until the last of them has ended.
 */
#include "outbound/shadowsocks.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"
#include "base/log.h"
#include "outbound/awareness.h"
#include "outbound/path_probe.h"
#include "outbound/reach.h"
#include "outbound/ss_udp.h"
#include "outbound/uot_auto.h"
#include "outbound/uot_port.h"
#include "outbound/uses.h"
#include "proto/uot.h"
#include "transport/ss_stream.h"

struct shadowsocks {
	struct outbound outbound;
	struct dial_options dial;
	struct ss_stream_config stream;
	struct target server;
	struct socket_rules rules;
	struct plugin *plugin; /* or NULL */
	struct ss_udp_client *udp; /* NULL where UDP is not carried */
	struct path_probe *path;   /* or NULL */
	struct outbound *via; /* or NULL */
	struct ss_stream_tally tally;
	struct outbound_uses uses; /* dials, streams, ports */
	bool tcp, proven;
	bool udp_in_tcp, udp_auto, true_connect;
	struct awareness awareness; /* true_connect */
	struct uot_auto both; /* udp_auto */
	uint8_t key[SS_KEY_MAX];
	struct ss_identity *identity; /* or NULL */
};

struct dial {
	struct reach reach;
	struct loop_work free_work, refuse_work;
	struct plugin_waiter waiter;
	enum flow_end refusal; /* what refuse_work tells */
	struct shadowsocks *shadowsocks;
	const struct dial_events *events;
	void *owner;
	struct target target;
	uint64_t begun_ms;
	struct stream *asked; /* waits for the result of the server's connect */
	struct loop_timer patience;
	bool patient; /* it waits as long as a connect may take */
};

/* ---- life ---- */

static void free_now(struct loop_work *w)
{
	struct shadowsocks *s = container_of(w, struct shadowsocks, uses.work);

	if (s->udp_auto)
		uot_auto_end(&s->both);
	path_probe_free(s->path);
	if (s->udp)
		ss_udp_client_free(s->udp);
	if (s->via)
		s->via->ops->free(s->via);
	if (s->plugin)
		plugin_free(s->plugin);
	ss_identity_free(s->identity);
	sodium_memzero(s->key, sizeof(s->key));
	free((char *)(uintptr_t)s->outbound.name);
	free(s);
}

static void release(struct shadowsocks *s)
{
	outbound_release(&s->uses, free_now);
}

static void on_stream_ended(struct ss_stream_tally *t)
{
	release(container_of(t, struct shadowsocks, tally));
}

static void on_port_ended(void *owner)
{
	release(owner);
}

static void shadowsocks_free(struct outbound *o)
{
	outbound_leave(&container_of(o, struct shadowsocks, outbound)->uses, free_now);
}

/* ---- dials ---- */

static void free_dial(struct loop_work *w)
{
	cell_free(container_of(w, struct dial, free_work));
}

/* The dial's last use of its outbound. */
static void done(struct dial *d)
{
	loop_defer(&d->free_work, free_dial);
	release(d->shadowsocks);
}

static void fail(struct dial *d, enum flow_end why)
{
	d->shadowsocks->outbound.target_failed = false;
	done(d);
	d->events->failed(d->owner, why);
}

/* The way to the server stands, and its word is about the target. */
static void fail_target(struct dial *d, enum flow_end why)
{
	d->shadowsocks->outbound.target_failed = true;
	done(d);
	d->events->failed(d->owner, why);
}

static void succeed(struct dial *d, struct stream *s)
{
	done(d);
	d->events->opened(d->owner, s);
}

/* ---- the true result of a connect ---- */

static bool asks(struct dial *d)
{
	struct shadowsocks *s = d->shadowsocks;

	return s->true_connect && !uot_version(&d->target) && (d->target.ip.family || target_is_name(&d->target)) && awareness_asks(&s->awareness, loop_now());
}

/* No longer asked; the stream is the caller's. */
static struct stream *stop_asking(struct dial *d)
{
	struct stream *s = d->asked;

	loop_timer_stop(&d->patience);
	d->asked = NULL;
	return s;
}

static void on_answered(void *owner, enum ss_answer answer, enum flow_end why)
{
	struct dial *d = owner;
	struct awareness *a = &d->shadowsocks->awareness;
	struct stream *s = stop_asking(d);

	switch (answer) {
	case SS_ANSWER_CONNECTED:
	case SS_ANSWER_UNAWARE:
		succeed(d, s);
		break;
	case SS_ANSWER_FAILED:
		stream_end(s, END_DONE);
		fail_target(d, why);
		break;
	case SS_ANSWER_BROKEN:
		stream_end(s, why);
		/* A server that knows would have said it, had it been the target. */
		if (a->state == AWARENESS_AWARE)
			fail(d, why);
		else
			fail_target(d, why);
		awareness_missed(a, loop_now());
		break;
	}
}

static void on_learned(void *memory, bool aware)
{
	struct shadowsocks *s = memory;
	uint8_t before = s->awareness.state;

	awareness_learn(&s->awareness, aware, loop_now());
	if (s->awareness.state != before)
		log_info("server %s %s", s->outbound.name,
			 aware ? "tells true connect results" : "does not tell connect results: connects succeed when it is reached");
}

static const struct ss_ask_events ask_events = { on_answered, on_learned };

static void wait_for_answer(struct dial *d);

static void on_patience_over(struct loop_timer *t)
{
	struct dial *d = container_of(t, struct dial, patience);
	struct awareness *a = &d->shadowsocks->awareness;

	if (d->patient) {
		awareness_missed(a, loop_now());
		stream_end(stop_asking(d), END_CONNECT_TIMEOUT);
		fail(d, END_CONNECT_TIMEOUT);
	} else if (a->state == AWARENESS_AWARE) {
		wait_for_answer(d); /* another connect has learned it meanwhile */
	} else {
		awareness_missed(a, loop_now());
		ss_stream_stop_asking(d->asked);
		succeed(d, stop_asking(d));
	}
}

static void wait_for_answer(struct dial *d)
{
	const struct shadowsocks *s = d->shadowsocks;

	d->patient = s->awareness.state == AWARENESS_AWARE;
	loop_timer_start(&d->patience, awareness_patience_ms(&s->awareness, loop_now() - d->begun_ms, s->dial.limit_ms),
			 on_patience_over);
}

/* ---- the server's TCP stands ---- */

static void on_opened(void *owner, struct stream *under)
{
	struct dial *d = owner;
	struct shadowsocks *o = d->shadowsocks;
	bool asking = asks(d);
	struct stream *s = asking ? ss_stream_client_asking(under, &o->stream, &d->target, &ask_events, d, o) :
				    ss_stream_client(under, &o->stream, &d->target);

	if (!s) {
		stream_end(under, END_LIMIT);
		fail(d, END_LIMIT);
		return;
	}
	outbound_use(&o->uses);
	if (!asking) {
		succeed(d, s);
		return;
	}
	d->asked = s;
	wait_for_answer(d);
}

static const char *sentence(enum flow_end why)
{
	switch (why) {
	case END_REFUSED:
		return "refused the connection: is it running, and is the port right?";
	case END_UNREACHABLE:
	case END_NET_UNREACHABLE:
		return "cannot be reached from this network";
	case END_CONNECT_TIMEOUT:
		return "did not answer: a firewall, or the wrong address?";
	case END_NAME:
		return "has a name that does not resolve";
	default:
		return "cannot be used";
	}
}

/* Whom to dial: the server, or the plugin before it. */
static struct target dialled(const struct shadowsocks *s)
{
	struct target local = { 0 };

	if (!s->plugin || !plugin_carries_tcp(s->plugin))
		return s->server;
	target_from_addr(&local, plugin_local(s->plugin));
	return local;
}

static void on_failed(void *owner, enum flow_end why)
{
	struct dial *d = owner;
	struct target at = dialled(d->shadowsocks);
	char address[TARGET_STRLEN];

	if (d->shadowsocks->via)
		log_warn("server %s cannot be reached through %s address=%s end=%s", d->shadowsocks->outbound.name,
			 d->shadowsocks->via->name, target_format(&at, address), flow_end_name(why));
	else
		log_warn("server %s %s address=%s end=%s", d->shadowsocks->outbound.name, sentence(why), target_format(&at, address),
			 flow_end_name(why));
	fail(d, why);
}

static const struct dial_events reach_events = { on_opened, on_failed };

static void refuse(struct loop_work *w)
{
	struct dial *d = container_of(w, struct dial, refuse_work);

	fail(d, d->refusal);
}

static void refuse_later(struct dial *d, enum flow_end why)
{
	d->refusal = why;
	loop_defer(&d->refuse_work, refuse);
}

static void start_dial(struct dial *d)
{
	struct target at = dialled(d->shadowsocks);

	d->begun_ms = loop_now();
	reach_start(&d->reach, d->shadowsocks->via, &at, &d->shadowsocks->dial, &reach_events, d);
}

static void refuse_without_plugin(struct dial *d)
{
	log_warn("server %s cannot be used: its plugin does not run", d->shadowsocks->outbound.name);
	refuse_later(d, END_REFUSED);
}

static void on_plugin(struct plugin_waiter *w, bool ready)
{
	struct dial *d = container_of(w, struct dial, waiter);

	if (ready)
		start_dial(d);
	else
		refuse_without_plugin(d);
}

static void start_with_plugin(struct dial *d)
{
	struct plugin *p = d->shadowsocks->plugin;

	switch (plugin_state(p)) {
	case PLUGIN_READY:
		start_dial(d);
		break;
	case PLUGIN_STARTING:
		plugin_wait(p, &d->waiter, on_plugin);
		break;
	case PLUGIN_DOWN:
		refuse_without_plugin(d);
		break;
	}
}

static struct dial *shadowsocks_connect(struct outbound *o, const struct target *t, const struct dial_events *events,
					void *owner)
{
	struct shadowsocks *s = container_of(o, struct shadowsocks, outbound);
	struct dial *d = cell_new(sizeof(*d));

	if (!d)
		return NULL;
	outbound_use(&s->uses);
	d->shadowsocks = s;
	d->events = events;
	d->owner = owner;
	d->target = *t;
	if (!s->tcp)
		refuse_later(d, END_DENIED);
	else if (s->plugin && plugin_carries_tcp(s->plugin))
		start_with_plugin(d);
	else
		start_dial(d);
	return d;
}

static void shadowsocks_cancel(struct dial *d)
{
	plugin_wait_cancel(&d->waiter);
	loop_defer_cancel(&d->refuse_work);
	reach_cancel(&d->reach);
	if (d->asked)
		stream_end(stop_asking(d), END_CLIENT_RESET);
	done(d);
}

static struct datagram_port *counted(struct shadowsocks *s, struct datagram_port *p)
{
	if (p)
		outbound_use(&s->uses);
	return p;
}

static struct datagram_port *udp_port(void *owner)
{
	struct shadowsocks *s = owner;

	return counted(s, s->udp ? ss_udp_client_port(s->udp) : NULL);
}

static struct datagram_port *tcp_port(void *owner)
{
	struct shadowsocks *s = owner;

	return counted(s, uot_port_new(&s->outbound, on_port_ended, s));
}

static struct datagram_port *shadowsocks_port(struct outbound *o)
{
	struct shadowsocks *s = container_of(o, struct shadowsocks, outbound);

	if (s->udp_auto)
		return counted(s, uot_auto_port(&s->both));
	return s->udp_in_tcp ? tcp_port(s) : udp_port(s);
}

static bool shadowsocks_reached(const struct dial *d)
{
	return d->asked != NULL;
}

static const struct outbound_ops shadowsocks_ops = {
	.connect = shadowsocks_connect,
	.cancel = shadowsocks_cancel,
	.port = shadowsocks_port,
	.free = shadowsocks_free,
	.reached = shadowsocks_reached,
};

/* The path is ours to measure where our own packets go to the server. */
static bool open_path(struct shadowsocks *s, const struct shadowsocks_options *o, const struct ss_udp_client_options *udp)
{
	struct path_probe_options p = { .name = s->outbound.name, .udp = *udp };

	if (!o->resolver || o->via || !udp->rules)
		return true;
	p.resolver = *o->resolver;
	p.udp.port_ended = NULL;
	s->path = path_probe_new(&p);
	return s->path;
}

static bool open_udp(struct shadowsocks *s, const struct shadowsocks_options *o)
{
	struct target at = o->server;
	bool plugged = s->plugin && plugin_carries_udp(s->plugin);
	struct ss_udp_client_options options = {
		.server = &at,
		.method = o->method,
		.key = s->key,
		.identity = s->identity,
		.rules = plugged ? NULL : &s->rules,
		.via = o->via,
		.seen = &s->outbound.seen,
		.port_ended = on_port_ended,
		.owner = s,
	};

	if (plugged)
		target_from_addr(&at, plugin_local(s->plugin));
	if (!open_path(s, o, &options))
		return false;
	options.watch = s->path ? path_probe_watch(s->path) : NULL;
	s->udp = ss_udp_client_new(&options);
	return s->udp;
}

/* Its identity, if any, its plugin and its UDP. False: no memory. */
static bool open_parts(struct shadowsocks *s, const struct shadowsocks_options *o)
{
	if (o->plugin) {
		s->plugin = plugin_new(o->plugin);
		if (!s->plugin)
			return false;
	}
	if (o->n_identities) {
		s->identity = ss_identity_new(o->method, o->identity_keys, o->n_identities, o->key);
		if (!s->identity)
			return false;
		s->stream.identity = s->identity;
	}
	if (!o->udp || o->udp_in_tcp)
		return true;
	return open_udp(s, o);
}

struct outbound *shadowsocks_new(const struct shadowsocks_options *o)
{
	struct shadowsocks *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->outbound.ops = &shadowsocks_ops;
	s->outbound.name = strdup(o->tag);
	memcpy(s->key, o->key, o->method->key_len);
	s->stream = (struct ss_stream_config){ .method = o->method, .key = s->key, .proven = &s->proven, .name = s->outbound.name,
					       .tally = &s->tally, .skew = &s->outbound.seen.skew };
	s->tally = (struct ss_stream_tally){ .up = &s->outbound.seen.up, .down = &s->outbound.seen.down, .ended = on_stream_ended };
	s->udp_auto = o->udp && o->udp_auto;
	if (s->udp_auto)
		uot_auto_init(&s->both, &(struct uot_auto_options){ s->outbound.name, &s->tally.heard_ms, udp_port, tcp_port, on_port_ended, s });
	s->server = o->server;
	s->tcp = o->tcp;
	s->udp_in_tcp = o->udp && o->udp_in_tcp;
	s->true_connect = o->true_connect && o->method->sip022;
	/* Killed in the middle of an upload, we must not make it look complete. */
	s->dial.socket.reset_on_death = true;
	s->dial.socket.keepalive = true;
	s->dial.follow = true;
	/* What they say is about the way to the server, which a plugin goes by itself. */
	s->dial.socket.rules = o->plugin && o->plugin->tcp ? NULL : &s->rules;
	if (o->rules)
		s->rules = *o->rules;
	s->dial.limit_ms = o->timeout_s * 1000;
	if (!open_parts(s, o) || !s->outbound.name) {
		shadowsocks_free(&s->outbound);
		return NULL;
	}
	s->via = o->via;
	return &s->outbound;
}
