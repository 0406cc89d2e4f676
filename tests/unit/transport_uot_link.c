/* Datagrams in frames of a stream: whatever pieces the bytes come in, the same
 * datagrams come out, each with its remote; a stream that is full loses whole
 * datagrams and never a part of one. */
#include "transport_rig.h"

#include "io/datagram_counters.h"
#include "transport/uot_link.h"

#define KEPT 64

struct got {
	struct target remote;
	uint32_t len;
	uint8_t first, last;
};

struct end {
	struct fake below;
	struct uot_link *link;
	struct got got[KEPT];
	unsigned n, batches, ends;
	enum flow_end why;
	bool end_in_receive;
};

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct end *e = owner;

	assert_false(in_call);
	e->batches++;
	for (int i = 0; i < n; i++) {
		struct got *g = &e->got[e->n++ % KEPT];

		g->remote = *d[i].remote;
		g->len = d[i].payload.len;
		if (g->len) {
			g->first = slice_data(&d[i].payload)[0];
			g->last = slice_data(&d[i].payload)[g->len - 1];
			memset(slice_data(&d[i].payload), 0xee, g->len); /* allowed: it is borrowed for good */
		}
	}
	if (e->end_in_receive)
		uot_link_end(e->link, END_DONE);
}

static void on_ended(void *owner, enum flow_end why)
{
	struct end *e = owner;

	assert_false(in_call);
	e->ends++;
	e->why = why;
}

static const struct uot_link_events events = { on_receive, on_ended };

static void end_open(struct end *e, enum uot_role role)
{
	memset(e, 0, sizeof(*e));
	fake_open(&e->below);
	CALL(e->link = uot_link_new(&e->below.stream, role, &events, e));
	assert_non_null(e->link);
	assert_true(e->below.want_data);
}

static void end_close(struct end *e)
{
	if (!e->end_in_receive)
		CALL(uot_link_end(e->link, END_DONE));
	assert_true(e->below.ended);
	turn();
	fake_close(&e->below);
	assert_int_equal(buf_pool_used(), 0);
}

static void carry(struct end *from, struct end *to, size_t step)
{
	fake_feed(&to->below, from->below.out, from->below.out_len);
	from->below.out_len = 0;
	fake_pump(&to->below, 0, step);
	turn();
}

static struct target target_of(const char *text)
{
	struct target t;

	assert_int_equal(target_parse(text, &t), 0);
	return t;
}

static void send_one(struct end *e, const struct target *to, uint32_t len, uint16_t segment, uint8_t mark)
{
	struct buf *b = buf_get(len ? len : 1);
	struct datagram d = { .remote = to, .payload = { b, 0, len }, .segment = segment };

	memset(b->data, mark, len);
	CALL(uot_link_send(e->link, &d, 1));
	buf_unref(b);
}

static void is(const struct got *g, const struct target *remote, uint32_t len, uint8_t mark)
{
	assert_int_equal(g->len, len);
	assert_int_equal(g->remote.name_len, remote->name_len);
	assert_string_equal(g->remote.name, remote->name);
	assert_true(addr_equal(&g->remote.ip, &remote->ip));
	if (len) {
		assert_int_equal(g->first, mark);
		assert_int_equal(g->last, mark);
	}
}

static const uint32_t sizes[] = { 0, 1, 2, 100, 1472, 9000, 65000, 65507, 0, 7 };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void whole_whatever_the_pieces(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 8, 9, 10, 11, 50, 1460, 16383, 65536, MAX };
	static struct end client, server;
	const struct target to[] = { target_of("192.0.2.1:53"), target_of("[2001:db8::1]:443"), target_of("long.name.example:7") };

	(void)state;
	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
		end_open(&client, UOT_CLIENT);
		end_open(&server, UOT_SERVER_V2);
		for (unsigned i = 0; i < N_SIZES; i++)
			send_one(&client, &to[i % 3], sizes[i], 0, (uint8_t)i);
		carry(&client, &server, steps[k]);
		assert_int_equal(server.n, N_SIZES);
		for (unsigned i = 0; i < N_SIZES; i++)
			is(&server.got[i], &to[i % 3], sizes[i], (uint8_t)i);
		for (unsigned i = 0; i < N_SIZES; i++)
			send_one(&server, &to[i % 2], sizes[i], 0, (uint8_t)i);
		carry(&server, &client, steps[k]);
		assert_int_equal(client.n, N_SIZES);
		for (unsigned i = 0; i < N_SIZES; i++)
			is(&client.got[i], &to[i % 2], sizes[i], (uint8_t)i);
		assert_int_equal(client.ends + server.ends, 0);
		end_close(&client);
		end_close(&server);
	}
}

