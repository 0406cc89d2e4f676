/*
 * The schema: shadowsocks-rust's, with libev's spellings, driven by the option
 * table. A section (top level, an element of servers[], one of locals[]) is an
 * object whose keys are looked up among the rows of that section; what is not
 * there is a warning with the nearest key that is, since an unknown key may be
 * a newer program's and must not stop an old one.
 */
#include "conf/file.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "conf/assign.h"
#include "conf/foreign.h"
#include "conf/hop.h"
#include "conf/json_text.h"
#include "conf/limits.h"
#include "conf/nearest.h"
#include "conf/over_tcp.h"
#include "conf/up.h"

#define KEY_SHOWN 64

struct reader {
	struct loading *loading;
	struct local_spec *local; /* the inbound that the section read now speaks of */
	struct json_places places;
};

static const char *kind_name(const json_t *v)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",	  [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
		[JSON_REAL] = "a fraction",  [JSON_TRUE] = "true",	  [JSON_FALSE] = "false",     [JSON_NULL] = "null",
	};

	return names[json_typeof(v)];
}

static struct option_value value_of(const json_t *v, conf_place at)
{
	struct option_value out = { .kind = VALUE_OTHER, .is = kind_name(v), .at = at };

	if (json_is_boolean(v)) {
		out.kind = VALUE_BOOL;
		out.number = json_is_true(v);
	} else if (json_is_integer(v)) {
		out.kind = VALUE_NUMBER;
		out.number = json_integer_value(v);
	} else if (json_is_real(v)) {
		out.kind = VALUE_REAL;
		out.real = json_real_value(v);
	} else if (json_is_string(v)) {
		out.kind = VALUE_TEXT;
		out.text = json_string_value(v);
	}
	return out;
}

static void warn_unknown(struct reader *r, const char *key, uint32_t where, conf_place at)
{
	struct nearest near = { .word = key };
	char shown[KEY_SHOWN];

	for (const struct option_row *o = option_table(); o->key || o->flag; o++)
		if (o->key && (o->where & where))
			nearest_offer(&near, o->key);
	log_escape(key, strlen(key), shown, sizeof(shown));
	if (near.best)
		problem_add(&r->loading->problems, PROBLEM_WARNING, at, "unknown key \"%s\", did you mean \"%s\"?", shown, near.best);
	else if (option_find_key(key, IN_FILE))
		problem_add(&r->loading->problems, PROBLEM_WARNING, at, "\"%s\" does not belong here: it has no effect", shown);
	else
		problem_add(&r->loading->problems, PROBLEM_WARNING, at, "unknown key \"%s\": it has no effect", shown);
}

static void wants_type(struct reader *r, const struct option_row *o, const json_t *v, conf_place at)
{
	char type[128];

	problem_add(&r->loading->problems, PROBLEM_ERROR, at, "\"%s\" wants %s, not %s", o->key,
		    option_describe_type(o, type, sizeof(type)), kind_name(v));
}

static void read_section(struct reader *r, const json_t *object, uint32_t where, struct server_spec *spec);
static void read_member(struct reader *r, const struct option_row *o, const json_t *v, conf_place at, struct server_spec *spec);

/* An array of objects, each of which goes to `take`; `one` is what an object is called. */
typedef void take_object(struct reader *r, const struct option_row *o, const json_t *object, conf_place at, struct server_spec *spec);

static void read_objects(struct reader *r, const struct option_row *o, const json_t *array, struct server_spec *spec, const char *one,
			 take_object *take)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *entry = json_array_get(array, i);
		conf_place at = json_places_item(&r->places, array, i)->value_at;

		if (json_is_object(entry))
			take(r, o, entry, at, spec);
		else
			problem_add(&r->loading->problems, PROBLEM_ERROR, at, "%s is an object, not %s", one, kind_name(entry));
	}
}

static void read_server(struct reader *r, const struct option_row *o, const json_t *object, conf_place at, struct server_spec *outer)
{
	struct server_spec spec = { .at = at };

	(void)o;
	(void)outer;
	read_section(r, object, IN_SERVER, &spec);
	*spec_list_add(&r->loading->specs) = spec;
}

