/*
 * Shadowsocks UDP, server side (docs/wire-formats.md: the bytes, and what a server owes).
 *
 * One socket. A client is known by its address (SIP004) or by its session id
 * (SIP022: then it may move, and replies follow it). What a client is to us
 * (where it is, which of our addresses it used, keys, window) lives in struct
 * client, from its first valid datagram until the association table forgets it.
 *
 * Invariants: nothing is ever answered that did not open. A client's address,
 * the address of ours and the replay window change only after a datagram was
 * opened, its time checked, its address parsed, AND the window took its id; so
 * a replay from elsewhere redirects nothing. Users (SIP023) can read each
 * other's session ids, so a session is one of a user: his tag is in its key, and
 * whoever names another's session opens his own. A SIP022 session that is
 * forgotten early leaves a grave (ss_graves.h): what comes later must be newer. Of
 * SIP004, which has no time and no id, some salts are remembered (ss_salts.h).
 * Among several workers a session is one worker's (session_owners.h).
 *
 * A source address may be forged, also by who has the key: what goes back to one
 * that has not proven itself is bounded by what came from it (amplification.h).
 */
#include "inbound/ss_server_udp_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/counters.h"
#include "io/datagram_counters.h"
#include "transport/ss_port.h"

#define SOCKET_BUFFER (8u * 1024 * 1024)

static struct ss_server_udp *of(struct datagram_port *p)
{
	return container_of(p, struct ss_server_udp, port);
}

/* ---- receiving ---- */

/* What was opened and waits to be handed over; in a pool buffer meanwhile. */
struct rx {
	struct ss_packet packets[DATAGRAM_BATCH];
	struct datagram batch[DATAGRAM_BATCH];
	struct addr locals[DATAGRAM_BATCH];
	int n;
};
static_assert(sizeof(struct rx) <= BUF_LARGE, "the scratch of a batch fits a pool buffer");

static void deliver(struct ss_server_udp *s, struct rx *rx)
{
	if (rx->n)
		s->port.events->receive(s->port.owner, rx->batch, rx->n);
	rx->n = 0;
}

static void log_clock(const struct ss_packet *k, const struct addr *peer)
{
	char text[ADDR_STRLEN];

	log_warn("a client's clock differs from ours by more than 30 s: its datagrams are refused client=%s offset=%lld",
		 addr_format(peer, text), (long long)(k->timestamp - clock_unix()));
}

/* Asks the owner about whom we do not know yet, or know at another address.
 * False: counted, and nothing is remembered of him. */
static bool admit(const struct ss_server_udp *s, const struct addr *peer)
{
	enum flow_end why = s->events && s->events->admit ? s->events->admit(s->owner, peer) : END_DONE;

	if (why == END_DENIED)
		datagram_counters.dropped_acl++;
	else if (why != END_DONE)
		flow_counters.udp.dropped_limit++;
	return why == END_DONE;
}

/* Opens and validates one datagram; its client, or NULL (counted). */
static struct ss_client *open_sip004(struct ss_server_udp *s, const struct udp_message *m, const struct ss_port_cut *cut, struct ss_packet *k)
{
	struct assoc_key key = { .addr = m->peer };
	struct ss_client *c;
	uint8_t salt[8];
	int err = ss_packet_identify(&s->codec, cut->data, cut->len, k);

	if (!err) {
		memcpy(salt, k->salt, sizeof(salt));
		err = ss_packet_open(&s->codec, NULL, 0, cut->data, cut->len, k);
	}
	if (err) {
		ss_port_count_bad(err);
		return NULL;
	}
	if (!s->salts.recent)
		ss_clients_want_upkeep(s);
	if (!ss_salts_take(&s->salts, salt, loop_now())) {
		datagram_counters.dropped_replay++;
		return NULL;
	}
	c = ss_clients_find(s, &key);
	if (!c && admit(s, &m->peer)) {
		c = ss_clients_spare(s, &key, k);
		if (c)
			ss_clients_adopt(s, NULL);
	}
	return c;
}

