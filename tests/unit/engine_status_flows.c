/*
 * Flows as a user lists them: who asks for what, by which way, in the order that was
 * asked for and no more of them; one is ended by its number; workers' lists become one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/status.h"
#include "engine/status_flows.h"
#include "flow/flow_card.h"
#include "loop/loop.h"

#define FLOWS 5

static struct flow_card *cards[FLOWS];
static int ended[FLOWS];
static const char *way_now;

static int index_of(const struct flow_card *c)
{
	for (int i = 0; i < FLOWS; i++)
		if (cards[i] == c)
			return i;
	return -1;
}

static const char *state(const struct flow_card *c, uint64_t *active_ms)
{
	*active_ms = c->born_ms;
	return "open";
}

static void end(struct flow_card *c, enum flow_end why)
{
	ended[index_of(c)] = (int)why;
}

static void way(const struct flow_card *c, char out[FLOW_WAY_SIZE])
{
	(void)c;
	flow_way_copy(out, way_now);
}

static const struct flow_card_ops fixed = { .protocol = "tcp", .state = state, .end = end };
static const struct flow_card_ops moving = { .protocol = "udp", .state = state, .end = end, .way = way };

static void open_card(int i, const char *where, const struct flow_card_ops *ops)
{
	struct addr client = addr_v4("\x0a\0\0\1", (uint16_t)(4000 + i));
	struct target t;

	assert_int_equal(target_parse(where, &t), 0);
	cards[i] = calloc(1, sizeof(*cards[i]) + flow_card_size(&t));
	flow_card_open(cards[i], ops, &client, &t, loop_now() - 1000);
	ended[i] = -1;
}

static int set_up(void **unused)
{
	(void)unused;
	loop_init();
	engine_status_begin();
	flow_cards_number(0, 1);
	way_now = "tokyo";
	open_card(0, "example.org:443", &fixed);
	open_card(1, "192.0.2.1:80", &fixed);
	open_card(2, "[2001:db8::1]:53", &moving);
	open_card(3, "idle.example:1", &fixed);
	open_card(4, "big.example:2", &fixed);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	for (int i = 0; i < FLOWS; i++) {
		flow_card_close(cards[i]);
		free(cards[i]);
	}
	assert_int_equal(flow_cards_count(), 0);
	engine_status_end();
	loop_free();
	return 0;
}

static json_t *ask(json_t *request)
{
	json_t *answer = engine_request(request);

	assert_non_null(answer);
	json_decref(request);
	return answer;
}

static json_t *flows(const char *sort, int limit)
{
	return ask(json_pack("{s:s,s:s,s:i}", "request", "flows", "sort", sort, "limit", limit));
}

static const char *text(json_t *answer, size_t i, const char *key)
{
	const char *found = json_string_value(json_object_get(json_array_get(json_object_get(answer, "flows"), i), key));

	assert_non_null(found);
	return found;
}

static json_int_t number(json_t *answer, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(answer, "flows"), i), key));
}

static void each_says_what_it_is(void **unused)
{
	json_t *a;

	(void)unused;
	flow_card_set_way(cards[0], "de-1");
	cards[0]->meter.up = 100;
	cards[0]->meter.down = 900000;
	a = flows("bytes", 10);
	assert_int_equal(json_integer_value(json_object_get(a, "count")), FLOWS);
	assert_string_equal(text(a, 0, "client"), "10.0.0.1:4000");
	assert_string_equal(text(a, 0, "target"), "example.org:443");
	assert_string_equal(text(a, 0, "way"), "de-1");
	assert_string_equal(text(a, 0, "state"), "open");
	assert_string_equal(text(a, 0, "protocol"), "tcp");
	assert_int_equal(number(a, 0, "up"), 100);
	assert_int_equal(number(a, 0, "down"), 900000);
	assert_in_range(number(a, 0, "down_rate"), 700000, 900000); /* of a second, or a moment more */
	assert_in_range(number(a, 0, "age_s"), 1, 5);
	json_decref(a);
}

static void in_the_order_that_was_asked_for(void **unused)
{
	json_t *a;

	(void)unused;
	cards[3]->meter.up = cards[3]->meter.last_up = 5000000; /* long ago */
	cards[4]->meter.down = 3000000;
	cards[2]->meter.down = 1000;
	cards[1]->born_ms -= 60000;
	a = flows("rate", 2);
	assert_int_equal(json_array_size(json_object_get(a, "flows")), 2);
	assert_int_equal(json_integer_value(json_object_get(a, "count")), FLOWS);
	assert_string_equal(text(a, 0, "target"), "big.example:2");
	assert_string_equal(text(a, 1, "target"), "[2001:db8::1]:53");
	json_decref(a);
	a = flows("bytes", 1);
	assert_string_equal(text(a, 0, "target"), "idle.example:1");
	json_decref(a);
	a = flows("age", 1);
	assert_string_equal(text(a, 0, "target"), "192.0.2.1:80");
	json_decref(a);
}

