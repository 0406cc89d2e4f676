/* A Shadowsocks stream over an in-memory stream: what an owner of a stream may
 * rely on, for every method and both roles. */
#include "transport_rig.h"

static void both_ways_whole_and_in_order(void **state)
{
	static const size_t steps[] = { 1, 2, 19, 1000, 20000, MAX }, pieces[] = { 7, 1460, 65000 };
	static struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
			EACH_METHOD(&p) {
				size_t len = steps[i] < 10 ? 40000 : 150001;

				pair_establish(&p);
				assert_true(addr_equal(&p.got.ip, &p.wanted.ip));
				assert_string_equal(p.got.name, "example.com");
				assert_int_equal(put(p.client.s, bytes, len, pieces[k]), len);
				carry_up(&p, steps[i]);
				assert_int_equal(p.server.len, len);
				assert_memory_equal(p.server.got, bytes, len);
				assert_int_equal(put(p.server.s, bytes, len, pieces[k]), len);
				carry_down(&p, steps[i]);
				assert_int_equal(p.client.len, len);
				assert_memory_equal(p.client.got, bytes, len);
				assert_int_equal(buf_pool_used(), 0); /* idle: no buffer */
			}
}

/* Salt, header and first payload leave in one write. */
static void first_payload_travels_with_the_header(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		assert_int_equal(put(p.client.s, bytes, 100, 50), 100);
		assert_int_equal(p.below_client.writes, 1);
		wait_ms(25);
		assert_int_equal(p.below_client.writes, 1);
		carry_up(&p, MAX);
		assert_true(p.accepted);
		assert_false(p.below_server.want_data); /* nothing is read until the owner wants */
		CALL(stream_want(p.server.s, true, false));
		turn();
		assert_int_equal(p.server.len, 100);
		assert_int_equal(put(p.server.s, bytes, 100, 100), 100);
		assert_int_equal(p.below_server.writes, 1);
	}
}

/* A client that waits for the server's greeting gets its header sent. */
static void header_goes_alone_after_10_ms(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		turn();
		assert_int_equal(p.below_client.writes, 0);
		wait_ms(25);
		assert_int_equal(p.below_client.writes, 1);
		if (!p.cfg.method->sip022)
			assert_int_equal(p.below_client.out_len, p.cfg.method->key_len + 34u + 15u);
		carry_up(&p, MAX);
		assert_true(p.accepted);
		CALL(stream_want(p.server.s, true, false));
		turn();
		assert_int_equal(p.server.len, 0);
		put(p.server.s, bytes, 10, 10);
		CALL(stream_want(p.client.s, true, false));
		carry_down(&p, MAX);
		assert_int_equal(p.client.len, 10);
		put(p.client.s, bytes, 10, 10);
		carry_up(&p, MAX);
		assert_int_equal(p.server.len, 10);
	}
}

static void half_closes_are_carried(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.client.s, bytes, 30000, 1000);
		CALL(stream_shut(p.client.s));
		assert_true(p.below_client.shut);
		carry_up(&p, 777);
		p.below_server.fin = true;
		fake_pump(&p.below_server, 0, 777);
		turn();
		assert_int_equal(p.server.len, 30000);
		assert_int_equal(p.server.fins, 1);
		assert_int_equal(put(p.server.s, bytes, 30000, 1000), 30000);
		carry_down(&p, 777);
		CALL(stream_shut(p.server.s));
		p.below_client.fin = true;
		fake_pump(&p.below_client, 0, 777);
		assert_int_equal(p.client.len, 30000);
		assert_int_equal(p.client.fins, 1);
		assert_int_equal(p.client.ends + p.server.ends, 0);
		struct slice none = { 0 };

		assert_int_equal(stream_write(p.client.s, &none, 0), -EPIPE);
	}
}

/* An app that only connects and closes still reaches its target. */
static void shut_before_any_payload_sends_the_header(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		CALL(stream_shut(p.client.s));
		assert_int_equal(p.below_client.writes, 1);
		assert_true(p.below_client.shut);
		p.below_server.fin = true;
		carry_up(&p, MAX);
		assert_true(p.accepted);
		CALL(stream_want(p.server.s, true, false));
		turn();
		fake_pump(&p.below_server, 0, MAX);
		turn();
		assert_int_equal(p.server.fins, 1);
	}
}

