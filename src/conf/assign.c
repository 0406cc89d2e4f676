/*
 * Values into their fields; see assign.h. A setter returns false after it has
 * said what is wrong. Messages name the option and what it wants; they show
 * the value where it cannot be a secret.
 */
#include "conf/assign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "conf/hop.h"
#include "conf/nearest.h"
#include "conf/up.h"
#include "conf/url.h"

#define DNS_PORT 53
#define MIB (1024u * 1024u)
#define SHOWN 64

/* Where the type says it all. */
static const char *const descriptions[] = {
	[OPTION_FLAG] = "true or false",
	[OPTION_DNS_MODE] = "fake, off, or the address of a resolver",
	[OPTION_SOURCES] = "an IP address",
	[OPTION_DEVICE] = "the name of a network interface",
	[OPTION_ENDPOINT] = "an IP address, or IP:PORT",
	[OPTION_NAMESERVERS] = "IP addresses with commas between, or system, google, cloudflare or quad9",
	[OPTION_SERVERS] = "an array of objects",
	[OPTION_USERS] = "an array of objects",
	[OPTION_LOCALS] = "an array of objects",
	[OPTION_PORTS] = "an object of passwords by port",
	[OPTION_OBJECT] = "an object",
	[OPTION_WEIGHT] = "a number from 0 to 1",
	[OPTION_HOPS] = "a URL, or an array of them",
	[OPTION_PROBE_URL] = "http://HOST[:PORT][/PATH]",
	[OPTION_STRINGS] = "an array of strings",
	[OPTION_PREFIX] = "an address and a prefix length",
	[OPTION_PREFIXES] = "a prefix such as 10.0.0.0/8, or an array of them",
	[OPTION_DEVICES] = "the name of a network interface, or an array of them",
	[OPTION_CGROUPS] = "the path of a control group, or an array of them",
	[OPTION_UIDS] = "a user's name or number, FROM-TO, or an array of them",
};

char *option_describe_type(const struct option_row *r, char *buf, size_t size)
{
	const char *fixed = (size_t)r->type < sizeof(descriptions) / sizeof(*descriptions) ? descriptions[r->type] : NULL;

	switch (r->type) {
	case OPTION_NUMBER:
	case OPTION_MEGABYTES:
	case OPTION_PORT:
		snprintf(buf, size, "a number from %" PRIu32 " to %" PRIu32, r->min, r->max);
		break;
	case OPTION_WORKERS:
		snprintf(buf, size, "auto, or a number from %" PRIu32 " to %" PRIu32, r->min, r->max);
		break;
	case OPTION_SWITCH:
		snprintf(buf, size, "true, false, or %s", strrchr(r->words, '|') + 1);
		break;
	case OPTION_WORD:
	case OPTION_WISH:
		snprintf(buf, size, "one of %s", r->words);
		break;
	default:
		snprintf(buf, size, "%s", fixed ? fixed : "a string");
	}
	return buf;
}

static bool wants(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	char type[128], shown[SHOWN];

	option_describe_type(r, type, sizeof(type));
	if (v->kind == VALUE_TEXT && r->type != OPTION_SECRET && r->type != OPTION_HOPS)
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s wants %s, not \"%s\"", a->name, type,
			    log_escape(v->text, strlen(v->text), shown, sizeof(shown)));
	else if (v->kind == VALUE_NUMBER)
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s wants %s, not %" PRId64, a->name, type, v->number);
	else
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s wants %s, not %s", a->name, type, v->is);
	return false;
}

static void *field_of(const struct assignment *a, const struct option_row *r)
{
	void *home = r->home == HOME_SERVER ? (void *)a->spec : r->home == HOME_LOCAL ? (void *)a->local : (void *)a->config;

	return (char *)home + r->offset;
}

static bool set_number(const struct assignment *a, const struct option_row *r, const struct option_value *v, uint32_t number)
{
	if (r->home != HOME_CONFIG)
		*(struct spec_number *)field_of(a, r) = (struct spec_number){ .number = number, .at = v->at };
	else
		memcpy(field_of(a, r), &number, sizeof(number));
	return true;
}

static bool assign_flag(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_BOOL)
		return wants(a, r, v);
	if (r->home != HOME_CONFIG)
		return set_number(a, r, v, (uint32_t)v->number);
	*(bool *)field_of(a, r) = (v->number != 0) != (r->min != 0);
	return true;
}

static bool assign_number(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_NUMBER || v->number < r->min || v->number > r->max)
		return wants(a, r, v);
	return set_number(a, r, v, (uint32_t)v->number * (r->type == OPTION_MEGABYTES ? MIB : 1));
}

