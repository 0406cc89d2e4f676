/* See status_flows.h. */
#include "engine/status_flows.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/utf8.h"
#include "engine/fake_names.h"
#include "engine/status.h"
#include "flow/flow_card.h"
#include "loop/loop.h"
#include "resolve/resolve.h"

enum flow_order { BY_RATE, BY_BYTES, BY_AGE };

/* ---- one flow ---- */

/* Whatever bytes a name has, the document stays one. */
static json_t *printable(const char *text)
{
	char *copy = strdup(text);
	json_t *j;

	if (!copy)
		return NULL;
	utf8_make_printable(copy);
	j = json_string(copy);
	free(copy);
	return j;
}

static json_t *describe_target(const struct flow_card *c)
{
	char text[TARGET_STRLEN];
	struct target t;

	flow_card_target(c, &t);
	return printable(target_format(&t, text));
}

static json_t *describe_way(const struct flow_card *c)
{
	char now[FLOW_WAY_SIZE];

	if (c->ops->way)
		c->ops->way(c, now);
	return printable(c->ops->way ? now : c->way);
}

static json_t *describe(const struct flow_card *c)
{
	uint64_t now = loop_now(), active = now, up, down;
	const char *state = c->ops->state(c, &active);
	char client[ADDR_STRLEN];
	json_t *f = json_object();

	flow_meter_rates(&c->meter, now, &up, &down);
	status_put(f, "flow", c->number);
	json_object_set_new(f, "protocol", json_string(c->ops->protocol));
	json_object_set_new(f, "client", json_string(addr_format(&c->client, client)));
	json_object_set_new(f, "target", describe_target(c));
	json_object_set_new(f, "way", describe_way(c));
	json_object_set_new(f, "state", json_string(state));
	status_put(f, "up", c->meter.up);
	status_put(f, "down", c->meter.down);
	status_put(f, "up_rate", up);
	status_put(f, "down_rate", down);
	status_put(f, "age_s", (now - c->born_ms) / 1000);
	status_put(f, "idle_s", (now - active) / 1000);
	return f;
}

/* ---- the first of them ---- */

struct ranked {
	struct flow_card *card;
	uint64_t rank, bytes;
};

struct ranking {
	struct ranked *items;
	size_t n;
	enum flow_order order;
	uint64_t now;
};

/* Among equals the one that carried more. */
static int compare(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return x->bytes == y->bytes ? 0 : x->bytes > y->bytes ? -1 : 1;
}

static void rank(void *owner, struct flow_card *c)
{
	struct ranking *r = owner;
	struct ranked *item = &r->items[r->n++];
	uint64_t up, down;

	flow_meter_rates(&c->meter, r->now, &up, &down);
	item->card = c;
	item->bytes = c->meter.up + c->meter.down;
	item->rank = r->order == BY_RATE ? up + down : r->order == BY_BYTES ? item->bytes : r->now - c->born_ms;
}

static size_t limit_of(const json_t *request)
{
	json_int_t n = json_integer_value(json_object_get(request, "limit"));

	return n <= 0 ? STATUS_FLOWS_DEFAULT : n > STATUS_FLOWS_MAX ? STATUS_FLOWS_MAX : (size_t)n;
}

static enum flow_order order_of(const json_t *request)
{
	const char *word = json_string_value(json_object_get(request, "sort"));

	return word && strcmp(word, "bytes") == 0 ? BY_BYTES : word && strcmp(word, "age") == 0 ? BY_AGE : BY_RATE;
}

static json_t *answer_flows(void *owner, const json_t *request)
{
	struct ranking r = { .order = order_of(request), .now = loop_now() };
	size_t limit = limit_of(request), all = flow_cards_count();
	json_t *flows = json_array();

	(void)owner;
	r.items = calloc(all ? all : 1, sizeof(*r.items));
	if (!r.items) {
		json_decref(flows);
		return engine_request_error("out of memory");
	}
	flow_cards_each(rank, &r);
	qsort(r.items, r.n, sizeof(*r.items), compare);
	for (size_t i = 0; i < r.n && i < limit; i++)
		json_array_append_new(flows, describe(r.items[i].card));
	free(r.items);
	return json_pack("{s:i,s:I,s:o}", "pid", (int)getpid(), "count", (json_int_t)all, "flows", flows);
}

/* ---- of several workers ---- */

static json_int_t member(const json_t *f, const char *key)
{
	return json_integer_value(json_object_get(f, key));
}

static json_int_t rank_of(const json_t *f, enum flow_order order)
{
	return order == BY_RATE	 ? member(f, "up_rate") + member(f, "down_rate") :
	       order == BY_BYTES ? member(f, "up") + member(f, "down") :
				   member(f, "age_s");
}

static bool comes_first(const json_t *a, const json_t *b, enum flow_order order)
{
	json_int_t x = rank_of(a, order), y = rank_of(b, order);

	return x != y ? x > y : rank_of(a, BY_BYTES) >= rank_of(b, BY_BYTES);
}

/* Both are in order. */
static json_t *merge_arrays(const json_t *a, const json_t *b, enum flow_order order, size_t limit)
{
	size_t i = 0, j = 0, n_a = json_array_size(a), n_b = json_array_size(b);
	json_t *both = json_array();

	while (i + j < limit && (i < n_a || j < n_b)) {
		bool from_a = j == n_b || (i < n_a && comes_first(json_array_get(a, i), json_array_get(b, j), order));

		json_array_append(both, from_a ? json_array_get(a, i) : json_array_get(b, j));
		i += from_a;
		j += !from_a;
	}
	return both;
}

void status_flows_merge(json_t *sum, const json_t *request, json_t *more)
{
	json_t *flows = merge_arrays(json_object_get(sum, "flows"), json_object_get(more, "flows"), order_of(request), limit_of(request));

	json_object_set_new(sum, "count", json_integer(member(sum, "count") + member(more, "count")));
	json_object_set_new(sum, "flows", flows);
}

/* ---- orders ---- */

static json_t *answer_kill(void *owner, const json_t *request)
{
	json_int_t number = member(request, "flow");
	struct flow_card *c = number > 0 ? flow_card_find((uint64_t)number) : NULL;

	(void)owner;
	if (!c)
		return engine_request_error("there is no flow %lld now", (long long)number);
	log_info("a flow is ended by order flow=%lld", (long long)number);
	c->ops->end(c, END_KILLED);
	return json_pack("{s:I}", "killed", number);
}

static json_t *answer_flush(void *owner, const json_t *request)
{
	uint32_t names = resolve_flush(), fakes = fake_names_map() ? fakeip_flush(fake_names_map(), loop_now()) : 0;
	json_t *answer = json_pack("{s:I}", "cached_names", (json_int_t)names);

	(void)owner, (void)request;
	log_info("names are forgotten by order cached=%u fake=%u", names, fakes);
	if (fake_names_map())
		status_put(answer, "fake_addresses", fakes);
	return answer;
}

void engine_status_add_flows(void)
{
	engine_request_add("flows", answer_flows, NULL);
	engine_request_add("kill_flow", answer_kill, NULL);
	engine_request_add("flush", answer_flush, NULL);
}
