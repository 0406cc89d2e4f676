/* The status document: every name of the design is there, parts and requests are found, workers' documents add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/status.h"
#include "flow/counters.h"
#include "loop/loop.h"

static json_t *at(json_t *j, const char *key)
{
	json_t *found = json_object_get(j, key);

	if (!found)
		fail_msg("the document has no \"%s\"", key);
	return found;
}

static json_int_t number_at(json_t *j, const char *key)
{
	assert_true(json_is_integer(at(j, key)));
	return json_integer_value(at(j, key));
}

/* As it comes out of the socket. */
static json_t *document(void)
{
	json_t *request = json_pack("{s:s}", "request", "status"), *d = engine_request(request), *parsed;
	char *text = json_dumps(d, JSON_COMPACT);

	assert_non_null(text);
	parsed = json_loads(text, 0, NULL);
	assert_non_null(parsed);
	assert_null(strchr(text, '\n'));
	free(text);
	json_decref(d);
	json_decref(request);
	return parsed;
}

static void it_has_every_name(void **state)
{
	static const char *const groups[] = { "version", "pid", "mode", "uptime_s", "workers", "flows", "tcp", "udp", "socks", "limits", "dns", "memory" };
	json_t *d, *worker;

	(void)state;
	flow_counters_reset();
	flow_counters.tcp.flows_active = 3;
	flow_counters.tcp.flows_opened = 7;
	flow_counters.tcp.ended[END_FORGED] = 4;
	flow_counters.udp.dropped_amplification = 5;
	flow_counters.socks.control_active = 6;
	engine_status_set_mode("local");
	d = document();
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		at(d, groups[i]);
	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++)
		assert_int_equal(number_at(at(d, r->group), r->name), flow_counter_get(&flow_counters, r));
	for (int i = 0; i < END_COUNT; i++)
		assert_int_equal(number_at(at(at(d, "flows"), "ended"), flow_end_name((enum flow_end)i)), i == END_FORGED ? 4 : 0);
	assert_int_equal(number_at(at(d, "flows"), "tcp"), 3);
	assert_int_equal(number_at(at(d, "flows"), "udp"), 0);
	assert_int_equal(number_at(at(d, "flows"), "opened"), 7);
	assert_int_equal(number_at(d, "pid"), getpid());
	assert_string_equal(json_string_value(at(d, "version")), GATUN_VERSION);
	assert_string_equal(json_string_value(at(d, "mode")), "local");
	assert_true(number_at(at(d, "memory"), "rss_bytes") > 100000);
	number_at(at(at(d, "memory"), "pools"), "used_bytes");
	number_at(at(d, "dns"), "queries");
	number_at(at(d, "dns"), "cache_hits");
	number_at(at(d, "dns"), "fake_map");
	worker = json_array_get(at(d, "workers"), 0);
	assert_int_equal(number_at(worker, "pid"), getpid());
	assert_int_equal(number_at(worker, "flows_active"), 3);
	json_decref(d);
}

static json_t *say_word(void *owner)
{
	return *(const char *)owner ? json_string(owner) : NULL;
}

static json_t *echo(void *owner, const json_t *request)
{
	return json_pack("{s:s, s:O}", "owner", owner, "said", json_object_get(request, "say"));
}

static void parts_come_and_go(void **state)
{
	static char one[] = "one", two[] = "two", none[] = "";
	json_t *d;

	(void)state;
	engine_status_add("a", say_word, one);
	engine_status_add("b", say_word, none);
	engine_status_add("c", say_word, one);
	engine_status_add("c", say_word, two);
	d = document();
	assert_string_equal(json_string_value(at(d, "a")), "one");
	assert_null(json_object_get(d, "b"));
	assert_string_equal(json_string_value(at(d, "c")), "two");
	json_decref(d);
	engine_status_remove(one);
	d = document();
	assert_null(json_object_get(d, "a"));
	at(d, "c");
	at(d, "udp");
	json_decref(d);
}

