/*
 * The gate as a whole: in which order its parts are built and taken back.
 *
 * Theory of operation. What is taken is decided by policy rules (rules.c), which
 * ask tables of ours (routes.c) and never the main table for packets; nft rules (ruleset.c)
 * mark what came from outside, so that its answers leave as they came, capture
 * for TPROXY and REDIRECT, and stand guard with a kill switch. Sysctls are few
 * (sysctls.c).
 *
 *   packet ─▶ table local ─▶ marks: own, reply, left out ─▶ main ─▶ uplink
 *                 │                     │ no way
 *                 ▼                     ▼ unreachable
 *             this host       port 53 ─▶ table+1 ─┐
 *                             the rest ─▶ table ──┼─▶ near ─▶ its link
 *                                                 ├─▶ TUN, or lo to our listeners
 *                                                 └─▶ unreachable
 *
 * Building: sysctls, the device, routes, nft, and the rules last. A table that
 * nobody asks changes nothing, and the first rule that takes anything asks a
 * table that is whole and ends in unreachable: from one moment to the next
 * unmarked traffic goes from natively to the tunnel, with nothing between.
 *
 * What survives a kill: all but the TUN's own routes. Then `unreachable` stands
 * where they stood (TPROXY and REDIRECT: no listener), and what is near and what
 * comes from outside goes on. Building over that adds what is missing before it
 * takes out what is too much, so that at no moment anything is missing.
 *
 * Taking back: rules from the last to the first, nft, routes, sysctls in
 * reverse, and the state file at the very end: whoever is interrupted is
 * continued by the next `down`.
 */
#include "gate/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "gate/parts.h"
#include "sys/nft.h"

struct work {
	const struct gate_plan *plan;
	struct netlink netlink;
	struct gate_state state;
	struct near_list near;
	struct route_list routes;
	struct rule_list rules;
	bool over; /* over what an earlier gatun left */
	int added_rules, added_routes;
	char *err;
	size_t size;
};

/* What nft knows to be near, as this process has last told it. */
static struct {
	struct gate_prefix *prefixes;
	int n;
} told;

bool gate_kernel_has_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0;
}

static int begin(struct work *w, const struct gate_plan *plan, char *err, size_t size)
{
	int result;

	memset(w, 0, sizeof(*w));
	w->plan = plan;
	w->err = err;
	w->size = size;
	result = netlink_open(&w->netlink);
	if (result) {
		snprintf(err, size, "cannot speak to the kernel of routes err=%s", err_name(result));
		return result;
	}
	return gate_state_read(&w->state, err, size);
}

static void end(struct work *w)
{
	netlink_close(&w->netlink);
	gate_state_free(&w->state);
	gate_near_free(&w->near);
	free(w->routes.at);
	free(w->rules.at);
}

static int no_memory(struct work *w, int result)
{
	if (result == -ENOMEM)
		snprintf(w->err, w->size, "no memory");
	else if (result == -EINVAL)
		snprintf(w->err, w->size, "the name of an interface or cgroup is one that nft cannot hold");
	else if (result)
		snprintf(w->err, w->size, "cannot read the routes err=%s", err_name(result));
	return result;
}

/* --- building --- */

static bool has_our_rules(struct netlink *n, int family)
{
	struct netlink_rule *all;
	int count = netlink_list_rules(n, family, &all);
	bool found = false;

	for (int i = 0; i < count; i++)
		found |= all[i].protocol == GATE_PROTOCOL;
	free(all);
	return found;
}

static bool is_there(struct work *w)
{
	return w->state.there || has_our_rules(&w->netlink, AF_INET) || has_our_rules(&w->netlink, AF_INET6);
}

static int set_sysctls(struct work *w)
{
	int result = gate_sysctls_want(w->plan, &w->state.sysctls);

	if (result)
		return no_memory(w, result);
	gate_state_own(&w->state);
	result = gate_state_write(&w->state, w->err, w->size);
	return result ? result : gate_sysctls_write(&w->state.sysctls, w->err, w->size);
}

