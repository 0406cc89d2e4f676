/* docs/status.md is the table of the code; Prometheus text is made of a document as its format asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/metrics.h"
#include "ctl/request.h"
#include "engine/status.h"
#include "io/flow_end.h"
#include "loop/loop.h"

static char documentation[200000];

static void read_documentation(void)
{
	FILE *f = fopen(TEST_DATA "/../docs/status.md", "r");

	assert_non_null(f);
	documentation[fread(documentation, 1, sizeof(documentation) - 1, f)] = 0;
	fclose(f);
}

static void row_of(const struct ctl_metric *m, char *row, size_t size)
{
	snprintf(row, size, "\n| `%s` |%s%s%s | %s |\n", m->path, *m->name ? " `" : "", m->name, *m->name ? "`" : "", m->doc);
}

static void documentation_has_every_name(void **state)
{
	struct ctl_metric m;
	char row[512];

	(void)state;
	read_documentation();
	for (int i = 0; ctl_metric_at(i, &m); i++) {
		row_of(&m, row, sizeof(row));
		if (!strstr(documentation, row))
			fail_msg("docs/status.md lacks the line:%s", row);
	}
	for (int i = 0; i < END_COUNT; i++) {
		snprintf(row, sizeof(row), "\n| `%s` | ", flow_end_name((enum flow_end)i));
		if (!strstr(documentation, row))
			fail_msg("docs/status.md does not explain the end \"%s\"", flow_end_name((enum flow_end)i));
	}
}

/* The other way round: a line of three columns whose first is a path. */
static void every_name_of_the_documentation_is(void **state)
{
	char path[64], found[64];
	int lines = 0;

	(void)state;
	read_documentation();
	for (char *line = strtok(documentation, "\n"); line; line = strtok(NULL, "\n")) {
		struct ctl_metric m;
		int columns = 0, i = 0;

		for (const char *p = line; *p; p++)
			columns += *p == '|';
		if (columns != 4 || sscanf(line, "| `%63[^`]`", path) != 1)
			continue;
		*found = 0;
		for (; ctl_metric_at(i, &m); i++)
			if (strcmp(m.path, path) == 0)
				strcpy(found, path);
		if (!*found)
			fail_msg("docs/status.md tells of %s, which does not exist", path);
		lines++;
	}
	assert_true(lines > 60);
}

static void names_are_as_prometheus_wants_them(void **state)
{
	struct ctl_metric m, other;

	(void)state;
	for (int i = 0; ctl_metric_at(i, &m); i++) {
		size_t len = strlen(m.name);

		assert_int_equal(strspn(m.name, "abcdefghijklmnopqrstuvwxyz0123456789_"), len);
		assert_true(!len || strncmp(m.name, "gatun_", 6) == 0);
		if (len && (m.kind == CTL_TOTAL) != (len > 6 && strcmp(m.name + len - 6, "_total") == 0))
			fail_msg("%s: only what only grows ends in _total", m.name);
		for (int j = 0; j < i && ctl_metric_at(j, &other); j++)
			assert_true(strcmp(m.path, other.path) != 0 && (!len || strcmp(m.name, other.name) != 0));
	}
}

static void has_line(const char *text, const char *line)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(text, whole))
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static int count(const char *text, const char *word)
{
	int n = 0;

	while ((text = strstr(text, word))) {
		text++;
		n++;
	}
	return n;
}

static const char one[] =
	"{\"version\":\"1.2\",\"mode\":\"server\",\"pid\":7,\"uptime_s\":5,\"workers\":[{\"pid\":7,\"flows_active\":2}],"
	"\"flows\":{\"ended\":{\"done\":3,\"idle\":0}},\"tcp\":{\"bytes_up\":12345678901},\"clock_skew_s\":-2,"
	"\"users\":[{\"port\":\"[::]:8388\",\"name\":\"a\\\"b\\\\c\\nd\",\"tcp\":{\"bytes_up\":9}},{\"port\":\"x\",\"name\":\"\",\"tcp\":{\"bytes_up\":8}}]}";