/* A server that says nothing and closes failed; one of ours says by its salt alone that it was no failure. */
static void no_reply_is_not_an_end(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		p.below_client.fin = true;
		fake_pump(&p.below_client, 0, MAX);
		turn();
		assert_int_equal(p.client.fins, 0);
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_NO_REPLY);
	}
	EACH_METHOD(&p) {
		pair_establish(&p);
		CALL(stream_shut(p.server.s));
		assert_int_equal(p.below_server.out_len, p.cfg.method->key_len);
		p.below_client.fin = true;
		carry_down(&p, MAX);
		assert_int_equal(p.client.fins, 1);
		assert_int_equal(p.client.ends, 0);
	}
}

/* Cut anywhere but at a chunk's end: an error, after all that was whole. */
static void truncation_is_not_an_end(void **state)
{
	static struct pair p;

	(void)state;
	for (size_t cut = 1;; cut++) {
		unsigned longer = 0;

		EACH_METHOD(&p) {
			pair_establish(&p);
			put(p.server.s, bytes, 10, 10);
			size_t first = p.below_server.out_len;

			put(p.server.s, bytes, 20, 20);
			size_t all = p.below_server.out_len;

			if (cut > all)
				continue;
			longer++;
			p.below_server.out_len = cut;
			p.below_client.fin = true;
			carry_down(&p, 11);
			bool whole = cut == first || cut == all || cut == p.cfg.method->key_len; /* 0001-empty-answer.md */

			assert_int_equal(p.client.fins, whole);
			assert_int_equal(p.client.ends, !whole);
			if (!whole)
				assert_int_equal(p.client.why, END_TRUNCATED);
			assert_int_equal(p.client.len, cut == all ? 30 : cut >= first ? 10 : 0);
		}
		if (!longer)
			break;
	}
}

/* Kernel sockets receive into one arena: what lies between two slices of ours is somebody else's. */
static void bytes_between_slices_are_left_alone(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		struct buf *b = buf_get(BUF_MEDIUM);
		struct slice v[3];
		uint32_t at = 0;

		pair_establish(&p);
		memset(b->data, 0x77, b->size);
		for (int i = 0; i < 3; i++) { /* two chunks in each slice, then 100 foreign bytes */
			put(p.server.s, bytes + 800 * i, 400, 400);
			put(p.server.s, bytes + 800 * i + 400, 400, 400);
			v[i] = (struct slice){ b, at, (uint32_t)p.below_server.out_len };
			memcpy(b->data + at, p.below_server.out, p.below_server.out_len);
			at += v[i].len + 100;
			p.below_server.out_len = 0;
		}
		p.below_client.stream.events->data(p.below_client.stream.owner, v, 3);
		assert_int_equal(p.client.len, 2400);
		assert_memory_equal(p.client.got, bytes, 2400);
		for (int i = 0; i < 3; i++)
			for (uint32_t k = 0; k < 100; k++)
				assert_int_equal(b->data[v[i].off + v[i].len + k], 0x77);
		buf_unref(b);
	}
}

static void forgery_ends_it_after_what_was_good(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.server.s, bytes, 1000, 1000);
		put(p.server.s, bytes, 1000, 1000);
		p.below_server.out[p.below_server.out_len - 3] ^= 1;
		carry_down(&p, MAX);
		assert_int_equal(p.client.len, 1000);
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_FORGED);
		assert_false(p.below_client.want_data);
		struct slice none = { 0 };

		assert_int_equal(stream_write(p.client.s, &none, 0), -EPIPE);
	}
}

/* What the owner does not take waits, and the peer is held back meanwhile. */
static void partial_takes_hold_the_peer_back(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.server.s, bytes, 100000, 5000);
		p.client.take = 3000;
		for (unsigned rounds = 0; p.client.len < 100000; rounds++) {
			assert_true(rounds < 40);
			size_t before = p.client.len;

			CALL(stream_want(p.client.s, true, false));
			turn();
			assert_true(p.client.len - before <= 3000);
			carry_down(&p, 40000); /* once more, if all that waited was taken */
			assert_true(p.client.len > before && p.client.len - before <= 6000);
			if (p.client.len < 100000)
				assert_false(p.below_client.want_data);
		}
		assert_memory_equal(p.client.got, bytes, 100000);
	}
}

