/* See check_acl.h. The decisions themselves are route/decide.c's; here they are
 * only put into words. */
#include "cli/check_acl.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "route/decide.h"

static bool read_one(struct checked_acls *c, const char *path)
{
	if (!path)
		return true;
	for (int i = 0; i < c->n; i++)
		if (strcmp(c->items[i].path, path) == 0)
			return c->items[i].acl;
	c->items = array_grow_or_die(c->items, c->n, sizeof(*c->items));
	c->items[c->n] = (struct checked_acl){ .path = path, .acl = acl_load(path, PROBLEM_ADVICE, stderr) };
	return c->items[c->n++].acl;
}

bool check_acls_read(struct checked_acls *c, const struct config *config, const char *more)
{
	bool ok = read_one(c, config->acl);

	for (int i = 0; i < config->n_servers; i++)
		ok &= read_one(c, config->servers[i].acl);
	for (int i = 0; i < config->n_locals; i++)
		ok &= read_one(c, config->locals[i].acl);
	return read_one(c, more) && ok;
}

static const char *print_count(unsigned n, const char *what, const char *before)
{
	if (n)
		printf("%s%u %s%s", before, n, what, n == 1 ? "" : strcmp(what, "address") == 0 ? "es" : "s");
	return n ? ", " : before;
}

static void print_list(const struct acl_list *l, const char *fate)
{
	const char *before;

	if (!(l->n_addresses || l->n_names || l->n_regexes))
		return;
	printf("; %s ", fate);
	before = print_count(l->n_addresses, "address", "");
	before = print_count(l->n_names, "name", before);
	print_count(l->n_regexes, "expression", before);
}

void check_acls_print(const struct checked_acls *c)
{
	for (int i = 0; i < c->n; i++) {
		const struct acl *a = c->items[i].acl;

		printf("acl %s: %s what no list names", c->items[i].path, a->bypass_all ? "bypasses (of clients: refuses)" : "proxies (of clients: lets in)");
		print_list(&a->lists[ACL_BYPASS], "bypasses");
		print_list(&a->lists[ACL_PROXY], "proxies");
		if (a->block_all)
			printf("; blocks every target that is not allowed");
		print_list(&a->lists[ACL_BLOCK], "blocks");
		print_list(&a->lists[ACL_ALLOW], "allows");
		putchar('\n');
	}
}

static const char *way(const struct acl *a, const struct target *t)
{
	switch (route_target(a, t)) {
	case ROUTE_PROXY:
		return "proxied";
	case ROUTE_DIRECT:
		return "past the proxy";
	case ROUTE_BLOCK:
		return "refused";
	case ROUTE_RESOLVE:
		break;
	}
	return a->bypass_all ? "past the proxy, unless one of its addresses is proxied" : "proxied, unless one of its addresses is bypassed";
}

static bool denied(const struct acl *a, const struct target *t)
{
	bool named;

	return target_is_name(t) ? route_name_denied(a, t->name, t->name_len, &named) : route_address_denied(a, &t->ip, false);
}

void check_acls_ask(const struct checked_acls *c, const char *host)
{
	char shown[TARGET_STRLEN];
	struct target t;

	log_escape(host, strlen(host), shown, sizeof(shown));
	if (target_set(&t, host, strlen(host), 1) != 0) {
		printf("%s: no name and no address\n", shown);
		return;
	}
	for (int i = 0; i < c->n; i++) {
		const struct acl *a = c->items[i].acl;

		printf("acl %s: %s: with a client %s; with a server %s", c->items[i].path, shown, way(a, &t), denied(a, &t) ? "refused" : "reached");
		if (!target_is_name(&t))
			printf("; as a client of one %s", route_client_denied(a, &t.ip) ? "refused" : "let in");
		putchar('\n');
	}
}

void check_acls_free(struct checked_acls *c)
{
	for (int i = 0; i < c->n; i++)
		acl_unref(c->items[i].acl);
	free(c->items);
	*c = (struct checked_acls){ 0 };
}