/* Takes the id into the client's window, past the grave of an earlier life. */
static bool accept_id(struct ss_server_udp *s, struct ss_client *c, bool known, const struct ss_packet *k)
{
	uint64_t last, packet_id = k->packet_id;
	bool buried = !known && ss_graves_find(&s->graves, c->key.session, loop_now(), &last);

	if ((buried && packet_id <= last) || (known && !replay_window_accept(&c->window, packet_id))) {
		datagram_counters.dropped_replay++;
		return false;
	}
	if (known)
		return true;
	if (s->owners && !session_owners_claim(s->owners, &s->listener, c->key.session, loop_now())) {
		datagram_counters.dropped_queue++; /* two workers began it at once: the other has it */
		return false;
	}
	if (buried)
		replay_window_close(&c->window, last);
	replay_window_accept(&c->window, packet_id);
	ss_clients_adopt(s, k->user);
	return true;
}

/* True: the session is another worker's, which gets the datagram as it came. Not
 * authentic yet, so this says nothing to whoever sent it. */
static bool hand_over(struct ss_server_udp *s, const struct assoc_key *key, const struct udp_message *m, const struct ss_port_cut *cut)
{
	int worker = session_owners_find(s->owners, &s->listener, key->session, loop_now());

	if (worker < 0)
		return false;
	ss_packet_unidentify(&s->codec, cut->data, cut->len);
	if (session_owners_hand_over(s->owners, worker, &s->listener, m, cut->data, cut->len))
		datagram_counters.handed_over++;
	else
		datagram_counters.dropped_queue++;
	return true;
}

static struct ss_client *open_sip022(struct ss_server_udp *s, const struct udp_message *m, const struct ss_port_cut *cut,
				  uint64_t now, struct ss_packet *k)
{
	struct assoc_key key = { 0 };
	struct ss_client *c = NULL;
	bool known = false;
	int err = ss_packet_identify(&s->codec, cut->data, cut->len, k);

	if (!err) {
		key.session = k->session_id ^ (k->user ? k->user->tag : 0);
		c = ss_clients_find(s, &key);
		known = c != NULL;
		if (known && !replay_window_check(&c->window, k->packet_id)) {
			datagram_counters.dropped_replay++;
			return NULL;
		}
		if (!known && s->owners && !s->handed && hand_over(s, &key, m, cut))
			return NULL;
		if (!known)
			c = ss_clients_spare(s, &key, k);
		if (!c)
			return NULL;
		err = ss_packet_open(&s->codec, &c->theirs, now, cut->data, cut->len, k);
	}
	if (err) {
		ss_port_count_bad(err);
		if (err == -ETIME)
			log_clock(k, &m->peer);
		return NULL;
	}
	if ((!known || !addr_ip_equal(&c->peer, &m->peer)) && !admit(s, &m->peer))
		return NULL;
	return accept_id(s, c, known, k) ? c : NULL;
}

static void settle(struct ss_server_udp *s, struct ss_client *c, const struct addr *peer, uint32_t len)
{
	if (!addr_equal(&c->peer, peer))
		c->credit = (struct amplification_credit){ 0 };
	c->peer = *peer;
	amplification_earn(&s->guard, &c->credit, peer, len);
}

static void take(struct ss_server_udp *s, struct rx *rx, struct ss_client *c, const struct udp_message *m, uint32_t len)
{
	struct ss_packet *k = &rx->packets[rx->n];

	settle(s, c, &m->peer, len);
	c->local = m->local;
	c->heard_ms = loop_now();
	if (c->payer.user) {
		c->payer.user->counters.datagrams_up++;
		c->payer.user->counters.udp_up += k->len;
	}
	rx->locals[rx->n] = m->local;
	rx->batch[rx->n] = (struct datagram){
		.key = c->key,
		.remote = &k->remote,
		.local = m->local.family ? &rx->locals[rx->n] : NULL,
		.payload = { m->payload.buf, (uint32_t)(k->payload - m->payload.buf->data), (uint32_t)k->len },
	};
	if (++rx->n == DATAGRAM_BATCH)
		deliver(s, rx);
}

