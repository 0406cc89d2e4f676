/*
 * See screen.h. Each line is made in full, then cut to the columns; so no part of it
 * needs to know how wide the others are. Rates are differences of two documents.
 */
#include "ctl/screen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/flow_table.h"
#include "ctl/text.h"
#include "flow/counters.h"

#define WORD_SIZE 256
#define SERVERS_MAX 8
#define SERVERS_ROWS 14 /* what the rest of the screen wants before servers are left out */

enum tone { PLAIN, TITLE, HEAD, BAD };

static const char *const tones[] = { [PLAIN] = "", [TITLE] = "\033[1m", [HEAD] = "\033[7m", [BAD] = "\033[1;31m" };

/* The screen being made: a line is written to `f`, and goes out when it ends. */
struct page {
	const struct screen *s;
	FILE *out, *f;
	char *text;
	size_t len;
	int left; /* rows */
};

/* ---- lines ---- */

/* An empty line behind all rows. NULL f: no memory, nothing is shown. */
static void begin(struct page *p, const char *what)
{
	p->f = open_memstream(&p->text, &p->len);
	if (p->f && *what)
		fprintf(p->f, "  %-8s ", what);
}

static void end(struct page *p, enum tone tone)
{
	int width;
	size_t n;

	if (!p->f)
		return;
	if (fclose(p->f) == 0 && p->left > 0) {
		n = text_fit(p->text, p->s->columns, &width);
		if (p->s->color && tone != PLAIN)
			fprintf(p->out, "%s%.*s%*s\033[0m\n", tones[tone], (int)n, p->text, tone == HEAD ? p->s->columns - width : 0, "");
		else
			fprintf(p->out, "%.*s\n", (int)n, p->text);
		p->left--;
	}
	free(p->text);
	p->f = NULL;
	p->text = NULL;
}

__attribute__((format(printf, 2, 3))) static void put(struct page *p, const char *fmt, ...)
{
	va_list ap;

	if (!p->f)
		return;
	va_start(ap, fmt);
	vfprintf(p->f, fmt, ap);
	va_end(ap);
}

/* ---- rates ---- */

/* Of a counter, a second; 0 where there is nothing to compare with. */
static json_int_t per_second(const struct screen *s, json_int_t now, json_int_t before)
{
	return s->before && s->elapsed_ms && now > before ? (json_int_t)((uint64_t)(now - before) * 1000 / s->elapsed_ms) : 0;
}

static json_int_t traffic(const json_t *document, const char *key)
{
	return text_number(json_object_get(document, "tcp"), key) + text_number(json_object_get(document, "udp"), key);
}

static json_int_t traffic_rate(const struct screen *s, const char *key)
{
	return per_second(s, traffic(s->now, key), traffic(s->before, key));
}

/* ---- parts ---- */

static void show_title(struct page *p)
{
	const json_t *d = p->s->now;
	char mode[WORD_SIZE], version[WORD_SIZE], up[TEXT_SIZE];

	begin(p, "");
	put(p, "gatun %s, pid %lld, up %s, version %s", text_word(d, "mode", mode, sizeof(mode)), (long long)text_number(d, "pid"),
	    text_duration(text_number(d, "uptime_s"), up), text_word(d, "version", version, sizeof(version)));
	end(p, TITLE);
}

static void show_now(struct page *p)
{
	const json_t *tcp = json_object_get(p->s->now, "tcp"), *udp = json_object_get(p->s->now, "udp");
	const json_t *old = json_object_get(p->s->before, "tcp");
	char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE], d[TEXT_SIZE];

	begin(p, "now");
	put(p, "%s/s up, %s/s down; %s TCP flows (%lld/s new), %s UDP", text_bytes(traffic_rate(p->s, "bytes_up"), a),
	    text_bytes(traffic_rate(p->s, "bytes_down"), b), text_count(text_number(tcp, "flows_active"), c),
	    (long long)per_second(p->s, text_number(tcp, "flows_opened"), text_number(old, "flows_opened")),
	    text_count(text_number(udp, "sessions_active"), d));
	end(p, PLAIN);
	begin(p, "total");
	put(p, "%s up, %s down; %s TCP flows, %s UDP", text_bytes(traffic(p->s->now, "bytes_up"), a),
	    text_bytes(traffic(p->s->now, "bytes_down"), b), text_count(text_number(tcp, "flows_opened"), c),
	    text_count(text_number(udp, "sessions_opened"), d));
	end(p, PLAIN);
}