static bool assign_port(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	uint32_t port = 0;
	struct option_value number = { .kind = VALUE_NUMBER, .at = v->at };

	if (v->kind != VALUE_TEXT)
		return assign_number(a, r, v);
	if (spec_parse_port(v->text, strlen(v->text), &port) == -EINVAL)
		return wants(a, r, v);
	number.number = port;
	return assign_number(a, r, &number);
}

static bool assign_weight(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	double weight = v->kind == VALUE_REAL ? v->real : (double)v->number;

	if ((v->kind != VALUE_REAL && v->kind != VALUE_NUMBER) || !(weight >= 0 && weight <= 1))
		return wants(a, r, v);
	return set_number(a, r, v, (uint32_t)(weight * 1000 + 0.5));
}

static bool assign_hop(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_TEXT)
		return wants(a, r, v);
	a->spec->hops_given = true;
	if (*v->text) /* an empty one says that there is none */
		hop_add(a->spec, v->text, v->at);
	return true;
}

static bool assign_probe_url(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	const char *path;

	if (v->kind != VALUE_TEXT || hop_read_probe(v->text, &a->config->probe_host, &path) != 0)
		return wants(a, r, v);
	a->config->probe_path = config_keep_text(a->config, path, strlen(path));
	if (!a->config->probe_path)
		die(1, "out of memory");
	return true;
}

static bool assign_word(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	const char *word = r->words;

	for (uint32_t i = 0; v->kind == VALUE_TEXT && word; i++) {
		size_t len = strcspn(word, "|");

		if (strlen(v->text) == len && memcmp(v->text, word, len) == 0)
			return set_number(a, r, v, r->min + i);
		word = word[len] ? word + len + 1 : NULL;
	}
	return wants(a, r, v);
}

/* Without a word it is the first of them. */
static bool assign_wish(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	return v->kind == VALUE_BOOL ? set_number(a, r, v, r->min) : assign_word(a, r, v);
}

/* The words are "false", "true" and more. */
static bool assign_switch(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind == VALUE_BOOL)
		return set_number(a, r, v, r->min + (v->number != 0));
	return assign_word(a, r, v);
}

static bool assign_text(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_TEXT)
		return wants(a, r, v);
	if (r->home != HOME_CONFIG) {
		spec_set_text(field_of(a, r), v->text, strlen(v->text), v->at);
		return true;
	}
	if (!*v->text) {
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s is empty", a->name);
		return false;
	}

	const char *copy = config_keep_text(a->config, v->text, strlen(v->text));

	if (!copy)
		die(1, "out of memory");
	memcpy(field_of(a, r), &copy, sizeof(copy));
	return true;
}

/* shadowsocks-rust's "${NAME}": the secret is in the environment. */
static bool assign_secret(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct option_value from = *v;
	size_t len = v->kind == VALUE_TEXT ? strlen(v->text) : 0;
	char name[128];

	if (len <= 3 || strncmp(v->text, "${", 2) != 0 || v->text[len - 1] != '}' || len - 3 >= sizeof(name))
		return assign_text(a, r, v);
	memcpy(name, v->text + 2, len - 3);
	name[len - 3] = 0;
	from.text = getenv(name);
	if (!from.text) {
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s: the environment has no variable of that name", a->name);
		return false;
	}
	return assign_text(a, r, &from);
}

/* IP, IP:PORT or [IPV6]:PORT of exactly `len` bytes. */
static bool parse_endpoint(const char *text, size_t len, struct target *out)
{
	char copy[64];
	struct addr ip;
	struct target t = { 0 };

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (addr_parse_ip(copy, DNS_PORT, &ip) == 0)
		target_from_addr(&t, &ip);
	else if (target_parse(copy, &t) != 0 || target_is_name(&t))
		return false;
	*out = t;
	return true;
}

static bool assign_endpoint(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_TEXT || !parse_endpoint(v->text, strlen(v->text), field_of(a, r)))
		return wants(a, r, v);
	return true;
}

static bool assign_sources(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct addr *pair = field_of(a, r), ip;

	if (v->kind != VALUE_TEXT || addr_parse_ip(v->text, 0, &ip) != 0)
		return wants(a, r, v);
	pair[ip.family == AF_INET6] = ip;
	return true;
}

static bool assign_device(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_TEXT || !*v->text || strlen(v->text) >= IFNAMSIZ || strpbrk(v->text, "/ \t\n"))
		return wants(a, r, v);
	strcpy(field_of(a, r), v->text);
	return true;
}