static void open_messages(struct ss_server_udp *s, struct rx *rx, const struct udp_message *m, int n)
{
	uint64_t now = clock_unix();
	struct ss_port_cut cut;

	for (int i = 0; i < n; i++) {
		for (uint32_t off = 0; ss_port_cut(&m[i], &off, &cut);) {
			struct ss_packet *k = &rx->packets[rx->n];
			struct ss_client *c;

			ss_port_expect(&s->codec, &m[i], n - i, off - cut.len);
			c = is_sip022(s) ? open_sip022(s, &m[i], &cut, now, k) : open_sip004(s, &m[i], &cut, k);
			if (c)
				take(s, rx, c, &m[i], cut.len);
		}
	}
	deliver(s, rx);
}

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	struct buf *scratch = buf_get(sizeof(struct rx));
	struct rx *rx;

	if (!scratch) {
		datagram_counters.dropped_queue += (unsigned)n;
		return;
	}
	rx = (struct rx *)(void *)scratch->data;
	rx->n = 0;
	open_messages(owner, rx, m, n);
	buf_unref(scratch);
}

static const struct udp_socket_events socket_events = { on_receive, NULL };

static void on_handed_over(struct session_listener *l, const struct udp_message *m)
{
	struct ss_server_udp *s = container_of(l, struct ss_server_udp, listener);

	s->handed = true;
	on_receive(s, m, 1);
	s->handed = false;
}

/* ---- replies ---- */

static void charge(struct ss_user *user, const struct datagram *d)
{
	user->counters.datagrams_down += datagrams_in(d);
	user->counters.udp_down += d->payload.len;
}

/* May it go back to where the client says that it is? False: counted. */
static bool may_return(struct ss_server_udp *s, struct ss_client *c, const struct datagram *d)
{
	uint32_t n;

	if (!s->guard.factor)
		return true;
	n = datagrams_in(d);
	if (amplification_allows(&s->guard, &c->credit, &c->peer, ss_port_sealed_max(&s->codec, d, n), n, loop_now()))
		return true;
	flow_counters.udp.dropped_amplification += n;
	return false;
}

static void server_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct ss_server_udp *s = of(port);
	struct ss_packet_out out = { .now = clock_unix() };
	struct ss_client *c = NULL;

	for (int i = 0; i < n; i++) {
		struct ss_port_way way = { .socket = s->socket };

		if (!c || c->key.session != d[i].key.session || !addr_equal(&c->key.addr, &d[i].key.addr))
			c = ss_clients_find(s, &d[i].key);
		if (!c || !may_return(s, c, &d[i]))
			continue;
		way.remote = &c->peer;
		way.local = c->local.family ? &c->local : NULL;
		way.flow = (uint32_t)c->key.session;
		out.client_session_id = c->theirs.id;
		if (c->payer.user)
			charge(c->payer.user, &d[i]);
		/* Packet ids used up: the session is over, as the protocol asks. */
		if (ss_port_seal(&s->codec, &c->ours, &out, &d[i], &way) == -EOVERFLOW)
			datagram_counters.dropped_queue++;
	}
}

/* ---- the table's word ---- */

static void server_forget(struct datagram_port *port, const struct assoc_key *key)
{
	struct ss_client *c = ss_clients_find(of(port), key);

	if (c)
		ss_clients_forget(c);
}

static void server_refuse(struct datagram_port *port, const struct datagram *d, enum flow_end why)
{
	(void)why;
	server_forget(port, &d->key);
}

