/* Inbounds from words to addresses; see local.h. */
#include "conf/local.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "conf/users.h"

#define SHOWN 80
#define DNS_PORT 53
#define DEFAULT_ADDRESS "127.0.0.1"

static const char *const names[] = { "none", "socks", "http", "mixed", "tunnel", "dns", "fake-dns", "redir", "other" };
static_assert(sizeof(names) / sizeof(*names) == LOCAL_OTHER + 1, "every protocol has a name");

const char *local_protocol_name(enum local_protocol p)
{
	return names[p];
}

struct local_spec *local_list_add(struct local_list *l)
{
	l->items = array_grow_or_die(l->items, l->n, sizeof(*l->items));
	l->items[l->n] = (struct local_spec){ 0 };
	return &l->items[l->n++];
}

void local_free(struct local_spec *s)
{
	free(s->address.text);
	free(s->udp_address.text);
	free(s->udp_told.text);
	free(s->forward.text);
	free(s->tunnel.text);
	free(s->socks_users.text);
	free(s->http_users.text);
	free(s->acl.text);
	free(s->local_dns.text);
	free(s->remote_dns.text);
	*s = (struct local_spec){ 0 };
}

void local_list_free(struct local_list *l)
{
	for (int i = 0; i < l->n; i++)
		local_free(&l->items[i]);
	free(l->items);
	*l = (struct local_list){ 0 };
}

static bool is_address(const char *text, uint16_t port, struct addr *out)
{
	if (strcmp(text, "localhost") == 0)
		text = DEFAULT_ADDRESS;
	return addr_parse_ip(text, port, out) == 0;
}

bool local_parse(struct local_spec *s, enum local_protocol protocol, const char *text, const char *option, struct problems *p)
{
	size_t len = strcspn(text, "=");
	const char *colon = memrchr(text, ':', len), *forward = text[len] ? text + len + 1 : NULL;
	uint32_t port = 0;
	struct target t;

	s->protocol.number = protocol;
	if (!colon || spec_parse_port(colon + 1, (size_t)(text + len - colon - 1), &port) != 0 ||
	    (forward != NULL) != (protocol == LOCAL_TUNNEL) || (forward && target_parse(forward, &t) != 0)) {
		problem_add(p, PROBLEM_ERROR, 0, "%s wants %s", option,
			    protocol == LOCAL_TUNNEL ? "ADDR:PORT=HOST:PORT: where to listen, and where all of it goes" :
						       "ADDR:PORT, where to listen");
		return false;
	}
	spec_set_text(&s->address, text, (size_t)(colon - text), 0);
	s->port.number = port;
	if (forward)
		spec_set_text(&s->tunnel, forward, strlen(forward), 0);
	return true;
}

static uint16_t dns_port(const struct spec_number *n) { return (uint16_t)(n->number ? n->number : DNS_PORT); }

static void check_dns(const struct local_spec *s, const struct config *c, struct config_local *out, struct problems *p)
{
	const char *far = s->remote_dns.text;

	if (!s->local_dns.text)
		problem_add(p, PROBLEM_ERROR, s->local_dns.at ? s->local_dns.at : s->at,
			    "a dns inbound wants a \"local_dns_address\": who is asked about names that are not proxied");
	else if (addr_parse_ip(s->local_dns.text, dns_port(&s->local_dns_port), &out->local_dns) != 0)
		problem_add(p, PROBLEM_ERROR, s->local_dns.at, "\"local_dns_address\" wants the IP address of a resolver");
	out->remote_dns = c->dns_upstream;
	if (far && target_set(&out->remote_dns, far, strlen(far), dns_port(&s->remote_dns_port)) != 0)
		problem_add(p, PROBLEM_ERROR, s->remote_dns.at, "\"remote_dns_address\" wants the address or name of a resolver");
}

static void check_redir(const struct local_spec *s, struct config_local *out, struct problems *p)
{
	out->tcp_redir = s->tcp_redir.number ? (enum config_redir)s->tcp_redir.number : REDIR_REDIRECT;
	if (s->udp_redir.number == REDIR_REDIRECT)
		problem_add(p, PROBLEM_ERROR, s->udp_redir.at,
			    "UDP cannot come by redirect, which does not tell where a datagram was to go: \"udp_redir\" wants \"tproxy\", "
			    "or \"mode\" \"tcp_only\"");
}

/* Keys of a redir inbound in another one. */
static void check_no_redir(const struct local_spec *s, struct problems *p)
{
	conf_place at = s->tcp_redir.at ? s->tcp_redir.at : s->udp_redir.at;

	if (at)
		problem_add(p, PROBLEM_WARNING, at, "\"tcp_redir\" and \"udp_redir\" are for inbounds of protocol redir: no effect");
}

static bool takes_socks(enum local_protocol p) { return p == LOCAL_SOCKS || p == LOCAL_MIXED; }
static bool takes_http(enum local_protocol p) { return p == LOCAL_HTTP || p == LOCAL_MIXED; }

