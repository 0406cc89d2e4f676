/*
 * `gatun check FILE|URL`: every problem of a config, then what `run` and
 * `server` would do with it. Problems go to stderr, the summary to stdout; no
 * secret goes to either.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/check_acl.h"
#include "cli/words.h"
#include "conf/hop.h"
#include "conf/load.h"
#include "conf/local.h"
#include "conf/prefix.h"
#include "conf/up.h"
#include "conf/url.h"
#include "sys/secrets.h"

#define PREFIXES_SHOWN 8

static const char *carried(enum config_mode mode)
{
	return mode == MODE_TCP_ONLY ? "TCP only" : mode == MODE_UDP_ONLY ? "UDP only" : "TCP and UDP";
}

/* ", 2 users" or what a client says of itself. */
static void print_identity(const struct config_server *s)
{
	if (s->n_users)
		printf(", %d user%s", s->n_users, s->n_users == 1 ? "" : "s");
	if (s->n_identities)
		printf(", as a user behind %d key%s", s->n_identities, s->n_identities == 1 ? "" : "s");
	if (s->plugin.name)
		printf(", %s through the plugin %s", carried(s->plugin.mode), s->plugin.name);
	putchar('\n');
}

/* ", by socks5 192.0.2.1:1080, ss 192.0.2.2:8388": nothing of a login. */
static void print_hops(const struct config_server *s)
{
	char address[TARGET_STRLEN];

	for (int i = 0; i < s->n_hops; i++)
		printf("%s %s %s", i ? "," : ", by", hop_kind_name(s->hops[i].kind), target_format(&s->hops[i].address, address));
}

static void print_servers(const struct config *c)
{
	for (int i = 0; i < c->n_servers; i++) {
		const struct config_server *s = &c->servers[i];
		char address[TARGET_STRLEN];

		target_format(&s->address, address);
		if (strcmp(address, s->tag) == 0)
			printf("server %s: %s, %s", address, s->method->name, carried(s->mode));
		else
			printf("server \"%s\" at %s: %s, %s", s->tag, address, s->method->name, carried(s->mode));
		print_hops(s);
		print_identity(s);
	}
}

static bool is_for_clients(const struct config *c)
{
	for (int i = 0; i < c->n_servers; i++)
		if (c->servers[i].n_users)
			return false;
	return c->n_servers > 0;
}

static void print_choice(const struct config *c)
{
	static const char *const words[] = {
		[BALANCER_UNSET] = "", /* load_finish() has set it */
		[BALANCER_FAILCOUNT] = "the first, mostly past those that failed",
		[BALANCER_LATENCY] = "the one with the lowest score",
		[BALANCER_ORDER] = "the first that works",
		[BALANCER_STICKY] = "each client's own",
	};

	if (c->n_servers > 1 && is_for_clients(c))
		printf("of %d servers a new flow takes %s\n", c->n_servers, words[c->balancer_policy]);
}

static void print_names(const struct config *c)
{
	char upstream[TARGET_STRLEN];

	target_format(&c->dns_upstream, upstream);
	if (c->dns == DNS_FAKE)
		printf("; names travel in the tunnel (fake addresses), other queries to %s", upstream);
	else if (c->dns == DNS_UPSTREAM)
		printf("; names are asked of %s through the tunnel", upstream);
	else
		printf("; port 53 is carried like any other");
}

static enum config_mode all_modes(const struct config *c)
{
	unsigned modes = 0;

	for (int i = 0; i < c->n_servers; i++)
		modes |= c->servers[i].mode;
	return (enum config_mode)modes;
}

static void print_run(const struct config *c)
{
	char address[TARGET_STRLEN];

	if (!is_for_clients(c))
		return;
	printf("gatun run: carries %s of the command to %s", carried(all_modes(c)),
	       c->n_servers > 1 ? "one of them" : target_format(&c->servers[0].address, address));
	print_names(c);
	if (c->mtu)
		printf("; MTU %d\n", c->mtu);
	else
		printf("; MTU as the path allows\n");
}

static void print_prefixes(const char *before, const struct config_prefixes *list)
{
	char text[PREFIX_STRLEN];

	for (int i = 0; i < list->n && i < PREFIXES_SHOWN; i++)
		printf("%s%s", i ? ", " : before, prefix_format(&list->items[i], text));
	if (list->n > PREFIXES_SHOWN)
		printf(" and %d more", list->n - PREFIXES_SHOWN);
}

static void print_up(const struct config *c)
{
	const struct config_up *up = &c->up;

	if (!is_for_clients(c))
		return;
	printf("gatun up: takes %s of this machine by %s", up->pick == PICK_ONLY ? "some users" : up->pick == PICK_EXCEPT ? "all but some users" : "everything",
	       up_mode_name((enum config_up_mode)up->mode));
	print_prefixes(" to ", &up->routes);
	print_prefixes(", but for ", &up->excludes);
	for (const char *const *lan = up->lans; lan && *lan; lan++)
		printf("%s%s", lan == up->lans ? ", and of the LAN behind " : ", ", *lan);
	printf("%s%s\n", up->no_ipv6 ? "; IPv6 is unreachable" : "", up->kill_switch ? "; the kill switch is on" : "");
}

