/* Set-up and tear-down that server and client share. */
#include "engine/common.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cells.h"
#include "base/err.h"
#include "base/log.h"
#include "crypto/aead.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "engine/service.h"
#include "engine/status.h"
#include "engine/worker.h"
#include "flow/counters.h"
#include "flow/relay.h"
#include "io/slice.h"
#include "io/socket_rules.h"
#include "io/tcp_arena.h"
#include "loop/loop.h"
#include "resolve/resolve.h"
#include "sys/caps.h"
#include "sys/nofile.h"
#include "sys/state_dir.h"
#include "transport/plugin.h"

#define TRIM_MS 10000
#define SIP022_SESSION_MIN_S 60 /* a session is remembered as long as its datagrams may pass: 30 s before and after */

static const struct engine_hooks *hooks;
static struct loop_timer trim_timer;
static void (*upkeep)(void *owner);
static void *upkeep_owner;
static struct loop_signal sigint, sigterm;
static bool low_ports, answers, gate;
static bool started;

static void on_trim(struct loop_timer *t)
{
	tcp_arena_trim();
	aead_cache_trim();
	buf_pool_trim();
	cells_trim();
	worker_report_counters();
	if (upkeep)
		upkeep(upkeep_owner);
	malloc_trim(0);
	loop_timer_start(t, TRIM_MS, on_trim);
}

static struct resolve_options names_of(const struct config *c)
{
	return (struct resolve_options){
		.hosts_file = c->hosts_file,
		.servers = c->nameserver,
		.captured = c->captured,
		.rules = &c->outbound,
		.cache_max = c->dns_cache_size,
	};
}

int engine_start(const struct config *c)
{
	struct resolve_options names = names_of(c);
	struct relay_limits relay = engine_relay_limits(c);
	char text[256] = "";
	int err = loop_init();

	if (err) {
		log_error("cannot make an event loop err=%s", err_name(err));
		return err;
	}
	/* A fixed threshold (glibc's own grows): what is large is mapped by itself
	 * and goes back to the system when it is freed. */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	socket_rules_set_listeners(&c->inbound);
	sys_nofile_raise(c->nofile);
	signal(SIGPIPE, SIG_IGN);
	err = resolve_init(&names, text, sizeof(text));
	if (err) {
		log_error("%s", text[0] ? text : "cannot start the resolver");
		loop_free();
		return err;
	}
	relay_init(&relay);
	engine_status_begin();
	network_begin();
	loop_timer_start(&trim_timer, TRIM_MS, on_trim);
	started = true;
	return 0;
}

void engine_set_upkeep(void (*run)(void *owner), void *owner)
{
	upkeep = run;
	upkeep_owner = owner;
}

void engine_drain(void)
{
	/* One turn: nothing is awaited, deferred work runs first and last. */
	loop_turn();
}

void engine_set_hooks(const struct engine_hooks *h)
{
	hooks = h;
}

static void tell_ending(void)
{
	if (hooks)
		hooks->ending();
}

void engine_loop(void)
{
	if (worker_ready() == 0)
		loop_run();
	service_stopping();
	worker_ending();
	tell_ending();
}

void engine_end(void)
{
	started = false;
	tell_ending();
	engine_status_end();
	engine_set_upkeep(NULL, NULL);
	plugins_end();
	engine_forget_rights();
	loop_timer_stop(&trim_timer);
	network_end();
	loop_signal_stop(&sigint);
	loop_signal_stop(&sigterm);
	resolve_free();
	loop_free();
}

void engine_keep_low_ports(void)
{
	low_ports = true;
}

void engine_keep_answers(void)
{
	answers = true;
}

void engine_keep_gate(void)
{
	gate = true;
}

void engine_forget_rights(void)
{
	low_ports = answers = gate = false;
}

int engine_await_plugins(void)
{
	int err = plugins_await(); /* which has said which one failed */

	if (err == -EINTR)
		log_info("stopped before the plugins were ready");
	return err;
}

/* Whether sockets can be made as the rules say. */
static int try_rules(const struct socket_rules *r)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		const struct addr *source = families[i] == AF_INET ? &r->source4 : &r->source6;
		int fd = socket_rules_open(families[i], SOCK_DGRAM, r), err = fd < 0 ? fd : socket_rules_bind(fd, families[i], r);
		char text[ADDR_STRLEN];

		if (fd >= 0)
			close(fd);
		if (!err || err == -EAFNOSUPPORT)
			continue;
		log_error("cannot make a socket with outbound_fwmark %u, outbound_bind_interface \"%s\", outbound_bind_addr %s: %s err=%s",
			  r->fwmark, r->device, source->family ? addr_format(source, text) : "any",
			  err == -EPERM ? "a mark needs CAP_NET_RAW (run as root)" : "this machine has no such interface or address",
			  err_name(err));
		return err;
	}
	return 0;
}

static int try_all_rules(const struct config *c)
{
	int err = try_rules(&c->outbound);

	for (int i = 0; i < c->n_servers && !err; i++)
		err = try_rules(&c->servers[i].outbound);
	return err;
}

bool engine_has_plugins(const struct config *c)
{
	for (int i = 0; i < c->n_servers; i++)
		if (c->servers[i].plugin.name)
			return true;
	return c->online_plugins && *c->online_plugins;
}