/* 2,000 random cuts of random sizes. */
static void random_cuts(void **state)
{
	static struct end client, server;
	const struct target to = target_of("192.0.2.1:53");
	unsigned sent = 0;
	uint32_t lens[KEPT];

	(void)state;
	end_open(&client, UOT_CLIENT);
	end_open(&server, UOT_SERVER_V2);
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t len = (uint32_t)random_below(round % 50 ? 300 : 60000);
		size_t all, part;

		lens[sent % KEPT] = len;
		send_one(&client, &to, len, 0, (uint8_t)sent++);
		all = client.below.out_len;
		part = all ? random_below((uint32_t)all + 1) : 0; /* some of it now, the rest later */
		server.below.in_off = server.below.in_len = 0;
		fake_feed(&server.below, client.below.out, part);
		memmove(client.below.out, client.below.out + part, all - part);
		client.below.out_len = all - part;
		client.below.space = MAX - client.below.out_len;
		fake_pump(&server.below, 0, 1 + random_below(2000));
	}
	server.below.in_off = server.below.in_len = 0;
	carry(&client, &server, MAX);
	assert_int_equal(server.n, sent);
	for (unsigned i = 0; i < KEPT; i++)
		is(&server.got[(sent - 1 - i) % KEPT], &to, lens[(sent - 1 - i) % KEPT], (uint8_t)(sent - 1 - i));
	end_close(&client);
	end_close(&server);
}

static void segments_become_datagrams(void **state)
{
	static struct end client, server;
	const struct target to = target_of("192.0.2.1:53");

	(void)state;
	end_open(&client, UOT_CLIENT);
	end_open(&server, UOT_SERVER_V2);
	send_one(&client, &to, 2500, 1000, 9);
	assert_int_equal(client.below.writes, 1); /* one batch, one write */
	carry(&client, &server, MAX);
	assert_int_equal(server.n, 3);
	assert_int_equal(server.batches, 1);
	is(&server.got[0], &to, 1000, 9);
	is(&server.got[2], &to, 500, 9);
	end_close(&client);
	end_close(&server);
}

/* v1 has no request; a connected stream has addresses in neither direction. */
static void the_other_forms(void **state)
{
	static const uint8_t v1[] = { 0, 192, 0, 2, 1, 0, 53, 0, 2, 5, 5 };
	static const uint8_t connected[] = { 1, 1, 192, 0, 2, 1, 0, 53, 0, 2, 5, 5, 0, 0 };
	static struct end server;
	const struct target to = target_of("192.0.2.1:53"), other = target_of("192.0.2.1:54"), host = target_of("192.0.2.2:53");
	uint64_t denied;

	(void)state;
	end_open(&server, UOT_SERVER_V1);
	fake_feed(&server.below, v1, sizeof(v1));
	fake_pump(&server.below, 0, MAX);
	assert_int_equal(server.n, 1);
	is(&server.got[0], &to, 2, 5);
	send_one(&server, &to, 2, 0, 5);
	assert_int_equal(server.below.out_len, sizeof(v1));
	assert_memory_equal(server.below.out, v1, sizeof(v1));
	end_close(&server);

	end_open(&server, UOT_SERVER_V2);
	fake_feed(&server.below, connected, sizeof(connected));
	fake_pump(&server.below, 0, 1);
	assert_int_equal(server.n, 2);
	is(&server.got[0], &to, 2, 5);
	is(&server.got[1], &to, 0, 0);
	send_one(&server, &to, 2, 0, 5);
	assert_int_equal(server.below.out_len, 4);
	assert_memory_equal(server.below.out, ((const uint8_t[]){ 0, 2, 5, 5 }), 4);
	denied = datagram_counters.dropped_acl;
	send_one(&server, &other, 2, 0, 6); /* as a connected socket: nobody else is heard */
	send_one(&server, &host, 2, 0, 6);
	assert_int_equal(server.below.out_len, 4);
	assert_int_equal(datagram_counters.dropped_acl, denied + 2);
	end_close(&server);
}

