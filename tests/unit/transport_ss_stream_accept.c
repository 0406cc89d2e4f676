/* What a Shadowsocks server lets in and what it hands back, and why. */
#include "transport_rig.h"

/* Feeds one connection and expects it back with `why`, untouched. */
static void expect_rejected(struct pair *p, const uint8_t *wire, size_t len, size_t first, bool fin, enum flow_end why)
{
	fake_close(&p->below_server);
	pair_accept(p);
	fake_feed(&p->below_server, wire, len);
	p->below_server.fin = fin;
	fake_pump(&p->below_server, first, MAX);
	turn();
	assert_true(p->rejected);
	assert_false(p->accepted);
	assert_int_equal(p->why, why);
	assert_int_equal(p->below_server.writes, 0);
	assert_false(p->below_server.shut || p->below_server.ended);
}

static void forget_salts(struct pair *p)
{
	salt_store_free(p->salts);
	p->salts = salt_store_new(60000, 1000);
	salt_table_free(p->cfg.old_salts);
	p->cfg.old_salts = salt_table_new(false);
}

static void bad_beginnings(void **state)
{
	static struct pair p;
	uint8_t wire[4096], bad[4096];

	(void)state;
	EACH_METHOD(&p) {
		put(p.client.s, bytes, 300, 300);
		size_t len = p.below_client.out_len;

		memcpy(wire, p.below_client.out, len);
		CALL(ss_stream_accept_cancel(p.accept));
		turn();
		/* Nobody's bytes, a flipped bit in each box, an early end. */
		random_bytes(bad, sizeof(bad));
		expect_rejected(&p, bad, 600, 600, false, END_FORGED);
		memcpy(bad, wire, len);
		bad[p.cfg.method->key_len + 1] ^= 1;
		expect_rejected(&p, bad, len, len, false, END_FORGED);
		memcpy(bad, wire, len);
		bad[len - 1] ^= 1;
		expect_rejected(&p, bad, len, len, false, END_FORGED);
		forget_salts(&p);
		expect_rejected(&p, wire, len - 1, len, true, END_TRUNCATED);
		expect_rejected(&p, wire, 0, len, true, END_TRUNCATED);
	}
	/* SIP022: the header in two reads; then the good one, and its replay. */
	EACH_METHOD(&p) {
		put(p.client.s, bytes, 300, 300);
		size_t len = p.below_client.out_len, head = first_read(&p);

		memcpy(wire, p.below_client.out, len);
		CALL(ss_stream_accept_cancel(p.accept));
		turn();
		if (head)
			expect_rejected(&p, wire, head - 1, head - 1, false, END_TRUNCATED);
		fake_close(&p.below_server);
		pair_accept(&p);
		carry_up(&p, MAX);
		assert_true(p.accepted);
		owner_close(&p.server, END_DONE);
		expect_rejected(&p, wire, len, len, false, END_REPLAY);
	}
}

/* A salt that was only forged, not replayed, is not remembered. */
static void forged_salts_do_not_fill_the_store(void **state)
{
	static struct pair p;
	uint8_t bad[4096];

	(void)state;
	EACH_METHOD(&p) {
		CALL(ss_stream_accept_cancel(p.accept));
		turn();
		for (int i = 0; i < 20; i++) {
			random_bytes(bad, 600);
			expect_rejected(&p, bad, 600, 600, false, END_FORGED);
			assert_true(salt_table_take(p.cfg.old_salts, bad, p.cfg.method->key_len));
		}
		assert_int_equal(salt_store_count(p.salts), 0);
	}
}

/* 31 s off is END_CLOCK on both sides, 29 s is not. */
static void clocks(void **state)
{
	static const struct {
		int64_t skew;
		bool ok;
	} cases[] = { { 29, true }, { -29, true }, { 32, false }, { -32, false } };
	static struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EACH_METHOD(&p) {
			const struct ss_method *m = p.cfg.method;
			uint64_t then = clock_unix() + (uint64_t)cases[i].skew;
			uint8_t salt[32], wire[1024];
			struct ss_sealer s;
			size_t n;

			CALL(ss_stream_accept_cancel(p.accept));
			turn();
			if (!m->sip022) {
				fake_close(&p.below_server);
				pair_accept(&p);
				CALL(ss_stream_accept_cancel(p.accept));
				turn();
				continue;
			}
			random_bytes(salt, sizeof(salt));
			ss_sealer_init(&s, m, p.key, salt);
			n = ss_seal_request(&s, NULL, salt, then, &p.wanted, 9, 0, wire);
			ss_sealer_wipe(&s);
			if (!cases[i].ok)
				expect_rejected(&p, wire, n, n, false, END_CLOCK);
			else {
				fake_close(&p.below_server);
				pair_accept(&p);
				fake_feed(&p.below_server, wire, n);
				fake_pump(&p.below_server, n, MAX);
				assert_true(p.accepted);
			}
			/* The client judges the server's clock the same way. */
			put(p.client.s, bytes, 10, 10);
			CALL(stream_want(p.client.s, true, false));
			memcpy(salt, p.below_client.out, m->key_len);
			uint8_t own[32] = { 1 };

			ss_sealer_init(&s, m, p.key, own);
			memcpy(wire + ss_response_offset(m), bytes, 10);
			n = ss_seal_response(&s, own, then, salt, 10, wire);
			ss_sealer_wipe(&s);
			fake_feed(&p.below_client, wire, n);
			fake_pump(&p.below_client, 0, MAX);
			assert_int_equal(p.client.len, cases[i].ok ? 10 : 0);
			assert_int_equal(p.client.ends, !cases[i].ok);
			if (!cases[i].ok)
				assert_int_equal(p.client.why, END_CLOCK);
		}
}

static void cancel_gives_the_stream_back(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		CALL(ss_stream_accept_cancel(p.accept));
		assert_null(p.below_server.stream.events);
		assert_false(p.below_server.want_data || p.below_server.ended);
		turn();
		assert_false(p.accepted || p.rejected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_beginnings),
		cmocka_unit_test(forged_salts_do_not_fill_the_store),
		cmocka_unit_test(clocks),
		cmocka_unit_test(cancel_gives_the_stream_back),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
