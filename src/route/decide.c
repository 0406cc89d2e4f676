/*
 * The decisions, in one place. Of lists that stand against each other:
 *
 *	a name      the proxy list before the bypass list, the block list before the allow list
 *	an address  the bypass list before the proxy list, the block list before the allow list
 *	neither     the mode: proxy_all or bypass_all, outbound_allow_all or outbound_block_all
 *
 * For a name that no list names, one of its addresses in the list that is
 * against the mode (bypass in proxy_all, proxy in bypass_all) turns it; without
 * prefixes in that list nothing is resolved. This is what shadowsocks-rust
 * does; where libev differs docs/acl.md says so.
 *
 * A name that a client sends and that is an address in digits is an address.
 * Names are compared in lower case without last dots. An expression that gives
 * up on a name counts as a match on the block list alone: the other lists only
 * choose a way.
 */
#include "route/decide.h"

#include <assert.h>
#include <string.h>

struct name {
	char text[TARGET_NAME_MAX + 1];
	size_t len;
};

static const char *const verdict_names[] = { "proxy", "direct", "block", "resolve" };
static_assert(sizeof(verdict_names) / sizeof(*verdict_names) == ROUTE_RESOLVE + 1, "every verdict has a name");

const char *route_verdict_name(enum route_verdict v)
{
	return verdict_names[v];
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

static void set_name(struct name *n, const char *text, size_t len)
{
	while (len && text[len - 1] == '.')
		len--;
	n->len = len < TARGET_NAME_MAX ? len : TARGET_NAME_MAX;
	for (size_t i = 0; i < n->len; i++)
		n->text[i] = lower(text[i]);
	n->text[n->len] = 0;
}

/* A name with a NUL in it is no address. */
static bool is_address(const struct name *n, struct addr *out)
{
	return strlen(n->text) == n->len && addr_parse_ip(n->text, 0, out) == 0;
}

static bool has_name(const struct acl *a, enum acl_list_name list, const struct name *n)
{
	const struct acl_list *l = &a->lists[list];

	return domain_contains(&l->names, n->text, n->len) || regex_matches(&l->regexes, n->text, n->len, list == ACL_BLOCK);
}

static bool has_address(const struct acl *a, enum acl_list_name list, const struct addr *ip)
{
	return cidr_contains(&a->lists[list].addresses, ip);
}

/* ---- outbound lists ---- */

static bool name_denied(const struct acl *a, const struct name *n, bool *named)
{
	*named = false;
	if (has_name(a, ACL_BLOCK, n))
		return true;
	*named = has_name(a, ACL_ALLOW, n);
	/* Else one of its addresses may be on the list. */
	return !*named && a->block_all && cidr_is_empty(&a->lists[ACL_ALLOW].addresses);
}

bool route_name_denied(const struct acl *a, const char *name, size_t len, bool *named)
{
	struct name n;
	struct addr ip;

	set_name(&n, name, len);
	*named = false;
	return is_address(&n, &ip) ? route_address_denied(a, &ip, false) : name_denied(a, &n, named);
}

bool route_address_denied(const struct acl *a, const struct addr *ip, bool named)
{
	if (has_address(a, ACL_BLOCK, ip))
		return true;
	return a->block_all && !named && !has_address(a, ACL_ALLOW, ip);
}

/* ---- the client's way ---- */

static enum route_verdict by_mode(const struct acl *a)
{
	return a->bypass_all ? ROUTE_DIRECT : ROUTE_PROXY;
}

/* The list whose addresses turn a name that nothing names. */
static enum acl_list_name against_mode(const struct acl *a)
{
	return a->bypass_all ? ACL_PROXY : ACL_BYPASS;
}

static enum route_verdict decide_address(const struct acl *a, const struct addr *ip)
{
	if (route_address_denied(a, ip, false))
		return ROUTE_BLOCK;
	if (has_address(a, ACL_BYPASS, ip))
		return ROUTE_DIRECT;
	return has_address(a, ACL_PROXY, ip) ? ROUTE_PROXY : by_mode(a);
}

/* Outbound lists hold for a name by itself here: to look up every name because
 * its addresses might be blocked would tell the local resolver all of them. */
static enum route_verdict decide_name(const struct acl *a, const struct name *n)
{
	bool named;

	if (name_denied(a, n, &named) || (a->block_all && !named))
		return ROUTE_BLOCK;
	if (has_name(a, ACL_PROXY, n))
		return ROUTE_PROXY;
	if (has_name(a, ACL_BYPASS, n))
		return ROUTE_DIRECT;
	return cidr_is_empty(&a->lists[against_mode(a)].addresses) ? by_mode(a) : ROUTE_RESOLVE;
}

enum route_verdict route_target(const struct acl *a, const struct target *t)
{
	struct name n;
	struct addr ip;

	if (!target_is_name(t))
		return decide_address(a, &t->ip);
	set_name(&n, t->name, t->name_len);
	return is_address(&n, &ip) ? decide_address(a, &ip) : decide_name(a, &n);
}

enum route_verdict route_resolved(const struct acl *a, const struct addr *ips, int n)
{
	for (int i = 0; i < n; i++)
		if (has_address(a, against_mode(a), &ips[i]))
			return a->bypass_all ? ROUTE_PROXY : ROUTE_DIRECT;
	return by_mode(a);
}

/* ---- the server's clients ---- */

bool route_client_denied(const struct acl *a, const struct addr *ip)
{
	if (has_address(a, ACL_BYPASS, ip))
		return true;
	return a->bypass_all && !has_address(a, ACL_PROXY, ip);
}