static void a_full_stream_loses_whole_datagrams(void **state)
{
	static struct end client, server;
	const struct target to = target_of("192.0.2.1:53");
	uint64_t dropped = datagram_counters.dropped_queue;

	(void)state;
	end_open(&client, UOT_CLIENT);
	end_open(&server, UOT_SERVER_V2);
	client.below.space = 2500;
	for (int i = 0; i < 3; i++)
		send_one(&client, &to, 1000, 0, (uint8_t)i);
	assert_int_equal(datagram_counters.dropped_queue, dropped + 1);
	client.below.space = MAX;
	send_one(&client, &to, 1000, 0, 3);
	carry(&client, &server, 100);
	assert_int_equal(server.n, 3);
	is(&server.got[2], &to, 1000, 3);
	end_close(&client);
	end_close(&server);
}

/* A stream that takes less than it promised: the rest of the frame comes first. */
static void a_frame_is_never_cut(void **state)
{
	static struct end client, server;
	const struct target to = target_of("192.0.2.1:53");
	uint64_t dropped = datagram_counters.dropped_queue;

	(void)state;
	end_open(&client, UOT_CLIENT);
	end_open(&server, UOT_SERVER_V2);
	client.below.max_accept = 300;
	send_one(&client, &to, 1000, 0, 1);
	assert_true(client.below.want_room);
	send_one(&client, &to, 10, 0, 2); /* behind half a frame: dropped */
	assert_int_equal(datagram_counters.dropped_queue, dropped + 1);
	while (client.below.want_room)
		client.below.stream.events->room(client.below.stream.owner);
	send_one(&client, &to, 10, 0, 3);
	carry(&client, &server, 77);
	assert_int_equal(server.n, 2);
	is(&server.got[0], &to, 1000, 1);
	is(&server.got[1], &to, 10, 3);
	end_close(&client);
	end_close(&server);
}

static void ends_have_their_words(void **state)
{
	static const uint8_t bad[] = { 0, 1, 192, 0, 2, 1, 0, 53, 9 }, half[] = { 0, 1, 192, 0, 2, 1, 0, 53, 0, 192 };
	static struct end e;
	uint64_t malformed = datagram_counters.malformed;

	(void)state;
	end_open(&e, UOT_SERVER_V2);
	fake_feed(&e.below, bad, sizeof(bad));
	fake_pump(&e.below, 0, 1);
	assert_int_equal(e.ends, 1);
	assert_int_equal(e.why, END_PROTOCOL);
	assert_int_equal(datagram_counters.malformed, malformed + 1);
	end_close(&e);

	end_open(&e, UOT_SERVER_V2);
	fake_feed(&e.below, half, sizeof(half));
	e.below.fin = true;
	fake_pump(&e.below, 0, MAX);
	assert_int_equal(e.why, END_TRUNCATED);
	end_close(&e);

	end_open(&e, UOT_SERVER_V1);
	e.below.fin = true;
	fake_pump(&e.below, 0, MAX);
	assert_int_equal(e.why, END_DONE);
	end_close(&e);

	end_open(&e, UOT_CLIENT);
	e.below.stream.events->ended(e.below.stream.owner, END_REMOTE_RESET);
	assert_int_equal(e.why, END_REMOTE_RESET);
	end_close(&e);
}

static void the_owner_may_end_it_in_receive(void **state)
{
	static const uint8_t two[] = { 0, 192, 0, 2, 1, 0, 53, 0, 1, 5, 0, 192, 0, 2, 1, 0, 53, 0, 1, 5 };
	static struct end e;

	(void)state;
	end_open(&e, UOT_SERVER_V1);
	e.end_in_receive = true;
	fake_feed(&e.below, two, sizeof(two));
	fake_pump(&e.below, 0, 10);
	assert_int_equal(e.n, 1);
	end_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_whatever_the_pieces),
		cmocka_unit_test(random_cuts),
		cmocka_unit_test(segments_become_datagrams),
		cmocka_unit_test(the_other_forms),
		cmocka_unit_test(a_full_stream_loses_whole_datagrams),
		cmocka_unit_test(a_frame_is_never_cut),
		cmocka_unit_test(ends_have_their_words),
		cmocka_unit_test(the_owner_may_end_it_in_receive),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