static const json_t *same_server(const json_t *document, const json_t *server)
{
	json_t *other;
	size_t i;

	json_array_foreach (json_object_get(document, "servers"), i, other)
		if (json_equal(json_object_get(other, "tag"), json_object_get(server, "tag")) &&
		    json_equal(json_object_get(other, "address"), json_object_get(server, "address")))
			return other;
	return NULL;
}

static bool is_down(const json_t *server)
{
	const char *state = json_string_value(json_object_get(server, "state"));

	return state && strcmp(state, "down") == 0;
}

static void show_server(struct page *p, const json_t *server)
{
	const json_t *before = same_server(p->s->before, server);
	char a[WORD_SIZE], b[WORD_SIZE], c[64], up[TEXT_SIZE], down[TEXT_SIZE];
	const char *tag = text_word(server, "tag", a, sizeof(a)), *address = text_word(server, "address", b, sizeof(b));

	begin(p, "server");
	put(p, "%s", tag);
	if (strcmp(tag, address) != 0)
		put(p, " at %s", address);
	put(p, ", %s", text_word(server, "state", c, sizeof(c)));
	if (json_object_get(server, "rtt_ms"))
		put(p, ", %lld ms", (long long)text_number(server, "rtt_ms"));
	if (text_number(server, "failures"))
		put(p, ", failed %lld times", (long long)text_number(server, "failures"));
	if (before)
		put(p, ": %s/s up, %s/s down",
		    text_bytes_short(per_second(p->s, text_number(server, "up"), text_number(before, "up")), up),
		    text_bytes_short(per_second(p->s, text_number(server, "down"), text_number(before, "down")), down));
	end(p, is_down(server) ? BAD : PLAIN);
}

/* How many have a line of their own. */
static size_t servers_shown(const struct page *p, size_t n)
{
	size_t room = p->left > SERVERS_ROWS ? (size_t)(p->left - SERVERS_ROWS) : 1;

	room = room > SERVERS_MAX ? SERVERS_MAX : room;
	return n > room ? room : n;
}

static void show_servers(struct page *p)
{
	const json_t *servers = json_object_get(p->s->now, "servers");
	size_t n = json_array_size(servers), shown = servers_shown(p, n), down = 0;

	for (size_t i = 0; i < n; i++) {
		if (i < shown)
			show_server(p, json_array_get(servers, i));
		else
			down += is_down(json_array_get(servers, i));
	}
	if (n == shown)
		return;
	begin(p, "");
	put(p, "and %zu more, %zu of them down", n - shown, down);
	end(p, down ? BAD : PLAIN);
}

static void show_gate(struct page *p)
{
	const json_t *g = json_object_get(p->s->now, "gate");
	char mode[64], n[TEXT_SIZE];

	if (!g)
		return;
	begin(p, "gate");
	put(p, "%s, mark 0x%llx, table %lld", text_word(g, "mode", mode, sizeof(mode)), (unsigned long long)text_number(g, "mark"),
	    (long long)text_number(g, "table"));
	if (json_is_true(json_object_get(g, "kill_switch")))
		put(p, ", kill switch: %s packets dropped", text_count(text_number(g, "guard_drops"), n));
	end(p, PLAIN);
}

static void show_tun(struct page *p)
{
	const json_t *t = json_object_get(p->s->now, "tun");
	char offload[64], n[TEXT_SIZE];

	if (!t)
		return;
	begin(p, "tun");
	put(p, "mtu %lld, offload %s, %s packets dropped", (long long)text_number(t, "mtu"), text_word(t, "offload", offload, sizeof(offload)),
	    text_count(text_number(t, "drops"), n));
	end(p, PLAIN);
}

static void show_names(struct page *p)
{
	const json_t *dns = json_object_get(p->s->now, "dns");
	char a[TEXT_SIZE], b[TEXT_SIZE];

	if (!text_number(dns, "queries") && !text_number(dns, "lookups"))
		return;
	begin(p, "names");
	put(p, "%s queries, %s fake addresses; %lld upstream failures, %lld own", text_count(text_number(dns, "queries"), a),
	    text_count(text_number(dns, "fake_map"), b), (long long)text_number(dns, "upstream_failures"),
	    (long long)text_number(dns, "lookup_failures"));
	end(p, PLAIN);
}

