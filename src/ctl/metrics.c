/* The table of members and metrics, and Prometheus text made from it; see metrics.h. */
#include "ctl/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/counters.h"

#define LABELS_MAX 512

/* ---- the table ---- */

struct row {
	const char *path, *name;
	enum ctl_kind kind;
	const char *doc;
};

/* What a port or a user did. */
#define TRAFFIC(path_, name_, whose_) \
	{ path_ ".tcp.flows_opened", name_ "_tcp_flows_opened_total", CTL_TOTAL, "TCP flows of the " whose_ "." }, \
	{ path_ ".tcp.bytes_up", name_ "_tcp_bytes_up_total", CTL_TOTAL, "Bytes of TCP payload from its clients." }, \
	{ path_ ".tcp.bytes_down", name_ "_tcp_bytes_down_total", CTL_TOTAL, "Bytes of TCP payload to them." }, \
	{ path_ ".udp.sessions_opened", name_ "_udp_sessions_opened_total", CTL_TOTAL, "UDP associations of the " whose_ "." }, \
	{ path_ ".udp.packets_up", name_ "_udp_packets_up_total", CTL_TOTAL, "Datagrams from its clients." }, \
	{ path_ ".udp.packets_down", name_ "_udp_packets_down_total", CTL_TOTAL, "Datagrams to them." }, \
	{ path_ ".udp.bytes_up", name_ "_udp_bytes_up_total", CTL_TOTAL, "Bytes of UDP payload from its clients." }, \
	{ path_ ".udp.bytes_down", name_ "_udp_bytes_down_total", CTL_TOTAL, "Bytes of UDP payload to them." }

