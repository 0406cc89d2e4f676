/* See report.h. It prints what the document has; no byte of it can control a terminal. */
#include "ctl/report.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "flow/counters.h"

/* ---- numbers and words ---- */

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "1.4 GB" */
static const char *bytes(json_int_t n, char *buf, size_t size)
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB", "PB" };
	double value = (double)n;
	size_t unit = 0;

	while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	snprintf(buf, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

/* "3 d 2 h", "5 min 10 s": the two largest units. */
static const char *duration(json_int_t s, char *buf, size_t size)
{
	if (s >= 86400)
		snprintf(buf, size, "%lld d %lld h", (long long)s / 86400, (long long)s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(buf, size, "%lld h %lld min", (long long)s / 3600, (long long)s % 3600 / 60);
	else if (s >= 60)
		snprintf(buf, size, "%lld min %lld s", (long long)s / 60, (long long)s % 60);
	else
		snprintf(buf, size, "%lld s", (long long)s);
	return buf;
}

/* Names may be UTF-8; one with control bytes is shown escaped. */
static const char *word(const json_t *object, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	for (const char *p = text ? text : ""; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return log_escape(text, strlen(text), buf, size);
	return text ? text : "?";
}

static void begin_line(FILE *f, const char *what)
{
	fprintf(f, "  %-8s ", what);
}

/* ---- parts ---- */

static void print_head(FILE *f, const json_t *d)
{
	char a[256], b[32], c[256];

	fprintf(f, "gatun %s, pid %lld, up %s, version %s\n", word(d, "mode", a, sizeof(a)), (long long)number(d, "pid"),
		duration(number(d, "uptime_s"), b, sizeof(b)), word(d, "version", c, sizeof(c)));
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
		fprintf(f, "pid %lld: %lld flows, %lld sessions, %s resident\n", (long long)number(w, "pid"),
			(long long)number(w, "flows_active"), (long long)number(w, "sessions_active"),
			bytes(number(w, "rss_bytes"), rss, sizeof(rss)));
	}
}

static void print_servers(FILE *f, const json_t *d)
{
	char a[256], b[256], c[64], up[32], down[32];
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(d, "servers"), i, s) {
		const char *tag = word(s, "tag", a, sizeof(a)), *address = word(s, "address", b, sizeof(b));

		begin_line(f, "server");
		fprintf(f, "%s", tag);
		if (strcmp(tag, address) != 0)
			fprintf(f, " at %s", address);
		if (json_object_get(s, "state"))
			fprintf(f, ", %s", word(s, "state", c, sizeof(c)));
		if (number(s, "failures"))
			fprintf(f, ", failed %lld times in a row", (long long)number(s, "failures"));
		if (json_object_get(s, "rtt_ms"))
			fprintf(f, ", %lld ms", (long long)number(s, "rtt_ms"));
		fprintf(f, ": %s up, %s down\n", bytes(number(s, "up"), up, sizeof(up)), bytes(number(s, "down"), down, sizeof(down)));
	}
}

static void print_plugins(FILE *f, const json_t *d)
{
	char a[256], b[256], c[64];
	json_t *p;
	size_t i;

	json_array_foreach (json_object_get(d, "plugins"), i, p) {
		begin_line(f, "plugin");
		fprintf(f, "%s for %s, %s: started %lld times, died %lld times\n", word(p, "name", a, sizeof(a)),
			word(p, "address", b, sizeof(b)), word(p, "state", c, sizeof(c)), (long long)number(p, "starts"),
			(long long)number(p, "deaths"));
	}
}

static void print_udp_over_tcp(FILE *f, const json_t *d)
{
	char a[256], b[64];
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(d, "udp_over_tcp"), i, s) {
		begin_line(f, "uot");
		fprintf(f, "%s: breaker %s, tripped %lld times\n", word(s, "tag", a, sizeof(a)), word(s, "breaker", b, sizeof(b)),
			(long long)number(s, "trips"));
	}
}

/* "3 flows, 1.2 MB up, 3 MB down; 2 sessions, ..." of a port or a user. */
static void print_traffic(FILE *f, const json_t *d)
{
	const json_t *tcp = json_object_get(d, "tcp"), *udp = json_object_get(d, "udp");
	char up[32], down[32];

	fprintf(f, "%lld flows, %s up, %s down", (long long)number(tcp, "flows_opened"), bytes(number(tcp, "bytes_up"), up, sizeof(up)),
		bytes(number(tcp, "bytes_down"), down, sizeof(down)));
	if (number(udp, "sessions_opened"))
		fprintf(f, "; %lld sessions, %s up, %s down", (long long)number(udp, "sessions_opened"),
			bytes(number(udp, "bytes_up"), up, sizeof(up)), bytes(number(udp, "bytes_down"), down, sizeof(down)));
	fputc('\n', f);
}

static void print_ports(FILE *f, const json_t *d)
{
	char a[256], b[256];
	json_t *p;
	size_t i;

	json_array_foreach (json_object_get(d, "ports"), i, p) {
		begin_line(f, "port");
		fprintf(f, "%s %s: ", word(p, "port", a, sizeof(a)), word(p, "method", b, sizeof(b)));
		print_traffic(f, p);
	}
	json_array_foreach (json_object_get(d, "users"), i, p) {
		begin_line(f, "user");
		fprintf(f, "%s of %s: ", word(p, "name", a, sizeof(a)), word(p, "port", b, sizeof(b)));
		print_traffic(f, p);
	}
}