static void a_document_becomes_text(void **state)
{
	json_t *d = json_loads(one, 0, NULL), *both[] = { d, d };
	char *text = ctl_metrics_format(&d, 1);

	(void)state;
	has_line(text, "gatun_info{version=\"1.2\",mode=\"server\",pid=\"7\"} 1");
	has_line(text, "# TYPE gatun_uptime_seconds gauge\ngatun_uptime_seconds 5");
	has_line(text, "# TYPE gatun_tcp_bytes_up_total counter\ngatun_tcp_bytes_up_total 12345678901");
	has_line(text, "gatun_tcp_flows_ended_total{end=\"done\"} 3\ngatun_tcp_flows_ended_total{end=\"idle\"} 0");
	has_line(text, "gatun_worker_flows_active{worker=\"7\"} 2");
	has_line(text, "gatun_clock_skew_seconds -2");
	has_line(text, "gatun_user_tcp_bytes_up_total{port=\"[::]:8388\",user=\"a\\\"b\\\\c\\nd\"} 9\n"
		       "gatun_user_tcp_bytes_up_total{port=\"x\",user=\"\"} 8");
	assert_null(strstr(text, "gatun_dns")); /* what is not there is not told */
	free(text);
	text = ctl_metrics_format(both, 2);
	has_line(text, "gatun_uptime_seconds{pid=\"7\"} 5\ngatun_uptime_seconds{pid=\"7\"} 5");
	has_line(text, "gatun_worker_flows_active{pid=\"7\",worker=\"7\"} 2");
	assert_int_equal(count(text, "# TYPE gatun_tcp_bytes_up_total"), 1);
	free(text);
	json_decref(d);
}

/* A name longer than any label may be, and members of unexpected types. */
static void odd_documents_do_no_harm(void **state)
{
	static const char *const odd[] = {
		"{}", "{\"tcp\":7,\"users\":{\"a\":1},\"flows\":{\"ended\":[1]},\"workers\":[1,\"x\",null,[]],\"dns\":{\"queries\":\"x\"}}",
		"{\"uptime_s\":1.5,\"tcp\":{\"bytes_up\":{}}}",
	};
	char name[3000], *text;
	json_t *d;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		d = json_loads(odd[i], 0, NULL);
		assert_non_null(d);
		text = ctl_metrics_format(&d, 1);
		assert_non_null(text);
		free(text);
		json_decref(d);
	}
	memset(name, '"', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	for (size_t len = 0; len < sizeof(name); len += 1 + len / 50) {
		d = json_pack("{s:[{s:s,s:s%,s:{s:i}}]}", "users", "port", "p", "name", name, len, "tcp", "bytes_up", 1);
		text = ctl_metrics_format(&d, 1);
		assert_non_null(strstr(text, "gatun_user_tcp_bytes_up_total{port=\"p\""));
		assert_non_null(strstr(text, "} 1\n"));
		free(text);
		json_decref(d);
	}
}

static void answers(const char *line, size_t len, const char *beginning)
{
	char *text = ctl_request_answer(line, len);

	assert_non_null(text);
	if (strncmp(text, beginning, strlen(beginning)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", text, beginning);
	free(text);
}
#define ANSWERS(line, beginning) answers(line, sizeof(line) - 1, beginning)

static void lines_are_answered(void **state)
{
	(void)state;
	assert_int_equal(loop_init(), 0);
	engine_status_begin();
	ANSWERS("{\"request\":\"status\"}", "{\"version\":");
	ANSWERS("{\"request\":\"status\"} \r", "{\"version\":");
	ANSWERS("{\"request\":\"stat\"}", "{\"error\":\"there is no request");
	ANSWERS("{\"request\":\"status\"", "{\"error\":\"that is no JSON");
	ANSWERS("", "{\"error\":\"that is no JSON");
	ANSWERS("\x00\xff\xfe{}", "{\"error\":\"that is no JSON");
	ANSWERS("7", "{\"error\":\"a request is an object");
	ANSWERS("GET /metrics HTTP/1.1\r", "HTTP/1.1 200 OK\r\n");
	ANSWERS("GET /metrics?x=1 HTTP/1.1\r", "HTTP/1.1 200 OK\r\n");
	ANSWERS("GET /metricsx HTTP/1.1\r", "HTTP/1.1 404");
	ANSWERS("GET ", "HTTP/1.1 404");
	ANSWERS("GET", "{\"error\"");
	engine_status_end();
	loop_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documentation_has_every_name),
		cmocka_unit_test(every_name_of_the_documentation_is),
		cmocka_unit_test(names_are_as_prometheus_wants_them),
		cmocka_unit_test(a_document_becomes_text),
		cmocka_unit_test(odd_documents_do_no_harm),
		cmocka_unit_test(lines_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