static void a_way_that_changes_is_that_of_now(void **unused)
{
	json_t *a;

	(void)unused;
	cards[2]->meter.up = 1;
	a = flows("bytes", 1);
	assert_string_equal(text(a, 0, "way"), "tokyo");
	json_decref(a);
	way_now = "b\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc";
	a = flows("bytes", 1);
	assert_int_equal(strlen(text(a, 0, "way")), 31); /* whole letters */
	json_decref(a);
	way_now = "\xff\x1b[2J";
	a = flows("bytes", 1);
	assert_string_equal(text(a, 0, "way"), "??[2J");
	json_decref(a);
}

static void one_is_ended_by_its_number(void **unused)
{
	json_t *a = ask(json_pack("{s:s,s:I}", "request", "kill_flow", "flow", (json_int_t)cards[1]->number));

	(void)unused;
	assert_int_equal(json_integer_value(json_object_get(a, "killed")), cards[1]->number);
	json_decref(a);
	for (int i = 0; i < FLOWS; i++)
		assert_int_equal(ended[i], i == 1 ? END_KILLED : -1);
	for (int i = -1; i < 2; i++) {
		a = ask(json_pack("{s:s,s:i}", "request", "kill_flow", "flow", i * 1000000));
		assert_non_null(json_object_get(a, "error"));
		json_decref(a);
	}
}

static void numbers_tell_the_worker(void **unused)
{
	(void)unused;
	for (int i = 0; i < FLOWS; i++)
		flow_card_close(cards[i]), free(cards[i]);
	flow_cards_number(2, 3);
	for (int i = 0; i < FLOWS; i++) {
		open_card(i, "a:1", &fixed);
		assert_int_equal(cards[i]->number % 3, 2);
		assert_true(i == 0 || cards[i]->number > cards[i - 1]->number);
	}
}

static json_t *list_of(const char *spec)
{
	json_t *a = json_loads(spec, 0, NULL);

	assert_non_null(a);
	return a;
}

static void several_lists_become_one(void **unused)
{
	json_t *sum = list_of("{\"count\":0,\"flows\":[]}"), *request = list_of("{\"limit\":3,\"sort\":\"rate\"}");
	json_t *one = list_of("{\"count\":900,\"flows\":[{\"flow\":2,\"up_rate\":9,\"down_rate\":1},{\"flow\":4,\"up_rate\":1,\"down_rate\":1}]}");
	json_t *two = list_of("{\"count\":7,\"flows\":[{\"flow\":3,\"up_rate\":5,\"down_rate\":0},{\"flow\":5,\"up_rate\":3,\"down_rate\":1}]}");

	(void)unused;
	status_flows_merge(sum, request, one);
	status_flows_merge(sum, request, two);
	assert_int_equal(json_integer_value(json_object_get(sum, "count")), 907);
	assert_int_equal(json_array_size(json_object_get(sum, "flows")), 3);
	assert_int_equal(number(sum, 0, "flow"), 2);
	assert_int_equal(number(sum, 1, "flow"), 3);
	assert_int_equal(number(sum, 2, "flow"), 5);
	json_decref(sum);
	json_decref(request);
	json_decref(one);
	json_decref(two);
}

static void a_rate_is_of_the_last_moments(void **unused)
{
	struct flow_meter m = { .at_ms = 1000, .last_ms = 1000 };
	uint64_t up, down;

	(void)unused;
	m.up = 2000;
	flow_meter_touch(&m, 1500); /* too soon */
	assert_int_equal(m.at_ms, 1000);
	flow_meter_touch(&m, 2000);
	m.up += 1000;
	flow_meter_rates(&m, 2500, &up, &down);
	assert_int_equal(up, 2000);
	assert_int_equal(down, 0);
	flow_meter_touch(&m, 3000);
	m.up += 2000;
	flow_meter_rates(&m, 3000, &up, &down);
	assert_int_equal(up, 3000); /* of the second before as well */
	flow_meter_rates(&m, 4999, &up, &down);
	assert_in_range(up, 900, 1100); /* it fades */
	flow_meter_rates(&m, 5000, &up, &down);
	assert_int_equal(up, 0);
	m.up += 1000000;
	flow_meter_touch(&m, 60000); /* after a long silence it begins anew */
	m.up += 5000;
	flow_meter_rates(&m, 61000, &up, &down);
	assert_int_equal(up, 5000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_says_what_it_is),
		TEST(in_the_order_that_was_asked_for),
		TEST(a_way_that_changes_is_that_of_now),
		TEST(one_is_ended_by_its_number),
		TEST(numbers_tell_the_worker),
		TEST(several_lists_become_one),
		TEST(a_rate_is_of_the_last_moments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
