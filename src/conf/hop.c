/*
 * Hops: see hop.h. A URL is cut at the last @ (passwords may hold one) and at
 * the first /; what is percent-encoded in user and password is decoded here. A
 * Shadowsocks hop is a server like any other and goes through the same checks.
 */
#include "conf/hop.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/err.h"
#include "conf/over_tcp.h"
#include "conf/url.h"

#define LOGIN_MAX 255 /* of RFC 1929, for name and password each */

static const struct scheme {
	const char *text;
	enum hop_kind kind;
	uint16_t port; /* where the URL names none */
} schemes[] = {
	{ "socks5://", HOP_SOCKS5, 1080 },
	{ "socks5h://", HOP_SOCKS5, 1080 },
	{ "socks://", HOP_SOCKS5, 1080 },
	{ "http://", HOP_HTTP, 80 },
};

const char *hop_kind_name(enum hop_kind kind)
{
	return kind == HOP_SOCKS5 ? "socks5" : kind == HOP_HTTP ? "http" : "ss";
}

/* ---- as written ---- */

void hop_add(struct server_spec *s, const char *url, conf_place at)
{
	s->hops = array_grow_or_die(s->hops, s->n_hops, sizeof(*s->hops));
	s->hops[s->n_hops] = (struct spec_text){ 0 };
	spec_set_text(&s->hops[s->n_hops++], url, strlen(url), at);
	s->hops_given = true;
}

void hop_inherit(struct server_spec *to, const struct server_spec *from)
{
	if (to->hops_given)
		return;
	for (int i = 0; i < from->n_hops; i++)
		hop_add(to, from->hops[i].text, from->hops[i].at);
}

void hop_keep(struct config *c, const struct server_spec *top)
{
	const char **urls = calloc((size_t)top->n_hops + 1, sizeof(*urls));
	bool ok = urls;

	for (int i = 0; ok && i < top->n_hops; i++) {
		urls[i] = config_keep_text(c, top->hops[i].text, strlen(top->hops[i].text));
		ok = urls[i];
	}
	c->online_hops = ok ? config_keep_list(c, urls, (size_t)top->n_hops) : NULL;
	if (!c->online_hops)
		die(1, "out of memory");
	free(urls);
}

void hop_list_free(struct server_spec *s)
{
	for (int i = 0; i < s->n_hops; i++) {
		sodium_memzero(s->hops[i].text, strlen(s->hops[i].text));
		free(s->hops[i].text);
	}
	free(s->hops);
	s->hops = NULL;
	s->n_hops = 0;
	s->hops_given = false;
}