static int set_address(struct work *w, int ifindex, const struct addr *a, uint8_t len)
{
	char text[GATE_WORDS];
	struct gate_prefix p = { *a, len };
	int result = netlink_add_addr_alone(&w->netlink, ifindex, a, len);

	if (result && result != -EEXIST) {
		snprintf(w->err, w->size, "cannot set the address %s on %s err=%s", gate_prefix_words(&p, text),
			 w->plan->device, err_name(result));
		return result;
	}
	return 0;
}

static int set_device(struct work *w)
{
	const struct gate_plan *p = w->plan;
	struct netlink_link link = { .mtu = p->mtu, .up = true };
	int ifindex = (int)if_nametoindex(p->device), result;

	if (p->mode != GATE_TUN)
		return 0;
	gate_sysctls_device(p);
	result = netlink_set_link(&w->netlink, ifindex, &link);
	if (result) {
		snprintf(w->err, w->size, "cannot set %s up err=%s", p->device, err_name(result));
		return result;
	}
	result = set_address(w, ifindex, &p->self4, p->self4_len);
	if (!result && p->ipv6 && gate_kernel_has_ipv6())
		result = set_address(w, ifindex, &p->self6, p->self6_len);
	return result;
}

static int read_lists(struct work *w)
{
	int result = gate_near_read(&w->netlink, w->plan, &w->near);

	if (!result)
		result = gate_routes_want(&w->netlink, w->plan, &w->near, &w->routes);
	if (!result)
		result = gate_rules_want(w->plan, &w->rules);
	return no_memory(w, result);
}

static int add_routes(struct work *w)
{
	int result = read_lists(w);

	return result ? result : gate_routes_add(&w->netlink, &w->routes, &w->added_routes, w->err, w->size);
}

/* result: of the making of the text. */
static int run_nft(struct work *w, int result, char *text)
{
	char why[256] = "";

	if (result)
		return no_memory(w, result);
	result = nft_run(text, why, sizeof(why));
	free(text);
	if (result)
		snprintf(w->err, w->size, "nft refuses our rules: %s err=%s", why, err_name(result));
	return result;
}

static bool is_told(const struct near_list *l)
{
	return told.prefixes && told.n == l->n && memcmp(told.prefixes, l->prefixes, (size_t)l->n * sizeof(*l->prefixes)) == 0;
}

/* The list changes hands. */
static void remember_told(struct near_list *l)
{
	free(told.prefixes);
	told.prefixes = l->prefixes;
	told.n = l->n;
	l->prefixes = NULL;
	l->n = 0;
}

static int set_nft(struct work *w)
{
	struct gate_ports ports;
	struct gate_near near = gate_near_of(&w->near, &ports);
	char *text = NULL;
	int result = gate_ruleset_up(w->plan, &near, &text);

	result = run_nft(w, result, text);
	if (w->near.refused)
		log_warn("%d prefixes that links have are too wide to be left out of the tunnel; what must be reached "
			 "directly is named by --exclude", w->near.refused);
	if (!result)
		remember_told(&w->near);
	return result;
}

static int add_rules(struct work *w)
{
	return gate_rules_add(&w->netlink, &w->rules, &w->added_rules, w->err, w->size);
}

static int sweep_rest(struct work *w)
{
	int result = gate_rules_sweep(&w->netlink, &w->rules, w->err, w->size);

	if (result >= 0)
		result = gate_routes_sweep(&w->netlink, &w->routes, w->err, w->size);
	return result < 0 ? result : 0;
}

/* --- taking back --- */

/* A kernel that has no nftables has no tables of ours either; but without the library nobody can tell. */
static int look_for_nft_tables(struct work *w, bool *has)
{
	char why[256] = "", *list = NULL;
	int err = nft_ask("list tables", &list, why, sizeof(why));

	*has = !err && list && (strstr(list, "table inet " GATE_NFT_TABLE "\n") || strstr(list, "table inet " GATE_NFT_GUARD "\n"));
	free(list);
	if (err != -ELIBACC)
		return 0;
	snprintf(w->err, w->size, "nft tables of gatun's may stand, and only the next `gatun down` that has the library takes them back: %s",
		 why);
	return err;
}