/* A user is written like a server that has a name and a password only, a relay's destination
 * like one that has an address, too. */
static bool is_user_key(const char *key, bool destination)
{
	return strcmp(key, "name") == 0 || strcmp(key, "password") == 0 ||
	       (destination && (strcmp(key, "server") == 0 || strcmp(key, "server_port") == 0));
}

static void read_user(struct reader *r, const struct option_row *o, const json_t *object, conf_place at, struct server_spec *server)
{
	struct server_spec as_server = { 0 };
	struct user_spec *user;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		const struct json_place *place = json_places_key(&r->places, object, key);
		char shown[KEY_SHOWN];

		if (is_user_key(key, o->min))
			read_member(r, option_find_key(key, IN_SERVER), value, place->value_at, &as_server);
		else if (option_find_key(key, IN_USER))
			read_member(r, option_find_key(key, IN_USER), value, place->value_at, &as_server);
		else if (key[0] != '_' && strncmp(key, "//", 2) != 0)
			problem_add(&r->loading->problems, PROBLEM_WARNING, place->key_at,
				    "unknown key \"%s\" of a user: it has no effect", log_escape(key, strlen(key), shown, sizeof(shown)));
	}
	user = spec_add_user(server);
	*user = (struct user_spec){
		.name = as_server.tag,
		.password = as_server.password,
		.limits = as_server.limits,
		.host = as_server.host,
		.port = as_server.port,
		.at = at,
	};
}

static void read_users(struct reader *r, const struct option_row *o, const json_t *array, conf_place at, struct server_spec *server)
{
	if (server->n_users && !server->relay.number != !o->min) {
		problem_add(&r->loading->problems, PROBLEM_ERROR, at, "\"users\" and \"destinations\" of one server: it serves, or it passes on");
		return;
	}
	server->relay = (struct spec_number){ .number = o->min, .at = at };
	read_objects(r, o, array, server, "a user", read_user);
}

/* An inbound that does not say its protocol is a socks one, as in shadowsocks-rust.
 * Of a protocol that we do not have only the name is looked at. */
static bool is_other(const json_t *local)
{
	static const char *const ours[] = { "socks", "http", "mixed", "tunnel", "dns", "fake-dns", "redir", "tun" };
	const json_t *protocol = json_object_get(local, "protocol");

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (json_is_string(protocol) && strcmp(json_string_value(protocol), ours[i]) == 0)
			return false;
	return protocol != NULL;
}

static void read_local(struct reader *r, const struct option_row *o, const json_t *local, conf_place at, struct server_spec *top)
{
	struct server_spec none = { 0 };
	struct local_spec spec = { .at = at }, *outer = r->local;

	(void)o;
	(void)top;
	if (json_is_true(json_object_get(local, "disabled")))
		return;
	r->local = &spec;
	if (is_other(local)) {
		const struct json_place *place = json_places_key(&r->places, local, "protocol");

		read_member(r, option_find_key("protocol", IN_LOCAL), json_object_get(local, "protocol"), place->value_at, &none);
		local_free(&spec);
	} else {
		read_section(r, local, IN_LOCAL, &none);
		if (spec.protocol.number == LOCAL_OTHER) {
			if (spec.acl.text)
				spec_set_text(&r->loading->tun_acl, spec.acl.text, strlen(spec.acl.text), spec.acl.at);
			local_free(&spec);
		} else {
			*local_list_add(&r->loading->locals) = spec;
		}
	}
	r->local = outer;
	spec_free(&none);
}

static void read_items(struct reader *r, const struct option_row *o, const json_t *array, struct server_spec *spec)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		read_member(r, o, json_array_get(array, i), json_places_item(&r->places, array, i)->value_at, spec);
}

static void read_hops(struct reader *r, const struct option_row *o, const json_t *array, struct server_spec *spec)
{
	spec->hops_given = true;
	read_items(r, o, array, spec);
}

