/*
 * One endpoint: a listening address, and behind it a TCP inbound, a UDP inbound with
 * its association table, and the table of users that both of them ask.
 *
 * It copies what it needs of a config, so a config may go while it stands. A
 * change keeps the sockets, whatever changes: key, method, users and mode are replaced
 * below the listener. Streams hold their user and nothing else (ss_users.h), so
 * they outlive every change that does not take that user away.
 */
#include "server/endpoint.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "engine/common.h"
#include "engine/worker.h"
#include "flow/relay.h"
#include "transport/ss_stream.h"

/* ---- in the log ---- */

void endpoints_log_user(const char *name, const char *where, const struct ss_user_counters *n)
{
	struct log_site own = { 0 }; /* one line each, however many come in this second */

	if (log_level() < LOG_LEVEL_INFO || !(n->tcp_flows || n->udp_sessions))
		return;
	log_at(&own, LOG_LEVEL_INFO,
	       "%s%s of %s tcp=%llu up=%llu down=%llu udp=%llu up=%llu down=%llu packets_up=%llu packets_down=%llu",
	       *name ? "user " : "everybody", name, where, (unsigned long long)n->tcp_flows, (unsigned long long)n->tcp_up,
	       (unsigned long long)n->tcp_down, (unsigned long long)n->udp_sessions, (unsigned long long)n->udp_up,
	       (unsigned long long)n->udp_down, (unsigned long long)n->datagrams_up, (unsigned long long)n->datagrams_down);
}

static void log_user(const struct ss_user *u, const char *where)
{
	if (!worker_report_user(where, u->name, &u->counters))
		endpoints_log_user(u->name, where, &u->counters);
}

void endpoint_log_users(const struct endpoint *e)
{
	char where[ADDR_STRLEN];

	addr_format(&e->listen, where);
	for (int i = 0; e->users && i < ss_users_count(e->users); i++)
		log_user(ss_users_at(e->users, i), where);
}

static int explain(const struct addr *listen, const char *what, int err)
{
	struct log_site own = { 0 };
	char where[ADDR_STRLEN];

	if (err)
		log_at(&own, LOG_LEVEL_ERROR, "cannot listen on %s (%s): %s err=%s", addr_format(listen, where), what,
		       err == -EADDRINUSE      ? "this port is taken"
		       : err == -EACCES	       ? "ports below 1024 need root, and only at the start"
		       : err == -EADDRNOTAVAIL ? "this machine has no such address"
					       : "the system said no",
		       err_name(err));
	return err;
}

static void log_listening(const struct endpoint *e, const char *what)
{
	struct log_site own = { 0 };
	char where[ADDR_STRLEN];

	if (log_level() >= LOG_LEVEL_INFO)
		log_at(&own, LOG_LEVEL_INFO, "%s %s method=%s mode=%s%s", what, addr_format(&e->listen, where), e->method->name,
		       config_mode_name(e->mode), e->relay ? " relay=yes" : "");
}

/* ---- who comes, and what he may take ---- */

/* Behind a plugin all clients have its address, and none of his own. */
static struct limits_party party_of(const struct endpoint *e, enum config_mode by, const struct addr *client, const struct ss_user *u)
{
	struct limits_party p = { .has_user = u };

	if (!(e->plugged & by))
		p.client = *client;
	if (u) {
		p.user = u->tag;
		p.user_bytes_per_s = u->bytes_per_s;
		p.user_flows_per_s = u->flows_per_s;
	}
	return p;
}

/* All that comes by a plugin comes from here, whoever sent it. */
static enum flow_end on_admit_tcp(void *owner, const struct addr *client)
{
	struct endpoint *e = owner;
	enum flow_end why;

	if (e->plugged & MODE_TCP_ONLY)
		return END_DONE;
	why = egress_admit(e->egress, client);
	return why == END_DONE ? limits_admit(e->limits, client) : why;
}

/* A session that moves is asked about as well, and is no new flow: limits are for on_association(). */
static enum flow_end on_admit_udp(void *owner, const struct addr *client)
{
	struct endpoint *e = owner;