/* What struct flow_counters has stands in flow/counters.c and comes behind these. */
static const struct row rows[] = {
	{ "version", "", CTL_WORD, "gatun's version." },
	{ "mode", "", CTL_WORD, "run, up, server or local." },
	{ "pid", "", CTL_WORD, "The process." },
	{ "uptime_s", "gatun_uptime_seconds", CTL_GAUGE, "Seconds since it started." },
	{ "uptime", "", CTL_GAUGE, "The same as uptime_s." },

	{ "workers[].pid", "", CTL_WORD, "A process that carries flows." },
	{ "workers[].uptime_s", "gatun_worker_uptime_seconds", CTL_GAUGE, "Seconds since it started." },
	{ "workers[].flows_active", "gatun_worker_flows_active", CTL_GAUGE, "TCP flows that it has now." },
	{ "workers[].sessions_active", "gatun_worker_sessions_active", CTL_GAUGE, "UDP associations that it has now." },
	{ "workers[].rss_bytes", "gatun_worker_rss_bytes", CTL_GAUGE, "Its resident memory." },

	{ "ports[].port", "", CTL_WORD, "server: an address that it listens on." },
	{ "ports[].method", "", CTL_WORD, "Its method." },
	{ "ports[].mode", "", CTL_WORD, "What it carries: tcp_only, udp_only or tcp_and_udp." },
	{ "ports[].users", "gatun_port_users", CTL_GAUGE, "Its users; 0: whoever has its key." },
	TRAFFIC("ports[]", "gatun_port", "port"),
	{ "users[].port", "", CTL_WORD, "server: whose user it is." },
	{ "users[].name", "", CTL_WORD, "The user." },
	TRAFFIC("users[]", "gatun_user", "user"),

	{ "locals[].protocol", "", CTL_WORD, "local: an inbound's kind." },
	{ "locals[].address", "", CTL_WORD, "Where it listens." },
	{ "locals[].to", "", CTL_WORD, "A tunnel's target." },

	{ "servers[].tag", "", CTL_WORD, "run, local: a server's name." },
	{ "servers[].address", "", CTL_WORD, "Where it is." },
	{ "servers[].state", "gatun_server_state", CTL_STATE, "up, down or unknown: the worse of TCP and UDP." },
	{ "servers[].up", "gatun_server_bytes_up_total", CTL_TOTAL, "Bytes of payload to it, TCP and UDP." },
	{ "servers[].down", "gatun_server_bytes_down_total", CTL_TOTAL, "Bytes of payload from it, TCP and UDP." },
	{ "servers[].failures", "gatun_server_failures", CTL_GAUGE, "TCP connects and probes that failed, in a row." },
	{ "servers[].rtt_ms", "gatun_server_rtt_milliseconds", CTL_GAUGE, "What its last TCP connect or probe took." },
	{ "servers[].score", "gatun_server_score", CTL_GAUGE, "TCP, policy latency: the lower the better." },
	{ "servers[].udp_failures", "gatun_server_udp_failures", CTL_GAUGE, "As failures, of UDP." },
	{ "servers[].udp_rtt_ms", "gatun_server_udp_rtt_milliseconds", CTL_GAUGE, "As rtt_ms, of UDP." },
	{ "servers[].udp_score", "gatun_server_udp_score", CTL_GAUGE, "As score, of UDP." },
	{ "servers[].path_limit", "gatun_server_path_limit_bytes", CTL_GAUGE, "Longer packets vanish on the way to it, and no ICMP says so; left out where none are known to." },
	{ "servers[].clock_skew_s", "gatun_server_clock_skew_seconds", CTL_GAUGE, "How far its clock is ahead of ours, by its last answer (2022 methods)." },
	{ "udp_over_tcp[].tag", "", CTL_WORD, "run, local: a server whose UDP may go over TCP." },
	{ "udp_over_tcp[].breaker", "gatun_server_udp_over_tcp", CTL_STATE, "closed: UDP goes as UDP; open: over TCP; half-open: being tried again." },
	{ "udp_over_tcp[].trips", "gatun_server_udp_over_tcp_trips_total", CTL_TOTAL, "How often it turned to TCP." },

	{ "plugins[].name", "", CTL_WORD, "A SIP003 plugin." },
	{ "plugins[].address", "", CTL_WORD, "The server that it connects to, or where it listens." },
	{ "plugins[].state", "", CTL_WORD, "starting, ready or down." },
	{ "plugins[].starts", "gatun_plugin_starts_total", CTL_TOTAL, "How often it was started." },
	{ "plugins[].deaths", "gatun_plugin_deaths_total", CTL_TOTAL, "How often it ended by itself, or could not be started." },

	{ "online.servers", "gatun_online_servers", CTL_GAUGE, "run, local: servers that came from the network (SIP008)." },
	{ "online.left_out", "gatun_online_left_out", CTL_GAUGE, "Entries of it that cannot be used." },
	{ "online.cached", "", CTL_WORD, "Whether they are those of an earlier answer, for want of one." },
	{ "online.age_s", "gatun_online_age_seconds", CTL_GAUGE, "Seconds since the last good answer." },
	{ "online.failures", "gatun_online_failures_total", CTL_TOTAL, "How often there was none." },
	{ "online.bytes_used", "gatun_online_bytes_used", CTL_GAUGE, "What its provider says that was used of the traffic paid for." },
	{ "online.bytes_remaining", "gatun_online_bytes_remaining", CTL_GAUGE, "And what is left of it." },

	{ "flows.tcp", "", CTL_GAUGE, "The same as tcp.flows_active." },
	{ "flows.udp", "", CTL_GAUGE, "The same as udp.sessions_active." },
	{ "flows.opened", "", CTL_TOTAL, "The same as tcp.flows_opened." },
	{ "flows.ended.*", "gatun_tcp_flows_ended_total", CTL_TOTAL, "TCP flows that ended, by why." },

	{ "dns.queries", "gatun_dns_queries_total", CTL_TOTAL, "Queries of apps that were answered here." },
	{ "dns.fake_answers", "gatun_dns_fake_answers_total", CTL_TOTAL, "Of them: with a fake address." },
	{ "dns.fake_map", "gatun_dns_fake_map", CTL_GAUGE, "Names that have a fake address now." },
	{ "dns.upstream_queries", "gatun_dns_upstream_queries_total", CTL_TOTAL, "Of them: asked of the upstream server." },
	{ "dns.upstream_failures", "gatun_dns_upstream_failures_total", CTL_TOTAL, "Of those: without an answer." },
	{ "dns.lookups", "gatun_dns_lookups_total", CTL_TOTAL, "Names that gatun itself had to resolve." },
	{ "dns.cache_hits", "gatun_dns_cache_hits_total", CTL_TOTAL, "Of them: answered without a query." },
	{ "dns.cached_names", "gatun_dns_cached_names", CTL_GAUGE, "Names in the cache now." },
	{ "dns.lookup_failures", "gatun_dns_lookup_failures_total", CTL_TOTAL, "Names for which no server answered." },
	{ "dns.lookups_refused", "gatun_dns_lookups_refused_total", CTL_TOTAL, "Names not asked for: too many at once." },

	{ "gate.mode", "", CTL_WORD, "up: how traffic is taken: tun, tproxy or redirect." },
	{ "gate.mark", "", CTL_WORD, "The first of its packet marks." },
	{ "gate.table", "", CTL_WORD, "Its routing table." },
	{ "gate.priority", "", CTL_WORD, "Of its policy rules, the first." },
	{ "gate.device", "", CTL_WORD, "tun: the device's name." },
	{ "gate.lans[]", "", CTL_WORD, "Interfaces whose clients are served." },
	{ "gate.ipv6", "", CTL_WORD, "Whether IPv6 is carried; else it is unreachable." },
	{ "gate.kill_switch", "", CTL_WORD, "Whether there is a guard." },
	{ "gate.guard_drops", "gatun_gate_guard_drops_total", CTL_TOTAL, "Packets that the guard has kept in." },

	{ "tun.offload", "", CTL_WORD, "run, up: what the device does for us: tso, uso or none." },
	{ "tun.mtu", "gatun_tun_mtu", CTL_GAUGE, "The device's MTU." },
	{ "tun.rx_packets", "gatun_tun_rx_packets_total", CTL_TOTAL, "Packets from the apps, a super-packet is one." },
	{ "tun.rx_bytes", "gatun_tun_rx_bytes_total", CTL_TOTAL, "Their bytes." },
	{ "tun.tx_packets", "gatun_tun_tx_packets_total", CTL_TOTAL, "Packets to the apps." },
	{ "tun.tx_bytes", "gatun_tun_tx_bytes_total", CTL_TOTAL, "Their bytes." },
	{ "tun.rx_malformed", "gatun_tun_rx_malformed_total", CTL_TOTAL, "Packets dropped because they are none." },
	{ "tun.rx_bad_checksum", "gatun_tun_rx_bad_checksum_total", CTL_TOTAL, "Packets dropped because of their checksum." },
	{ "tun.tx_dropped", "gatun_tun_tx_dropped_total", CTL_TOTAL, "Packets that the device did not take." },
	{ "tun.rx", "", CTL_TOTAL, "The same as tun.rx_bytes." },
	{ "tun.tx", "", CTL_TOTAL, "The same as tun.tx_bytes." },
	{ "tun.drops", "", CTL_TOTAL, "The sum of the three kinds of dropped packets." },

	{ "clock_skew_s", "gatun_clock_skew_seconds", CTL_GAUGE, "run, local: the clock_skew_s of the server that differs most." },

	{ "memory.rss_bytes", "gatun_memory_rss_bytes", CTL_GAUGE, "Resident memory." },
	{ "memory.rss", "", CTL_GAUGE, "The same as memory.rss_bytes." },
	{ "memory.pools.used_bytes", "gatun_memory_pool_used_bytes", CTL_GAUGE, "Buffers that hold data now." },
	{ "memory.pools.kept_bytes", "gatun_memory_pool_kept_bytes", CTL_GAUGE, "Buffers kept for reuse." },
};