static void read_object(struct reader *r, const struct option_row *o, const json_t *v, conf_place at, struct server_spec *spec)
{
	if (!json_is_object(v)) {
		wants_type(r, o, v, at);
		return;
	}
	*(bool *)((char *)r->loading->config + o->offset) = true;
	read_section(r, v, o->min, spec);
}

static void *home_of(const struct reader *r, const struct option_row *o, struct server_spec *spec)
{
	return o->home == HOME_SERVER ? (void *)spec : (void *)r->loading->config;
}

static void read_strings(struct reader *r, const struct option_row *o, const json_t *array, conf_place at, struct server_spec *spec)
{
	struct config *c = r->loading->config;
	size_t n = json_array_size(array);
	const char **texts = calloc(n + 1, sizeof(*texts));
	const json_t *odd = NULL; /* the first that is no string */

	if (!texts)
		die(1, "out of memory");
	for (size_t i = 0; i < n && !odd; i++) {
		const json_t *item = json_array_get(array, i);

		if (!json_is_string(item))
			odd = item;
		else if (!(texts[i] = config_keep_text(c, json_string_value(item), json_string_length(item))))
			die(1, "out of memory");
	}
	if (!json_is_array(array)) {
		wants_type(r, o, array, at);
	} else if (odd) {
		problem_add(&r->loading->problems, PROBLEM_ERROR, at, "\"%s\" wants an array of strings, not %s among them", o->key,
			    kind_name(odd));
	} else {
		const char *const *list = config_keep_list(c, texts, n);

		if (!list)
			die(1, "out of memory");
		memcpy((char *)home_of(r, o, spec) + o->offset, &list, sizeof(list));
	}
	free(texts);
}

static bool is_list_of_objects(const struct option_row *o)
{
	return o->type == OPTION_SERVERS || o->type == OPTION_LOCALS || o->type == OPTION_USERS;
}

static void read_member(struct reader *r, const struct option_row *o, const json_t *v, conf_place at, struct server_spec *spec)
{
	char name[KEY_SHOWN];
	struct assignment a = { r->loading->config, spec, &r->loading->problems, name, r->local, NULL };
	struct option_value value = value_of(v, at);

	snprintf(name, sizeof(name), "\"%s\"", o->key);
	if (json_is_null(v))
		return;
	if (is_list_of_objects(o) && !json_is_array(v))
		wants_type(r, o, v, at);
	else if (o->type == OPTION_SERVERS)
		read_objects(r, o, v, spec, "a server", read_server);
	else if (o->type == OPTION_LOCALS)
		read_objects(r, o, v, spec, "an inbound", read_local);
	else if (o->type == OPTION_USERS)
		read_users(r, o, v, at, spec);
	else if (o->type == OPTION_OBJECT)
		read_object(r, o, v, at, spec);
	else if (o->type == OPTION_HOPS && json_is_array(v))
		read_hops(r, o, v, spec);
	else if (up_is_list(o) && json_is_array(v))
		read_items(r, o, v, spec);
	else if (o->type == OPTION_SWITCH && json_is_object(v))
		over_tcp_read_object(&a, o, v, at);
	else if (o->type == OPTION_STRINGS)
		read_strings(r, o, v, at, spec);
	else
		option_assign(&a, o, &value);
}

/* libev's "server": ["a", "b"]: a server each, alike in all but the host. The
 * array is taken apart after the section, when port and password are known; so are
 * the ports of "port_password". */
static bool is_read_later(const struct option_row *o, const json_t *v)
{
	if (o->type == OPTION_PORTS)
		return json_is_object(v);
	return o->type == OPTION_SERVER && json_is_array(v) && json_array_size(v) > 0;
}

static void read_section(struct reader *r, const json_t *object, uint32_t where, struct server_spec *spec)
{
	json_t *o = (json_t *)object;
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value) {
		const struct option_row *row = option_find_key(key, where);
		const struct json_place *place = json_places_key(&r->places, object, key);

		if (key[0] == '_' || strncmp(key, "//", 2) == 0)
			continue; /* how people write comments in plain JSON */
		if (!row)
			warn_unknown(r, key, where, place->key_at);
		else if (!is_read_later(row, value))
			read_member(r, row, value, place->value_at, spec);
	}
}

