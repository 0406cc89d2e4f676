/*
 * The life of a struct config: its defaults and its end. The defaults here are
 * the ones that the option table prints; tests/unit/conf_option.c holds the two
 * together. A config owns its servers and every text that it points to.
 */
#include "conf/config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "conf/up.h"
#include "gate/gate.h"

#define MIB (1024u * 1024u)

void config_init(struct config *c)
{
	*c = (struct config){
		.dns = DNS_FAKE,
		.udp_over_tcp = UDP_OVER_TCP_NO,
		.pcap_limit = 64 * MIB,
		.up = {
			.mode = UP_TUN,
			.device = "gatun0",
			.mark = GATE_MARK,
			.table = GATE_TABLE,
			.priority = GATE_PRIORITY,
		},
		.fake4 = { .at = { .family = AF_INET, .ip.bytes = { 198, 18 } }, .len = 15 }, /* RFC 2544 */
		.fake_expire = 3600,
		.balancer_max_rtt = 5,
		.balancer_interval = 10,
		.dns_cache_size = 4096,
		.workers = 1,
		.timeout = 10,
		.half_close_idle = 600,
		.udp_timeout = 300,
		.online_interval = 3600,
		.udp_amplification = 128,
	};
	target_parse("1.1.1.1:53", &c->dns_upstream);
}

const char *config_mode_name(enum config_mode m)
{
	return m == MODE_TCP_ONLY ? "tcp_only" : m == MODE_UDP_ONLY ? "udp_only" : "tcp_and_udp";
}

const char *config_keep_text(struct config *c, const char *text, size_t len)
{
	char **texts = realloc(c->texts, sizeof(*texts) * (size_t)(c->n_texts + 1));
	char *copy;

	if (!texts)
		return NULL;
	c->texts = texts;
	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = 0;
	texts[c->n_texts++] = copy;
	return copy;
}

const char *const *config_keep_list(struct config *c, const char *const *texts, size_t n)
{
	/* The list's own NULL and the text's NUL lie behind the same bytes. */
	const char *copy = config_keep_text(c, (const char *)texts, (n + 1) * sizeof(*texts));
	const char **list = (const char **)(uintptr_t)copy;

	if (list)
		list[n] = NULL;
	return (const char *const *)list;
}

static void free_users(struct config_users *u)
{
	for (int i = 0; i < u->n; i++) /* their texts are kept like all others */
		sodium_memzero((char *)(uintptr_t)u->items[i].password, strlen(u->items[i].password));
	free(u->items);
}

static void wipe(const char *text)
{
	if (text)
		sodium_memzero((char *)(uintptr_t)text, strlen(text));
}

bool config_server_hops_carry_udp(const struct config_server *s)
{
	for (int i = 0; i < s->n_hops && s->udp_over_tcp != UDP_OVER_TCP_YES; i++)
		if (s->hops[i].kind == HOP_HTTP)
			return false;
	return true;
}

/* Texts are kept like all others, but a password among them is wiped first. */
static void free_hop(struct config_hop *h)
{
	if (h->password)
		sodium_memzero((char *)(uintptr_t)h->password, strlen(h->password));
	if (h->server)
		config_server_free(h->server);
	free(h->server);
}

void config_server_free(struct config_server *s)
{
	wipe(s->plugin.options); /* kept like all texts, and freed with them */
	for (const char *const *arg = s->plugin.args; arg && *arg; arg++)
		wipe(*arg);
	if (s->users)
		sodium_memzero(s->users, sizeof(*s->users) * (size_t)s->n_users);
	free(s->users);
	for (int i = 0; i < s->n_hops; i++)
		free_hop(&s->hops[i]);
	free(s->hops);
	sodium_memzero(s, sizeof(*s));
}

void config_free(struct config *c)
{
	wipe(c->online_url);
	for (const char *const *hop = c->online_hops; hop && *hop; hop++)
		wipe(*hop);
	for (int i = 0; i < c->n_servers; i++)
		config_server_free(&c->servers[i]);
	free(c->servers);
	for (int i = 0; i < c->n_locals; i++) {
		free_users(&c->locals[i].socks_users);
		free_users(&c->locals[i].http_users);
	}
	free(c->locals);
	free(c->manager.hosts);
	up_free(&c->up);
	for (int i = 0; i < c->n_texts; i++)
		free(c->texts[i]);
	free(c->texts);
	*c = (struct config){ 0 };
}
