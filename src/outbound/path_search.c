/* The search of path_search.h. A verdict about a round falls when each of its sizes is decided,
 * so that one size that had bad luck is overruled by a longer one that passed. */
#include "outbound/path_search.h"

#define SURELY_LOST 1e-4
#define FEWEST 3	/* answers of the floor, and losses of a size */
#define TURNS_DEAD 8	/* without any answer */
#define TURNS_MAX 150

static void set_tries(struct path_search *s, int n)
{
	s->n = n;
	s->round++;
	for (int i = 1; i < n; i++)
		s->tries[i] = (struct path_try){ 0 };
}

static void only_the_longest(struct path_search *s)
{
	s->high = (uint16_t)(s->most + 1);
	set_tries(s, 2);
	s->tries[1].size = s->most;
}

void path_search_begin(struct path_search *s, uint16_t floor, uint16_t most)
{
	*s = (struct path_search){ .low = floor, .most = most };
	s->tries[0].size = floor;
	only_the_longest(s);
}

void path_search_shrink(struct path_search *s, uint16_t most)
{
	s->most = most;
	if (s->low > most)
		s->low = most;
	only_the_longest(s);
}

void path_search_answered(struct path_search *s, int i)
{
	if (i < s->n && s->tries[i].answers < s->tries[i].sent)
		s->tries[i].answers++;
}

/* Would so many of it be lost by chance, where the floor's are answered as they are? */
static bool is_hopeless(const struct path_search *s, const struct path_try *t)
{
	const struct path_try *floor = &s->tries[0];
	double miss = 1 - floor->answers / (floor->sent + 1.0), chance = 1;

	if (t->sent < FEWEST || floor->answers < FEWEST)
		return false;
	for (int i = 0; i < t->sent; i++)
		chance *= miss;
	return chance < SURELY_LOST;
}

/* The longest that was answered. */
static uint16_t passed(const struct path_search *s)
{
	uint16_t low = s->low;

	for (int i = 1; i < s->n; i++)
		if (s->tries[i].answers && s->tries[i].size > low)
			low = s->tries[i].size;
	return low;
}

static bool is_open(const struct path_search *s, const struct path_try *t)
{
	return !t->answers && t->size > passed(s) && !is_hopeless(s, t);
}

bool path_search_is_settled(const struct path_search *s)
{
	for (int i = 1; i < s->n; i++)
		if (is_open(s, &s->tries[i]))
			return false;
	return true;
}

static void conclude_round(struct path_search *s)
{
	s->low = passed(s);
	if (s->low >= s->high) /* bad luck, once */
		s->high = (uint16_t)(s->most + 1);
	for (int i = 1; i < s->n; i++)
		if (s->tries[i].size > s->low && s->tries[i].size < s->high)
			s->high = s->tries[i].size;
}

/* False: the round was the last. What does not pass is tried once more before anybody is told. */
static bool begin_round(struct path_search *s)
{
	bool confirmed = s->n == 2 && s->tries[1].size == s->low + 1 && s->tries[1].size == s->high;
	int between, n;

	conclude_round(s);
	between = s->high - s->low - 1;
	if (!between && confirmed)
		return false;
	n = !between ? 1 : between < PATH_TRIES - 1 ? between : PATH_TRIES - 1;
	set_tries(s, n + 1);
	for (int i = 0; i < n; i++)
		s->tries[1 + i].size = (uint16_t)(between ? s->low + (i + 1) * (between + 1) / (n + 1) : s->high);
	return true;
}

static void mark_due(struct path_search *s)
{
	/* The first packet alone is enough where all is well. */
	s->tries[0].due = s->turns > 0;
	for (int i = 1; i < s->n; i++)
		s->tries[i].due = is_open(s, &s->tries[i]);
	for (int i = 0; i < s->n; i++)
		s->tries[i].sent = (uint16_t)(s->tries[i].sent + s->tries[i].due);
	s->turns++;
}

enum path_verdict path_search_turn(struct path_search *s)
{
	if (passed(s) >= s->most) {
		s->low = s->most;
		return PATH_OPEN;
	}
	if (s->turns >= TURNS_MAX || (s->turns >= TURNS_DEAD && !s->tries[0].answers))
		return PATH_UNKNOWN;
	if (path_search_is_settled(s) && !begin_round(s))
		return PATH_LIMITED;
	mark_due(s);
	return PATH_SEARCHING;
}