	return e->plugged & MODE_UDP_ONLY ? END_DONE : egress_admit(e->egress, client);
}

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct endpoint *e = owner;
	struct limits_party party = party_of(e, MODE_TCP_ONLY, client, ss_stream_user(s));

	egress_take_stream(e->egress, s, client, target, e->limits, &party);
}

static const struct inbound_events tcp_events = { .admit = on_admit_tcp, .stream = on_stream };
static const struct inbound_events udp_events = { .admit = on_admit_udp };

static void on_passed_on(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct endpoint *e = owner;
	struct limits_party party = party_of(e, MODE_TCP_ONLY, client, NULL);

	relay_start_limited(s, client, target, e->relay_out, e->limits, &party);
}

static const struct inbound_events relay_events = { .admit = on_admit_tcp, .stream = on_passed_on };

static enum flow_end on_association(void *owner, const struct assoc_key *key, struct limits_flow **limit)
{
	struct endpoint *e = owner;
	struct ss_server_udp *udp = e->fresh.udp ? e->fresh.udp : e->parts.udp;
	struct addr client;
	const struct ss_user *u = ss_server_udp_whose(udp, key, &client);
	struct limits_party party = party_of(e, MODE_UDP_ONLY, &client, u);

	return limits_open(e->limits, &party, limit);
}

/* ---- its parts ---- */

/* The public address, unless the plugin has it. */
static struct addr place(const struct endpoint *e, enum config_mode what)
{
	return e->plugged & what ? e->local : e->listen;
}

/* A plugin has the public address for itself and one of us behind it: the first worker. */
static enum config_mode served(const struct endpoint *e, enum config_mode mode)
{
	return worker_index() == 0 ? mode : mode & ~e->plugged;
}

static void on_client_gone(void *owner, const struct assoc_key *key)
{
	assoc_table_end(owner, key, END_REMOVED);
}

static int open_tcp(struct endpoint *e, const struct endpoints_options *o, struct endpoint_parts *p)
{
	struct ss_server_options options = {
		.listen = place(e, MODE_TCP_ONLY),
		.method = e->method,
		.key = e->key,
		.users = e->users,
		.salts = o->salts,
		.old_salts = o->old_salts,
		.proven = o->proven,
		.handshake_s = o->config->timeout,
	};
	int err;

	p->tcp = ss_server_new(&options, &tcp_events, e, &err);
	return p->tcp ? 0 : -err;
}

/* What comes from the plugin comes from this machine. */
static void guard_udp(const struct endpoint *e, const struct endpoints_options *o, struct ss_server_udp *udp)
{
	struct amplification guard = { .proven = o->proven };

	if (!(e->plugged & MODE_UDP_ONLY))
		guard.factor = o->config->udp_amplification;
	ss_server_udp_guard(udp, &guard);
}

static int open_udp(struct endpoint *e, const struct endpoints_options *o, struct endpoint_parts *p)
{
	struct assoc_limits limits = engine_assoc_limits(o->config, e->method);
	struct addr listen = place(e, MODE_UDP_ONLY);

	errno = ENOMEM;
	p->udp = ss_server_udp_new(&listen, e->method, e->key, e->users);
	if (!p->udp)
		return -errno;
	if (worker_is())
		ss_server_udp_share(p->udp, worker_shared()->owners);
	p->associations = assoc_table_new(ss_server_udp_port(p->udp), egress_outbound(e->fresh_egress), &limits);
	if (!p->associations)
		return -ENOMEM;
	ss_server_udp_on_close(p->udp, on_client_gone, p->associations);
	ss_server_udp_ask(p->udp, &udp_events, e);
	guard_udp(e, o, p->udp);
	assoc_table_limit(p->associations, on_association, e);
	return 0;
}

static int open_relay_tcp(struct endpoint *e, const struct endpoints_options *o, struct endpoint_parts *p)
{
	struct ss_relay_options options = {
		.listen = place(e, MODE_TCP_ONLY),
		.method = e->method,
		.users = e->users,
		.handshake_s = o->config->timeout,
	};
	int err;

	p->relay = ss_relay_new(&options, &relay_events, e, &err);
	return p->relay ? 0 : -err;
}