#define N_ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static void from_row(const struct row *r, struct ctl_metric *out)
{
	snprintf(out->path, sizeof(out->path), "%s", r->path);
	snprintf(out->name, sizeof(out->name), "%s", r->name);
	out->kind = r->kind;
	out->doc = r->doc;
}

static void from_counter(const struct flow_counter_row *r, struct ctl_metric *out)
{
	out->kind = r->kind == FLOW_GAUGE ? CTL_GAUGE : CTL_TOTAL;
	snprintf(out->path, sizeof(out->path), "%s.%s", r->group, r->name);
	snprintf(out->name, sizeof(out->name), "gatun_%s_%s%s", r->group, r->name, out->kind == CTL_TOTAL ? "_total" : "");
	out->doc = r->doc;
}

bool ctl_metric_at(int i, struct ctl_metric *out)
{
	const struct flow_counter_row *r = flow_counter_table();

	if (i < N_ROWS) {
		from_row(&rows[i], out);
		return true;
	}
	for (i -= N_ROWS; i && r->name; i--)
		r++;
	if (!r->name)
		return false;
	from_counter(r, out);
	return true;
}

/* ---- labels ---- */

/* Which members of an element say which one it is, and their labels. */
static const struct {
	const char *array;
	const char *members[2], *labels[2];
} marks[] = {
	{ "servers", { "tag", NULL }, { "server", NULL } },
	{ "udp_over_tcp", { "tag", NULL }, { "server", NULL } },
	{ "ports", { "port", NULL }, { "port", NULL } },
	{ "users", { "port", "name" }, { "port", "user" } },
	{ "plugins", { "name", "address" }, { "plugin", "address" } },
	{ "workers", { "pid", NULL }, { "worker", NULL } },
};

/* `name="value"`, behind what is there; what does not fit is left out whole. */
static void add_label(char *labels, const char *name, const char *value)
{
	size_t begin = strlen(labels);
	int n = snprintf(labels + begin, LABELS_MAX - begin, "%s%s=\"", begin ? "," : "", name);
	size_t at = begin + (size_t)n;

	for (; *value && at + 4 < LABELS_MAX; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			labels[at++] = '\\';
		labels[at++] = *value == '\n' ? 'n' : *value;
	}
	if (*value || at + 2 > LABELS_MAX)
		at = begin;
	else
		labels[at++] = '"';
	labels[at] = 0;
}

