/*
 * `gatun up`: lists and the final check; see up.h. Everything here is known
 * without asking the kernel: whether an interface is there, or a mark is taken,
 * is gate_check's to say (gate/gate.h).
 *
 * Prefixes end sorted and apart. Two routes of which one holds the other are a
 * mistake that somebody should look at; two such excludes are how generated
 * lists look, and the wider one stands.
 */
#include "conf/up.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/prefix.h"

#define SHOWN 80
enum { FAKE4_MIN = 8, FAKE4_MAX = 28, FAKE6_MIN = 16, FAKE6_MAX = 96 };
#define CGROUP_MOUNT "/sys/fs/cgroup/"
#define TABLES_OF_KERNEL_FROM 253 /* default, main and local, to 255 */

const char *up_mode_name(enum config_up_mode m)
{
	return m == UP_TPROXY ? "tproxy" : m == UP_REDIRECT ? "redirect" : "tun";
}

static bool refuse(const struct assignment *a, const struct option_value *v, const char *wants)
{
	char shown[SHOWN];

	if (v->kind == VALUE_TEXT)
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s wants %s, not \"%s\"", a->name, wants,
			    log_escape(v->text, strlen(v->text), shown, sizeof(shown)));
	else
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s wants %s, not %s", a->name, wants, v->kind == VALUE_NUMBER ? "a number" : v->is);
	return false;
}

/* ---- prefixes ---- */

static bool parse_prefix(const struct assignment *a, const struct option_value *v, bool keep_bits, struct config_prefix *out)
{
	char right[PREFIX_STRLEN], shown[SHOWN];

	if (v->kind != VALUE_TEXT || prefix_parse(v->text, out) != 0)
		return refuse(a, v, "a prefix such as 10.0.0.0/8 or fd00::/8");
	if (keep_bits || !prefix_trim(out))
		return true;
	problem_add(a->problems, PROBLEM_ERROR, v->at, "%s: %s has bits behind its prefix: did you mean %s?", a->name,
		    log_escape(v->text, strlen(v->text), shown, sizeof(shown)), prefix_format(out, right));
	return false;
}

/* Room for names, and not half of the world (resolve/fakeip.h). */
static bool is_fake_range(const struct config_prefix *p)
{
	return p->at.family == AF_INET ? p->len >= FAKE4_MIN && p->len <= FAKE4_MAX : p->len >= FAKE6_MIN && p->len <= FAKE6_MAX;
}

bool up_assign_prefix(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct config_prefix *to = (struct config_prefix *)(void *)((char *)a->config + r->offset), p;
	bool six;

	if (!parse_prefix(a, v, r->max, &p))
		return false;
	six = p.at.family == AF_INET6;
	if (r->min && six != (r->min == 6))
		return refuse(a, v, six ? "an IPv4 prefix" : "an IPv6 prefix");
	if (r->min && !is_fake_range(&p))
		return refuse(a, v, six ? "a prefix from /16 to /96" : "a prefix from /8 to /28");
	to[!r->min && six] = p;
	return true;
}

static bool add_prefix(const struct assignment *a, struct config_prefixes *list, const struct option_value *v)
{
	struct config_prefix p;

	if (!parse_prefix(a, v, false, &p))
		return false;
	list->items = array_grow_or_die(list->items, list->n, sizeof(*list->items));
	list->items[list->n++] = p;
	return true;
}

/* ---- names ---- */

static void add_text(struct config *c, const char *const **list, const char *text)
{
	size_t n = 0;
	const char **all;

	while (*list && (*list)[n])
		n++;
	all = calloc(n + 2, sizeof(*all));
	if (!all || !(all[n] = config_keep_text(c, text, strlen(text))))
		die(1, "out of memory");
	for (size_t i = 0; i < n; i++)
		all[i] = (*list)[i];
	*list = config_keep_list(c, all, n + 1);
	free(all);
	if (!*list)
		die(1, "out of memory");
}