static void print_listen(const struct config *c)
{
	for (int i = 0; i < c->n_servers; i++) {
		const struct config_server *s = &c->servers[i];
		char address[TARGET_STRLEN];

		if (!target_is_name(&s->address) && !s->n_identities)
			printf("gatun server: listens on %s (%s), %s targets on this machine\n", target_format(&s->address, address),
			       carried(s->mode), c->allow_local ? "allows" : "refuses");
	}
}

static void print_manager(const struct config *c)
{
	const struct config_manager *m = &c->manager;
	char where[ADDR_STRLEN], on[ADDR_STRLEN];

	if (!m->address)
		return;
	addr_format(&m->hosts[0], on);
	*strrchr(on, ':') = 0; /* the port, which is any */
	printf("gatun server: takes a manager's orders at %s, opens ports on %s%s\n",
	       m->path ? m->path : addr_format(&m->listen, where), on, m->n_hosts > 1 ? " and others" : "");
}

static void print_locals(const struct config *c)
{
	for (int i = 0; i < c->n_locals; i++) {
		const struct config_local *l = &c->locals[i];
		char where[ADDR_STRLEN], near[ADDR_STRLEN], to[TARGET_STRLEN];
		bool users = l->socks_users.n || l->http_users.n;

		printf("gatun local: %s on %s", local_protocol_name(l->protocol), addr_format(&l->listen, where));
		if (l->protocol == LOCAL_TUNNEL)
			printf(" to %s, %s\n", target_format(&l->forward, to), carried(l->mode));
		else if (l->protocol == LOCAL_DNS)
			printf(", asks %s through the tunnel, and %s about names that an ACL bypasses\n", target_format(&l->remote_dns, to),
			       addr_format(&l->local_dns, near));
		else if (l->protocol == LOCAL_FAKE_DNS)
			printf(", answers names with fake addresses, which the other inbounds know\n");
		else if (l->protocol == LOCAL_REDIR)
			printf(", %s: what rules of yours send there, TCP by %s%s\n", carried(l->mode),
			       l->tcp_redir == REDIR_TPROXY ? "TPROXY" : "redirect", l->mode & MODE_UDP_ONLY ? ", UDP by TPROXY" : "");
		else
			printf(", %s, %s\n", l->protocol == LOCAL_HTTP ? "TCP" : carried(l->mode),
			       users ? "for its users only" : "for everybody who reaches it");
	}
}

static int count(const struct loading *l, enum problem_kind kind)
{
	int n = 0;

	for (int i = 0; i < l->problems.n; i++)
		n += l->problems.items[i].kind == kind;
	return n;
}

static void print_count(int n, const char *what)
{
	if (n)
		printf(", %d %s%s", n, what, n == 1 ? "" : "s");
}

static void print_verdict(const struct loading *l, bool ok)
{
	printf("%s: %s", l->problems.source, ok ? "ok" : "not usable");
	print_count(count(l, PROBLEM_ERROR), "error");
	print_count(count(l, PROBLEM_WARNING), "warning");
	putchar('\n');
}

int cmd_check(const struct command *self, int argc, char **argv)
{
	struct config config;
	struct loading l;
	struct checked_acls acls = { 0 };
	bool ok;

	if (args_want_help(self, argc, argv))
		return 0;
	if (argc < 2 || (argv[1][0] == '-' && argv[1][1]))
		return help_usage_error(self, "give one config FILE (- is standard input) or ss:// URL, and any number of HOSTs");
	sys_secrets_protect(); /* best effort: this process is short */
	load_begin(&l, &config);
	ok = url_is_ss(argv[1]) ? load_url(&l, argv[1]) : load_file(&l, argv[1]);
	words_wipe_url(argv[1]);
	args_apply_environment(&l.specs);
	if (ok)
		ok = load_finish(&l, FOR_CHECK);
	problems_print(&l.problems, PROBLEM_ADVICE, stderr);
	if (ok)
		ok = check_acls_read(&acls, &config, l.tun_acl.text);
	print_verdict(&l, ok);
	if (ok) {
		print_servers(&config);
		print_choice(&config);
		print_run(&config);
		print_up(&config);
		print_locals(&config);
		print_listen(&config);
		print_manager(&config);
		check_acls_print(&acls);
		for (int i = 2; i < argc; i++)
			check_acls_ask(&acls, argv[i]);
	}
	check_acls_free(&acls);
	load_end(&l);
	config_free(&config);
	return ok ? 0 : EXIT_BAD_CONFIG;
}
