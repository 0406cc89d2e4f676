/*
 * The Shadowsocks outbound: dials the server, then lays a Shadowsocks stream
 * over the connection; a port per UDP association from ss_udp.c. The stream
 * "stands" when the server's TCP does: Shadowsocks itself answers nothing
 * before the target's first byte.
 */
#include "outbound/shadowsocks.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "outbound/dial.h"
#include "outbound/ss_udp.h"
#include "transport/ss_stream.h"

struct shadowsocks {
	struct outbound outbound;
	struct dial_options dial;
	struct ss_stream_config stream;
	struct target server;
	struct socket_rules rules;
	struct ss_udp_client *udp; /* NULL where UDP is not carried */
	bool tcp, proven;
	uint8_t key[SS_KEY_MAX];
	struct ss_identity *identity; /* or NULL */
};

struct dial {
	struct tcp_dial tcp;
	struct loop_work free_work, refuse_work;
	struct shadowsocks *shadowsocks;
	const struct dial_events *events;
	void *owner;
	struct target target;
};

static void free_dial(struct loop_work *w)
{
	free(container_of(w, struct dial, free_work));
}

static void fail(struct dial *d, enum flow_end why)
{
	loop_defer(&d->free_work, free_dial);
	d->events->failed(d->owner, why);
}

static void on_opened(void *owner, struct stream *under)
{
	struct dial *d = owner;
	struct stream *s = ss_stream_client(under, &d->shadowsocks->stream, &d->target);

	if (!s) {
		stream_end(under, END_LIMIT);
		fail(d, END_LIMIT);
		return;
	}
	loop_defer(&d->free_work, free_dial);
	d->events->opened(d->owner, s);
}

static const char *sentence(enum flow_end why)
{
	switch (why) {
	case END_REFUSED:
		return "refused the connection: is it running, and is the port right?";
	case END_UNREACHABLE:
		return "cannot be reached from this network";
	case END_CONNECT_TIMEOUT:
		return "did not answer: a firewall, or the wrong address?";
	case END_NAME:
		return "has a name that does not resolve";
	default:
		return "cannot be used";
	}
}

static void on_failed(void *owner, enum flow_end why)
{
	struct dial *d = owner;
	char server[TARGET_STRLEN];

	log_warn("server %s %s address=%s end=%s", d->shadowsocks->outbound.name, sentence(why),
		 target_format(&d->shadowsocks->server, server), flow_end_name(why));
	fail(d, why);
}

static const struct dial_events tcp_events = { on_opened, on_failed };

static void refuse(struct loop_work *w)
{
	fail(container_of(w, struct dial, refuse_work), END_DENIED);
}

static struct dial *shadowsocks_connect(struct outbound *o, const struct target *t, const struct dial_events *events,
					void *owner)
{
	struct shadowsocks *s = container_of(o, struct shadowsocks, outbound);
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->shadowsocks = s;
	d->events = events;
	d->owner = owner;
	d->target = *t;
	if (s->tcp)
		tcp_dial_start(&d->tcp, &s->server, &s->dial, &tcp_events, d);
	else
		loop_defer(&d->refuse_work, refuse);
	return d;
}

static void shadowsocks_cancel(struct dial *d)
{
	loop_defer_cancel(&d->refuse_work);
	tcp_dial_cancel(&d->tcp);
	loop_defer(&d->free_work, free_dial);
}

static struct datagram_port *shadowsocks_port(struct outbound *o)
{
	struct shadowsocks *s = container_of(o, struct shadowsocks, outbound);

	return s->udp ? ss_udp_client_port(s->udp) : NULL;
}

static void shadowsocks_free(struct outbound *o)
{
	struct shadowsocks *s = container_of(o, struct shadowsocks, outbound);

	if (s->udp)
		ss_udp_client_free(s->udp);
	ss_identity_free(s->identity);
	sodium_memzero(s->key, sizeof(s->key));
	free((char *)(uintptr_t)s->outbound.name);
	free(s);
}

static const struct outbound_ops shadowsocks_ops = {
	.connect = shadowsocks_connect,
	.cancel = shadowsocks_cancel,
	.port = shadowsocks_port,
	.free = shadowsocks_free,
};

/* Its identity, if any, and its UDP. False: no memory. */
static bool open_parts(struct shadowsocks *s, const struct shadowsocks_options *o)
{
	if (o->n_identities) {
		s->identity = ss_identity_new(o->method, o->identity_keys, o->n_identities, o->key);
		if (!s->identity)
			return false;
		s->stream.identity = s->identity;
	}
	if (!o->udp)
		return true;
	s->udp = ss_udp_client_new(&o->server, o->method, s->key, s->identity, &s->rules);
	return s->udp != NULL;
}

struct outbound *shadowsocks_new(const struct shadowsocks_options *o)
{
	struct shadowsocks *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->outbound.ops = &shadowsocks_ops;
	s->outbound.name = strdup(o->tag);
	memcpy(s->key, o->key, o->method->key_len);
	s->stream = (struct ss_stream_config){ .method = o->method, .key = s->key, .proven = &s->proven, .name = s->outbound.name };
	s->server = o->server;
	s->tcp = o->tcp;
	/* Killed in the middle of an upload, we must not make it look complete. */
	s->dial.socket.reset_on_death = true;
	s->dial.socket.rules = &s->rules;
	if (o->rules)
		s->rules = *o->rules;
	s->dial.limit_ms = o->timeout_s * 1000;
	if (!open_parts(s, o) || !s->outbound.name) {
		shadowsocks_free(&s->outbound);
		return NULL;
	}
	return &s->outbound;
}
