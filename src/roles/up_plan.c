/* The plan of a gate, field by field; see up_plan.h. It decides nothing that the config has not. */
#include "roles/up_plan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/prefix.h"
#include "engine/fake_names.h"
#include "engine/service.h"
#include "sys/sandbox.h"

#define SELF4_LEN 30 /* of the usual addresses */
#define SELF6_LEN 64
#define FAKES 2

static_assert((int)UP_TUN == GATE_TUN && (int)UP_TPROXY == GATE_TPROXY && (int)UP_REDIRECT == GATE_REDIRECT, "a mode is a mode");
static_assert(sizeof(((struct gate_plan *)0)->fakes) / sizeof(struct gate_prefix) == FAKES, "one of each family");
static_assert((int)PICK_EVERYBODY == GATE_EVERYBODY && (int)PICK_ONLY == GATE_ONLY && (int)PICK_EXCEPT == GATE_EXCEPT, "a pick is a pick");

void up_plan_own_addresses(struct addr own[2])
{
	struct sandbox_options usual = { 0 };

	sandbox_default_addresses(&usual);
	own[0] = usual.gateway4;
	own[1] = usual.gateway6;
}

static struct gate_prefix *copy_prefixes(const struct config_prefixes *from, int room)
{
	struct gate_prefix *to = calloc((size_t)from->n + (size_t)room + 1, sizeof(*to));

	for (int i = 0; to && i < from->n; i++)
		to[i] = (struct gate_prefix){ .at = from->items[i].at, .len = from->items[i].len };
	return to;
}

static struct gate_range *copy_uids(const struct config_up *up)
{
	struct gate_range *to = calloc((size_t)up->n_uids + 1, sizeof(*to));

	for (int i = 0; to && i < up->n_uids; i++)
		to[i] = (struct gate_range){ .from = up->uids[i].from, .to = up->uids[i].to };
	return to;
}

static int count(const char *const *texts)
{
	int n = 0;

	while (texts && texts[n])
		n++;
	return n;
}

static void take_addresses(struct gate_plan *g, const struct config_up *up)
{
	struct sandbox_options usual = { 0 };

	sandbox_default_addresses(&usual);
	g->self4 = up->self4.at.family ? up->self4.at : usual.self4;
	g->self4_len = up->self4.at.family ? up->self4.len : SELF4_LEN;
	g->self6 = up->self6.at.family ? up->self6.at : usual.self6;
	g->self6_len = up->self6.at.family ? up->self6.len : SELF6_LEN;
}

static bool is_routed(const struct gate_plan *g, const struct gate_prefix *fake)
{
	struct config_prefix inner = { .at = fake->at, .len = fake->len };

	for (int i = 0; i < g->n_routes; i++) {
		struct config_prefix outer = { .at = g->routes[i].at, .len = g->routes[i].len };

		if (prefix_covers(&outer, &inner))
			return true;
	}
	return false;
}

void up_plan_add_fakes(struct up_plan *p, const struct config *c)
{
	const struct fakeip *map = fake_names_map();
	struct gate_prefix *fakes = p->gate.fakes;

	fakes[0] = (struct gate_prefix){ .at = c->fake4.at, .len = c->fake4.len };
	fakes[1] = (struct gate_prefix){ .at = c->fake6.at, .len = c->fake6.len };
	if (map) {
		fakes[0].at = fakeip_net4(map, &fakes[0].len);
		fakes[1].at = fakeip_net6(map, &fakes[1].len);
	}
	for (int i = 0; i < FAKES && p->gate.n_routes; i++)
		if (fakes[i].at.family && !is_routed(&p->gate, &fakes[i]))
			p->routes[p->gate.n_routes++] = fakes[i];
}

/* Does a hold all of b? */
static bool holds(const struct gate_prefix *a, const struct gate_prefix *b)
{
	struct config_prefix outer = { .at = a->at, .len = a->len }, inner = { .at = b->at, .len = b->len };

	return prefix_covers(&outer, &inner);
}

static int refuse_exclude(const struct gate_prefix *e, const struct gate_prefix *fake)
{
	struct config_prefix out = { .at = e->at, .len = e->len }, in = { .at = fake->at, .len = fake->len };
	char one[PREFIX_STRLEN], two[PREFIX_STRLEN];

	log_error("the exclude %s is among addresses that stand for names, %s: connections to those would leave past the tunnel; choose "
		  "another range for names (fake_dns_ipv%d_network)", prefix_format(&out, one), prefix_format(&in, two),
		  e->at.family == AF_INET ? 4 : 6);
	return -EINVAL;
}

/* All of e but the fake range: one prefix for each bit by which that is longer. */
static int put_around(struct gate_prefix *to, const struct gate_prefix *e, const struct gate_prefix *fake)
{
	int n = 0;

	for (uint8_t bit = e->len; bit < fake->len; bit++) {
		struct config_prefix beside = { .at = fake->at, .len = (uint8_t)(bit + 1) };

		beside.at.ip.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		prefix_trim(&beside);
		to[n++] = (struct gate_prefix){ .at = beside.at, .len = beside.len };
	}
	return n;
}

int up_plan_keep_fakes(struct up_plan *p, const struct config *c)
{
	struct gate_plan *g = &p->gate;
	struct gate_prefix *all = calloc((size_t)g->n_excludes * 128 + 1, sizeof(*all));
	int n = 0, err = all ? 0 : -ENOMEM;

	for (int i = 0; i < g->n_excludes && !err; i++) {
		const struct gate_prefix *e = &p->excludes[i], *fake = &g->fakes[e->at.family == AF_INET6];

		if (c->dns != DNS_FAKE || !fake->at.family || (!holds(e, fake) && !holds(fake, e)))
			all[n++] = *e;
		else if (e->len < fake->len)
			n += put_around(all + n, e, fake);
		else
			err = refuse_exclude(e, fake);
	}
	if (err) {
		free(all);
		return err;
	}
	free(p->excludes);
	g->excludes = p->excludes = all;
	g->n_excludes = n;
	return 0;
}