static int open_relay_udp(struct endpoint *e, const struct endpoints_options *o, struct endpoint_parts *p)
{
	struct assoc_limits limits = engine_assoc_limits(o->config, e->method);
	struct addr listen = place(e, MODE_UDP_ONLY);
	int err;

	p->relay_udp = ss_relay_udp_new(&listen, e->method, e->key, e->users, &err);
	if (!p->relay_udp)
		return -err;
	p->associations = assoc_table_new(ss_relay_udp_port(p->relay_udp), o->relay_out, &limits);
	return p->associations ? 0 : -ENOMEM;
}

static void close_tcp(struct endpoint_parts *p)
{
	if (p->relay)
		ss_relay_free(p->relay);
	p->relay = NULL;
	if (p->tcp)
		ss_server_free(p->tcp);
	p->tcp = NULL;
}

static void close_udp(struct endpoint_parts *p)
{
	if (p->associations)
		assoc_table_free(p->associations);
	if (p->relay_udp)
		ss_relay_udp_free(p->relay_udp);
	p->relay_udp = NULL;
	if (p->udp)
		ss_server_udp_free(p->udp);
	p->associations = NULL;
	p->udp = NULL;
}

int endpoint_prepare(struct endpoint *e, const struct endpoints_options *o, const struct config_server *c)
{
	enum config_mode mode = served(e, c->mode);
	int err = 0;

	e->fresh_egress = egress_get(o->egresses, c->acl);
	if (!e->fresh_egress)
		return -EINVAL;
	if ((mode & MODE_TCP_ONLY) && !e->parts.tcp && !e->parts.relay)
		err = explain(&e->listen, "TCP", e->relay ? open_relay_tcp(e, o, &e->fresh) : open_tcp(e, o, &e->fresh));
	if (!err && (mode & MODE_UDP_ONLY) && !e->parts.udp && !e->parts.relay_udp)
		err = explain(&e->listen, "UDP", e->relay ? open_relay_udp(e, o, &e->fresh) : open_udp(e, o, &e->fresh));
	if (err)
		endpoint_withdraw(e);
	return err;
}

void endpoint_withdraw(struct endpoint *e)
{
	close_tcp(&e->fresh);
	close_udp(&e->fresh);
	e->fresh_egress = NULL;
}

static void take_fresh(struct endpoint *e)
{
	if (e->fresh.relay)
		e->parts.relay = e->fresh.relay;
	if (e->fresh.relay_udp) {
		e->parts.relay_udp = e->fresh.relay_udp;
		e->parts.associations = e->fresh.associations;
	}
	if (e->fresh.tcp)
		e->parts.tcp = e->fresh.tcp;
	if (e->fresh.udp) {
		e->parts.udp = e->fresh.udp;
		e->parts.associations = e->fresh.associations;
	}
	e->fresh = (struct endpoint_parts){ 0 };
	e->egress = e->fresh_egress;
	if (e->parts.associations && !e->relay)
		assoc_table_set_out(e->parts.associations, egress_outbound(e->egress));
}

/* ---- users ---- */

static const struct config_server_user *find_user(const struct config_server *c, const char *name)
{
	for (int i = 0; i < c->n_users; i++)
		if (strcmp(c->users[i].name, name) == 0)
			return &c->users[i];
	return NULL;
}

static void remove_user(struct endpoint *e, struct ss_user *u)
{
	char where[ADDR_STRLEN];

	log_user(u, addr_format(&e->listen, where));
	ss_users_remove(e->users, u);
}

static void remove_users(struct endpoint *e)
{
	for (int i = ss_users_count(e->users); i-- > 0;)
		remove_user(e, ss_users_at(e->users, i));
}

/* Takes away who is not in the config, and gives the others their keys. Where keys
 * went round among users (one has the key that another is about to lose) nobody can
 * be first: the one in the way leaves and is added anew. */
