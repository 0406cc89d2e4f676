/*
 * TCP and UDP of a relay.
 *
 * TCP. What comes first is salt | identity | the rest. The first read must hold
 * salt, identity and the fixed header behind it, as at a server (SIP022), and
 * whoever fails gets a server's reaction, a reset. Then the client's stream is
 * the owner's, less the identity:
 *
 *	ASKING ──identity known──► SALT ──the salt is taken──► JOINED
 *
 * In JOINED events go from the socket straight to the owner; of the guest only
 * its thin calls are left.
 *
 * UDP. The ids are decrypted, the identity is looked up and dropped, the ids
 * are encrypted again under the key of whoever is next. What comes back is
 * sealed for the client and passes as it is. That is a tunnel with a choice.
 *
 * There is no replay check here: only the end can tell what is authentic, and
 * it does.
 */
#include "inbound/ss_relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"

#define HEADER_LEN (11 + SS_TAG_LEN) /* SIP022's fixed header in its box */
#define IDS_LEN 16
#define SLICES_MAX 16 /* of one offer; the rest is offered again */

enum guest_state { ASKING, SALT, JOINED, GONE };

struct ss_relay {
	struct tcp_listener *listener;
	struct ss_relay_options options;
	const struct inbound_events *events;
	void *owner;
	struct list asking; /* by age */
	unsigned n_asking, most_asking;
	struct loop_timer timer;
};

struct guest {
	struct stream stream; /* the owner's, from SALT on */
	struct ss_relay *relay;
	struct stream *under;
	struct addr client;
	struct buf *salt;
	uint32_t salt_len, said; /* of it */
	uint8_t state;
	uint64_t due_ms;
	struct list node;
	struct loop_work free_work;
};

static struct guest *of(const struct stream *s)
{
	return container_of(s, struct guest, stream);
}

static void free_guest(struct loop_work *w)
{
	free(container_of(w, struct guest, free_work));
}

static void stop_asking(struct guest *g)
{
	list_remove(&g->node);
	g->relay->n_asking--;
}

static void leave(struct guest *g)
{
	if (g->state == ASKING)
		stop_asking(g);
	g->state = GONE;
	if (g->salt)
		buf_unref(g->salt);
	g->salt = NULL;
	loop_defer(&g->free_work, free_guest);
}

static void turn_away(struct guest *g, enum flow_end why)
{
	struct stream *under = g->under;

	leave(g);
	stream_end(under, why);
}

/* ---- the owner's stream ---- */

/* Salt and what follows leave together: the next one, too, wants them in one read. */
static size_t salt_data(void *owner, const struct slice *v, int n)
{
	struct guest *g = owner;
	uint32_t left = g->salt_len - g->said;
	struct slice all[SLICES_MAX + 1] = { { g->salt, g->said, left } };
	size_t taken;

	if (n > SLICES_MAX)
		n = SLICES_MAX;
	memcpy(all + 1, v, sizeof(*v) * (size_t)n);
	taken = g->stream.events->data(g->stream.owner, all, n + 1);
	if (g->state != SALT)
		return 0; /* it ended us */
	if (taken < left) {
		g->said += (uint32_t)taken;
		return 0;
	}
	g->state = JOINED;
	buf_unref(g->salt);
	g->salt = NULL;
	stream_bind(g->under, g->stream.events, g->stream.owner);
	return taken - left;
}

static void salt_room(void *owner)
{
	struct stream *s = &((struct guest *)owner)->stream;

	s->events->room(s->owner);
}

static void salt_fin(void *owner)
{
	struct stream *s = &((struct guest *)owner)->stream;

	s->events->fin(s->owner);
}

static void salt_ended(void *owner, enum flow_end why)
{
	struct stream *s = &((struct guest *)owner)->stream;

	s->events->ended(s->owner, why);
}

static const struct stream_events salt_events = { salt_data, salt_room, salt_fin, salt_ended };

static void guest_want(struct stream *s, bool data, bool room) { stream_want(of(s)->under, data, room); }
static ssize_t guest_write(struct stream *s, const struct slice *v, int n) { return stream_write(of(s)->under, v, n); }
static size_t guest_space(const struct stream *s) { return stream_space(of(s)->under); }
static void guest_shut(struct stream *s) { stream_shut(of(s)->under); }
static void guest_end(struct stream *s, enum flow_end why) { turn_away(of(s), why); }

static const struct stream_ops guest_ops = {
	.write = guest_write,
	.space = guest_space,
	.want = guest_want,
	.shut = guest_shut,
	.end = guest_end,
};

/* ---- whom it wants ---- */

static void refuse(struct guest *g, enum flow_end why)
{
	char text[ADDR_STRLEN];

	log_warn("client %s was not passed on: %s end=%s", addr_format(&g->client, text),
		 why == END_FORGED ? "it names nobody we know, or is not a Shadowsocks client" : "it left before it had said whom it wants",
		 flow_end_name(why));
	turn_away(g, why);
}

