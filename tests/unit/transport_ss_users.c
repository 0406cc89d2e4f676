/* A server with users over an in-memory stream: each client talks under its own
 * key and is charged for it; whoever is no user is handed back untouched. */
#include "transport_rig.h"

static const char *const methods[] = { "2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm" };

struct site {
	struct pair pair; /* its cfg is the server's */
	struct ss_stream_config client_cfg;
	struct ss_users *users;
	struct ss_identity *identity;
	uint8_t user_key[32];
};

/* A client with `key` behind n identities, the last of them the server's. */
static void site_open(struct site *s, const char *method, int n, const uint8_t *key)
{
	const struct ss_method *m = ss_method_find(method);
	struct pair *p = &s->pair;
	uint8_t keys[SS_IDENTITY_MAX][SS_KEY_MAX];
	struct stream *st;

	memset(p, 0, sizeof(*p));
	random_bytes(p->key, sizeof(p->key));
	random_bytes(s->user_key, sizeof(s->user_key));
	s->users = ss_users_new(m, p->key);
	assert_int_equal(ss_users_add(s->users, "alice", s->user_key), 0);
	for (int i = 0; i < SS_IDENTITY_MAX; i++)
		memcpy(keys[i], p->key, sizeof(p->key));
	s->identity = n ? ss_identity_new(m, (const uint8_t (*)[SS_KEY_MAX])keys, n, key ? key : s->user_key) : NULL;
	p->cfg = (struct ss_stream_config){ .method = m, .key = p->key, .users = s->users };
	s->client_cfg = (struct ss_stream_config){ .method = m, .key = key ? key : s->user_key, .identity = s->identity };
	p->salts = salt_store_new(60000, 1000);
	assert_int_equal(target_parse("example.com:80", &p->wanted), 0);
	fake_open(&p->below_client);
	CALL(st = ss_stream_client(&p->below_client.stream, &s->client_cfg, &p->wanted));
	assert_non_null(st);
	owner_bind(&p->client, st);
	pair_accept(p);
}

static void site_close(struct site *s)
{
	pair_close(&s->pair);
	ss_users_free(s->users);
	ss_identity_free(s->identity);
}

/* Client's bytes so far, the first read being `first` of them (0: all). */
static void feed(struct pair *p, size_t first)
{
	fake_feed(&p->below_server, p->below_client.out, p->below_client.out_len);
	p->below_client.out_len = 0;
	fake_pump(&p->below_server, first, first ? first : MAX);
	turn();
}

static void a_user_is_served_and_charged(void **state)
{
	static struct site s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pair *p = &s.pair;
		const struct ss_user_counters *n;

		site_open(&s, methods[i], 1, NULL);
		n = &ss_users_at(s.users, 0)->counters;
		assert_int_equal(put(p->client.s, bytes, 300, 300), 300);
		feed(p, p->cfg.method->key_len + 16 + 27); /* exactly the first unit in one read */
		assert_true(p->accepted);
		assert_int_equal(n->tcp_flows, 1);
		CALL(stream_want(p->server.s, true, false));
		turn();
		assert_int_equal(p->server.len, 300);
		assert_memory_equal(p->server.got, bytes, 300);
		assert_int_equal(put(p->client.s, bytes + 300, 70000, 70000), 70000);
		feed(p, 0);
		assert_int_equal(p->server.len, 70300);
		assert_memory_equal(p->server.got, bytes, 70300);
		assert_int_equal(n->tcp_up, 70300);
		CALL(stream_want(p->client.s, true, false));
		assert_int_equal(put(p->server.s, bytes, 50000, 1000), 50000);
		carry_down(p, MAX);
		assert_int_equal(p->client.len, 50000);
		assert_memory_equal(p->client.got, bytes, 50000);
		assert_int_equal(n->tcp_down, 50000);
		assert_int_equal(n->tcp_flows, 1);
		assert_int_equal(n->udp_sessions, 0);
		site_close(&s);
	}
}