static void change_users(struct endpoint *e, const struct config_server *c)
{
	for (int i = ss_users_count(e->users); i-- > 0;) {
		struct ss_user *u = ss_users_at(e->users, i);

		if (!find_user(c, u->name))
			remove_user(e, u);
	}
	for (int i = ss_users_count(e->users); i-- > 0;) {
		struct ss_user *u = ss_users_at(e->users, i);

		if (ss_users_rekey(e->users, u, find_user(c, u->name)->key) == -EEXIST)
			remove_user(e, u);
	}
}

static int add_users(struct endpoint *e, const struct config_server *c)
{
	int err = 0;

	if (!c->n_users)
		return ss_users_anyone(e->users) ? 0 : ss_users_add_anyone(e->users);
	for (int i = 0; i < c->n_users && !err; i++)
		if (!ss_users_find_name(e->users, c->users[i].name))
			err = ss_users_add(e->users, c->users[i].name, c->users[i].key);
	for (int i = 0; i < c->n_users && e->relay && !err; i++)
		err = ss_users_pass_on(ss_users_find_name(e->users, c->users[i].name), &c->users[i].next);
	return err;
}

static void set_limits_of_users(struct endpoint *e, const struct config_server *c)
{
	for (int i = 0; i < c->n_users; i++) {
		struct ss_user *u = ss_users_find_name(e->users, c->users[i].name);

		if (!u)
			continue; /* no memory, when he was to be added */
		u->bytes_per_s = c->users[i].bytes_per_s;
		u->flows_per_s = c->users[i].flows_per_s;
	}
}

/* ---- change ---- */

static bool same_key(const struct endpoint *e, const struct config_server *c)
{
	return e->method == c->method && sodium_memcmp(e->key, c->key, c->method->key_len) == 0;
}

static void take_key(struct endpoint *e, const struct config_server *c)
{
	e->method = c->method;
	memset(e->key, 0, sizeof(e->key));
	memcpy(e->key, c->key, c->method->key_len);
}

static int take_tag(struct endpoint *e, const char *tag)
{
	char *copy = strdup(tag);

	if (!copy)
		return -ENOMEM;
	free(e->tag);
	e->tag = copy;
	return 0;
}

/* The inbounds ask for identities or not, and under which key. */
static int tell_inbounds(struct endpoint *e)
{
	if (e->parts.tcp)
		ss_server_set_key(e->parts.tcp, e->method, e->key);
	return e->parts.udp ? ss_server_udp_set_key(e->parts.udp, e->method, e->key) : 0;
}

static void apply_limits(struct endpoint *e, const struct endpoints_options *o, const struct config_server *c)
{
	struct assoc_limits limits = engine_assoc_limits(o->config, e->method);
	struct limits_rates rates = engine_limits_rates(&c->limits);

	limits_set(e->limits, &rates);
	set_limits_of_users(e, c);
	if (e->parts.tcp)
		ss_server_set_patience(e->parts.tcp, o->config->timeout);
	if (e->parts.associations)
		assoc_table_set_limits(e->parts.associations, &limits);
	if (e->parts.udp)
		guard_udp(e, o, e->parts.udp);
}

/* Key, method and users: the part of a change that decides who may come. */
static int apply_access(struct endpoint *e, const struct config_server *c)
{
	bool new_key = !same_key(e, c), anyone = ss_users_anyone(e->users), asks = (c->n_users == 0) != anyone;
	int err;

	if (asks || (e->method != c->method && !anyone))
		remove_users(e);
	if (new_key) {
		take_key(e, c);
		ss_users_set_key(e->users, e->method, e->key);
	}
	if (c->n_users)
		change_users(e, c);
	err = add_users(e, c);
	if (new_key || asks) {
		int told = tell_inbounds(e);

		err = err ? err : told;
	}
	return err;
}