/* Numbers that are not 0, each with what came in the last moment. */
static void put_changing(struct page *p, const char **separator, const char *what, const char *name, json_int_t now, json_int_t before)
{
	if (!now)
		return;
	if (!**separator)
		begin(p, what);
	put(p, "%s%s %lld", *separator, name, (long long)now);
	if (p->s->before && now > before)
		put(p, " (+%lld)", (long long)(now - before));
	*separator = ", ";
}

static void show_ends(struct page *p)
{
	const json_t *old = json_object_get(json_object_get(p->s->before, "flows"), "ended");
	json_t *ended = json_object_get(json_object_get(p->s->now, "flows"), "ended"), *n;
	const char *key, *separator = "";

	json_object_foreach (ended, key, n)
		put_changing(p, &separator, "ended", key, json_integer_value(n), text_number(old, key));
	if (*separator)
		end(p, PLAIN);
}

static void show_drops(struct page *p)
{
	const char *separator = "";

	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++)
		if (r->kind == FLOW_TROUBLE)
			put_changing(p, &separator, "dropped", r->name, text_number(json_object_get(p->s->now, r->group), r->name),
				     text_number(json_object_get(p->s->before, r->group), r->name));
	if (*separator)
		end(p, PLAIN);
}

static void show_memory(struct page *p)
{
	const json_t *memory = json_object_get(p->s->now, "memory");
	size_t n = json_array_size(json_object_get(p->s->now, "workers"));
	char rss[TEXT_SIZE];

	begin(p, "memory");
	put(p, "%s", text_bytes(text_number(memory, "rss_bytes"), rss));
	if (n > 1)
		put(p, " in %zu workers", n);
	end(p, PLAIN);
}

static void show_flow(struct page *p, size_t i)
{
	begin(p, "");
	if (p->f)
		flow_table_row(p->f, p->s->flows, i, p->s->columns);
	end(p, PLAIN);
}

/* The last row is for how many more there are. */
static void show_flows(struct page *p)
{
	size_t n = json_array_size(json_object_get(p->s->flows, "flows")), i = 0;

	begin(p, "");
	end(p, PLAIN);
	begin(p, "");
	if (p->f)
		flow_table_head(p->f);
	end(p, HEAD);
	while (i < n && i < SCREEN_FLOWS && p->left > 1)
		show_flow(p, i++);
	if (text_number(p->s->flows, "count") <= (json_int_t)i)
		return;
	begin(p, "");
	if (p->f)
		flow_table_rest(p->f, p->s->flows, i);
	end(p, PLAIN);
}

/* ---- the whole ---- */

static void show_trouble(struct page *p)
{
	begin(p, "");
	put(p, "gatun: %s", p->s->trouble ? p->s->trouble : "nothing runs");
	end(p, BAD);
}

void screen_print(FILE *out, const struct screen *s)
{
	struct page p = { .s = s, .out = out, .left = s->rows };

	if (!s->now) {
		show_trouble(&p);
		return;
	}
	show_title(&p);
	show_now(&p);
	show_servers(&p);
	show_gate(&p);
	show_tun(&p);
	show_names(&p);
	show_ends(&p);
	show_drops(&p);
	show_memory(&p);
	if (s->flows)
		show_flows(&p);
}

static void put_busiest(FILE *f, const json_t *flows)
{
	const json_t *first = json_array_get(json_object_get(flows, "flows"), 0);
	json_int_t rate = text_number(first, "up_rate") + text_number(first, "down_rate");
	char target[WORD_SIZE * 5], shown[TEXT_SIZE];

	if (rate)
		fprintf(f, ", busiest %s %s/s", text_word(first, "target", target, sizeof(target)), text_bytes_short(rate, shown));
}

void screen_print_line(FILE *f, const struct screen *s, const char *clock)
{
	const json_t *tcp = json_object_get(s->now, "tcp"), *udp = json_object_get(s->now, "udp"), *server;
	char up[TEXT_SIZE], down[TEXT_SIZE], tag[WORD_SIZE];
	size_t i;

	fprintf(f, "%s %s/s up, %s/s down, %lld TCP, %lld UDP", clock, text_bytes_short(traffic_rate(s, "bytes_up"), up),
		text_bytes_short(traffic_rate(s, "bytes_down"), down), (long long)text_number(tcp, "flows_active"),
		(long long)text_number(udp, "sessions_active"));
	json_array_foreach (json_object_get(s->now, "servers"), i, server)
		if (is_down(server))
			fprintf(f, ", %s down", text_word(server, "tag", tag, sizeof(tag)));
	put_busiest(f, s->flows);
	fputc('\n', f);
}