static void print_ends(FILE *f, json_t *ended)
{
	const char *key, *separator = "ended: ";
	char shown[64];
	json_t *n;

	json_object_foreach (ended, key, n) {
		if (!json_integer_value(n))
			continue;
		if (*separator == 'e')
			begin_line(f, "");
		fprintf(f, "%s%s %lld", separator, log_escape(key, strlen(key), shown, sizeof(shown)), (long long)json_integer_value(n));
		separator = ", ";
	}
	if (*separator == ',')
		fputc('\n', f);
}

static void print_tcp(FILE *f, const json_t *d)
{
	const json_t *tcp = json_object_get(d, "tcp");
	char up[32], down[32];

	begin_line(f, "tcp");
	fprintf(f, "%lld flows now, %lld opened; %s up, %s down\n", (long long)number(tcp, "flows_active"),
		(long long)number(tcp, "flows_opened"), bytes(number(tcp, "bytes_up"), up, sizeof(up)),
		bytes(number(tcp, "bytes_down"), down, sizeof(down)));
	print_ends(f, json_object_get(json_object_get(d, "flows"), "ended"));
}

/* The rows of a group that tell of trouble and are not 0, in a line behind `what`. */
static void print_trouble(FILE *f, const json_t *d, const char *name, const char *what)
{
	const json_t *group = json_object_get(d, name);
	const char *separator = "";

	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++) {
		json_int_t n = number(group, r->name);

		if (strcmp(r->group, name) != 0 || r->kind != FLOW_TROUBLE || !n)
			continue;
		if (!*separator)
			begin_line(f, what);
		fprintf(f, "%s%s %lld", separator, r->name, (long long)n);
		separator = ", ";
	}
	if (*separator)
		fputc('\n', f);
}

static void print_udp(FILE *f, const json_t *d)
{
	const json_t *udp = json_object_get(d, "udp");
	char up[32], down[32];

	begin_line(f, "udp");
	fprintf(f, "%lld sessions now, %lld opened; %lld packets (%s) up, %lld (%s) down\n", (long long)number(udp, "sessions_active"),
		(long long)number(udp, "sessions_opened"), (long long)number(udp, "packets_up"),
		bytes(number(udp, "bytes_up"), up, sizeof(up)), (long long)number(udp, "packets_down"),
		bytes(number(udp, "bytes_down"), down, sizeof(down)));
	print_trouble(f, d, "udp", "");
}

static void print_socks(FILE *f, const json_t *d)
{
	const json_t *socks = json_object_get(d, "socks");

	if (!number(socks, "control_opened"))
		return;
	begin_line(f, "socks");
	fprintf(f, "%lld control connections now, %lld opened\n", (long long)number(socks, "control_active"),
		(long long)number(socks, "control_opened"));
}

static void print_dns(FILE *f, const json_t *d)
{
	const json_t *dns = json_object_get(d, "dns");

	if (number(dns, "queries")) {
		begin_line(f, "dns");
		fprintf(f, "%lld queries: %lld fake answers, %lld asked of the upstream server (%lld failed); %lld fake addresses\n",
			(long long)number(dns, "queries"), (long long)number(dns, "fake_answers"),
			(long long)number(dns, "upstream_queries"), (long long)number(dns, "upstream_failures"),
			(long long)number(dns, "fake_map"));
	}
	if (number(dns, "lookups")) {
		begin_line(f, "names");
		fprintf(f, "%lld looked up, %lld from the cache, %lld failed\n", (long long)number(dns, "lookups"),
			(long long)number(dns, "cache_hits"), (long long)number(dns, "lookup_failures"));
	}
}

static void print_tun(FILE *f, const json_t *d)
{
	const json_t *tun = json_object_get(d, "tun");
	char a[64], rx[32], tx[32];

	if (!tun)
		return;
	begin_line(f, "tun");
	fprintf(f, "mtu %lld, offload %s; %lld packets (%s) in, %lld (%s) out, %lld dropped\n", (long long)number(tun, "mtu"),
		word(tun, "offload", a, sizeof(a)), (long long)number(tun, "rx_packets"), bytes(number(tun, "rx_bytes"), rx, sizeof(rx)),
		(long long)number(tun, "tx_packets"), bytes(number(tun, "tx_bytes"), tx, sizeof(tx)), (long long)number(tun, "tx_dropped"));
}

static void print_rest(FILE *f, const json_t *d)
{
	const json_t *memory = json_object_get(d, "memory"), *skew = json_object_get(d, "clock_skew_s");
	char rss[32], used[32];

	if (json_object_get(memory, "rss_bytes")) {
		begin_line(f, "memory");
		fprintf(f, "%s resident, %s in buffers\n", bytes(number(memory, "rss_bytes"), rss, sizeof(rss)),
			bytes(number(json_object_get(memory, "pools"), "used_bytes"), used, sizeof(used)));
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
	print_tun(f, d);
	print_rest(f, d);
}
