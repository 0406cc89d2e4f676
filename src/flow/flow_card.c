/* See flow_card.h. One list, in which a flow stands from its first to its last moment. */
#include "flow/flow_card.h"

#include <string.h>

/* A window is turned by whatever passes after FLOW_WINDOW_MS. So when it is that old, all of
 * it passed before its last FLOW_WINDOW_MS, and nothing since. */
#define SILENT_MS (2u * FLOW_WINDOW_MS)

static struct list cards = { &cards, &cards };
static size_t n_cards;
static uint64_t last_number;
static unsigned step = 1;

/* ---- the meter ---- */

void flow_meter_turn(struct flow_meter *m, uint64_t now_ms)
{
	bool silent = now_ms - m->at_ms >= SILENT_MS;

	m->last_up = silent ? m->up : m->at_up;
	m->last_down = silent ? m->down : m->at_down;
	m->last_ms = silent ? now_ms : m->at_ms;
	m->at_up = m->up;
	m->at_down = m->down;
	m->at_ms = now_ms;
}

static uint64_t rate(uint64_t bytes, uint64_t ms)
{
	return bytes * 1000 / (ms < FLOW_WINDOW_MS / 2 ? FLOW_WINDOW_MS / 2 : ms); /* a flow's first moments are no rate */
}

void flow_meter_rates(const struct flow_meter *m, uint64_t now_ms, uint64_t *up, uint64_t *down)
{
	bool silent = now_ms - m->at_ms >= SILENT_MS;

	*up = silent ? 0 : rate(m->up - m->last_up, now_ms - m->last_ms);
	*down = silent ? 0 : rate(m->down - m->last_down, now_ms - m->last_ms);
}

/* ---- the flow ---- */

void flow_way_copy(char out[FLOW_WAY_SIZE], const char *name)
{
	size_t len = strlen(name);

	if (len >= FLOW_WAY_SIZE) {
		len = FLOW_WAY_SIZE - 1;
		while (len && ((unsigned char)name[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out, name, len);
	out[len] = 0;
}

void flow_card_set_way(struct flow_card *c, const char *name)
{
	flow_way_copy(c->way, name);
}

void flow_card_open(struct flow_card *c, const struct flow_card_ops *ops, const struct addr *client, const struct target *t,
		    uint64_t now_ms)
{
	c->ops = ops;
	c->number = last_number += step;
	c->born_ms = c->meter.at_ms = c->meter.last_ms = now_ms;
	c->client = *client;
	c->ip = t->ip;
	c->name_len = t->name_len;
	memcpy(c->name, t->name, t->name_len);
	list_init(&c->node);
	list_append(&cards, &c->node);
	n_cards++;
}

void flow_card_close(struct flow_card *c)
{
	list_remove(&c->node);
	n_cards--;
}

/* ---- who asks ---- */

void flow_card_target(const struct flow_card *c, struct target *out)
{
	*out = (struct target){ .ip = c->ip, .name_len = c->name_len };
	memcpy(out->name, c->name, c->name_len);
}

void flow_cards_each(void (*fn)(void *owner, struct flow_card *), void *owner)
{
	list_for_each (it, &cards)
		fn(owner, container_of(it, struct flow_card, node));
}

size_t flow_cards_count(void)
{
	return n_cards;
}

struct flow_card *flow_card_find(uint64_t number)
{
	list_for_each (it, &cards) {
		struct flow_card *c = container_of(it, struct flow_card, node);

		if (c->number == number)
			return c;
	}
	return NULL;
}

void flow_cards_number(unsigned index, unsigned n)
{
	last_number = index;
	step = n;
}
