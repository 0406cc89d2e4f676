/*
 * What can be known before anything is changed. Every refusal is one sentence
 * that names what is in the way and what mends it.
 *
 * Who else uses our numbers: a mark, a table or a priority of ours in a rule or
 * route without our protocol number belongs to somebody who would get our
 * traffic, or we his. A foreign rule that is asked before ours and takes all
 * would win; one that takes some (a VPN's own marks, a source address) is his
 * own business and stays.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "gate/parts.h"
#include "sys/caps.h"
#include "sys/nft.h"

struct words {
	char *text;
	size_t size;
};

static int refuse(struct words *w, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct words *w, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->text, w->size, fmt, args);
	va_end(args);
	return err;
}

/* --- rights and interfaces --- */

static int check_rights(struct words *w)
{
	if (sys_caps_has_net_admin())
		return 0;
	return refuse(w, -EPERM, "CAP_NET_ADMIN is missing, which changing routes and rules needs; run it as root, or "
		      "give it to the service (AmbientCapabilities=CAP_NET_ADMIN)");
}

static void list_links(char *text, size_t size)
{
	struct if_nameindex *all = if_nameindex();
	size_t len = 0;

	text[0] = 0;
	for (int i = 0; all && all[i].if_index && len < size; i++)
		if (strcmp(all[i].if_name, "lo") != 0)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "", all[i].if_name);
	if (all)
		if_freenameindex(all);
}

static int check_lans(const struct gate_plan *p, struct words *w)
{
	for (int i = 0; i < p->n_lans; i++) {
		char links[256];
		if (strcmp(p->lans[i], "lo") == 0 || strcmp(p->lans[i], p->device) == 0)
			return refuse(w, -EINVAL, "%s cannot be a LAN", p->lans[i]);
		if (strlen(p->lans[i]) < IFNAMSIZ && if_nametoindex(p->lans[i]))
			continue;
		list_links(links, sizeof(links));
		return refuse(w, -ENODEV, "there is no interface %s for --lan; there are: %s", p->lans[i], links);
	}
	return 0;
}

static int check_cgroups(const struct gate_plan *p, struct words *w)
{
	for (int i = 0; i < p->n_cgroups; i++) {
		char path[512];
		struct statfs fs;
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", p->cgroups[i] + (p->cgroups[i][0] == '/'));
		if (statfs(path, &fs) < 0)
			return refuse(w, -ENOENT, "there is no cgroup %s (no directory %s)", p->cgroups[i], path);
		if (fs.f_type != CGROUP2_SUPER_MAGIC)
			return refuse(w, -ENOENT, "%s is no cgroup of version 2, which --cgroup needs; where version 2 is "
				      "mounted says: findmnt -t cgroup2", path);
	}
	return 0;
}

/* --- prefixes --- */

static int check_pair(const struct gate_prefix *a, const struct gate_prefix *b, struct words *w)
{
	const struct gate_prefix *outer = a->len <= b->len ? a : b, *inner = outer == a ? b : a;
	char one[GATE_WORDS], two[GATE_WORDS];

	if (!gate_prefix_holds(outer, &inner->at))
		return 0;
	gate_prefix_words(inner, one);
	gate_prefix_words(outer, two);
	if (outer->len == inner->len)
		return refuse(w, -EINVAL, "the route %s is given twice", one);
	return refuse(w, -EINVAL, "routes overlap: %s lies in %s; leave it out", one, two);
}

static int check_routes(const struct gate_plan *p, struct words *w)
{
	char text[GATE_WORDS];
	int err = 0;

	for (int i = 0; i < p->n_routes && !err; i++)
		for (int k = 0; k < i && !err; k++)
			err = check_pair(&p->routes[k], &p->routes[i], w);
	for (int i = 0; i < p->n_routes && !err; i++)
		for (int k = 0; k < p->n_excludes && !err; k++)
			if (p->routes[i].len == p->excludes[k].len && gate_prefix_holds(&p->routes[i], &p->excludes[k].at))
				err = refuse(w, -EINVAL, "%s is both taken and excluded",
					     gate_prefix_words(&p->routes[i], text));
	return err;
}

/* --- who else is here --- */

static bool is_ours(const struct netlink_rule *r)
{
	return r->protocol == GATE_PROTOCOL;
}

static bool uses_mark(const struct gate_plan *p, const struct netlink_rule *r)
{
	for (uint32_t m = p->mark; r->mask && !r->inverted && m < p->mark + GATE_MARKS; m++)
		if ((m & r->mask) == r->mark)
			return true;
	return false;
}

/* Would it decide of everything? Its table has a default route, or its halves. */
static bool takes_all(struct netlink *n, const struct netlink_rule *r)
{
	struct netlink_route *all;
	bool takes = false;
	int count;

	if (r->mask || r->iif[0] || r->uids || r->ip_protocol || r->port_from || r->narrower || r->inverted ||
	    r->not_default)
		return false;
	if (r->action != FR_ACT_TO_TBL)
		return r->action != FR_ACT_NOP && r->action != FR_ACT_GOTO;
	if (r->table == RT_TABLE_LOCAL)
		return false;
	count = netlink_list_routes(n, r->family, r->table, 0, &all);
	for (int i = 0; i < count; i++)
		takes |= all[i].len <= 1 && all[i].type != RTN_THROW;
	free(all);
	return takes;
}