static bool check_address(const struct spec_text *text, uint32_t port, const char *fallback, struct addr *out, struct problems *p)
{
	const char *ip = text->text ? text->text : fallback;
	char shown[SHOWN];

	if (is_address(ip, (uint16_t)port, out))
		return true;
	problem_add(p, PROBLEM_ERROR, text->at, "an inbound listens on an IP address of this machine (127.0.0.1, 0.0.0.0, ::), not on \"%s\"",
		    log_escape(ip, strlen(ip), shown, sizeof(shown)));
	return false;
}

static bool check_listen(const struct local_spec *s, struct config_local *out, struct problems *p)
{
	const char *address = s->address.text ? s->address.text : DEFAULT_ADDRESS;

	if (!s->port.number) {
		if (!s->port.at) /* else it was refused already */
			problem_add(p, PROBLEM_ERROR, s->at, "an inbound of protocol \"%s\" wants a \"local_port\"",
				    local_protocol_name(out->protocol));
		return false;
	}
	return check_address(&s->address, s->port.number, DEFAULT_ADDRESS, &out->listen, p) &&
	       check_address(&s->udp_address, s->udp_port.number ? s->udp_port.number : s->port.number, address,
			     &out->listen_udp, p);
}

/* What clients are told of where to send datagrams, if they come through NAT or a balancer. */
static void check_told(const struct local_spec *s, struct config_local *out, struct problems *p)
{
	char shown[SHOWN];
	struct target t;

	if (!s->udp_told.text)
		return;
	if (!takes_socks(out->protocol))
		problem_add(p, PROBLEM_WARNING, s->udp_told.at, "\"udp_associate_addr\" is for SOCKS5: it has no effect");
	if (is_address(s->udp_told.text, (uint16_t)s->udp_told_port.number, &out->udp_told))
		return;
	if (target_parse(s->udp_told.text, &t) == 0 && !target_is_name(&t))
		out->udp_told = t.ip;
	else
		problem_add(p, PROBLEM_ERROR, s->udp_told.at, "\"udp_associate_addr\" wants an IP address or IP:PORT, not \"%s\"",
			    log_escape(s->udp_told.text, strlen(s->udp_told.text), shown, sizeof(shown)));
}

static bool check_forward(const struct local_spec *s, struct config_local *out, struct problems *p)
{
	const char *host = s->forward.text;

	if (s->tunnel.text && target_parse(s->tunnel.text, &out->forward) == 0)
		return true;
	if (!s->tunnel.text && host && s->forward_port.number &&
	    target_set(&out->forward, host, strlen(host), (uint16_t)s->forward_port.number) == 0)
		return true;
	if (s->tunnel.text)
		problem_add(p, PROBLEM_ERROR, s->tunnel.at, "\"tunnel_address\" wants HOST:PORT");
	else
		problem_add(p, PROBLEM_ERROR, s->at, "a tunnel wants \"forward_address\" and \"forward_port\"");
	return false;
}

static bool check_users(const struct spec_text *path, bool wanted, const char *section, struct config *c,
			struct config_users *out, struct problems *p)
{
	if (!path->text)
		return true;
	if (!wanted) {
		problem_add(p, PROBLEM_WARNING, path->at, "these users are for another protocol than this inbound's: they have no effect");
		return true;
	}
	return users_read(path, section, c, out, p);
}

bool local_check(const struct local_spec *s, struct config *c, struct config_local *out, struct problems *p)
{
	int errors = p->n_errors;

	out->protocol = s->protocol.number ? (enum local_protocol)s->protocol.number : LOCAL_SOCKS;
	out->mode = s->mode.number ? (enum config_mode)s->mode.number : MODE_TCP_AND_UDP;
	out->acl = spec_keep_acl(&s->acl, c);
	if (s->protocol.at && !s->protocol.number)
		return false; /* an unknown word, refused already */
	check_listen(s, out, p);
	if (out->protocol == LOCAL_TUNNEL)
		check_forward(s, out, p);
	else if (out->protocol == LOCAL_DNS)
		check_dns(s, c, out, p);
	else if (s->forward.text)
		problem_add(p, PROBLEM_WARNING, s->forward.at, "\"forward_address\" is for tunnels: it has no effect");
	if (out->protocol == LOCAL_FAKE_DNS && c->dns != DNS_FAKE)
		problem_add(p, PROBLEM_ERROR, s->protocol.at, "a fake-dns inbound has no fake addresses to tell while \"dns_mode\" is not \"fake\"");
	if (out->protocol == LOCAL_REDIR)
		check_redir(s, out, p);
	else
		check_no_redir(s, p);
	if (out->protocol == LOCAL_HTTP && !(out->mode & MODE_TCP_ONLY))
		problem_add(p, PROBLEM_ERROR, s->mode.at, "an http inbound carries TCP only");
	check_told(s, out, p);
	check_users(&s->socks_users, takes_socks(out->protocol), "password", c, &out->socks_users, p);
	check_users(&s->http_users, takes_http(out->protocol), "basic", c, &out->http_users, p);
	return p->n_errors == errors;
}