static void copy_text(struct spec_text *to, const struct spec_text *from)
{
	if (!to->text && from->text)
		spec_set_text(to, from->text, strlen(from->text), from->at);
	else if (!to->text && !to->at)
		to->at = from->at;
}

/* One that has a plugin of its own (or "": none) has all of that to itself. */
static void inherit_plugin(struct server_spec *s, const struct server_spec *top)
{
	if (s->plugin.text)
		return;
	copy_text(&s->plugin, &top->plugin);
	copy_text(&s->plugin_opts, &top->plugin_opts);
	if (!s->plugin_args)
		s->plugin_args = top->plugin_args;
	if (!s->plugin_mode.number)
		s->plugin_mode = top->plugin_mode;
}

/* What a server does not say is as the top level says. */
static void inherit(struct server_spec *s, const struct server_spec *top)
{
	copy_text(&s->method, &top->method);
	copy_text(&s->password, &top->password);
	inherit_plugin(s, top);
	if (!s->n_users)
		spec_copy_users(s, top);
	hop_inherit(s, top);
	limits_inherit(&s->limits, &top->limits);
	if (!s->mode.number)
		s->mode = top->mode;
	if (!s->port.number)
		s->port.number = top->port.number;
	if (!s->port.at)
		s->port.at = top->port.at;
}

static void read_host_array(struct reader *r, const json_t *hosts, const struct server_spec *top)
{
	for (size_t i = 0; i < json_array_size(hosts); i++) {
		const struct json_place *place = json_places_item(&r->places, hosts, i);
		struct server_spec spec = { .at = place->value_at };

		read_member(r, option_find_key("server", IN_TOP), json_array_get(hosts, i), place->value_at, &spec);
		inherit(&spec, top);
		*spec_list_add(&r->loading->specs) = spec;
	}
}

static bool is_server(const struct server_spec *s)
{
	return s->host.text || s->host.at;
}

/* Enough of one to say what is missing. */
static bool is_part_of_server(const struct server_spec *s)
{
	return s->port.number || s->port.at || s->method.text || s->method.at || s->password.text || s->password.at;
}

/* libev's way: "local_port" beside "server" is an inbound, and a tunnel with "tunnel_address". */
static void take_top_local(struct reader *r, struct local_spec *local, const struct server_spec *top)
{
	struct local_list *all = &r->loading->locals;

	if (!local->protocol.number && local->tunnel.text)
		local->protocol.number = LOCAL_TUNNEL;
	if (!local->protocol.number && local->tcp_tproxy.number) {
		local->protocol.number = LOCAL_REDIR;
		local->tcp_redir.number = REDIR_TPROXY;
	}
	if ((local->port.number || local->port.at) && local->protocol.number != LOCAL_OTHER) {
		*local_list_add(all) = *local;
	} else {
		if (local->address.text || local->tunnel.text)
			problem_add(&r->loading->problems, PROBLEM_WARNING, local->address.text ? local->address.at : local->tunnel.at,
				    "without \"local_port\" this has no effect");
		local_free(local);
	}
	for (int i = 0; i < all->n; i++)
		if (!all->items[i].mode.number)
			all->items[i].mode = top->mode;
}

/* A server of "port_password" with what the top level says, and the address of `like`. */
static void read_port(struct reader *r, const char *port, const json_t *password, const struct json_place *place,
		      const struct server_spec *like, const struct server_spec *top)
{
	struct server_spec spec = { .at = place->key_at };
	char shown[KEY_SHOWN];

	if (spec_parse_port(port, strlen(port), &spec.port.number) != 0) {
		problem_add(&r->loading->problems, PROBLEM_ERROR, place->key_at, "\"port_password\": \"%s\" is no port",
			    log_escape(port, strlen(port), shown, sizeof(shown)));
		return;
	}
	spec.port.at = place->key_at;
	read_member(r, option_find_key("password", IN_TOP), password, place->value_at, &spec);
	copy_text(&spec.host, &like->host);
	if (!spec.host.text && !spec.host.at)
		spec_set_text(&spec.host, "0.0.0.0", 7, place->key_at);
	inherit(&spec, top);
	*spec_list_add(&r->loading->specs) = spec;
}