/* ---- as used ---- */

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT of `len` bytes. */
static int read_authority(const char *text, size_t len, uint16_t port, struct target *out)
{
	char copy[TARGET_NAME_MAX + 16];
	const char *colon, *bracket;

	if (!len || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = 0;
	colon = strrchr(copy, ':');
	bracket = strrchr(copy, ']');
	if (colon && (!bracket || colon > bracket))
		return target_parse(copy, out);
	if (bracket && copy[0] == '[') {
		struct addr ip;

		if (addr_parse_ip(copy, port, &ip) != 0)
			return -EINVAL;
		target_from_addr(out, &ip);
		return 0;
	}
	return target_set(out, copy, len, port);
}

int hop_read_probe(const char *url, struct target *host, const char **path)
{
	const char *at = url + strlen("http://");
	size_t len;

	if (strncasecmp(url, "http://", strlen("http://")) != 0 || strlen(url) > 1024 || strpbrk(url, " \t\r\n@#"))
		return -EINVAL;
	len = strcspn(at, "/?");
	*path = at[len] == '/' ? at + len : "/";
	return at[len] == '?' ? -EINVAL : read_authority(at, len, 80, host);
}

/* One side of USER:PASSWORD, decoded and kept. NULL: refused. */
static const char *read_login(struct config *c, const char *text, size_t len)
{
	char decoded[3 * LOGIN_MAX + 1];
	ssize_t n = len < sizeof(decoded) ? url_percent_decode(text, len, decoded) : -1;
	const char *kept;

	if (n < 0 || n > LOGIN_MAX)
		return NULL;
	kept = config_keep_text(c, decoded, (size_t)n);
	sodium_memzero(decoded, sizeof(decoded));
	if (!kept)
		die(1, "out of memory");
	return kept;
}

static bool read_userinfo(struct config *c, const char *text, size_t len, struct config_hop *out)
{
	const char *colon = memchr(text, ':', len);
	size_t user_len = colon ? (size_t)(colon - text) : len;

	out->user = read_login(c, text, user_len);
	out->password = colon ? read_login(c, colon + 1, len - user_len - 1) : read_login(c, "", 0);
	return out->user && *out->user && out->password;
}

static bool refuse(struct problems *p, conf_place at, const char *what)
{
	problem_add(p, PROBLEM_ERROR, at, "outbound_proxy: %s", what);
	return false;
}

static bool check_proxy(const struct spec_text *url, const struct scheme *scheme, struct config *c, struct config_hop *out,
			struct problems *p)
{
	const char *at = url->text + strlen(scheme->text), *login;
	size_t len = strcspn(at, "/?#");

	out->kind = scheme->kind;
	login = memrchr(at, '@', len);
	if (login && !read_userinfo(c, at, (size_t)(login - at), out))
		return refuse(p, url->at, "before the @ stands no USER:PASSWORD of at most 255 bytes each");
	if (login) {
		len -= (size_t)(login + 1 - at);
		at = login + 1;
	}
	if (read_authority(at, len, scheme->port, &out->address) != 0)
		return refuse(p, url->at, "behind the scheme stands no HOST or HOST:PORT");
	return true;
}

static bool check_shadowsocks(const struct spec_text *url, struct config *c, struct config_hop *out, struct problems *p)
{
	struct server_spec spec = { .at = url->at };
	char err[128];
	bool ok = url_parse(url->text, &spec, err, sizeof(err)) == 0;

	out->kind = HOP_SHADOWSOCKS;
	if (!ok) {
		refuse(p, url->at, err);
	} else if (spec.plugin.text && *spec.plugin.text) {
		ok = refuse(p, url->at, "a hop has no plugin: make a server of it, or leave the plugin out");
	} else {
		out->server = calloc(1, sizeof(*out->server));
		if (!out->server)
			die(1, "out of memory");
		ok = spec_check(&spec, c, out->server, p);
		out->address = out->server->address;
	}
	spec_free(&spec);
	return ok;
}

static bool check_hop(const struct spec_text *url, struct config *c, struct config_hop *out, struct problems *p)
{
	if (url_is_ss(url->text))
		return check_shadowsocks(url, c, out, p);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strncasecmp(url->text, schemes[i].text, strlen(schemes[i].text)) == 0)
			return check_proxy(url, &schemes[i], c, out, p);
	if (strncasecmp(url->text, "https://", 8) == 0)
		return refuse(p, url->at, "TLS to a proxy (https://) is not supported; what travels to it is Shadowsocks, sealed as it is");
	return refuse(p, url->at, "a proxy is socks5://HOST:PORT, http://HOST:PORT or an ss:// URL");
}

bool hop_check(const struct server_spec *s, struct config *c, struct config_server *out, struct problems *p)
{
	bool ok = true;

	if (!s->n_hops)
		return true;
	out->hops = calloc((size_t)s->n_hops, sizeof(*out->hops));
	if (!out->hops)
		die(1, "out of memory");
	for (int i = 0; i < s->n_hops; i++)
		ok &= check_hop(&s->hops[i], c, &out->hops[out->n_hops++], p);
	if (ok && (out->mode & MODE_UDP_ONLY) && !over_tcp_wanted(s, c) && !config_server_hops_carry_udp(out))
		problem_add(p, out->mode == MODE_UDP_ONLY ? PROBLEM_ERROR : PROBLEM_WARNING, s->hops[0].at,
			    "an HTTP proxy carries no UDP: this server gets none (\"mode\": \"tcp_only\" says so)");
	return ok && !(out->mode == MODE_UDP_ONLY && !config_server_hops_carry_udp(out));
}
