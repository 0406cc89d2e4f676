/* Each packet id passes once, in any order within the window. */
#include "vectors.h"

#include "crypto/random.h"
#include "crypto/replay_window.h"

#define T_LIM (REPLAY_WINDOW_SIZE + 1)

static void rust_and_wireguard_vectors(void **state)
{
	static const struct {
		uint64_t id;
		bool ok;
	} steps[] = {
		{ 0, true }, { 1, true }, { 1, false }, { 9, true }, { 8, true }, { 7, true }, { 7, false },
		{ T_LIM, true }, { T_LIM - 1, true }, { T_LIM - 1, false }, { T_LIM - 2, true }, { 2, true }, { 2, false },
		{ T_LIM + 16, true }, { 3, false }, { T_LIM + 16, false }, { T_LIM * 4, true }, { T_LIM * 4 - (T_LIM - 1), true },
		{ 10, false }, { T_LIM * 4 - T_LIM, false }, { T_LIM * 4 - (T_LIM + 1), false }, { T_LIM * 4 - (T_LIM - 2), true },
		{ T_LIM * 4 + 1 - T_LIM, false }, { 0, false }, { UINT64_MAX, true }, { UINT64_MAX, false }, { UINT64_MAX - 1, true },
		{ 5, false },
	};
	struct replay_window w = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(replay_window_check(&w, steps[i].id), steps[i].ok);
		if (replay_window_accept(&w, steps[i].id) != steps[i].ok)
			fail_msg("step %zu, id %llu", i, (unsigned long long)steps[i].id);
	}
}

static void bulk(bool backwards, unsigned first, unsigned count)
{
	struct replay_window w = { 0 };

	for (unsigned i = 0; i < count; i++)
		assert_true(replay_window_accept(&w, backwards ? first + count - 1 - i : first + i));
	for (unsigned i = 0; i < count; i++)
		assert_false(replay_window_accept(&w, first + i));
}

static void bulk_runs(void **state)
{
	(void)state;
	bulk(false, 1, REPLAY_WINDOW_SIZE);
	bulk(false, 0, REPLAY_WINDOW_SIZE);
	bulk(true, 1, REPLAY_WINDOW_SIZE);
	bulk(true, 2, REPLAY_WINDOW_SIZE + 1 - 1);
	bulk(true, 0, T_LIM);
}

static void checking_changes_nothing(void **state)
{
	struct replay_window w = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(replay_window_check(&w, 500000));
	assert_true(replay_window_accept(&w, 1));
	assert_true(replay_window_accept(&w, 0));
}

/* Against the plain definition, with random steps. */
static void agrees_with_a_simple_model(void **state)
{
	enum { IDS = 60000 };
	struct replay_window w = { 0 };
	bool *seen = calloc(IDS, 1);
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint64_t around = last > 9000 ? last - 9000 : 0, id = around + random_below(random_below(20) ? 9100 : 12000);

		if (id >= IDS)
			break;
		assert_int_equal(replay_window_accept(&w, id), id > last || (last - id <= REPLAY_WINDOW_SIZE && !seen[id]));
		seen[id] = true;
		last = id > last ? id : last;
	}
	free(seen);
}

static void closed_up_to_an_id_it_takes_what_is_newer(void **state)
{
	(void)state;
	for (uint64_t last = 10000; last < 10200; last++) {
		struct replay_window w = { 0 };

		replay_window_accept(&w, 3);
		replay_window_close(&w, last);
		for (uint64_t id = last - 300; id <= last; id++)
			assert_false(replay_window_check(&w, id));
		for (uint64_t id = last + 1; id < last + 300; id++)
			assert_true(replay_window_accept(&w, id));
		assert_false(replay_window_check(&w, last));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rust_and_wireguard_vectors),
		cmocka_unit_test(bulk_runs),
		cmocka_unit_test(checking_changes_nothing),
		cmocka_unit_test(agrees_with_a_simple_model),
		cmocka_unit_test(closed_up_to_an_id_it_takes_what_is_newer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