/* A header in two reads is a probe, one byte short of it as well. */
static void the_first_read_holds_the_identity_too(void **state)
{
	static struct site s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		site_open(&s, methods[i], 1, NULL);
		put(s.pair.client.s, bytes, 300, 300);
		feed(&s.pair, s.pair.cfg.method->key_len + 16 + 27 - 1);
		assert_true(s.pair.rejected);
		assert_int_equal(s.pair.why, END_TRUNCATED);
		site_close(&s);
	}
}

static void expect_refused(struct site *s)
{
	struct pair *p = &s->pair;

	put(p->client.s, bytes, 300, 300);
	feed(p, 0);
	assert_true(p->rejected);
	assert_false(p->accepted);
	assert_int_equal(p->why, END_FORGED);
	assert_int_equal(p->below_server.writes, 0);
	assert_false(p->below_server.shut || p->below_server.ended);
	assert_int_equal(salt_store_count(p->salts), 0);
	assert_int_equal(ss_users_at(s->users, 0)->counters.tcp_flows, 0);
	site_close(s);
}

static void nobody_else_is_served(void **state)
{
	static struct site s;
	uint8_t stranger[32];

	(void)state;
	random_bytes(stranger, sizeof(stranger));
	for (int i = 0; i < 2; i++) {
		site_open(&s, methods[i], 1, stranger);
		expect_refused(&s);
		site_open(&s, methods[i], 0, NULL); /* the user's key, and not a word who */
		expect_refused(&s);
		site_open(&s, methods[i], 2, NULL); /* a hop too many */
		expect_refused(&s);
		site_open(&s, methods[i], SS_IDENTITY_MAX, NULL);
		expect_refused(&s);
	}
}

/* The server's own key without an identity, which is enough where there are no users. */
static void the_shared_key_alone_opens_nothing(void **state)
{
	static struct site s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pair *p = &s.pair;

		site_open(&s, methods[i], 0, NULL);
		owner_close(&p->client, END_DONE);
		turn();
		fake_close(&p->below_client);
		fake_open(&p->below_client);
		s.client_cfg.key = p->key;
		struct stream *st;

		CALL(st = ss_stream_client(&p->below_client.stream, &s.client_cfg, &p->wanted));
		owner_bind(&p->client, st);
		expect_refused(&s);
	}
}

/* ---- users who go, and keys that change, under a stream ---- */

static void serve(struct site *s)
{
	put(s->pair.client.s, bytes, 300, 300);
	feed(&s->pair, 0);
	assert_true(s->pair.accepted);
	CALL(stream_want(s->pair.server.s, true, false));
	CALL(stream_want(s->pair.client.s, true, false));
	turn();
	assert_int_equal(s->pair.server.len, 300);
}

static void a_removed_user_s_stream_ends_and_no_other(void **state)
{
	static struct site s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t bob[32];

		random_bytes(bob, sizeof(bob));
		site_open(&s, methods[i], 1, NULL);
		assert_int_equal(ss_users_add(s.users, "bob", bob), 0);
		serve(&s);
		ss_users_remove(s.users, ss_users_find_name(s.users, "bob"));
		turn();
		assert_int_equal(s.pair.server.ends, 0);
		CALL(ss_users_remove(s.users, ss_users_find_name(s.users, "alice")));
		assert_int_equal(ss_users_count(s.users), 0);
		turn();
		assert_int_equal(s.pair.server.ends, 1);
		assert_int_equal(s.pair.server.why, END_REMOVED);
		site_close(&s); /* the stream is the last that knows her */
	}
}

