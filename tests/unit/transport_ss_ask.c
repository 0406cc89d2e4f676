/* A client that asks how the server's connect ended, over an in-memory stream: it
 * is told before anything else, once, and nothing is lost whatever the server
 * answers or does not. */
#include "transport_rig.h"

static struct {
	struct pair p;
	struct stream *asked;
	unsigned answers, learned;
	enum ss_answer answer;
	enum flow_end why;
	bool aware;
} t;

static void on_answered(void *owner, enum ss_answer answer, enum flow_end why)
{
	assert_false(in_call);
	assert_ptr_equal(owner, &t);
	t.answers++;
	t.answer = answer;
	t.why = why;
}

static void on_learned(void *memory, bool aware)
{
	assert_ptr_equal(memory, &t.p);
	t.learned++;
	t.aware = aware;
}

static const struct ss_ask_events ask_events = { on_answered, on_learned };

/* A pair whose client asks; the server has taken the request. */
static void open_asking(const struct ss_method *m)
{
	struct pair *p = &t.p;

	memset(&t, 0, sizeof(t));
	pair_open(p, m);
	CALL(stream_end(p->client.s, END_DONE)); /* the rig's own client does not ask */
	turn();
	fake_close(&p->below_client);
	free(p->client.got);
	fake_open(&p->below_client);
	CALL(t.asked = ss_stream_client_asking(&p->below_client.stream, &p->cfg, &p->wanted, &ask_events, &t, p));
	assert_non_null(t.asked);
	assert_int_equal(p->below_client.writes, 1); /* at once, not after 10 ms */
	assert_true(p->below_client.want_data);
	p->client = (struct owner){ 0 };
	carry_up(p, MAX);
	assert_true(p->accepted);
}

/* The owner takes the stream over as any other. */
static void use(void)
{
	owner_bind(&t.p.client, t.asked);
	CALL(stream_want(t.asked, true, false));
	turn();
}

static void close_asking(void)
{
	if (!t.p.client.s) {
		CALL(stream_end(t.asked, END_DONE));
		t.p.client.got = NULL;
	}
	pair_close(&t.p);
}

#define EACH_2022(body) \
	for (int i_ = 0; ss_method_at(i_); i_++) \
		if (ss_method_at(i_)->sip022) { \
			open_asking(ss_method_at(i_)); \
			body; \
			close_asking(); \
		}

static void server_says(const char *text)
{
	assert_int_equal(put(t.p.server.s, (const uint8_t *)text, strlen(text), 100), strlen(text));
}

static void it_stands(void **state)
{
	(void)state;
	EACH_2022({
		CALL(stream_accept(t.p.server.s));
		CALL(stream_accept(t.p.server.s)); /* once is enough */
		carry_down(&t.p, 7);
		assert_int_equal(t.answers, 1);
		assert_int_equal(t.answer, SS_ANSWER_CONNECTED);
		assert_true(t.learned == 1 && t.aware);
		assert_false(t.p.below_client.want_data); /* nobody wants yet */
		use();
		server_says("hello");
		carry_down(&t.p, 3);
		assert_int_equal(t.p.client.len, 5);
		assert_memory_equal(t.p.client.got, "hello", 5);
		CALL(stream_want(t.p.server.s, true, false));
		put(t.asked, bytes, 30000, 1000);
		carry_up(&t.p, 777);
		assert_int_equal(t.p.server.len, 30000);
		CALL(stream_shut(t.p.server.s));
		assert_true(t.p.below_server.shut);
		assert_int_equal(t.answers, 1);
	});
}

/* Answer and first data in one read: the data is not lost. */
static void answer_and_data_at_once(void **state)
{
	(void)state;
	EACH_2022({
		CALL(stream_accept(t.p.server.s));
		server_says("220 ready");
		carry_down(&t.p, MAX);
		assert_int_equal(t.answer, SS_ANSWER_CONNECTED);
		use();
		assert_int_equal(t.p.client.len, 9);
		assert_memory_equal(t.p.client.got, "220 ready", 9);
	});
}

static void it_failed(void **state)
{
	static const enum flow_end words[] = { END_REFUSED, END_UNREACHABLE, END_NET_UNREACHABLE, END_CONNECT_TIMEOUT, END_DENIED };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		EACH_2022({
			CALL(stream_end(t.p.server.s, words[i]));
			assert_true(t.p.below_server.ended);
			assert_int_equal(t.p.below_server.why, END_DONE); /* a reset might overtake the answer */
			t.p.server.s = NULL;
			turn();
			carry_down(&t.p, 11);
			assert_int_equal(t.answers, 1);
			assert_int_equal(t.answer, SS_ANSWER_FAILED);
			assert_int_equal(t.why, words[i]);
			assert_true(t.learned == 1 && t.aware);
		});
}