/* Goes on after a failure; the sentence is the last one's. */
static int take_back(struct work *w, char *done, size_t size)
{
	bool was_there = is_there(w), had_nft;
	int rules = gate_rules_sweep(&w->netlink, NULL, w->err, w->size), nft = look_for_nft_tables(w, &had_nft), routes;
	char *text = NULL;

	if (nft && !was_there)
		nft = 0;
	if (had_nft) {
		nft = gate_ruleset_down(true, &text);
		nft = run_nft(w, nft, text);
	}
	routes = gate_routes_sweep(&w->netlink, NULL, w->err, w->size);
	gate_sysctls_restore(&w->state.sysctls);
	if (rules < 0 || nft < 0 || routes < 0)
		return rules < 0 ? rules : nft < 0 ? nft : routes;
	gate_state_remove();
	done[0] = 0;
	if (rules || routes || had_nft || w->state.sysctls.n)
		snprintf(done, size, "%d rules, %d routes, %s nft tables, %d sysctls", rules, routes,
			 had_nft ? "the" : "no", w->state.sysctls.n);
	return 0;
}

/* What was fresh goes; what stood over an earlier one's remains goes on keeping traffic in. */
static void undo(struct work *w)
{
	char words[256], done[128];

	if (!w->over) {
		w->err = words;
		w->size = sizeof(words);
		if (take_back(w, done, sizeof(done)))
			log_error("what was begun could not be taken back: %s; try: gatun down", words);
		return;
	}
	w->state.pid = 0;
	gate_state_write(&w->state, words, sizeof(words));
}

static int build(struct work *w)
{
	static int (*const steps[])(struct work *) = { set_sysctls, set_device, add_routes, set_nft, add_rules, sweep_rest };
	int result = 0;

	w->over = is_there(w);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !result; i++)
		result = steps[i](w);
	if (result)
		undo(w);
	return result;
}

int gate_up(const struct gate_plan *p, char *err, size_t size)
{
	int lock = gate_state_lock(err, size), result;
	struct work w;

	if (lock < 0)
		return lock;
	result = gate_check(p, err, size);
	if (!result)
		result = gate_check_ways_in(p, err, size);
	if (!result) {
		result = begin(&w, p, err, size);
		if (!result)
			result = build(&w);
		end(&w);
	}
	gate_state_unlock(lock);
	return result;
}

/* --- while it stands --- */

bool gate_nft_is_gone(const struct gate_plan *p)
{
	char *tables = NULL, why[64];
	bool gone = false;

	if (nft_ask("list tables inet", &tables, why, sizeof(why)) == 0)
		gone = !tables || !strstr(tables, "table inet " GATE_NFT_TABLE "\n") ||
		       (p->kill_switch && !strstr(tables, "table inet " GATE_NFT_GUARD "\n"));
	free(tables);
	return gone;
}

static int put_nft_back(struct work *w)
{
	int result = set_nft(w);

	if (!result)
		log_warn("nft tables of ours had been removed by somebody: they are put back");
	return result;
}

static int follow_nft(struct work *w)
{
	struct gate_near near = { .prefixes = w->near.prefixes, .n = w->near.n };
	char *text = NULL;
	int result;

	if (gate_nft_is_gone(w->plan))
		return put_nft_back(w);
	if (is_told(&w->near))
		return 0;
	result = gate_ruleset_near(w->plan, &near, &text);
	result = run_nft(w, result, text);
	if (!result)
		remember_told(&w->near);
	return result;
}

/* An interface may have come. */
static int follow_sysctls(struct work *w)
{
	int before = w->state.sysctls.n, result = gate_sysctls_want(w->plan, &w->state.sysctls);

	if (result)
		return no_memory(w, result);
	if (w->state.sysctls.n == before)
		return 0;
	result = gate_state_write(&w->state, w->err, w->size);
	return result ? result : gate_sysctls_write(&w->state.sysctls, w->err, w->size);
}

/* nft before the routes: what is on a new link passes the guard by the time that it has a way. */
static int follow(struct work *w)
{
	static int (*const steps[])(struct work *) = { follow_sysctls, read_lists, follow_nft, add_rules };
	int result = 0;

	if (w->state.pid != getpid())
		return 0; /* taken back, or another's by now */
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !result; i++)
		result = steps[i](w);
	if (!result)
		result = gate_routes_add(&w->netlink, &w->routes, &w->added_routes, w->err, w->size);
	if (!result)
		result = sweep_rest(w);
	if (w->added_rules)
		log_warn("%d policy rules of ours had been removed by somebody: they are put back", w->added_rules);
	if (w->added_routes)
		log_debug("%d routes of ours are new", w->added_routes);
	return result;
}