static bool is_device(const char *name)
{
	return *name && strlen(name) < IFNAMSIZ && !strpbrk(name, "/:% \t\n") && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool add_device(const struct assignment *a, const char *const **list, const struct option_value *v)
{
	if (v->kind != VALUE_TEXT || !is_device(v->text))
		return refuse(a, v, "the name of a network interface");
	add_text(a->config, list, v->text);
	return true;
}

static bool has_dots(const char *path)
{
	for (; path; path = strchr(path, '/')) {
		path += *path == '/';
		if (strncmp(path, "..", 2) == 0 && (!path[2] || path[2] == '/'))
			return true;
	}
	return false;
}

/* The mount's own path before it is how people copy it. */
static bool add_cgroup(const struct assignment *a, const char *const **list, const struct option_value *v)
{
	const char *path = v->kind == VALUE_TEXT ? v->text : "";
	char copy[512];
	size_t n;

	if (strncmp(path, CGROUP_MOUNT, strlen(CGROUP_MOUNT)) == 0)
		path += strlen(CGROUP_MOUNT);
	path += strspn(path, "/");
	n = strlen(path);
	while (n && path[n - 1] == '/')
		n--;
	if (!n || n >= sizeof(copy) || has_dots(path) || strpbrk(path, "\"\n"))
		return refuse(a, v, "the path of a control group below " CGROUP_MOUNT);
	memcpy(copy, path, n);
	copy[n] = 0;
	add_text(a->config, list, copy);
	return true;
}

/* ---- users ---- */

static bool parse_uid(const char *text, size_t len, uint32_t *out)
{
	char copy[33];
	unsigned long long n;
	const struct passwd *pw;

	if (!len || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (strspn(copy, "0123456789") == len) {
		n = strtoull(copy, NULL, 10);
		*out = (uint32_t)n;
		return len <= 10 && n < UINT32_MAX;
	}
	pw = getpwnam(copy);
	if (pw)
		*out = pw->pw_uid;
	return pw != NULL;
}

/* A name may hold a dash. */
static bool parse_uids(const char *text, struct config_uids *out)
{
	const char *dash = strchr(text, '-');

	if (parse_uid(text, strlen(text), &out->from)) {
		out->to = out->from;
		return true;
	}
	return dash && parse_uid(text, (size_t)(dash - text), &out->from) && parse_uid(dash + 1, strlen(dash + 1), &out->to) &&
	       out->from <= out->to;
}

static bool add_uids(const struct assignment *a, const struct option_value *v)
{
	struct config_up *up = &a->config->up;
	struct config_uids uids = { .from = (uint32_t)v->number, .to = (uint32_t)v->number };

	if (v->kind == VALUE_NUMBER ? v->number < 0 || v->number >= UINT32_MAX : v->kind != VALUE_TEXT || !parse_uids(v->text, &uids))
		return refuse(a, v, "a user of this machine, by name, number or FROM-TO");
	up->uids = array_grow_or_die(up->uids, up->n_uids, sizeof(*up->uids));
	up->uids[up->n_uids++] = uids;
	return true;
}

/* ---- lists ---- */

bool up_is_list(const struct option_row *r)
{
	return r->type == OPTION_PREFIXES || r->type == OPTION_DEVICES || r->type == OPTION_CGROUPS || r->type == OPTION_UIDS;
}

/* "only these" and "all but these" exclude each other. */
static bool take_pick(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct config_up *up = &a->config->up;

	if (r->type != OPTION_UIDS && r->type != OPTION_CGROUPS)
		return true;
	if (up->pick == PICK_EVERYBODY)
		up->pick = r->min;
	if (up->pick == r->min)
		return true;
	problem_add(a->problems, PROBLEM_ERROR, v->at, "%s: either only some are taken (--uid, --cgroup), or all but some (--not-uid, --not-cgroup)",
		    a->name);
	return false;
}

bool up_assign_item(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	void *field = (char *)a->config + r->offset;

	if (!take_pick(a, r, v))
		return false;
	switch (r->type) {
	case OPTION_PREFIXES:
		return add_prefix(a, field, v);
	case OPTION_DEVICES:
		return add_device(a, field, v);
	case OPTION_CGROUPS:
		return add_cgroup(a, field, v);
	default:
		return add_uids(a, v);
	}
}

void up_clear_list(struct config *c, const struct option_row *r)
{
	void *field = (char *)c + r->offset;

	if (r->type == OPTION_PREFIXES)
		((struct config_prefixes *)field)->n = 0;
	else if (r->type == OPTION_UIDS)
		c->up.n_uids = 0;
	else
		*(const char *const **)field = NULL;
	if (!c->up.n_uids && !c->up.cgroups)
		c->up.pick = PICK_EVERYBODY;
}

void up_free(struct config_up *up)
{
	free(up->routes.items);
	free(up->excludes.items);
	free(up->uids);
}

/* ---- two of them ---- */

static bool same_texts(const char *const *a, const char *const *b)
{
	for (; a && b && *a && *b; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return (!a || !*a) && (!b || !*b);
}

static bool same_self(const struct config_prefix *a, const struct config_prefix *b)
{
	return a->len == b->len && addr_equal(&a->at, &b->at);
}

/* NAT gives a LAN's connections to other addresses than this machine's, and where we listen is fixed. */
static bool same_lans(const struct config_up *a, const struct config_up *b)
{
	return a->mode != UP_REDIRECT || same_texts(a->lans, b->lans);
}

bool up_fixed_differs(const struct config_up *a, const struct config_up *b, char *text, size_t size)
{
	const struct { bool same; const char *key; } fixed[] = {
		{ a->mode == b->mode, "mode" },
		{ strcmp(a->device, b->device) == 0, "tun_interface_name" },
		{ same_self(&a->self4, &b->self4) && same_self(&a->self6, &b->self6), "tun_interface_address" },
		{ a->table == b->table, "table" },
		{ a->priority == b->priority, "priority" },
		{ a->no_ipv6 == b->no_ipv6, "no_ipv6" },
		{ a->port == b->port, "up_port" },
		{ a->dns_port == b->dns_port, "up_dns_port" },
		{ same_lans(a, b), "lan (in mode redirect)" },
	};
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (!fixed[i].same && at < size)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at ? ", " : "", fixed[i].key);
	return at > 0;
}

/* ---- the check ---- */

static void say(struct problems *p, bool strict, const char *text)
{
	problem_add(p, strict ? PROBLEM_ERROR : PROBLEM_WARNING, 0, "%s", text);
}

/* Sorted, and those inside another gone; said of routes. */
static void part(struct config_prefixes *list, bool routes, bool strict, struct problems *p)
{
	int kept = 0;

	prefixes_sort(list);
	for (int i = 0; i < list->n; i++) {
		const struct config_prefix *cover = kept ? &list->items[kept - 1] : NULL;
		char inner[PREFIX_STRLEN], outer[PREFIX_STRLEN];

		if (!cover || !prefix_covers(cover, &list->items[i]))
			list->items[kept++] = list->items[i];
		else if (routes)
			problem_add(p, strict ? PROBLEM_ERROR : PROBLEM_WARNING, 0, "the route %s is inside the route %s: leave one of them out",
				    prefix_format(&list->items[i], inner), prefix_format(cover, outer));
	}
	list->n = kept;
}

static void check_routes(const struct config_up *up, bool strict, struct problems *p)
{
	char inner[PREFIX_STRLEN], outer[PREFIX_STRLEN];

	for (int i = 0; i < up->routes.n; i++) {
		const struct config_prefix *r = &up->routes.items[i], *cover = prefixes_find_cover(&up->excludes, r);

		if (cover)
			problem_add(p, strict ? PROBLEM_ERROR : PROBLEM_WARNING, 0, "the route %s is inside %s, which is excluded",
				    prefix_format(r, inner), prefix_format(cover, outer));
		else if (r->at.family == AF_INET6 && up->no_ipv6)
			problem_add(p, PROBLEM_WARNING, 0, "the route %s has no effect: IPv6 is not carried", prefix_format(r, inner));
	}
}

static void check_numbers(const struct config_up *up, bool strict, struct problems *p)
{
	if (up->table <= 255 && up->table + 2 >= TABLES_OF_KERNEL_FROM)
		problem_add(p, strict ? PROBLEM_ERROR : PROBLEM_WARNING, 0, "the tables %u to %u would be gatun's own, but 253 to 255 are the kernel's",
			    up->table, up->table + 2);
	if (up->port && up->port == up->dns_port)
		say(p, strict, "--port and --dns-port want two ports");
}

static void check_mark_of(uint32_t theirs, uint32_t ours, const char *whose, struct problems *p)
{
	if (theirs && theirs != ours)
		problem_add(p, PROBLEM_ERROR, 0,
			    "\"outbound_fwmark\" of %s is %u, but `gatun up` marks its own sockets with %u: leave it out, or give --mark %u", whose,
			    theirs, ours, theirs);
}

void up_take_marks(struct config *c, struct problems *p)
{
	check_mark_of(c->outbound.fwmark, c->up.mark, "the config", p);
	c->outbound.fwmark = c->up.mark;
	c->captured = true;
}

/* A server's own; the config's is ours by now. */
static void check_marks(const struct config *c, struct problems *p)
{
	for (int i = 0; i < c->n_servers; i++)
		check_mark_of(c->servers[i].outbound.fwmark, c->up.mark, c->servers[i].tag, p);
}

static void check_lans(const struct config_up *up, bool strict, struct problems *p)
{
	for (const char *const *lan = up->lans; lan && *lan; lan++)
		if (strcmp(*lan, "lo") == 0 || (up->mode == UP_TUN && strcmp(*lan, up->device) == 0))
			problem_add(p, strict ? PROBLEM_ERROR : PROBLEM_WARNING, 0, "--lan %s: no LAN is behind it", *lan);
}

static void no_effect(struct problems *p, bool given, const char *what, enum config_up_mode mode)
{
	if (given)
		problem_add(p, PROBLEM_WARNING, 0, "%s has no effect in mode %s", what, up_mode_name(mode));
}

static bool any_carries_tcp(const struct config *c)
{
	bool tcp = !c->n_servers;

	for (int i = 0; i < c->n_servers; i++)
		tcp |= (c->servers[i].mode & MODE_TCP_ONLY) != 0;
	return tcp;
}

static void check_mode(const struct config *c, struct problems *p)
{
	const struct config_up *up = &c->up;
	enum config_up_mode mode = (enum config_up_mode)up->mode;

	if (mode == UP_REDIRECT && !any_carries_tcp(c))
		say(p, true, "mode redirect carries TCP alone, and no server does: take mode tun or tproxy");
	if (mode == UP_REDIRECT)
		no_effect(p, c->udp_over_tcp != UDP_OVER_TCP_NO, "udp_over_tcp", mode);
	if (c->pcap_file && c->workers != 1)
		say(p, true, "--pcap wants one worker: the file is one");
	if (mode == UP_TUN) {
		no_effect(p, up->port || up->dns_port, "--port or --dns-port", mode);
		return;
	}
	no_effect(p, c->mtu, "--mtu", mode);
	no_effect(p, up->self4.at.family || up->self6.at.family, "tun_interface_address", mode);
	if (c->pcap_file)
		problem_add(p, PROBLEM_ERROR, 0, "--pcap writes what a TUN sees, and mode %s has none", up_mode_name(mode));
}

void up_check(struct config *c, bool strict, struct problems *p)
{
	part(&c->up.routes, true, strict, p);
	part(&c->up.excludes, false, strict, p);
	check_routes(&c->up, strict, p);
	check_numbers(&c->up, strict, p);
	check_lans(&c->up, strict, p);
	if (!strict)
		return;
	check_marks(c, p);
	check_mode(c, p);
}
