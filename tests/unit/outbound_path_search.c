/* The search for the longest packet that passes: exact where packets vanish, silent where they
 * are only lost. The path is a function here, its losses are drawn from a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound/path_search.h"

#define FLOOR 1024
#define MOST 1500

static uint64_t seed;

/* xorshift: the same everywhere. */
static unsigned percent(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % 100);
}

struct path {
	unsigned takes;	   /* bytes */
	unsigned loss;	   /* percent, each way */
	unsigned packets;  /* sent so far */
	bool dead;
};

static void send_all(struct path *p, struct path_search *s)
{
	for (int i = 0; i < s->n; i++) {
		const struct path_try *t = &s->tries[i];

		if (!t->due)
			continue;
		p->packets++;
		if (!p->dead && t->size <= p->takes && percent() >= p->loss && percent() >= p->loss)
			path_search_answered(s, i);
	}
}

static enum path_verdict search(struct path *p, struct path_search *s, unsigned floor, unsigned most)
{
	enum path_verdict v;

	path_search_begin(s, (uint16_t)floor, (uint16_t)most);
	while ((v = path_search_turn(s)) == PATH_SEARCHING)
		send_all(p, s);
	return v;
}

static void a_path_that_takes_all_costs_one_packet(void **state)
{
	struct path p = { .takes = MOST };
	struct path_search s;

	(void)state;
	assert_int_equal(search(&p, &s, FLOOR, MOST), PATH_OPEN);
	assert_int_equal(p.packets, 1);
}

static void every_limit_is_found_exactly(void **state)
{
	(void)state;
	for (unsigned takes = FLOOR; takes < MOST; takes++) {
		struct path p = { .takes = takes };
		struct path_search s;

		assert_int_equal(search(&p, &s, FLOOR, MOST), PATH_LIMITED);
		assert_int_equal(s.low, takes);
		assert_true(s.turns <= 25);
	}
}

static void of_jumbo_frames_too(void **state)
{
	(void)state;
	for (unsigned takes = 1280; takes < 9000; takes += 37) {
		struct path p = { .takes = takes };
		struct path_search s;

		assert_int_equal(search(&p, &s, 1280, 9000), PATH_LIMITED);
		assert_int_equal(s.low, takes);
	}
}

static void nobody_answers_and_nothing_is_learnt(void **state)
{
	struct path p = { .dead = true };
	struct path_search s;

	(void)state;
	assert_int_equal(search(&p, &s, FLOOR, MOST), PATH_UNKNOWN);
	assert_true(p.packets < 20);
}

/* A path that takes not even the floor looks dead; it may be. */
static void a_path_below_the_floor_is_none(void **state)
{
	struct path p = { .takes = FLOOR - 1 };
	struct path_search s;

	(void)state;
	assert_int_equal(search(&p, &s, FLOOR, MOST), PATH_UNKNOWN);
}

/* At 30 % each way half of all questions are answered. */
static void loss_is_no_limit(void **state)
{
	int limited = 0, unknown = 0;

	(void)state;
	for (seed = 1; seed <= 20000; seed++) {
		struct path p = { .takes = MOST, .loss = 30 };
		uint64_t kept = seed;
		struct path_search s;

		seed *= 0x9e3779b97f4a7c15u;
		switch (search(&p, &s, FLOOR, MOST)) {
		case PATH_LIMITED:
			limited++;
			break;
		case PATH_OPEN:
			break;
		default:
			unknown++;
		}
		seed = kept;
	}
	assert_true(limited <= 2);
	assert_true(unknown <= 100);
}

static void a_limit_is_found_through_loss(void **state)
{
	int wrong = 0, unknown = 0;

	(void)state;
	for (seed = 1; seed <= 2000; seed++) {
		struct path p = { .takes = 1400, .loss = 30 };
		uint64_t kept = seed;
		struct path_search s;

		seed *= 0x9e3779b97f4a7c15u;
		if (search(&p, &s, FLOOR, MOST) != PATH_LIMITED)
			unknown++;
		else if (s.low != 1400)
			wrong++;
		seed = kept;
	}
	assert_true(wrong <= 4);
	assert_true(unknown <= 40);
}

/* An ICMP came after all, in the middle. */
static void what_the_kernel_learns_ends_the_search(void **state)
{
	struct path p = { .takes = 1400 };
	struct path_search s;

	(void)state;
	path_search_begin(&s, FLOOR, MOST);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(path_search_turn(&s), PATH_SEARCHING);
		send_all(&p, &s);
	}
	path_search_shrink(&s, 1400);
	assert_int_equal(path_search_turn(&s), PATH_SEARCHING);
	send_all(&p, &s);
	assert_int_equal(path_search_turn(&s), PATH_OPEN);
}

static void answers_that_were_not_asked_for_count_nothing(void **state)
{
	struct path p = { .dead = true };
	struct path_search s;

	(void)state;
	path_search_begin(&s, FLOOR, MOST);
	path_search_answered(&s, 0);
	path_search_answered(&s, 1);
	path_search_answered(&s, PATH_TRIES);
	for (enum path_verdict v; (v = path_search_turn(&s)) != PATH_UNKNOWN; send_all(&p, &s))
		assert_int_equal(v, PATH_SEARCHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_that_takes_all_costs_one_packet),
		cmocka_unit_test(every_limit_is_found_exactly),
		cmocka_unit_test(of_jumbo_frames_too),
		cmocka_unit_test(nobody_answers_and_nothing_is_learnt),
		cmocka_unit_test(a_path_below_the_floor_is_none),
		cmocka_unit_test(loss_is_no_limit),
		cmocka_unit_test(a_limit_is_found_through_loss),
		cmocka_unit_test(what_the_kernel_learns_ends_the_search),
		cmocka_unit_test(answers_that_were_not_asked_for_count_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