/* Puts the first `len` bytes together; false if there are fewer. */
static bool gather(const struct slice *v, int n, uint8_t *out, size_t len)
{
	size_t have = 0;

	for (int i = 0; i < n && have < len; i++) {
		size_t part = v[i].len < len - have ? v[i].len : len - have;

		memcpy(out + have, slice_data(&v[i]), part);
		have += part;
	}
	return have == len;
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct guest *g = owner;
	size_t salt = g->relay->options.method->key_len;
	uint8_t head[SS_SALT_MAX + SS_IDENTITY_LEN + HEADER_LEN];
	struct ss_user *user = NULL;

	if (gather(v, n, head, salt + SS_IDENTITY_LEN + HEADER_LEN))
		user = ss_users_find_tcp(g->relay->options.users, head, head + salt);
	if (user && user->next)
		g->salt = buf_get((uint32_t)salt);
	if (!g->salt) {
		refuse(g, user && user->next ? END_LIMIT : END_FORGED);
		return 0;
	}
	memcpy(g->salt->data, head, salt);
	g->salt_len = (uint32_t)salt;
	stop_asking(g);
	g->state = SALT;
	user->counters.tcp_flows++;
	stream_bind(g->under, &salt_events, g);
	stream_want(g->under, false, false);
	g->relay->events->stream(g->relay->owner, &g->stream, &g->client, user->next);
	return salt + SS_IDENTITY_LEN;
}

static void on_fin(void *owner) { refuse(owner, END_TRUNCATED); }
static void on_room(void *owner) { (void)owner; }
static void on_ended(void *owner, enum flow_end why) { refuse(owner, why); }

static const struct stream_events asking_events = { on_data, on_room, on_fin, on_ended };

/* ---- time, and life ---- */

static void on_timer(struct loop_timer *t)
{
	struct ss_relay *r = container_of(t, struct ss_relay, timer);

	while (!list_empty(&r->asking)) {
		struct guest *g = container_of(r->asking.next, struct guest, node);

		if (g->due_ms > loop_now()) {
			loop_timer_start(t, g->due_ms - loop_now() + 1, on_timer);
			return;
		}
		turn_away(g, END_IDLE);
	}
}

static void on_client(void *owner, struct stream *under, const struct addr *client)
{
	struct ss_relay *r = owner;
	enum flow_end why = inbound_admit(r->events, r->owner, client);
	struct guest *g = why == END_DONE ? calloc(1, sizeof(*g)) : NULL;

	if (!g) {
		stream_end(under, why == END_DONE ? END_LIMIT : why);
		return;
	}
	if (r->n_asking >= r->most_asking) /* who needs no key for it must not hold every descriptor: the oldest makes room */
		turn_away(container_of(r->asking.next, struct guest, node), END_LIMIT);
	g->stream.ops = &guest_ops;
	g->relay = r;
	g->under = under;
	g->client = *client;
	g->due_ms = loop_now() + (uint64_t)r->options.handshake_s * 1000;
	list_init(&g->node);
	list_append(&r->asking, &g->node);
	r->n_asking++;
	if (!loop_timer_armed(&r->timer))
		loop_timer_start(&r->timer, (uint64_t)r->options.handshake_s * 1000, on_timer);
	stream_bind(under, &asking_events, g);
	stream_want(under, true, false);
}

static const struct tcp_listener_events listener_events = { on_client };

struct ss_relay *ss_relay_new(const struct ss_relay_options *o, const struct inbound_events *events, void *owner, int *err)
{
	struct tcp_socket_options socket = { .reset_on_death = true, .keepalive = true };
	struct ss_relay *r = calloc(1, sizeof(*r));

	*err = ENOMEM;
	if (!r)
		return NULL;
	r->options = *o;
	r->events = events;
	r->owner = owner;
	list_init(&r->asking);
	r->most_asking = inbound_guests_max();
	r->listener = tcp_listener_new(&o->listen, &socket, &listener_events, r, err);
	if (!r->listener) {
		free(r);
		return NULL;
	}
	return r;
}

void ss_relay_free(struct ss_relay *r)
{
	tcp_listener_free(r->listener);
	loop_timer_stop(&r->timer);
	while (!list_empty(&r->asking))
		turn_away(container_of(r->asking.next, struct guest, node), END_SHUTDOWN);
	free(r);
}

/* ---- UDP ---- */

struct ss_relay_udp {
	struct tunnel_udp *tunnel;
	const struct ss_users *users;
	struct aes_block ids; /* under our own key */
};

static const struct target *choose(void *owner, struct slice *datagram)
{
	struct ss_relay_udp *r = owner;
	uint8_t *data = slice_data(datagram), clear[IDS_LEN];
	struct ss_user *user;

	if (datagram->len < IDS_LEN + SS_IDENTITY_LEN + HEADER_LEN)
		return NULL;
	aes_block_decrypt(&r->ids, data, clear);
	user = ss_users_find_udp(r->users, clear, data + IDS_LEN);
	if (!user || !user->next)
		return NULL;
	aes_block_encrypt(&user->header, clear, data + SS_IDENTITY_LEN); /* over the identity */
	datagram->off += SS_IDENTITY_LEN;
	datagram->len -= SS_IDENTITY_LEN;
	user->counters.datagrams_up++;
	user->counters.udp_up += datagram->len;
	return user->next;
}

struct ss_relay_udp *ss_relay_udp_new(const struct addr *listen, const struct ss_method *m, const uint8_t *key,
				      const struct ss_users *users, int *err)
{
	struct ss_relay_udp *r = calloc(1, sizeof(*r));

	*err = ENOMEM;
	if (!r)
		return NULL;
	r->users = users;
	r->tunnel = tunnel_udp_new(listen, NULL, err);
	if (!r->tunnel) {
		free(r);
		return NULL;
	}
	aes_block_init(&r->ids, key, m->key_len);
	tunnel_udp_set_choice(r->tunnel, choose, r);
	return r;
}

void ss_relay_udp_free(struct ss_relay_udp *r)
{
	tunnel_udp_free(r->tunnel);
	aes_block_wipe(&r->ids);
	free(r);
}

struct datagram_port *ss_relay_udp_port(struct ss_relay_udp *r)
{
	return tunnel_udp_port(r->tunnel);
}
