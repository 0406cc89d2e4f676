/* See report.h. It prints what the document has; no byte of it can control a terminal. */
#include "ctl/report.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "ctl/text.h"
#include "flow/counters.h"

static void begin_line(FILE *f, const char *what)
{
	fprintf(f, "  %-8s ", what);
}

/* ---- parts ---- */

static void print_head(FILE *f, const json_t *d)
{
	char a[256], b[32], c[256];

	fprintf(f, "gatun %s, pid %lld, up %s, version %s\n", text_word(d, "mode", a, sizeof(a)), (long long)text_number(d, "pid"),
		text_duration(text_number(d, "uptime_s"), b), text_word(d, "version", c, sizeof(c)));
}

static void print_workers(FILE *f, const json_t *d)
{
	json_t *w;
	size_t i;
	char rss[32];

	if (json_array_size(json_object_get(d, "workers")) < 2)
		return;
	json_array_foreach (json_object_get(d, "workers"), i, w) {
		begin_line(f, "worker");
		fprintf(f, "pid %lld: %lld flows, %lld sessions, %s resident\n", (long long)text_number(w, "pid"),
			(long long)text_number(w, "flows_active"), (long long)text_number(w, "sessions_active"),
			text_bytes(text_number(w, "rss_bytes"), rss));
	}
}

static void print_servers(FILE *f, const json_t *d)
{
	char a[256], b[256], c[64], up[32], down[32];
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(d, "servers"), i, s) {
		const char *tag = text_word(s, "tag", a, sizeof(a)), *address = text_word(s, "address", b, sizeof(b));

		begin_line(f, "server");
		fprintf(f, "%s", tag);
		if (strcmp(tag, address) != 0)
			fprintf(f, " at %s", address);
		if (json_object_get(s, "state"))
			fprintf(f, ", %s", text_word(s, "state", c, sizeof(c)));
		if (text_number(s, "failures"))
			fprintf(f, ", failed %lld times in a row", (long long)text_number(s, "failures"));
		if (json_object_get(s, "rtt_ms"))
			fprintf(f, ", %lld ms", (long long)text_number(s, "rtt_ms"));
		if (json_object_get(s, "path_limit"))
			fprintf(f, ", packets over %lld bytes vanish on the way", (long long)text_number(s, "path_limit"));
		fprintf(f, ": %s up, %s down\n", text_bytes(text_number(s, "up"), up), text_bytes(text_number(s, "down"), down));
	}
}

static void print_plugins(FILE *f, const json_t *d)
{
	char a[256], b[256], c[64];
	json_t *p;
	size_t i;

	json_array_foreach (json_object_get(d, "plugins"), i, p) {
		begin_line(f, "plugin");
		fprintf(f, "%s for %s, %s: started %lld times, died %lld times\n", text_word(p, "name", a, sizeof(a)),
			text_word(p, "address", b, sizeof(b)), text_word(p, "state", c, sizeof(c)), (long long)text_number(p, "starts"),
			(long long)text_number(p, "deaths"));
	}
}

static void print_udp_over_tcp(FILE *f, const json_t *d)
{
	char a[256], b[64];
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(d, "udp_over_tcp"), i, s) {
		begin_line(f, "uot");
		fprintf(f, "%s: breaker %s, tripped %lld times\n", text_word(s, "tag", a, sizeof(a)), text_word(s, "breaker", b, sizeof(b)),
			(long long)text_number(s, "trips"));
	}
}

/* "3 flows, 1.2 MB up, 3 MB down; 2 sessions, ..." of a port or a user. */
static void print_traffic(FILE *f, const json_t *d)
{
	const json_t *tcp = json_object_get(d, "tcp"), *udp = json_object_get(d, "udp");
	char up[32], down[32];

	fprintf(f, "%lld flows, %s up, %s down", (long long)text_number(tcp, "flows_opened"), text_bytes(text_number(tcp, "bytes_up"), up),
		text_bytes(text_number(tcp, "bytes_down"), down));
	if (text_number(udp, "sessions_opened"))
		fprintf(f, "; %lld sessions, %s up, %s down", (long long)text_number(udp, "sessions_opened"),
			text_bytes(text_number(udp, "bytes_up"), up), text_bytes(text_number(udp, "bytes_down"), down));
	fputc('\n', f);
}