static void server_end(struct datagram_port *port, enum flow_end why)
{
	(void)port, (void)why; /* an inbound is freed by its owner */
}

static const struct datagram_port_ops server_ops = {
	.send = server_send,
	.end = server_end,
	.refuse = server_refuse,
	.forget = server_forget,
};

/* ---- life ---- */

static int set_key(struct ss_server_udp *s, const struct ss_method *m, const uint8_t *key, const struct ss_users *users)
{
	int err = ss_packet_codec_init(&s->codec, m, SS_SERVER, key);

	s->users = users;
	if (!err && users && !ss_users_anyone(users))
		ss_packet_codec_set_users(&s->codec, users);
	return err;
}

static int open_all(struct ss_server_udp *s, const struct addr *listen, const struct ss_method *m, const uint8_t *key,
		    const struct ss_users *users)
{
	struct udp_socket_options o = { .bind = listen, .listens = true, .pktinfo = true, .buffer = SOCKET_BUFFER };
	int err = set_key(s, m, key, users);

	if (!err)
		err = hash_init(&s->clients);
	if (!err)
		err = ss_graves_init(&s->graves);
	if (err)
		return err;
	s->socket = udp_socket_open(&o, &socket_events, s, &err);
	return s->socket ? 0 : -err;
}

struct ss_server_udp *ss_server_udp_new(const struct addr *listen, const struct ss_method *m, const uint8_t *key,
					const struct ss_users *users)
{
	struct ss_server_udp *s = calloc(1, sizeof(*s));
	int err = s ? open_all(s, listen, m, key, users) : -ENOMEM;

	if (err) {
		if (s)
			ss_server_udp_free(s);
		errno = -err;
		return NULL;
	}
	s->port.ops = &server_ops;
	return s;
}

static void drop_spare(struct ss_server_udp *s)
{
	if (s->spare)
		ss_clients_free(s->spare);
	s->spare = NULL;
}

int ss_server_udp_set_key(struct ss_server_udp *s, const struct ss_method *m, const uint8_t *key)
{
	drop_spare(s);
	ss_packet_codec_wipe(&s->codec);
	return set_key(s, m, key, s->users);
}

void ss_server_udp_on_close(struct ss_server_udp *s, void (*closed)(void *owner, const struct assoc_key *), void *owner)
{
	s->closed = closed;
	s->closed_owner = owner;
}

void ss_server_udp_free(struct ss_server_udp *s)
{
	loop_timer_stop(&s->upkeep);
	if (s->socket)
		udp_socket_close(s->socket);
	drop_spare(s);
	ss_graves_free(&s->graves);
	hash_free(&s->clients);
	ss_packet_codec_wipe(&s->codec);
	ss_salts_free(&s->salts);
	if (s->owners)
		list_remove(&s->listener.node);
	free(s);
}

void ss_server_udp_ask(struct ss_server_udp *s, const struct inbound_events *events, void *owner)
{
	s->events = events;
	s->owner = owner;
}

void ss_server_udp_guard(struct ss_server_udp *s, const struct amplification *guard)
{
	s->guard = *guard;
}

struct ss_user *ss_server_udp_whose(const struct ss_server_udp *s, const struct assoc_key *key, struct addr *peer)
{
	const struct ss_client *c = ss_clients_find(s, key);

	*peer = c ? c->peer : key->addr;
	return c ? c->payer.user : NULL;
}

void ss_server_udp_share(struct ss_server_udp *s, struct session_owners *owners)
{
	s->owners = owners;
	s->listener.at = ss_server_udp_addr(s);
	s->listener.receive = on_handed_over;
	session_owners_listen(owners, &s->listener);
	ss_salts_share(&s->salts, session_owners_salts(owners));
}

struct datagram_port *ss_server_udp_port(struct ss_server_udp *s)
{
	return &s->port;
}

struct addr ss_server_udp_addr(const struct ss_server_udp *s)
{
	return udp_socket_addr(s->socket);
}
