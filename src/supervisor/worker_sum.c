/* See worker_sum.h. */
#include "supervisor/worker_sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "server/endpoints.h"

struct user {
	struct hash_node node;
	struct list order;
	struct ss_user_counters counters;
	char *where, *name;
};

struct worker_sum {
	struct hash users;
	struct list order;
};

void worker_sum_take(struct worker_shared *shared, int index)
{
	struct flow_counters *c = &shared->counters[index];

	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++)
		if (r->kind == FLOW_GAUGE)
			*flow_counter_at(c, r) = 0;
	flow_counters_add(&flow_counters, c);
	*c = (struct flow_counters){ 0 };
}

struct worker_sum *worker_sum_new(void)
{
	struct worker_sum *s = calloc(1, sizeof(*s));

	if (s && hash_init(&s->users) < 0) {
		free(s);
		return NULL;
	}
	if (s)
		list_init(&s->order);
	return s;
}

static void free_user(struct user *u)
{
	free(u->where);
	free(u->name);
	free(u);
}

void worker_sum_free(struct worker_sum *s)
{
	if (!s)
		return;
	list_for_each_safe (it, &s->order)
		free_user(container_of(it, struct user, order));
	hash_free(&s->users);
	free(s);
}

static struct user *new_user(struct worker_sum *s, const char *where, const char *name, uint64_t h)
{
	struct user *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->where = strdup(where);
	u->name = strdup(name);
	if (!u->where || !u->name) {
		free_user(u);
		return NULL;
	}
	list_init(&u->order);
	list_append(&s->order, &u->order);
	hash_insert(&s->users, &u->node, h);
	return u;
}

static struct user *user_of(struct worker_sum *s, const char *where, const char *name)
{
	uint64_t h = hash_bytes(where, strlen(where)) ^ hash_bytes(name, strlen(name));

	for (struct hash_node *n = hash_first(&s->users, h); n; n = hash_next(n, h)) {
		struct user *u = container_of(n, struct user, node);
		if (strcmp(u->where, where) == 0 && strcmp(u->name, name) == 0)
			return u;
	}
	return new_user(s, where, name, h);
}

void worker_sum_add_user(struct worker_sum *s, const char *where, const char *name, const struct ss_user_counters *more)
{
	struct user *u = user_of(s, where, name);

	if (!u)
		return;
	u->counters.tcp_flows += more->tcp_flows;
	u->counters.tcp_up += more->tcp_up;
	u->counters.tcp_down += more->tcp_down;
	u->counters.udp_sessions += more->udp_sessions;
	u->counters.udp_up += more->udp_up;
	u->counters.udp_down += more->udp_down;
	u->counters.datagrams_up += more->datagrams_up;
	u->counters.datagrams_down += more->datagrams_down;
}

void worker_sum_log_users(const struct worker_sum *s)
{
	list_for_each (it, &s->order) {
		const struct user *u = container_of(it, struct user, order);

		endpoints_log_user(u->name, u->where, &u->counters);
	}
}
