/*
 * SIP008 documents; see online.h. They come from outside: every text has a bound,
 * nothing in them is expanded ("${NAME}" is a password like any other) and no key
 * of ours beyond the standard's is looked at, so that whoever serves one cannot
 * choose a device, a mark or a proxy on this machine.
 */
#include "conf/online.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "conf/hop.h"
#include "conf/json_text.h"
#include "conf/option.h"
#include "conf/over_tcp.h"
#include "conf/spec.h"
#include "conf/utf8.h"

#define TEXT_MAX 1024
#define SAID_MAX 512

static bool begins_with(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

bool online_url_is_safe(const char *url)
{
	static const char *const here[] = { "http://127.0.0.1/", "http://127.0.0.1:", "http://[::1]/", "http://[::1]:" };

	if (begins_with(url, "https://"))
		return true;
	for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++)
		if (begins_with(url, here[i]))
			return !strpbrk(url, "@\\"); /* http://127.0.0.1:80@elsewhere/ */
	return false;
}

void online_check(const struct config *c, uint32_t command, struct problems *p)
{
	if (!c->online_given)
		return;
	if (!c->online_url)
		problem_add(p, PROBLEM_ERROR, 0, "online_config: \"config_url\" is missing");
	else if (!online_url_is_safe(c->online_url))
		problem_add(p, PROBLEM_ERROR, 0,
			    "online_config: config_url wants https:// (http:// only to 127.0.0.1 or [::1]): what comes from it decides "
			    "where all traffic goes");
	else if (command == FOR_SERVER)
		problem_add(p, PROBLEM_WARNING, 0, "\"online_config\" is for `gatun run` and `gatun local`: it has no effect here");
}

/* ---- an entry ---- */

/* False: it is no text, or too long for one. */
static bool take_text(const json_t *entry, const char *key, struct spec_text *out)
{
	const json_t *v = json_object_get(entry, key);

	if (!v || json_is_null(v))
		return true;
	if (!json_is_string(v) || json_string_length(v) > TEXT_MAX)
		return false;
	spec_set_text(out, json_string_value(v), json_string_length(v), 0);
	return true;
}

static bool take_port(const json_t *entry, struct spec_number *out)
{
	const json_t *v = json_object_get(entry, "server_port");
	json_int_t port = json_integer_value(v);

	if (json_is_string(v))
		return spec_parse_port(json_string_value(v), json_string_length(v), &out->number) == 0;
	out->number = port > 0 && port <= 65535 ? (uint32_t)port : 0;
	return out->number != 0;
}

/* NULL, or what is wrong with it. */
static const char *read_entry(const json_t *entry, struct server_spec *s)
{
	struct spec_text host = { 0 };
	bool ok;

	if (!json_is_object(entry))
		return "it is no object";
	ok = take_text(entry, "remarks", &s->tag) && (s->tag.text || take_text(entry, "id", &s->tag));
	if (ok && take_text(entry, "server", &host) && host.text) {
		spec_set_host(s, host.text, strlen(host.text), 0);
		free(host.text);
	}
	if (!ok || !s->host.text)
		return "\"server\" is missing, or a text of it is none";
	if (!take_port(entry, &s->port))
		return "\"server_port\" is no port";
	if (!take_text(entry, "method", &s->method) || !take_text(entry, "password", &s->password) ||
	    !take_text(entry, "plugin", &s->plugin) || !take_text(entry, "plugin_opts", &s->plugin_opts))
		return "a text is none, or longer than 1024 bytes";
	return NULL;
}

static bool is_allowed(const struct config *c, const struct spec_text *plugin)
{
	if (!plugin->text || !*plugin->text)
		return true;
	for (const char *const *at = c->online_plugins; at && *at; at++)
		if (strcmp(*at, plugin->text) == 0)
			return true;
	return false;
}

static const char *first_error(const struct problems *p)
{
	for (int i = 0; i < p->n; i++)
		if (p->items[i].kind == PROBLEM_ERROR)
			return p->items[i].text;
	return "it is not sound";
}

/* Into *out. NULL, or the reason: a constant, or in `said`. */
static const char *check_entry(struct config *c, const struct server_spec *s, struct config_server *out, char said[SAID_MAX])
{
	struct problems p = { .source = "online_config" };
	bool ok;

	if (!is_allowed(c, &s->plugin))
		return "its plugin is not among \"allowed_plugins\"";
	ok = spec_check(s, c, out, &p);
	if (ok)
		ok = over_tcp_check(s, c, out, &p);
	if (!ok)
		snprintf(said, SAID_MAX, "%s", first_error(&p));
	problems_free(&p);
	return ok ? NULL : said;
}

/* NULL, or why it is left out. */
static const char *add_entry(struct config *c, const json_t *entry, struct server_spec *s, char said[SAID_MAX])
{
	struct config_server server = { 0 };
	const char *why = read_entry(entry, s);

	/* What stands before all servers stands before these. */
	for (const char *const *hop = c->online_hops; hop && *hop; hop++)
		hop_add(s, *hop, 0);
	if (!why)
		why = check_entry(c, s, &server, said);
	if (why) {
		config_server_free(&server);
		return why;
	}
	server.online = true;
	c->servers = array_grow_or_die(c->servers, c->n_servers, sizeof(*c->servers));
	c->servers[c->n_servers++] = server;
	return NULL;
}

/* ---- the document ---- */

static void read_servers(struct config *c, const json_t *all, const struct online_reader *r, struct online_document *d)
{
	for (size_t i = 0; i < json_array_size(all); i++) {
		struct server_spec s = { 0 };
		char said[SAID_MAX];
		const char *why = add_entry(c, json_array_get(all, i), &s, said);

		if (!why) {
			d->n_servers++;
		} else {
			d->n_left_out++;
			if (s.tag.text)
				utf8_make_printable(s.tag.text);
			if (r && r->left_out)
				r->left_out(r->owner, (int)i + 1, s.tag.text ? s.tag.text : "", why);
		}
		spec_free(&s);
	}
}

static int64_t number_of(const json_t *root, const char *key)
{
	const json_t *v = json_object_get(root, key);

	return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) : -1;
}

static const char *read_root(struct config *c, const json_t *root, const struct online_reader *r, struct online_document *d)
{
	const json_t *servers = json_object_get(root, "servers");

	if (!json_is_object(root) || !json_is_array(servers))
		return "it is no SIP008 document: { \"version\": 1, \"servers\": [...] }";
	if (json_integer_value(json_object_get(root, "version")) != 1)
		return "its version is not 1";
	if (json_array_size(servers) > ONLINE_SERVERS_MAX)
		return "it names more than 256 servers";
	d->bytes_used = number_of(root, "bytes_used");
	d->bytes_remaining = number_of(root, "bytes_remaining");
	read_servers(c, servers, r, d);
	return d->n_servers ? NULL : "it names no server that can be used";
}

int online_read(struct config *c, const char *text, size_t len, const struct online_reader *r, struct online_document *d,
		const char **why)
{
	json_error_t e;
	json_t *root;

	*d = (struct online_document){ .bytes_used = -1, .bytes_remaining = -1 };
	*why = "it is larger than 1 MiB";
	if (len > ONLINE_BYTES_MAX)
		return -EINVAL;
	json_wipe_memory();
	root = memchr(text, 0, len) ? NULL : json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	*why = root ? read_root(c, root, r, d) : "it is no JSON";
	json_decref(root);
	return *why ? -EINVAL : 0;
}
