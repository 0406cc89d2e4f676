/*
 * The clients of the server's UDP inbound: a table of them by address (SIP004)
 * or by session and user (SIP022), whose datagrams it counts on, and what stays of
 * a session when it is forgotten: a grave, and its owner among the workers until
 * that grave is old. Whether a datagram is authentic was decided elsewhere.
 */
#include <malloc.h>
#include <stdlib.h>

#include "crypto/random.h"
#include "inbound/ss_server_udp_impl.h"

#define UPKEEP_MS 5000

/* ---- upkeep ---- */

static void on_upkeep(struct loop_timer *t)
{
	struct ss_server_udp *s = container_of(t, struct ss_server_udp, upkeep);

	ss_graves_expire(&s->graves, loop_now());
	if (ss_salts_keep(&s->salts, loop_now()) || s->graves.by_id.count)
		loop_timer_start(t, UPKEEP_MS, on_upkeep);
	else
		malloc_trim(0);
}

void ss_clients_want_upkeep(struct ss_server_udp *s)
{
	if (!loop_timer_armed(&s->upkeep))
		loop_timer_start(&s->upkeep, UPKEEP_MS, on_upkeep);
}

/* ---- clients ---- */

static uint64_t key_hash(const struct assoc_key *k)
{
	return k->addr.family ? addr_hash(&k->addr) : hash_bytes(&k->session, sizeof(k->session));
}

struct ss_client *ss_clients_find(const struct ss_server_udp *s, const struct assoc_key *k)
{
	uint64_t h = key_hash(k);

	for (struct hash_node *n = hash_first(&s->clients, h); n; n = hash_next(n, h)) {
		struct ss_client *c = container_of(n, struct ss_client, node);
		if (c->key.session == k->session && addr_equal(&c->key.addr, &k->addr))
			return c;
	}
	return NULL;
}

struct ss_client *ss_clients_spare(struct ss_server_udp *s, const struct assoc_key *k, const struct ss_packet *p)
{
	if (!s->spare)
		s->spare = calloc(1, sizeof(*s->spare));
	if (!s->spare)
		return NULL;
	s->spare->key = *k;
	s->spare->server = s;
	if (is_sip022(s)) {
		ss_packet_session_wipe(&s->spare->theirs);
		ss_packet_session_init_for(&s->codec, &s->spare->theirs, p->session_id, p->user);
	}
	return s->spare;
}

/* Each datagram is under its user's key: with another key the session is over too. */
static void end_client(struct ss_client *c)
{
	struct ss_server_udp *s = c->server;
	struct assoc_key key = c->key;

	if (s->closed)
		s->closed(s->closed_owner, &key); /* which makes the table forget it */
	c = ss_clients_find(s, &key);
	if (c)
		ss_clients_forget(c);
}

static void on_user_changed(struct ss_user_holder *h, enum ss_user_change change)
{
	(void)change;
	end_client(container_of(h, struct ss_client, payer));
}

void ss_clients_adopt(struct ss_server_udp *s, struct ss_user *named)
{
	struct ss_client *c = s->spare;
	struct ss_user *payer = named || !s->users ? named : ss_users_anyone(s->users);
	uint64_t id;

	s->spare = NULL;
	hash_insert(&s->clients, &c->node, key_hash(&c->key));
	if (payer) {
		ss_user_hold(payer, &c->payer, on_user_changed);
		payer->counters.udp_sessions++;
	}
	if (!is_sip022(s))
		return;
	do
		id = random_u64();
	while (id == 0);
	ss_packet_session_init_for(&s->codec, &c->ours, id, named);
}

void ss_clients_free(struct ss_client *c)
{
	ss_user_release(&c->payer);
	ss_packet_session_wipe(&c->theirs);
	ss_packet_session_wipe(&c->ours);
	free(c);
}

/* ---- the end of one ---- */

/* What was recorded of a session is too old a minute after its last datagram. */
static void bury(struct ss_server_udp *s, const struct ss_client *c)
{
	if (loop_now() - c->heard_ms >= SS_GRAVE_MS)
		return;
	ss_graves_add(&s->graves, c->key.session, c->window.last, c->heard_ms);
	ss_clients_want_upkeep(s);
}

void ss_clients_forget(struct ss_client *c)
{
	struct ss_server_udp *s = c->server;

	if (is_sip022(s))
		bury(s, c);
	if (s->owners)
		session_owners_release(s->owners, &s->listener, c->key.session, c->heard_ms + SS_GRAVE_MS);
	hash_remove(&s->clients, &c->node);
	if (!s->clients.count)
		hash_settle(&s->clients);
	ss_clients_free(c);
}