static bool assign_dns_mode(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_TEXT)
		return wants(a, r, v);
	if (strcmp(v->text, "fake") == 0)
		a->config->dns = DNS_FAKE;
	else if (strcmp(v->text, "off") == 0)
		a->config->dns = DNS_OFF;
	else if (parse_endpoint(v->text, strlen(v->text), &a->config->dns_upstream))
		a->config->dns = DNS_UPSTREAM;
	else
		return wants(a, r, v);
	return true;
}

static const char *nameserver_preset(const char *name)
{
	static const char *const presets[][2] = {
		{ "google", "8.8.8.8,8.8.4.4,[2001:4860:4860::8888],[2001:4860:4860::8844]" },
		{ "cloudflare", "1.1.1.1,1.0.0.1,[2606:4700:4700::1111],[2606:4700:4700::1001]" },
		{ "quad9", "9.9.9.9,149.112.112.112,[2620:fe::fe],[2620:fe::9]" },
	};

	for (size_t i = 0; i < sizeof(presets) / sizeof(*presets); i++)
		if (strcmp(name, presets[i][0]) == 0)
			return presets[i][1];
	return name;
}

/* Rewrites "1.1.1.1, ::1" as "1.1.1.1:53,[::1]:53"; what resolve/ takes. */
static bool assign_nameservers(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	char list[512];
	size_t used = 0;
	const char *at = v->kind == VALUE_TEXT ? nameserver_preset(v->text) : "";
	struct option_value normal = { .kind = VALUE_TEXT, .text = list, .at = v->at };

	if (v->kind == VALUE_TEXT && strcmp(v->text, "system") == 0)
		return true;
	do {
		char one[ADDR_STRLEN];
		struct target t;
		size_t len;

		at += strspn(at, " ");
		len = strcspn(at, ", ");
		if (!parse_endpoint(at, len, &t) || used + ADDR_STRLEN + 1 > sizeof(list))
			return wants(a, r, v);
		used += (size_t)sprintf(list + used, "%s%s", used ? "," : "", addr_format(&t.ip, one));
		at += len + strspn(at + len, " ");
	} while (*at++ == ',');
	return at[-1] ? wants(a, r, v) : assign_text(a, r, &normal);
}

static void take_text(struct spec_text *to, struct spec_text *from, conf_place at)
{
	if (to->text || !from->text)
		return;
	*to = *from;
	to->at = at;
	*from = (struct spec_text){ 0 };
}

/* A host, or a URL whose parts fill what no key of their own has said. */
static bool assign_server(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct server_spec url = { 0 }, *s = a->spec;
	char err[128];
	bool ok;

	if (v->kind != VALUE_TEXT)
		return wants(a, r, v);
	if (!url_is_ss(v->text)) {
		uint32_t port = s->port.number; /* "server_port" wins over a port in "server" */

		int errors = a->problems->n_errors;

		spec_set_address(s, v->text, v->at, a->problems);
		if (port)
			s->port.number = port;
		return a->problems->n_errors == errors;
	}
	ok = url_parse(v->text, &url, err, sizeof(err)) == 0;
	if (!ok)
		problem_add(a->problems, PROBLEM_ERROR, v->at, "%s: %s", a->name, err);
	take_text(&s->host, &url.host, v->at);
	take_text(&s->method, &url.method, v->at);
	take_text(&s->password, &url.password, v->at);
	take_text(&s->tag, &url.tag, v->at);
	if (!s->plugin.text && !s->plugin_opts.text)
		take_text(&s->plugin_opts, &url.plugin_opts, v->at);
	take_text(&s->plugin, &url.plugin, v->at);
	if (!s->port.number)
		s->port = (struct spec_number){ .number = url.port.number, .at = v->at };
	if (!ok)
		spec_refuse_rest(s, v->at);
	spec_free(&url);
	return ok;
}

/* Inbounds of `gatun local`, what `run` has, and what comes later. */
static const struct { const char *word; enum local_protocol protocol; } protocols[] = {
	{ "socks", LOCAL_SOCKS }, { "http", LOCAL_HTTP },	 { "mixed", LOCAL_MIXED }, { "tunnel", LOCAL_TUNNEL },
	{ "tun", LOCAL_OTHER },	  { "redir", LOCAL_REDIR }, { "dns", LOCAL_DNS },   { "fake-dns", LOCAL_FAKE_DNS },
};

static bool assign_protocol(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct nearest near = { .word = v->kind == VALUE_TEXT ? v->text : "" };
	char shown[SHOWN];

	if (v->kind != VALUE_TEXT)
		return wants(a, r, v);
	log_escape(v->text, strlen(v->text), shown, sizeof(shown));
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		nearest_offer(&near, protocols[i].word);
		if (strcmp(v->text, protocols[i].word) != 0)
			continue;
		return set_number(a, r, v, protocols[i].protocol);
	}
	problem_add(a->problems, PROBLEM_ERROR, v->at, "unknown protocol \"%s\"%s%s%s", shown, near.best ? ", did you mean \"" : "",
		    near.best ? near.best : "", near.best ? "\"?" : "");
	return false;
}