static int check_rule(struct netlink *n, const struct gate_plan *p, const struct netlink_rule *r, struct words *w)
{
	char words[GATE_WORDS];

	gate_rule_words(r, words);
	if (r->priority >= p->priority && r->priority < p->priority + GATE_PRIORITIES)
		return refuse(w, -EBUSY, "the rule `%s` of another program stands at a priority of ours (%u to %u); choose "
			      "others with --priority", words, p->priority, p->priority + GATE_PRIORITIES - 1);
	if (r->table >= p->table && r->table < p->table + GATE_TABLES)
		return refuse(w, -EBUSY, "the rule `%s` of another program uses a table of ours (%u to %u); choose others "
			      "with --table", words, p->table, p->table + GATE_TABLES - 1);
	if (uses_mark(p, r))
		return refuse(w, -EBUSY, "the rule `%s` of another program takes a mark of ours (0x%x to 0x%x); choose "
			      "others with --mark", words, p->mark, p->mark + GATE_MARKS - 1);
	if (r->priority < p->priority && takes_all(n, r))
		return refuse(w, -EBUSY, "the rule `%s` of another program is asked before ours and takes everything; "
			      "choose a --priority below %u, or remove it", words, r->priority);
	return 0;
}

static int check_rules(struct netlink *n, const struct gate_plan *p, int family, struct words *w)
{
	struct netlink_rule *all;
	int count = netlink_list_rules(n, family, &all), err = 0;

	if (count < 0)
		return refuse(w, count, "cannot read the policy rules err=%s", err_name(count));
	for (int i = 0; i < count && !err; i++)
		if (!is_ours(&all[i]) && all[i].priority != 0)
			err = check_rule(n, p, &all[i], w);
	free(all);
	return err;
}

static int check_table(struct netlink *n, int family, uint32_t table, struct words *w)
{
	char words[GATE_WORDS];
	struct netlink_route *all;
	int count = netlink_list_routes(n, family, table, 0, &all), err = 0;

	if (count < 0)
		return refuse(w, count, "cannot read the routes err=%s", err_name(count));
	for (int i = 0; i < count && !err; i++)
		if (all[i].protocol != GATE_PROTOCOL)
			err = refuse(w, -EBUSY, "the table %u is in use: it holds `%s` of another program; choose another "
				     "with --table", table, gate_route_words(&all[i], words));
	free(all);
	return err;
}

static int check_family(struct netlink *n, const struct gate_plan *p, int family, struct words *w)
{
	int err = check_rules(n, p, family, w);

	for (uint32_t i = 0; i < GATE_TABLES && !err; i++)
		err = check_table(n, family, p->table + i, w);
	return err;
}

static int check_neighbours(const struct gate_plan *p, struct words *w)
{
	struct netlink n;
	int err = netlink_open(&n);

	if (err)
		return refuse(w, err, "cannot speak to the kernel of routes err=%s", err_name(err));
	err = check_family(&n, p, AF_INET, w);
	if (!err && gate_kernel_has_ipv6())
		err = check_family(&n, p, AF_INET6, w);
	netlink_close(&n);
	return err;
}

static int check_owner(struct words *w)
{
	struct gate_state state;
	int err = gate_state_read(&state, w->text, w->size), owner = err ? 0 : gate_state_owner(&state);

	gate_state_free(&state);
	if (owner)
		return refuse(w, -EEXIST, "gatun is up here already (pid %d); end it first: gatun down", owner);
	return err;
}

static int check_nft(struct words *w)
{
	char why[256] = "";
	char *tables = NULL;
	int err = nft_ask("list tables", &tables, why, sizeof(why));

	free(tables);
	if (err == -ELIBACC)
		return refuse(w, err, "nftables does not work here: %s; Debian: apt install libnftables1", why);
	if (err)
		return refuse(w, err, "nftables does not work here: %s; load it with: modprobe nf_tables", why);
	return 0;
}

static int check_numbers(const struct gate_plan *p, struct words *w)
{
	if (!p->mark || p->mark > UINT32_MAX - GATE_MARKS)
		return refuse(w, -EINVAL, "the mark 0x%x cannot be used", p->mark);
	if (p->table == 0 || p->table >= UINT32_MAX - 1 || (p->table >= RT_TABLE_DEFAULT - 1 && p->table <= RT_TABLE_LOCAL))
		return refuse(w, -EINVAL, "the table %u cannot be used: it is the kernel's own", p->table);
	if (!p->priority || p->priority > 32766 - GATE_PRIORITIES)
		return refuse(w, -EINVAL, "the priority %u must be 1 to %u, before the main table's", p->priority,
			      32766 - GATE_PRIORITIES);
	return 0;
}

int gate_check_ways_in(const struct gate_plan *p, char *err, size_t size)
{
	struct words w = { err, size };

	if (p->mode == GATE_TUN && !if_nametoindex(p->device))
		return refuse(&w, -ENODEV, "there is no device %s", p->device);
	if (p->mode != GATE_TUN && !p->port)
		return refuse(&w, -EINVAL, "no port to send traffic to");
	return 0;
}

int gate_check_lists(const struct gate_plan *p, char *err, size_t size)
{
	struct words w = { err, size };
	int result = check_lans(p, &w);

	if (!result)
		result = check_cgroups(p, &w);
	return result ? result : check_routes(p, &w);
}

int gate_check(const struct gate_plan *p, char *err, size_t size)
{
	struct words w = { err, size };
	int result = check_rights(&w);

	if (!result)
		result = check_owner(&w);
	if (!result)
		result = check_numbers(p, &w);
	if (!result)
		result = gate_check_lists(p, err, size);
	if (!result)
		result = check_neighbours(p, &w);
	return result ? result : check_nft(&w);
}
