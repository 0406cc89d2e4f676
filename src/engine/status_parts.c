/*
 * The parts of the status document that every engine has: who it is, what its
 * flows did, its names, its memory. Everything is read when it is asked for; a
 * number that is not measured is left out.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dns/dns.h"
#include "engine/status.h"
#include "flow/counters.h"
#include "io/slice.h"
#include "loop/loop.h"
#include "resolve/resolve.h"

static uint64_t begun_ms;

/* ---- who it is ---- */

static json_t *describe_version(void *owner)
{
	(void)owner;
	return json_string(GATUN_VERSION);
}

static json_t *describe_pid(void *owner)
{
	(void)owner;
	return json_integer(getpid());
}

static json_t *describe_uptime(void *owner)
{
	(void)owner;
	return status_number((loop_now() - begun_ms) / 1000);
}

/* ---- memory ---- */

static json_t *resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long size, resident;
	int n = f ? fscanf(f, "%llu %llu", &size, &resident) : 0;

	if (f)
		fclose(f);
	return n == 2 ? status_number(resident * (uint64_t)sysconf(_SC_PAGESIZE)) : NULL;
}

static json_t *describe_memory(void *owner)
{
	json_t *memory = json_object(), *pools = json_object(), *resident = resident_bytes();

	(void)owner;
	if (resident) {
		json_object_set(memory, "rss", resident);
		json_object_set_new(memory, "rss_bytes", resident);
	}
	status_put(pools, "used_bytes", buf_pool_used());
	status_put(pools, "kept_bytes", buf_pool_kept());
	json_object_set_new(memory, "pools", pools);
	return memory;
}

static json_t *describe_workers(void *owner)
{
	json_t *worker = json_object(), *workers = json_array(), *resident = resident_bytes();

	json_object_set_new(worker, "pid", describe_pid(owner));
	json_object_set_new(worker, "uptime_s", describe_uptime(owner));
	status_put(worker, "flows_active", flow_counters.tcp.flows_active);
	status_put(worker, "sessions_active", flow_counters.udp.sessions_active);
	if (resident)
		json_object_set_new(worker, "rss_bytes", resident);
	json_array_append_new(workers, worker);
	return workers;
}

/* ---- flows ---- */

static json_t *describe_ends(const struct flow_counters *f)
{
	json_t *ended = json_object();

	for (int i = 0; i < END_COUNT; i++)
		status_put(ended, flow_end_name((enum flow_end)i), f->tcp.ended[i]);
	return ended;
}

static json_t *describe_flows(void *owner)
{
	struct flow_counters f;
	json_t *flows = json_object();

	(void)owner;
	flow_counters_read(&f);
	status_put(flows, "tcp", f.tcp.flows_active);
	status_put(flows, "udp", f.udp.sessions_active);
	status_put(flows, "opened", f.tcp.flows_opened);
	json_object_set_new(flows, "ended", describe_ends(&f));
	return flows;
}

/* owner: the group's name. */
static json_t *describe_group(void *owner)
{
	struct flow_counters f;
	json_t *group = json_object();

	flow_counters_read(&f);
	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++)
		if (strcmp(r->group, owner) == 0)
			status_put(group, r->name, flow_counter_get(&f, r));
	return group;
}

/* ---- names ---- */

static json_t *describe_dns(void *owner)
{
	const struct dns_counters *d = dns_counters();
	const struct resolve_counters *r = resolve_counters();
	const struct { const char *name; uint64_t n; } numbers[] = {
		{ "queries", d->queries },
		{ "fake_answers", d->fake_answers },
		{ "fake_map", d->fake_map_size },
		{ "upstream_queries", d->upstream_queries },
		{ "upstream_failures", d->upstream_failures },
		{ "lookups", r->asked },
		{ "cache_hits", r->hits },
		{ "cached_names", r->cached },
		{ "lookup_failures", r->failures },
		{ "lookups_refused", r->refused },
	};
	json_t *dns = json_object();

	(void)owner;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		status_put(dns, numbers[i].name, numbers[i].n);
	return dns;
}

void engine_status_add_common(void)
{
	begun_ms = loop_now();
	engine_status_add("version", describe_version, NULL);
	engine_status_add("pid", describe_pid, NULL);
	engine_status_add("uptime_s", describe_uptime, NULL);
	engine_status_add("uptime", describe_uptime, NULL);
	engine_status_add("workers", describe_workers, NULL);
	engine_status_add("flows", describe_flows, NULL);
	/* A part for each group; that it is added once for each row is no matter. */
	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++)
		engine_status_add(r->group, describe_group, (void *)(uintptr_t)r->group);
	engine_status_add("dns", describe_dns, NULL);
	engine_status_add("memory", describe_memory, NULL);
}