static void a_slow_connect_says_so_first(void **state)
{
	(void)state;
	EACH_2022({
		wait_ms(150);
		carry_down(&t.p, MAX);
		assert_int_equal(t.answers, 0);
		assert_true(t.learned == 1 && t.aware);
		wait_ms(150);
		assert_int_equal(t.p.below_server.writes, 1); /* once */
		CALL(stream_end(t.p.server.s, END_REFUSED));
		t.p.server.s = NULL;
		turn();
		carry_down(&t.p, MAX);
		assert_int_equal(t.answer, SS_ANSWER_FAILED);
		assert_int_equal(t.why, END_REFUSED);
	});
}

/* A server that answers as any: its data is what it was. */
static void data_without_an_answer(void **state)
{
	(void)state;
	EACH_2022({
		server_says("220 ready");
		carry_down(&t.p, 9);
		assert_int_equal(t.answer, SS_ANSWER_UNAWARE);
		assert_true(t.learned == 1 && !t.aware);
		use();
		server_says("!");
		carry_down(&t.p, MAX);
		assert_int_equal(t.p.client.len, 10);
		assert_memory_equal(t.p.client.got, "220 ready!", 10);
	});
}

static void an_empty_answer_without_a_word(void **state)
{
	(void)state;
	EACH_2022({
		CALL(stream_shut(t.p.server.s));
		t.p.below_client.fin = true;
		carry_down(&t.p, MAX);
		assert_int_equal(t.answer, SS_ANSWER_UNAWARE);
		use();
		assert_int_equal(t.p.client.fins, 1);
		assert_int_equal(t.p.client.ends, 0);
	});
}

static void it_broke(void **state)
{
	(void)state;
	EACH_2022({
		t.p.below_client.fin = true;
		fake_pump(&t.p.below_client, 0, MAX);
		assert_int_equal(t.answer, SS_ANSWER_BROKEN);
		assert_int_equal(t.why, END_NO_REPLY);
		assert_int_equal(t.learned, 0);
	});
	EACH_2022({
		t.p.below_client.stream.events->ended(t.p.below_client.stream.owner, END_REMOTE_RESET);
		assert_int_equal(t.answers, 1);
		assert_int_equal(t.answer, SS_ANSWER_BROKEN);
		assert_int_equal(t.why, END_REMOTE_RESET);
	});
}

/* Patience is over and the stream in use: a success changes nothing, a failure ends it. */
static void an_answer_that_comes_late(void **state)
{
	(void)state;
	EACH_2022({
		CALL(ss_stream_stop_asking(t.asked));
		use();
		put(t.asked, bytes, 10, 10);
		CALL(stream_accept(t.p.server.s));
		server_says("hello");
		carry_down(&t.p, 5);
		assert_int_equal(t.answers, 0);
		assert_true(t.learned == 1 && t.aware);
		assert_int_equal(t.p.client.len, 5);
		assert_int_equal(t.p.client.ends, 0);
	});
	EACH_2022({
		CALL(ss_stream_stop_asking(t.asked));
		use();
		CALL(stream_end(t.p.server.s, END_REFUSED));
		t.p.server.s = NULL;
		turn();
		carry_down(&t.p, MAX);
		assert_int_equal(t.answers, 0);
		assert_true(t.learned == 1 && t.aware);
		assert_int_equal(t.p.client.ends, 1);
		assert_int_equal(t.p.client.why, END_REFUSED);
	});
}

/* Whoever did not ask is served as ever: no answer, and a failure is a reset. */
static void who_did_not_ask(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		CALL(stream_accept(p.server.s));
		turn();
		assert_int_equal(p.below_server.writes, 0);
		wait_ms(p.cfg.method->sip022 ? 150 : 1);
		assert_int_equal(p.below_server.writes, 0);
		CALL(stream_end(p.server.s, END_REFUSED));
		p.server.s = NULL;
		assert_int_equal(p.below_server.writes, 0);
		assert_int_equal(p.below_server.why, END_REFUSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stands),
		cmocka_unit_test(answer_and_data_at_once),
		cmocka_unit_test(it_failed),
		cmocka_unit_test(a_slow_connect_says_so_first),
		cmocka_unit_test(data_without_an_answer),
		cmocka_unit_test(an_empty_answer_without_a_word),
		cmocka_unit_test(it_broke),
		cmocka_unit_test(an_answer_that_comes_late),
		cmocka_unit_test(who_did_not_ask),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
