/* The status documents of several workers, added up; see status.h for the rules. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "engine/status.h"

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static void add_number(json_t *sum, const char *key, json_t *mine, const json_t *more)
{
	static const char *const first[] = { "pid", "port", "mtu", "path_limit", "clock_skew_s", "rtt_ms", "score", "udp_rtt_ms", "udp_score",
					    "servers", "users", "left_out", "age_s", "bytes_used", "bytes_remaining", NULL };
	static const char *const most[] = { "uptime", "uptime_s", "fake_map", NULL }; /* they share one map */
	uint64_t a = (uint64_t)json_integer_value(mine), b = (uint64_t)json_integer_value(more);

	if (is_one_of(key, first))
		return;
	if (is_one_of(key, most))
		b = b > a ? b - a : 0;
	if (json_is_integer(mine) && json_is_integer(more))
		json_object_set_new(sum, key, json_integer((json_int_t)(a + b)));
	else
		json_object_set_new(sum, key, json_real(json_number_value(mine) + json_number_value(more)));
}

static bool same_member(const json_t *a, const json_t *b, const char *key, int *found)
{
	json_t *in_a = json_object_get(a, key), *in_b = json_object_get(b, key);

	*found += in_a && in_b;
	return (!in_a && !in_b) || (in_a && in_b && json_equal(in_a, in_b));
}

/* Two elements that speak of one thing. */
static bool same_thing(const json_t *a, const json_t *b)
{
	static const char *const marks[] = { "tag", "address", "port", "name", "protocol" };
	int found = 0;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (!same_member(a, b, marks[i], &found))
			return false;
	return found > 0;
}

static void add_elements(json_t *sum, json_t *more)
{
	size_t i, j;
	json_t *theirs, *mine;

	json_array_foreach (more, i, theirs) {
		bool known = false;

		json_array_foreach (sum, j, mine) {
			known = same_thing(mine, theirs);
			if (known)
				break;
		}
		if (known)
			engine_status_add_up(mine, theirs);
		else
			json_array_append_new(sum, json_deep_copy(theirs));
	}
}

void engine_status_add_up(json_t *sum, json_t *more)
{
	const char *key;
	json_t *theirs;

	json_object_foreach (more, key, theirs) {
		json_t *mine = json_object_get(sum, key);

		if (!mine)
			json_object_set_new(sum, key, json_deep_copy(theirs));
		else if (json_is_number(mine) && json_is_number(theirs))
			add_number(sum, key, mine, theirs);
		else if (json_is_object(mine) && json_is_object(theirs))
			engine_status_add_up(mine, theirs);
		else if (json_is_array(mine) && json_is_array(theirs))
			add_elements(mine, theirs);
	}
}