static void pause_in_data_is_obeyed(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		for (int i = 0; i < 300; i++) /* many chunks: several batches of one read */
			put(p.server.s, bytes + i * 600, 600, 600);
		p.client.pause_in_data = true;
		carry_down(&p, 100000);
		assert_int_equal(p.client.events, 1);
		p.client.pause_in_data = false;
		for (int i = 0; i < 5; i++) {
			CALL(stream_want(p.client.s, true, false));
			turn();
			carry_down(&p, 100000);
		}
		assert_int_equal(p.client.len, 180000);
		assert_memory_equal(p.client.got, bytes, 180000);
	}
}

/* space() is a promise, what is sealed always fits below, and room is told once. */
static void writes_never_exceed_the_room_below(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		size_t done = 0;

		pair_establish(&p);
		for (size_t space = 0; done < 60000; space = space * 5 / 4 + 1) {
			size_t promised, took;

			p.below_client.space = space;
			promised = stream_space(p.client.s);
			took = put(p.client.s, bytes + done, 60000 - done, 1300);
			assert_true(took >= (promised < 60000 - done ? promised : 60000 - done));
			done += took;
		}
		carry_up(&p, MAX);
		assert_int_equal(p.server.len, 60000);
		assert_memory_equal(p.server.got, bytes, 60000);
		CALL(stream_want(p.client.s, true, true));
		assert_true(p.below_client.want_room);
		p.below_client.stream.events->room(p.below_client.stream.owner);
		p.below_client.stream.events->room(p.below_client.stream.owner);
		assert_int_equal(p.client.rooms, 1);
	}
}

/* A stream below that breaks its word costs the flow, not the process. */
static void a_short_write_below_ends_it(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		p.below_client.max_accept = 50;
		put(p.client.s, bytes, 1000, 1000);
		assert_int_equal(p.client.ends, 0); /* not from inside the call */
		turn();
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_LIMIT);
	}
}

static void out_of_buffers_is_waited_out(void **state)
{
	static struct pair p;
	uint8_t one[1];

	(void)state;
	EACH_METHOD(&p) {
		struct buf *b = buf_get(1);
		struct slice v = { b, 0, 1 };
		ssize_t rc;

		pair_establish(&p);
		b->data[0] = one[0] = 9;
		buf_pool_set_budget(1);
		CALL(rc = stream_write(p.client.s, &v, 1));
		assert_int_equal(rc, 0);
		CALL(stream_want(p.client.s, true, true));
		turn();
		assert_int_equal(p.client.rooms, 0);
		buf_pool_set_budget(0);
		wait_ms(25);
		assert_int_equal(p.client.rooms, 1);
		CALL(rc = stream_write(p.client.s, &v, 1));
		assert_int_equal(rc, 1);
		buf_unref(b);
		carry_up(&p, MAX);
		assert_int_equal(p.server.len, 1);
		assert_memory_equal(p.server.got, one, 1);
	}
}

static void the_owner_may_end_it_inside_an_event(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.server.s, bytes, 50000, 50000);
		p.client.end_in_data = true;
		carry_down(&p, MAX);
		assert_int_equal(p.client.events, 1);
		assert_true(p.below_client.ended);
		assert_int_equal(p.below_client.why, END_CLIENT_RESET);
		p.client.s = NULL; /* freed in the deferred pass */
	}
}

static void an_end_below_is_passed_on(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		p.below_client.stream.events->ended(p.below_client.stream.owner, END_REMOTE_RESET);
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_REMOTE_RESET);
		p.below_server.stream.events->ended(p.below_server.stream.owner, END_REMOTE_RESET);
		assert_int_equal(p.server.ends, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_whole_and_in_order),
		cmocka_unit_test(first_payload_travels_with_the_header),
		cmocka_unit_test(header_goes_alone_after_10_ms),
		cmocka_unit_test(half_closes_are_carried),
		cmocka_unit_test(shut_before_any_payload_sends_the_header),
		cmocka_unit_test(no_reply_is_not_an_end),
		cmocka_unit_test(truncation_is_not_an_end),
		cmocka_unit_test(bytes_between_slices_are_left_alone),
		cmocka_unit_test(forgery_ends_it_after_what_was_good),
		cmocka_unit_test(partial_takes_hold_the_peer_back),
		cmocka_unit_test(pause_in_data_is_obeyed),
		cmocka_unit_test(writes_never_exceed_the_room_below),
		cmocka_unit_test(a_short_write_below_ends_it),
		cmocka_unit_test(out_of_buffers_is_waited_out),
		cmocka_unit_test(the_owner_may_end_it_inside_an_event),
		cmocka_unit_test(an_end_below_is_passed_on),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