static void read_ports(struct reader *r, const json_t *ports, const struct server_spec *like, const struct server_spec *top)
{
	const char *port;
	json_t *password;

	json_object_foreach((json_t *)(uintptr_t)ports, port, password) {
		const struct json_place *place = json_places_key(&r->places, ports, port);

		if (port[0] != '_')
			read_port(r, port, password, place, like, top);
	}
}

/* libev's "server": ["a", "b"] beside "port_password": every port on every host. */
static void read_ports_of_hosts(struct reader *r, const json_t *ports, const json_t *hosts, const struct server_spec *top)
{
	for (size_t i = 0; i < json_array_size(hosts); i++) {
		struct server_spec like = { 0 };

		read_member(r, option_find_key("server", IN_TOP), json_array_get(hosts, i),
			    json_places_item(&r->places, hosts, i)->value_at, &like);
		read_ports(r, ports, &like, top);
		spec_free(&like);
	}
}

static bool has_port(const struct server_spec *s)
{
	return s->port.number || s->port.at;
}

static void read_top(struct reader *r, const json_t *root)
{
	const json_t *hosts = json_object_get(root, "server"), *ports = json_object_get(root, "port_password");
	struct server_spec top = { .at = 1 };
	struct local_spec local = { .at = 1 };

	r->local = &local;
	read_section(r, root, IN_TOP, &top);
	r->loading->config->limits = limits_of(&top.limits);
	hop_keep(r->loading->config, &top);
	r->loading->file_acl = r->loading->config->acl;
	take_top_local(r, &local, &top);
	for (int i = 0; i < r->loading->specs.n; i++)
		inherit(&r->loading->specs.items[i], &top);
	if (json_is_object(ports) && json_is_array(hosts))
		read_ports_of_hosts(r, ports, hosts, &top);
	else if (json_is_object(ports))
		read_ports(r, ports, &top, &top);
	if (json_is_object(ports) && !has_port(&top)) {
		spec_free(&top); /* it has said what the ports have in common */
		return;
	}
	if (json_is_array(hosts))
		read_host_array(r, hosts, &top);
	if (is_server(&top) || (!r->loading->specs.n && is_part_of_server(&top)))
		*spec_list_add(&r->loading->specs) = top;
	else
		spec_free(&top);
}

static bool read_root(struct reader *r, const char *blanked, const json_t *root)
{
	if (!json_is_object(root)) {
		problem_add(&r->loading->problems, PROBLEM_ERROR, 1, "a config is a JSON object: { \"server\": ... }");
		return false;
	}
	if (foreign_object(root)) {
		problem_add(&r->loading->problems, PROBLEM_ERROR, 0, "%s", foreign_object(root));
		return false;
	}
	if (json_places_build(&r->places, blanked, r->loading->text_len, root) != 0) {
		problem_add(&r->loading->problems, PROBLEM_ERROR, 0, "cannot follow its structure, or out of memory");
		return false;
	}
	read_top(r, root);
	json_places_free(&r->places);
	return true;
}

bool file_read(struct loading *l)
{
	struct reader r = { .loading = l };
	char *blanked = malloc(l->text_len + 1);
	json_t *root;
	bool ok;

	if (!blanked)
		die(1, "out of memory");
	memcpy(blanked, l->text, l->text_len);
	l->problems.text = l->text;
	l->problems.text_len = l->text_len;
	json_wipe_memory();
	root = json_text_parse(blanked, l->text_len, &l->problems);
	ok = root && read_root(&r, blanked, root);
	json_decref(root);
	sodium_memzero(blanked, l->text_len);
	free(blanked);
	return ok;
}
