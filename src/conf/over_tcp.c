/*
 * udp_over_tcp and connect. A server that carries TCP alone carries UDP as well
 * once it travels in TCP, so `mode` of a client is widened here: whoever asks
 * later what a server carries need not know by which way.
 */
#include "conf/over_tcp.h"

#include <string.h>

#define VERSION_SENT 2

bool over_tcp_read_object(const struct assignment *a, const struct option_row *r, const json_t *object, conf_place at)
{
	struct option_value value = { .kind = VALUE_BOOL, .at = at };
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)object, key, v) {
		if (strcmp(key, "enabled") == 0 && json_is_boolean(v)) {
			value.number = json_is_true(v);
		} else if (strcmp(key, "version") == 0 && json_is_integer(v)) {
			if (json_integer_value(v) != VERSION_SENT)
				problem_add(a->problems, PROBLEM_WARNING, at, "%s: this client speaks version %d whatever \"version\" says",
					    a->name, VERSION_SENT);
		} else {
			problem_add(a->problems, PROBLEM_ERROR, at,
				    "%s as an object is {\"enabled\": true or false, \"version\": 2} and nothing else", a->name);
			return false;
		}
	}
	return option_assign(a, r, &value);
}

static enum udp_over_tcp said(const struct server_spec *s, const struct config *c)
{
	uint32_t word = s->udp_over_tcp.number ? s->udp_over_tcp.number : c->udp_over_tcp;

	return word ? (enum udp_over_tcp)word : UDP_OVER_TCP_NO;
}

bool over_tcp_wanted(const struct server_spec *s, const struct config *c)
{
	return said(s, c) != UDP_OVER_TCP_NO;
}

static bool check_udp(const struct server_spec *s, const struct config *c, struct config_server *out, struct problems *p)
{
	conf_place at = s->udp_over_tcp.at ? s->udp_over_tcp.at : s->at;

	out->udp_over_tcp = said(s, c);
	if (out->udp_over_tcp == UDP_OVER_TCP_NO)
		return true;
	if (!(out->mode & MODE_TCP_ONLY)) {
		if (out->udp_over_tcp == UDP_OVER_TCP_YES) {
			problem_add(p, PROBLEM_ERROR, at, "\"udp_over_tcp\" needs TCP, and \"mode\" is udp_only");
			return false;
		}
		out->udp_over_tcp = UDP_OVER_TCP_NO;
		return true;
	}
	if (!(out->mode & MODE_UDP_ONLY) || !config_server_hops_carry_udp(out)) /* nothing to choose between */
		out->udp_over_tcp = UDP_OVER_TCP_YES;
	out->mode = MODE_TCP_AND_UDP;
	return true;
}

static void check_connect(const struct server_spec *s, const struct config *c, struct config_server *out, struct problems *p)
{
	out->true_connect = s->connect.at || s->connect.number ? s->connect.number : c->connect;
	if (!out->true_connect || out->method->sip022)
		return;
	problem_add(p, PROBLEM_WARNING, s->connect.at ? s->connect.at : s->at,
		    "\"connect\" needs a method whose name begins with 2022: it has no effect with %s", out->method->name);
	out->true_connect = false;
}

bool over_tcp_check(const struct server_spec *s, const struct config *c, struct config_server *out, struct problems *p)
{
	bool ok = check_udp(s, c, out, p);

	check_connect(s, c, out, p);
	return ok;
}

void over_tcp_check_server(const struct server_spec *s, const struct config *c, struct problems *p)
{
	if (over_tcp_wanted(s, c))
		problem_add(p, PROBLEM_WARNING, s->udp_over_tcp.at,
			    "\"udp_over_tcp\" is the client's choice: a server takes UDP both ways, and it has no effect here");
	if (s->connect.number || c->connect)
		problem_add(p, PROBLEM_WARNING, s->connect.at,
			    "\"connect\" is the client's question: a server answers whoever asks, and it has no effect here");
}