static void take_lists(struct up_plan *p, const struct config_up *up)
{
	struct gate_plan *g = &p->gate;

	g->routes = p->routes;
	g->n_routes = up->routes.n;
	g->excludes = p->excludes;
	g->n_excludes = up->excludes.n;
	g->lans = up->lans;
	g->n_lans = count(up->lans);
	g->pick = (enum gate_pick)up->pick;
	g->uids = p->uids;
	g->n_uids = up->n_uids;
	g->cgroups = up->cgroups;
	g->n_cgroups = count(up->cgroups);
}

/* Whose sockets are ours though nobody can mark them. */
static int take_plugin_user(struct up_plan *p, const struct config *c)
{
	char why[512];
	int err = service_plugin_uid(c, &p->gate.plugin_uid, why, sizeof(why));

	if (!err)
		return 0;
	log_error("%s", why);
	up_plan_free(p);
	return err;
}

int up_plan_make(struct up_plan *p, const struct config *c)
{
	const struct config_up *up = &c->up;

	*p = (struct up_plan){
		.routes = copy_prefixes(&up->routes, FAKES),
		.excludes = copy_prefixes(&up->excludes, 0),
		.uids = copy_uids(up),
		.gate = {
			.mode = (enum gate_mode)up->mode,
			.mark = up->mark,
			.table = up->table,
			.priority = up->priority,
			.port = (uint16_t)up->port,
			.dns_port = (uint16_t)up->dns_port,
			.ipv6 = !up->no_ipv6,
			.dns = c->dns != DNS_OFF,
			.block_dot = up->block_dot,
			.block_quic = up->block_quic,
			.kill_switch = up->kill_switch,
			.dhcp = !up->no_dhcp,
		},
	};
	if (!p->routes || !p->excludes || !p->uids) {
		log_error("out of memory");
		up_plan_free(p);
		return -ENOMEM;
	}
	if (up->mode == UP_TUN) {
		memcpy(p->gate.device, up->device, sizeof(p->gate.device));
		take_addresses(&p->gate, up);
	}
	take_lists(p, up);
	return take_plugin_user(p, c);
}

static void keep_fixed(struct gate_plan *g, const struct gate_plan *now)
{
	g->mode = now->mode;
	g->table = now->table;
	g->priority = now->priority;
	memcpy(g->device, now->device, sizeof(g->device));
	g->self4 = now->self4;
	g->self4_len = now->self4_len;
	g->self6 = now->self6;
	g->self6_len = now->self6_len;
	g->mtu = now->mtu;
	g->port = now->port;
	g->dns_port = now->dns_port;
	g->ipv6 = now->ipv6;
	g->dns = now->dns;
	g->plugin_uid = now->plugin_uid;
}

/* Own sockets have the new mark, and by the rules that stand that is nobody's. */
static int refuse_mark(uint32_t mark, uint32_t now)
{
	log_error("the mark of gatun's own sockets cannot become %u while it is up with %u: end it and start it again", mark, now);
	return -EINVAL;
}

int up_plan_change(struct up_plan *fresh, const struct up_plan *now, const struct config *c)
{
	int err = c->up.mark == now->gate.mark ? up_plan_make(fresh, c) : refuse_mark(c->up.mark, now->gate.mark);

	if (err)
		return err;
	if (now->gate.mode == GATE_REDIRECT) {
		fresh->gate.lans = now->gate.lans;
		fresh->gate.n_lans = now->gate.n_lans;
	}
	keep_fixed(&fresh->gate, &now->gate);
	up_plan_add_fakes(fresh, c);
	err = up_plan_keep_fakes(fresh, c);
	if (err)
		up_plan_free(fresh);
	return err;
}

static bool same_prefixes(const struct gate_prefix *a, int n, const struct gate_prefix *b, int m)
{
	return n == m && (!n || memcmp(a, b, (size_t)n * sizeof(*a)) == 0);
}

static bool same_uids(const struct gate_plan *a, const struct gate_plan *b)
{
	return a->n_uids == b->n_uids && (!a->n_uids || memcmp(a->uids, b->uids, (size_t)a->n_uids * sizeof(*a->uids)) == 0);
}

static bool same_texts(const char *const *a, int n, const char *const *b, int m)
{
	for (int i = 0; i < n && i < m; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return n == m;
}

bool up_plan_same(const struct up_plan *one, const struct up_plan *other)
{
	const struct gate_plan *a = &one->gate, *b = &other->gate;

	return same_prefixes(a->routes, a->n_routes, b->routes, b->n_routes) &&
	       same_prefixes(a->excludes, a->n_excludes, b->excludes, b->n_excludes) && same_texts(a->lans, a->n_lans, b->lans, b->n_lans) &&
	       same_texts(a->cgroups, a->n_cgroups, b->cgroups, b->n_cgroups) && a->pick == b->pick && same_uids(a, b) &&
	       a->block_dot == b->block_dot && a->block_quic == b->block_quic && a->kill_switch == b->kill_switch && a->dhcp == b->dhcp;
}

void up_plan_free(struct up_plan *p)
{
	free(p->routes);
	free(p->excludes);
	free(p->uids);
	*p = (struct up_plan){ 0 };
}
