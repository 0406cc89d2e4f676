/*
 * The screen of `gatun status --watch`, of any size: no line is wider than it, there are no
 * more lines than rows, and no name in it can control a terminal or break a column.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/screen.h"
#include "ctl/text.h"

static const char before_text[] =
	"{\"mode\":\"up\",\"pid\":7,\"uptime_s\":9,\"version\":\"1\",\"tcp\":{\"bytes_up\":1000,\"bytes_down\":0,\"flows_opened\":10},"
	"\"udp\":{\"bytes_up\":0,\"bytes_down\":500},\"flows\":{\"ended\":{\"done\":3,\"killed\":0}},"
	"\"servers\":[{\"tag\":\"a\",\"address\":\"x:1\",\"up\":0,\"down\":100}]}";
static const char now_text[] =
	"{\"mode\":\"up\",\"pid\":7,\"uptime_s\":10,\"version\":\"1\",\"tcp\":{\"bytes_up\":5000,\"bytes_down\":0,\"flows_opened\":14,"
	"\"flows_active\":2},\"udp\":{\"bytes_up\":0,\"bytes_down\":2000500,\"sessions_active\":1,\"evicted\":6},"
	"\"flows\":{\"ended\":{\"done\":5,\"killed\":0}},"
	"\"servers\":[{\"tag\":\"a\",\"address\":\"x:1\",\"state\":\"up\",\"rtt_ms\":23,\"up\":0,\"down\":3000100},"
	"{\"tag\":\"\\u6771\\u4eac\\u001b[2J\\u202e\",\"address\":\"y:2\",\"state\":\"down\",\"failures\":4}],"
	"\"gate\":{\"mode\":\"tun\",\"mark\":26465,\"table\":26465,\"kill_switch\":true,\"guard_drops\":1234567},"
	"\"tun\":{\"mtu\":1400,\"offload\":\"tso, uso\",\"drops\":1},\"dns\":{\"queries\":12,\"fake_map\":3},\"memory\":{\"rss_bytes\":9000000}}";

static json_t *load(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return j;
}

static json_t *make_flows(int n, int count)
{
	json_t *flows = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(flows, json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:i,s:i,s:i,s:i}", "flow", 800 + i, "protocol", "tcp",
						       "client", "10.0.0.1:1", "target", i ? "a.very.long.name.that.goes.on.and.on.and.on.example.org:443" : "b.example:80",
						       "way", i ? "\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1\xe4\xba\xac" : "", "state", "open",
						       "up", (json_int_t)1 << 40, "down", (json_int_t)999, "up_rate", 1200, "down_rate", 33100000, "age_s", 7300, "idle_s", 1));
	return json_pack("{s:i,s:o}", "count", count, "flows", flows);
}

/* For free(). */
static char *shown(struct screen s)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	screen_print(f, &s);
	fclose(f);
	return text;
}

static void every_size(void **state)
{
	json_t *now = load(now_text), *before = load(before_text), *flows = make_flows(10, 5000);

	(void)state;
	for (int columns = 1; columns < 200; columns += 7) {
		for (int rows = 1; rows < 40; rows += 3) {
			struct screen s = { .now = now, .before = before, .flows = flows, .elapsed_ms = 1000, .columns = columns, .rows = rows };
			char *text = shown(s), *rest = text, *line;
			int lines = 0, width;

			while ((line = strsep(&rest, "\n")) && rest) {
				assert_int_equal(text_fit(line, 1000, &width), strlen(line));
				assert_in_range(width, 0, columns);
				lines++;
			}
			assert_in_range(lines, 1, rows);
			assert_int_equal(*line, 0);
			free(text);
		}
	}
	json_decref(now);
	json_decref(before);
	json_decref(flows);
}

static void what_a_reader_sees(void **state)
{
	static const char *const parts[] = {
		"gatun up, pid 7, up 10 s, version 1\n",
		"  now      2.0 kB/s up, 1.0 MB/s down; 2 TCP flows (2/s new), 1 UDP\n",
		"  server   a at x:1, up, 23 ms: 0/s up, 1.5M/s down\n",
		", failed 4 times\n",
		"  gate     tun, mark 0x6761, table 26465, kill switch: 1,234,567 packets dropped\n",
		"  tun      mtu 1400, offload tso, uso, 1 packets dropped\n",
		"  ended    done 5 (+2)\n",
		"  dropped  evicted 6 (+6)\n",
		"\n    800 tcp   1.2k  33.1M   1.1T   2h -              b.example:80\n",
		" ..me.that.goes.on.and.on.and.on.example.org:443\n",
		"\n        and 4,998 more\n",
	};
	struct screen s = { .now = load(now_text), .before = load(before_text), .flows = make_flows(2, 5000), .elapsed_ms = 2000, .columns = 100, .rows = 50 };
	char *text = shown(s);

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(text, parts[i]))
			fail_msg("not there: %s in\n%s", parts[i], text);
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xe2\x80\xae"));
	free(text);
	s.color = true;
	text = shown(s);
	assert_non_null(strstr(text, "\033[1;31m  server")); /* the one that is down */
	free(text);
	json_decref((json_t *)(uintptr_t)s.now);
	json_decref((json_t *)(uintptr_t)s.before);
	json_decref((json_t *)(uintptr_t)s.flows);
}

static void without_an_earlier_look_there_are_no_rates(void **state)
{
	struct screen s = { .now = load(now_text), .columns = 80, .rows = 24 };
	char *text = shown(s);

	(void)state;
	assert_non_null(strstr(text, "now      0 bytes/s up, 0 bytes/s down; 2 TCP flows (0/s new), 1 UDP\n"));
	assert_null(strstr(text, "(+"));
	free(text);
	json_decref((json_t *)(uintptr_t)s.now);
	s = (struct screen){ .trouble = "nothing runs there", .columns = 80, .rows = 24 };
	text = shown(s);
	assert_string_equal(text, "gatun: nothing runs there\n");
	free(text);
}

static void numbers_for_people(void **state)
{
	char b[TEXT_SIZE];
	int width;

	(void)state;
	assert_string_equal(text_bytes_short(999, b), "999");
	assert_string_equal(text_bytes_short(999960, b), "1.0M");
	assert_string_equal(text_bytes_short(INT64_MAX, b), "9.2E");
	assert_string_equal(text_bytes(1449, b), "1.4 kB");
	assert_string_equal(text_count(0, b), "0");
	assert_string_equal(text_count(1234, b), "1,234");
	assert_string_equal(text_count(INT64_MAX, b), "9,223,372,036,854,775,807");
	assert_string_equal(text_duration_short(119, b), "119s");
	assert_string_equal(text_duration_short(7200, b), "2h");
	assert_string_equal(text_duration_short(86400 * 3, b), "3d");
	assert_int_equal(text_fit("\xe6\x9d\xb1\xe4\xba\xac", 3, &width), 3);
	assert_int_equal(width, 2);
	assert_int_equal(text_fit("ab\x80" "c", 9, &width), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size),
		cmocka_unit_test(what_a_reader_sees),
		cmocka_unit_test(without_an_earlier_look_there_are_no_rates),
		cmocka_unit_test(numbers_for_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