/* Between the first unit of her handshake and the second. */
static void a_user_removed_in_a_handshake_is_refused(void **state)
{
	static struct site s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pair *p = &s.pair;

		site_open(&s, methods[i], 1, NULL);
		put(p->client.s, bytes, 300, 300);
		fake_feed(&p->below_server, p->below_client.out, p->below_client.out_len);
		size_t all = p->below_server.in_len;

		p->below_server.in_len = p->cfg.method->key_len + 16 + 27;
		fake_pump(&p->below_server, MAX, MAX);
		assert_false(p->accepted || p->rejected);
		ss_users_remove(s.users, ss_users_at(s.users, 0));
		p->below_server.in_len = all;
		fake_pump(&p->below_server, MAX, MAX);
		turn();
		assert_true(p->rejected);
		assert_false(p->accepted);
		assert_int_equal(p->why, END_FORGED);
		site_close(&s);
	}
}

/* What came under the old key is answered under the old key. */
static void a_changed_key_is_for_new_streams(void **state)
{
	static struct site s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t other[32];

		random_bytes(other, sizeof(other));
		site_open(&s, methods[i], 1, NULL);
		serve(&s);
		assert_int_equal(ss_users_rekey(s.users, ss_users_at(s.users, 0), other), 0);
		turn();
		assert_int_equal(s.pair.server.ends, 0);
		assert_int_equal(put(s.pair.server.s, bytes, 50000, 1000), 50000);
		carry_down(&s.pair, MAX);
		assert_int_equal(s.pair.client.len, 50000);
		assert_memory_equal(s.pair.client.got, bytes, 50000);
		assert_int_equal(ss_users_at(s.users, 0)->counters.tcp_down, 50000);
		site_close(&s);
		site_open(&s, methods[i], 1, NULL); /* comes with the old key after the change */
		assert_int_equal(ss_users_rekey(s.users, ss_users_at(s.users, 0), other), 0);
		expect_refused(&s);
	}
}

/* Without users all are one, of any method; and the same holds for him. */
static void without_users_everybody_is_one(void **state)
{
	static const char *const some[] = { "aes-256-gcm", "2022-blake3-chacha20-poly1305", "2022-blake3-aes-256-gcm" };
	static struct site s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct pair *p = &s.pair;
		struct ss_user_counters total;
		uint8_t other[32];

		random_bytes(other, sizeof(other));
		memset(&s, 0, sizeof(s));
		pair_open(p, ss_method_find(some[i]));
		s.users = ss_users_new(p->cfg.method, p->key);
		assert_int_equal(ss_users_add_anyone(s.users), 0);
		p->cfg.users = s.users;
		/* the pair has begun to accept without them: once more */
		CALL(ss_stream_accept_cancel(p->accept));
		turn();
		fake_close(&p->below_server);
		pair_accept(p);
		serve(&s);
		assert_int_equal(ss_users_anyone(s.users)->counters.tcp_up, 300);
		ss_users_set_key(s.users, p->cfg.method, other);
		turn();
		assert_int_equal(p->server.ends, 0);
		assert_int_equal(put(p->server.s, bytes, 5000, 1000), 5000);
		carry_down(p, MAX);
		assert_memory_equal(p->client.got, bytes, 5000);
		CALL(ss_users_remove(s.users, ss_users_anyone(s.users)));
		turn();
		assert_int_equal(p->server.why, END_REMOVED);
		ss_users_total(s.users, &total);
		assert_int_equal(total.tcp_up, 300);
		assert_int_equal(total.tcp_down, 5000);
		assert_int_equal(total.tcp_flows, 1);
		ss_users_free(s.users); /* before the stream */
		pair_close(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_is_served_and_charged),
		cmocka_unit_test(the_first_read_holds_the_identity_too),
		cmocka_unit_test(nobody_else_is_served),
		cmocka_unit_test(the_shared_key_alone_opens_nothing),
		cmocka_unit_test(a_removed_user_s_stream_ends_and_no_other),
		cmocka_unit_test(a_user_removed_in_a_handshake_is_refused),
		cmocka_unit_test(a_changed_key_is_for_new_streams),
		cmocka_unit_test(without_users_everybody_is_one),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