static bool assign_workers(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct option_value number = *v;
	size_t len = v->kind == VALUE_TEXT ? strlen(v->text) : 0;

	if (v->kind == VALUE_TEXT && strcmp(v->text, "auto") == 0)
		return set_number(a, r, v, 0);
	if (len && len < 9 && strspn(v->text, "0123456789") == len) {
		number.kind = VALUE_NUMBER;
		number.number = strtoll(v->text, NULL, 10);
	}
	return assign_number(a, r, &number);
}

static bool assign_listen(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	struct local_spec *s;

	if (v->kind != VALUE_TEXT)
		return wants(a, r, v);
	s = local_list_add(a->locals);
	s->tcp_redir.number = r->max;
	if (r->max == REDIR_REDIRECT) /* all that can come that way */
		s->mode.number = MODE_TCP_ONLY;
	return local_parse(s, (enum local_protocol)r->min, v->text, a->name, a->problems);
}

static bool assign_later(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	if (v->kind != VALUE_BOOL || v->number) /* off is what it is */
		problem_add(a->problems, PROBLEM_WARNING, v->at, "%s is known but not supported yet: it has no effect (%s)", a->name,
			    r->doc);
	return true;
}

static bool assign_count(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	(void)v;
	++*(uint32_t *)field_of(a, r);
	return true;
}

static bool assign_nothing(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	(void)a;
	(void)r;
	(void)v;
	return true;
}

typedef bool assign_fn(const struct assignment *, const struct option_row *, const struct option_value *);

/* Those that are not here have no single value: file.c or the command line takes them apart. */
static assign_fn *const assigners[] = {
	[OPTION_FLAG] = assign_flag,
	[OPTION_COUNT] = assign_count,
	[OPTION_NUMBER] = assign_number,
	[OPTION_MEGABYTES] = assign_number,
	[OPTION_PORT] = assign_port,
	[OPTION_SWITCH] = assign_switch,
	[OPTION_WORD] = assign_word,
	[OPTION_TEXT] = assign_text,
	[OPTION_SECRET] = assign_secret,
	[OPTION_DNS_MODE] = assign_dns_mode,
	[OPTION_SOURCES] = assign_sources,
	[OPTION_DEVICE] = assign_device,
	[OPTION_ENDPOINT] = assign_endpoint,
	[OPTION_NAMESERVERS] = assign_nameservers,
	[OPTION_WORKERS] = assign_workers,
	[OPTION_SERVER] = assign_server,
	[OPTION_PROTOCOL] = assign_protocol,
	[OPTION_LISTEN] = assign_listen,
	[OPTION_HOPS] = assign_hop,
	[OPTION_WEIGHT] = assign_weight,
	[OPTION_PROBE_URL] = assign_probe_url,
	[OPTION_WISH] = assign_wish,
	[OPTION_PREFIX] = up_assign_prefix,
	[OPTION_PREFIXES] = up_assign_item,
	[OPTION_DEVICES] = up_assign_item,
	[OPTION_CGROUPS] = up_assign_item,
	[OPTION_UIDS] = up_assign_item,
	[OPTION_INERT] = assign_nothing,
	[OPTION_LATER] = assign_later,
};

static bool assign(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	assign_fn *fn = r->type < sizeof(assigners) / sizeof(*assigners) ? assigners[r->type] : NULL;

	return fn ? fn(a, r, v) : wants(a, r, v);
}

/* A refused value leaves its place in the spec: it is not missing. */
static void mark_refused(const struct assignment *a, const struct option_row *r, conf_place at)
{
	if (r->type == OPTION_SOURCES || r->type == OPTION_DEVICE)
		return; /* they have no place, and nobody misses them */
	if (r->type == OPTION_FLAG || r->type == OPTION_PORT || r->type == OPTION_WORD || r->type == OPTION_SWITCH || r->type == OPTION_PROTOCOL ||
	    r->type == OPTION_NUMBER || r->type == OPTION_WEIGHT)
		((struct spec_number *)field_of(a, r))->at = at;
	else
		((struct spec_text *)field_of(a, r))->at = at;
}

bool option_assign(const struct assignment *a, const struct option_row *r, const struct option_value *v)
{
	bool ok = assign(a, r, v);

	if (!ok && r->home != HOME_CONFIG)
		mark_refused(a, r, v->at);
	return ok;
}