static void ask(const char *text, const char *key, const char *answer)
{
	json_t *request = json_loads(text, JSON_DECODE_ANY, NULL), *d = engine_request(request);
	const char *got = json_string_value(at(d, key));

	assert_non_null(got);
	if (!strstr(got, answer))
		fail_msg("\"%s\" has no \"%s\"", got, answer);
	json_decref(request);
	json_decref(d);
}

static void requests_find_their_answer(void **state)
{
	static char me[] = "me";

	(void)state;
	engine_request_add("echo", echo, me);
	engine_status_add("echo", say_word, me); /* another registry: no clash */
	ask("{\"request\":\"echo\",\"say\":\"hello\"}", "said", "hello");
	ask("{\"request\":\"echo\",\"say\":\"hello\"}", "owner", "me");
	ask("{\"request\":\"ecko\"}", "error", "no request \"ecko\"");
	ask("{\"request\":\"a\\u001b[31m\"}", "error", "a\\x1b[31m");
	ask("{\"request\":7}", "error", "member \"request\"");
	ask("{}", "error", "member \"request\"");
	ask("[1]", "error", "member \"request\"");
	ask("7", "error", "member \"request\"");
	engine_status_remove(me);
	ask("{\"request\":\"echo\"}", "error", "no request");
}

static void workers_add_up(void **state)
{
	json_t *a = json_loads("{\"version\":\"1\",\"pid\":1,\"uptime_s\":50,\"workers\":[{\"pid\":1}],\"tcp\":{\"bytes_up\":3},"
			       "\"dns\":{\"queries\":4,\"fake_map\":3},\"clock_skew_s\":-2,\"servers\":[{\"tag\":\"x\",\"address\":\"h:1\",\"up\":5}],\"flows\":{\"ended\":{\"done\":1}},"
			       "\"users\":[{\"port\":8388,\"name\":\"al\",\"n\":1},{\"port\":8389,\"name\":\"al\",\"n\":2}]}", 0, NULL);
	json_t *b = json_loads("{\"version\":\"1\",\"pid\":2,\"uptime_s\":70,\"workers\":[{\"pid\":2}],\"tcp\":{\"bytes_up\":4,\"new\":9},"
			       "\"dns\":{\"queries\":1,\"fake_map\":4},\"clock_skew_s\":-2,\"servers\":[{\"tag\":\"y\",\"address\":\"h:1\",\"up\":6},{\"tag\":\"x\",\"address\":\"h:1\",\"up\":6}],"
			       "\"flows\":{\"ended\":{\"done\":2}},\"users\":[{\"port\":8389,\"name\":\"al\",\"n\":40}]}", 0, NULL);
	json_t *want = json_loads("{\"version\":\"1\",\"pid\":1,\"uptime_s\":70,\"workers\":[{\"pid\":1},{\"pid\":2}],\"tcp\":{\"bytes_up\":7,\"new\":9},"
				  "\"dns\":{\"queries\":5,\"fake_map\":4},\"clock_skew_s\":-2,\"servers\":[{\"tag\":\"x\",\"address\":\"h:1\",\"up\":11},{\"tag\":\"y\",\"address\":\"h:1\",\"up\":6}],"
				  "\"flows\":{\"ended\":{\"done\":3}},\"users\":[{\"port\":8388,\"name\":\"al\",\"n\":1},{\"port\":8389,\"name\":\"al\",\"n\":42}]}",
				  0, NULL);

	(void)state;
	engine_status_add_up(a, b);
	assert_true(json_equal(a, want));
	json_decref(a);
	json_decref(b);
	json_decref(want);
}

static int set_up(void **state)
{
	(void)state;
	if (loop_init() != 0)
		return -1;
	engine_status_begin();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	engine_status_end();
	loop_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_has_every_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parts_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(requests_find_their_answer, set_up, tear_down),
		cmocka_unit_test(workers_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