int gate_follow(const struct gate_plan *p, char *err, size_t size)
{
	int lock = gate_state_lock(err, size), result;
	struct work w;

	if (lock < 0)
		return lock;
	result = begin(&w, p, err, size);
	if (!result)
		result = follow(&w);
	end(&w);
	gate_state_unlock(lock);
	return result;
}

/* --- another plan --- */

static int rebuild(struct work *w)
{
	static int (*const steps[])(struct work *) = { follow_sysctls, add_routes, set_nft, add_rules, sweep_rest };
	int result = 0;

	if (w->state.pid != getpid()) {
		snprintf(w->err, w->size, "the rules here are not this gatun's any more");
		return -ESRCH;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !result; i++)
		result = steps[i](w);
	return result;
}

static int become(const struct gate_plan *p, char *err, size_t size)
{
	struct work w;
	int result = begin(&w, p, err, size);

	if (!result)
		result = rebuild(&w);
	end(&w);
	return result;
}

int gate_change(const struct gate_plan *now, const struct gate_plan *fresh, char *err, size_t size)
{
	int lock = gate_state_lock(err, size), result;
	char words[256];

	if (lock < 0)
		return lock;
	result = gate_check_lists(fresh, err, size);
	if (!result) {
		result = become(fresh, err, size);
		if (result && become(now, words, sizeof(words)) != 0)
			log_error("the rules of before could not be put back whole: %s", words);
	}
	gate_state_unlock(lock);
	return result;
}

int gate_check_way(const struct gate_plan *p, const struct addr *server, char *err, size_t size)
{
	struct netlink_route way;
	struct netlink n;
	char words[GATE_WORDS];
	int result = netlink_open(&n);

	if (result) {
		snprintf(err, size, "cannot speak to the kernel of routes err=%s", err_name(result));
		return result;
	}
	result = netlink_find_way(&n, server, p->mark + GATE_MARK_OWN, &way);
	netlink_close(&n);
	if (result) {
		snprintf(err, size, "there is no way to the server err=%s", err_name(result));
		return result;
	}
	if (way.table != p->table && way.table != p->table + 1 &&
	    (p->mode != GATE_TUN || way.oif != (int)if_nametoindex(p->device)))
		return 0;
	snprintf(err, size, "the way to the server comes back to gatun itself: `%s`", gate_route_words(&way, words));
	return -ELOOP;
}

/* --- the end --- */

/* Nobody's any more, and closed. */
static int leave_closed(struct work *w)
{
	if (!is_there(w)) {
		w->err[0] = 0;
		return 0;
	}
	w->state.there = true;
	w->state.pid = 0;
	if (gate_state_write(&w->state, w->err, w->size))
		log_warn("%s", w->err);
	snprintf(w->err, w->size, "what keeps traffic in stays");
	return 0;
}

int gate_down(bool keep_guard, int *owner, char *err, size_t size)
{
	int lock = gate_state_lock(err, size), result;
	struct work w;

	*owner = 0;
	if (lock < 0)
		return lock;
	result = begin(&w, NULL, err, size);
	if (!result && (*owner = gate_state_owner(&w.state)) != 0) {
		snprintf(err, size, "gatun is up here (pid %d)", *owner);
		result = -EBUSY;
	} else if (!result) {
		result = keep_guard ? leave_closed(&w) : take_back(&w, err, size);
	}
	end(&w);
	gate_state_unlock(lock);
	return result;
}

bool gate_stands(void)
{
	struct netlink n;
	bool stands;

	if (netlink_open(&n))
		return false;
	stands = has_our_rules(&n, AF_INET) || has_our_rules(&n, AF_INET6);
	netlink_close(&n);
	return stands;
}

uint64_t gate_guard_drops(void)
{
	char why[64], *text = NULL, *at;
	uint64_t packets = 0;

	if (nft_ask("list counter inet " GATE_NFT_GUARD " " GATE_NFT_DROPPED, &text, why, sizeof(why)) == 0 && text &&
	    (at = strstr(text, "packets ")) != NULL)
		packets = strtoull(at + strlen("packets "), NULL, 10);
	free(text);
	return packets;
}