static void add_value(char *labels, const char *name, const json_t *value)
{
	char number[32];

	if (json_is_string(value))
		add_label(labels, name, json_string_value(value));
	if (!json_is_integer(value))
		return;
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
	add_label(labels, name, number);
}

static void add_marks(char *labels, const char *array, size_t len, const json_t *element)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strlen(marks[i].array) == len && memcmp(marks[i].array, array, len) == 0)
			for (int j = 0; j < 2 && marks[i].members[j]; j++)
				add_value(labels, marks[i].labels[j], json_object_get(element, marks[i].members[j]));
}

/* ---- text ---- */

struct text {
	FILE *f;
	const struct ctl_metric *metric;
	bool begun; /* HELP and TYPE are written */
};

static void put_sample(struct text *t, const json_t *value, const char *labels)
{
	char all[LABELS_MAX];

	snprintf(all, sizeof(all), "%s", labels);
	if (t->metric->kind == CTL_STATE)
		add_value(all, "state", value);
	if (!t->begun)
		fprintf(t->f, "# HELP %s %s\n# TYPE %s %s\n", t->metric->name, t->metric->doc, t->metric->name,
			t->metric->kind == CTL_TOTAL ? "counter" : "gauge");
	t->begun = true;
	fprintf(t->f, "%s%s%s%s ", t->metric->name, *all ? "{" : "", all, *all ? "}" : "");
	if (t->metric->kind == CTL_STATE)
		fprintf(t->f, "1\n");
	else if (json_is_integer(value))
		fprintf(t->f, "%lld\n", (long long)json_integer_value(value));
	else
		fprintf(t->f, "%.9g\n", json_number_value(value));
}

static void put_path(struct text *t, json_t *at, const char *path, const char *labels);

static void put_members(struct text *t, json_t *object, const char *labels)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		char more[LABELS_MAX];

		snprintf(more, sizeof(more), "%s", labels);
		add_label(more, "end", key);
		if (json_is_number(value))
			put_sample(t, value, more);
	}
}

static void put_elements(struct text *t, json_t *array, const char *name, size_t len, const char *rest, const char *labels)
{
	json_t *element;
	size_t i;

	json_array_foreach (array, i, element) {
		char more[LABELS_MAX];

		snprintf(more, sizeof(more), "%s", labels);
		add_marks(more, name, len, element);
		put_path(t, element, rest, more);
	}
}

/* The samples of `path` from `at` on. */
static void put_path(struct text *t, json_t *at, const char *path, const char *labels)
{
	size_t len = strcspn(path, ".[");
	const char *rest = path + len;
	char name[64];
	json_t *value;

	if (strcmp(path, "*") == 0) {
		put_members(t, at, labels);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, path);
	value = json_object_get(at, name);
	if (strncmp(rest, "[].", 3) == 0)
		put_elements(t, value, path, len, rest + 3, labels);
	else if (*rest == '.')
		put_path(t, value, rest + 1, labels);
	else if (json_is_number(value) || (t->metric->kind == CTL_STATE && json_is_string(value)))
		put_sample(t, value, labels);
}

static void put_metric(FILE *f, const struct ctl_metric *m, json_t *const *documents, int n)
{
	struct text t = { .f = f, .metric = m };

	for (int i = 0; i < n; i++) {
		char labels[LABELS_MAX] = "";

		if (n > 1)
			add_value(labels, "pid", json_object_get(documents[i], "pid"));
		put_path(&t, documents[i], m->path, labels);
	}
}

static void put_info(FILE *f, json_t *const *documents, int n)
{
	static const char *const members[] = { "version", "mode", "pid" };

	fprintf(f, "# HELP gatun_info Who answers.\n# TYPE gatun_info gauge\n");
	for (int i = 0; i < n; i++) {
		char labels[LABELS_MAX] = "";

		for (size_t j = 0; j < sizeof(members) / sizeof(members[0]); j++)
			add_value(labels, members[j], json_object_get(documents[i], members[j]));
		fprintf(f, "gatun_info{%s} 1\n", labels);
	}
}

char *ctl_metrics_format(json_t *const *documents, int n)
{
	struct ctl_metric m;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	put_info(f, documents, n);
	for (int i = 0; ctl_metric_at(i, &m); i++)
		if (*m.name)
			put_metric(f, &m, documents, n);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