void endpoint_apply(struct endpoint *e, const struct endpoints_options *o, const struct config_server *c)
{
	bool changed = e->mode != c->mode || !same_key(e, c);
	int err;

	take_fresh(e);
	if (!(c->mode & MODE_TCP_ONLY))
		close_tcp(&e->parts);
	if (!(c->mode & MODE_UDP_ONLY))
		close_udp(&e->parts);
	e->mode = c->mode;
	err = apply_access(e, c);
	if (!err)
		err = take_tag(e, c->tag);
	apply_limits(e, o, c);
	if (changed)
		log_listening(e, "still listening on");
	if (err)
		explain(&e->listen, "not all of the change", err);
}

/* ---- its plugin ---- */

static struct plugin_options plugin_options(const struct endpoint *e, const struct config_server *c)
{
	struct plugin_options o = {
		.name = c->plugin.name,
		.options = c->plugin.options,
		.args = c->plugin.args,
		.local = e->local,
		.tcp = c->plugin.mode & MODE_TCP_ONLY,
		.udp = c->plugin.mode & MODE_UDP_ONLY,
	};

	target_from_addr(&o.remote, &e->listen);
	return o;
}

bool endpoint_can_become(const struct endpoint *e, const struct config_server *c)
{
	struct plugin_options o = plugin_options(e, c);

	if (e->relay != c->relay || (e->relay && !same_key(e, c)))
		return false;
	if (e->plugin && c->plugin.name)
		return plugin_is(e->plugin, &o);
	return worker_index() == 0 ? !e->plugin && !c->plugin.name : e->plugged == c->plugin.mode;
}

static int start_plugin(struct endpoint *e, const struct config_server *c)
{
	struct plugin_options o = plugin_options(e, c);

	if (!c->plugin.name || worker_index() != 0)
		return 0;
	e->plugin = plugin_new(&o);
	return explain(&e->listen, "plugin", e->plugin ? 0 : -ENOMEM);
}

/* ---- life ---- */

static int begin(struct endpoint *e, const struct config_server *c)
{
	struct limits_rates rates = engine_limits_rates(&c->limits);
	char where[TARGET_STRLEN];
	int err;

	if (target_is_name(&c->address)) {
		log_error("cannot listen on the name %s: give an IP address of this machine, or 0.0.0.0 or [::]",
			  target_format(&c->address, where));
		return -EINVAL;
	}
	e->listen = c->address.ip;
	e->mode = c->mode;
	e->relay = c->relay;
	take_key(e, c);
	e->plugged = c->plugin.mode;
	if (e->plugged && plugin_take_port(&e->local) != 0)
		return explain(&e->listen, "plugin", -EADDRINUSE);
	e->users = ss_users_new(e->method, e->key);
	e->limits = limits_new(&rates);
	if (!e->users || !e->limits)
		return -ENOMEM;
	err = explain(&e->listen, "users", add_users(e, c));
	set_limits_of_users(e, c);
	return err;
}

struct endpoint *endpoint_open(const struct endpoints_options *o, const struct config_server *c, int *err)
{
	struct endpoint *e = calloc(1, sizeof(*e));

	*err = -ENOMEM;
	if (!e)
		return NULL;
	list_init(&e->node);
	e->relay_out = o->relay_out;
	plugins_end(); /* one that is about to go may have the port */
	*err = take_tag(e, c->tag);
	if (!*err)
		*err = begin(e, c);
	if (!*err)
		*err = endpoint_prepare(e, o, c);
	if (!*err)
		*err = start_plugin(e, c);
	if (*err) {
		endpoint_close(e, false);
		return NULL;
	}
	take_fresh(e);
	log_listening(e, "listening on");
	return e;
}

void endpoint_close(struct endpoint *e, bool flows)
{
	if (e->plugin)
		plugin_free(e->plugin);
	endpoint_withdraw(e);
	close_tcp(&e->parts);
	close_udp(&e->parts);
	if (flows)
		remove_users(e);
	else
		endpoint_log_users(e);
	ss_users_free(e->users);
	limits_free(e->limits); /* its streams keep it */
	list_remove(&e->node);
	free(e->tag);
	sodium_memzero(e->key, sizeof(e->key));
	free(e);
}