static void print_ports(FILE *f, const json_t *d)
{
	char a[256], b[256];
	json_t *p;
	size_t i;

	json_array_foreach (json_object_get(d, "ports"), i, p) {
		begin_line(f, "port");
		fprintf(f, "%s %s: ", text_word(p, "port", a, sizeof(a)), text_word(p, "method", b, sizeof(b)));
		print_traffic(f, p);
	}
	json_array_foreach (json_object_get(d, "users"), i, p) {
		begin_line(f, "user");
		fprintf(f, "%s of %s: ", text_word(p, "name", a, sizeof(a)), text_word(p, "port", b, sizeof(b)));
		print_traffic(f, p);
	}
}

/* A line of numbers by their names, "what a 1, b 2"; those that are 0 are left out, and the line
 * where all are. */
struct number_line {
	FILE *f;
	const char *what, *head; /* before the first */
	bool begun;
};

static void put_number(struct number_line *l, const char *name, json_int_t n)
{
	char shown[64];

	if (!n)
		return;
	if (!l->begun)
		begin_line(l->f, l->what);
	fprintf(l->f, "%s%s %lld", l->begun ? ", " : l->head, log_escape(name, strlen(name), shown, sizeof(shown)), (long long)n);
	l->begun = true;
}

static void end_numbers(const struct number_line *l)
{
	if (l->begun)
		fputc('\n', l->f);
}

static void print_ends(FILE *f, json_t *ended)
{
	struct number_line line = { .f = f, .what = "", .head = "ended: " };
	const char *key;
	json_t *n;

	json_object_foreach (ended, key, n)
		put_number(&line, key, json_integer_value(n));
	end_numbers(&line);
}

static void print_tcp(FILE *f, const json_t *d)
{
	const json_t *tcp = json_object_get(d, "tcp");
	char up[32], down[32];

	begin_line(f, "tcp");
	fprintf(f, "%lld flows now, %lld opened; %s up, %s down\n", (long long)text_number(tcp, "flows_active"),
		(long long)text_number(tcp, "flows_opened"), text_bytes(text_number(tcp, "bytes_up"), up),
		text_bytes(text_number(tcp, "bytes_down"), down));
	print_ends(f, json_object_get(json_object_get(d, "flows"), "ended"));
}

/* The rows of a group that tell of trouble and are not 0, in a line behind `what`. */
static void print_trouble(FILE *f, const json_t *d, const char *name, const char *what)
{
	const json_t *group = json_object_get(d, name);
	struct number_line line = { .f = f, .what = what, .head = "" };

	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++)
		if (strcmp(r->group, name) == 0 && r->kind == FLOW_TROUBLE)
			put_number(&line, r->name, text_number(group, r->name));
	end_numbers(&line);
}

static void print_udp(FILE *f, const json_t *d)
{
	const json_t *udp = json_object_get(d, "udp");
	char up[32], down[32];

	begin_line(f, "udp");
	fprintf(f, "%lld sessions now, %lld opened; %lld packets (%s) up, %lld (%s) down\n", (long long)text_number(udp, "sessions_active"),
		(long long)text_number(udp, "sessions_opened"), (long long)text_number(udp, "packets_up"),
		text_bytes(text_number(udp, "bytes_up"), up), (long long)text_number(udp, "packets_down"),
		text_bytes(text_number(udp, "bytes_down"), down));
	print_trouble(f, d, "udp", "");
}

static void print_socks(FILE *f, const json_t *d)
{
	const json_t *socks = json_object_get(d, "socks");

	if (!text_number(socks, "control_opened"))
		return;
	begin_line(f, "socks");
	fprintf(f, "%lld control connections now, %lld opened\n", (long long)text_number(socks, "control_active"),
		(long long)text_number(socks, "control_opened"));
}