int engine_drop_privileges(const struct config *c)
{
	bool marks = answers || c->outbound.fwmark != 0;
	int err = hooks ? hooks->started(c) : 0;

	if (!err)
		err = service_opened();
	if (err)
		return err;
	for (int i = 0; i < c->n_servers; i++)
		marks |= c->servers[i].outbound.fwmark != 0;
	if (gate)
		sys_caps_drop_but_gate(engine_has_plugins(c), !sys_run_dir_is_ours());
	else if (engine_has_plugins(c))
		sys_caps_drop_with_helpers(marks, low_ports);
	else if (answers)
		sys_caps_drop_but_answers();
	else if (marks)
		sys_caps_drop_but_marks();
	else
		sys_caps_drop_all();
	return try_all_rules(c);
}

/* ---- another config ---- */

int engine_prepare(const struct config *c)
{
	struct resolve_options names = names_of(c);
	char text[256] = "";
	int err = started ? try_all_rules(c) : 0;

	if (err || !started)
		return err;
	err = resolve_prepare(&names, text, sizeof(text));
	if (err)
		log_error("%s", text);
	return err;
}

void engine_withdraw(void)
{
	if (started)
		resolve_withdraw();
}

void engine_apply(const struct config *c)
{
	struct relay_limits times = engine_relay_limits(c);

	if (!started)
		return;
	resolve_apply();
	relay_set_limits(&times);
	sys_nofile_raise(c->nofile);
}

static void on_stop(struct loop_signal *s)
{
	(void)s;
	loop_stop();
}

void engine_stop_on_signals(void)
{
	if (worker_is())
		signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C is for the supervisor */
	else
		loop_signal_start(&sigint, SIGINT, on_stop);
	loop_signal_start(&sigterm, SIGTERM, on_stop);
}

struct relay_limits engine_relay_limits(const struct config *c)
{
	return (struct relay_limits){ .idle_s = c->tcp_idle, .half_close_idle_s = c->half_close_idle };
}

struct limits_rates engine_limits_rates(const struct config_limits *c)
{
	return (struct limits_rates){
		.client_bytes_per_s = c->client_bytes_per_s,
		.client_flows_per_s = c->client_flows_per_s,
		.client_flows = c->client_flows,
		.user_bytes_per_s = c->user_bytes_per_s,
		.user_flows_per_s = c->user_flows_per_s,
	};
}

struct assoc_limits engine_assoc_limits(const struct config *c, const struct ss_method *method)
{
	struct assoc_limits l = {
		.max = c->udp_max_associations,
		.idle_s = c->udp_timeout,
		.unreplied_s = 30,
		.dns_s = 10,
	};

	if (method && method->sip022 && l.idle_s < SIP022_SESSION_MIN_S)
		l.idle_s = SIP022_SESSION_MIN_S;
	if (l.unreplied_s > l.idle_s)
		l.unreplied_s = l.idle_s;
	return l;
}

/* " tcp flows_opened=2 bytes_up=9 ...", in the words of status; what is now is no part of a sum. */
static size_t format_counters(const struct flow_counters *f, const char *group, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, " %s", group);

	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++) {
		uint64_t n = flow_counter_get(f, r);

		if (strcmp(r->group, group) == 0 && r->kind != FLOW_GAUGE && (n || r->kind == FLOW_TOTAL) && at < size)
			at += (size_t)snprintf(buf + at, size - at, " %s=%llu", r->name, (unsigned long long)n);
	}
	return at < size ? at : size - 1;
}

/* What the other groups have to tell, and only that: " socks control_opened=2". */
static void format_others(const struct flow_counters *f, char *buf, size_t size)
{
	const char *group = "";
	size_t at = 0;

	buf[0] = 0;
	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++) {
		uint64_t n = flow_counter_get(f, r);

		if (!n || r->kind == FLOW_GAUGE || strcmp(r->group, "tcp") == 0 || strcmp(r->group, "udp") == 0 || at >= size)
			continue;
		if (strcmp(group, r->group) != 0)
			at += (size_t)snprintf(buf + at, size - at, " %s", r->group);
		group = r->group;
		if (at < size)
			at += (size_t)snprintf(buf + at, size - at, " %s=%llu", r->name, (unsigned long long)n);
	}
}

static size_t format_ends(const struct flow_counters *f, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = 0;
	for (int i = 0; i < END_COUNT; i++)
		if (f->tcp.ended[i] && at < size)
			at += (size_t)snprintf(buf + at, size - at, " %s=%llu", flow_end_name((enum flow_end)i),
					       (unsigned long long)f->tcp.ended[i]);
	return at < size ? at : size - 1;
}

void engine_log_summary(void)
{
	struct flow_counters f;
	char tcp[256], ends[512], udp[768], others[256];

	if (worker_report_counters())
		return;
	flow_counters_read(&f);
	format_counters(&f, "tcp", tcp, sizeof(tcp));
	format_counters(&f, "udp", udp, sizeof(udp));
	format_others(&f, others, sizeof(others));
	log_info("flows%s ended:%s%s%s", tcp, format_ends(&f, ends, sizeof(ends)) ? ends : " none", udp, others);
}