static void print_dns(FILE *f, const json_t *d)
{
	const json_t *dns = json_object_get(d, "dns");

	if (text_number(dns, "queries")) {
		begin_line(f, "dns");
		fprintf(f, "%lld queries: %lld fake answers, %lld asked of the upstream server (%lld failed); %lld fake addresses\n",
			(long long)text_number(dns, "queries"), (long long)text_number(dns, "fake_answers"),
			(long long)text_number(dns, "upstream_queries"), (long long)text_number(dns, "upstream_failures"),
			(long long)text_number(dns, "fake_map"));
	}
	if (text_number(dns, "lookups")) {
		begin_line(f, "names");
		fprintf(f, "%lld looked up, %lld from the cache, %lld failed\n", (long long)text_number(dns, "lookups"),
			(long long)text_number(dns, "cache_hits"), (long long)text_number(dns, "lookup_failures"));
	}
}

static void print_gate(FILE *f, const json_t *d)
{
	const json_t *g = json_object_get(d, "gate");
	char mode[64], device[64], lan[64], drops[TEXT_SIZE];
	json_t *l;
	size_t i;

	if (!g)
		return;
	begin_line(f, "gate");
	fprintf(f, "%s", text_word(g, "mode", mode, sizeof(mode)));
	if (json_object_get(g, "device"))
		fprintf(f, " by %s", text_word(g, "device", device, sizeof(device)));
	fprintf(f, ", mark 0x%llx, table %lld", (unsigned long long)text_number(g, "mark"), (long long)text_number(g, "table"));
	json_array_foreach (json_object_get(g, "lans"), i, l)
		fprintf(f, ", LAN %s", log_escape(json_string_value(l), json_string_length(l), lan, sizeof(lan)));
	if (json_is_false(json_object_get(g, "ipv6")))
		fprintf(f, ", no IPv6");
	if (json_is_true(json_object_get(g, "kill_switch")))
		fprintf(f, ", kill switch: %s packets dropped", text_count(text_number(g, "guard_drops"), drops));
	fputc('\n', f);
}

static void print_tun(FILE *f, const json_t *d)
{
	const json_t *tun = json_object_get(d, "tun");
	char a[64], rx[32], tx[32];

	if (!tun)
		return;
	begin_line(f, "tun");
	fprintf(f, "mtu %lld, offload %s; %lld packets (%s) in, %lld (%s) out, %lld dropped\n", (long long)text_number(tun, "mtu"),
		text_word(tun, "offload", a, sizeof(a)), (long long)text_number(tun, "rx_packets"), text_bytes(text_number(tun, "rx_bytes"), rx),
		(long long)text_number(tun, "tx_packets"), text_bytes(text_number(tun, "tx_bytes"), tx), (long long)text_number(tun, "tx_dropped"));
}

static void print_rest(FILE *f, const json_t *d)
{
	const json_t *memory = json_object_get(d, "memory"), *skew = json_object_get(d, "clock_skew_s");
	char rss[32], used[32];

	if (json_object_get(memory, "rss_bytes")) {
		begin_line(f, "memory");
		fprintf(f, "%s resident, %s in buffers\n", text_bytes(text_number(memory, "rss_bytes"), rss),
			text_bytes(text_number(json_object_get(memory, "pools"), "used_bytes"), used));
	}
	if (json_integer_value(skew)) {
		begin_line(f, "clock");
		fprintf(f, "the server's is %.0f s %s\n", fabs(json_number_value(skew)),
			json_integer_value(skew) > 0 ? "ahead of ours" : "behind ours");
	}
}

void ctl_report_print(FILE *f, json_t *d)
{
	print_head(f, d);
	print_workers(f, d);
	print_servers(f, d);
	print_udp_over_tcp(f, d);
	print_plugins(f, d);
	print_ports(f, d);
	print_tcp(f, d);
	print_udp(f, d);
	print_socks(f, d);
	print_trouble(f, d, "limits", "limits");
	print_dns(f, d);
	print_gate(f, d);
	print_tun(f, d);
	print_rest(f, d);
}
