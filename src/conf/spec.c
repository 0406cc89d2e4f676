/*
 * From a server as written to a server as used (spec.h): every check that does
 * not depend on where the words came from stands here.
 */
#include "conf/spec.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/hop.h"
#include "conf/limits.h"
#include "conf/nearest.h"
#include "conf/server_plugin.h"
#include "conf/server_users.h"
#include "conf/utf8.h"
#include "crypto/kdf.h"
#include "crypto/method.h"

#define STRONG_BITS 128
#define MESSAGE_WORD 80 /* of an unknown word, as much as a message shows */

static void wipe_text(struct spec_text *t)
{
	if (t->text)
		sodium_memzero(t->text, strlen(t->text));
	free(t->text);
	*t = (struct spec_text){ 0 };
}

void spec_set_text(struct spec_text *t, const char *text, size_t len, conf_place at)
{
	char *copy = malloc(len + 1);

	if (!copy)
		die(1, "out of memory");
	memcpy(copy, text, len);
	copy[len] = 0;
	wipe_text(t);
	*t = (struct spec_text){ .text = copy, .at = at };
}

void spec_free(struct server_spec *s)
{
	wipe_text(&s->host);
	wipe_text(&s->method);
	wipe_text(&s->password);
	wipe_text(&s->tag);
	wipe_text(&s->acl);
	wipe_text(&s->plugin);
	wipe_text(&s->plugin_opts);
	for (int i = 0; i < s->n_users; i++) {
		wipe_text(&s->users[i].name);
		wipe_text(&s->users[i].password);
		wipe_text(&s->users[i].host);
	}
	free(s->users);
	hop_list_free(s);
	*s = (struct server_spec){ 0 };
}

struct server_spec *spec_list_add(struct spec_list *l)
{
	l->items = array_grow_or_die(l->items, l->n, sizeof(*l->items));
	l->items[l->n] = (struct server_spec){ 0 };
	return &l->items[l->n++];
}

void spec_list_free(struct spec_list *l)
{
	for (int i = 0; i < l->n; i++)
		spec_free(&l->items[i]);
	free(l->items);
	*l = (struct spec_list){ 0 };
}

static void refuse(struct spec_text *t, conf_place at)
{
	if (!t->text && !t->at)
		t->at = at;
}

void spec_refuse_rest(struct server_spec *s, conf_place at)
{
	refuse(&s->host, at);
	refuse(&s->method, at);
	refuse(&s->password, at);
	if (!s->port.number && !s->port.at)
		s->port.at = at;
}

int spec_parse_port(const char *text, size_t len, uint32_t *port)
{
	uint32_t value = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value > 65535 ? value : value * 10 + (uint32_t)(text[i] - '0');
	}
	*port = value;
	return value == 0 || value > 65535 ? -ERANGE : 0;
}

/* The colon before the port of "HOST:PORT" or "[IPV6]:PORT"; NULL where the
 * text is a host alone, a bare IPv6 address included. */
static const char *port_colon(const char *text)
{
	const char *last = strrchr(text, ':');

	if (!last || last == text)
		return NULL;
	if (text[0] == '[')
		return last[-1] == ']' ? last : NULL;
	return strchr(text, ':') == last ? last : NULL;
}

/* Brackets belong to the URL and to HOST:PORT, not to the address. */
void spec_set_host(struct server_spec *s, const char *host, size_t len, conf_place at)
{
	if (len > 2 && host[0] == '[' && host[len - 1] == ']' && memchr(host, ':', len)) {
		host++;
		len -= 2;
	}
	spec_set_text(&s->host, host, len, at);
}

void spec_set_address(struct server_spec *s, const char *text, conf_place at, struct problems *p)
{
	const char *colon = port_colon(text);
	size_t host_len = colon ? (size_t)(colon - text) : strlen(text);
	uint32_t port = 0;

	spec_set_host(s, text, host_len, at);
	if (!colon)
		return;
	switch (spec_parse_port(colon + 1, strlen(colon + 1), &port)) {
	case -EINVAL:
		problem_add(p, PROBLEM_ERROR, at, "the port after the colon is not a number");
		port = 0;
		break;
	case -ERANGE:
		problem_add(p, PROBLEM_ERROR, at, "port %.8s is not between 1 and 65535", colon + 1);
		port = 0;
		break;
	}
	s->port = (struct spec_number){ .number = port, .at = at };
}

static conf_place place_of(conf_place own, const struct server_spec *s)
{
	return own ? own : s->at;
}

static bool check_address(const struct server_spec *s, struct config_server *out, struct problems *p)
{
	const char *host = s->host.text;
	conf_place at = place_of(s->host.at, s);
	bool ok = true;

	if (!s->port.number) {
		if (!s->port.at)
			problem_add(p, PROBLEM_ERROR, s->at, "no port: \"server_port\" is missing");
		ok = false;
	}
	if (!host || !*host) {
		if (host || !s->host.at)
			problem_add(p, PROBLEM_ERROR, at, host ? "the server's host is empty" : "no server: \"server\" is missing");
		return false;
	}
	switch (target_set(&out->address, host, strlen(host), s->port.number ? (uint16_t)s->port.number : 1)) {
	case 0:
		return ok;
	case -ENAMETOOLONG:
		problem_add(p, PROBLEM_ERROR, at, "the server's name has %zu bytes, a domain has at most %d", strlen(host),
			    TARGET_NAME_MAX);
		return false;
	default: {
		char shown[MESSAGE_WORD];

		problem_add(p, PROBLEM_ERROR, at, "\"%s\" is neither an address nor a domain",
			    log_escape(host, strlen(host), shown, sizeof(shown)));
		return false;
	}
	}
}

/* Methods that other programs have and that we refuse, with the reason. */
static const char *refused_method(const char *name)
{
	static const char *const streams[] = { "table", "rc4", "-cfb", "-ctr", "-ofb", "salsa20", "chacha20-ietf", "chacha20" };
	size_t len = strlen(name);

	if (strcmp(name, "none") == 0 || strcmp(name, "plain") == 0)
		return "does not encrypt";
	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		size_t n = strlen(streams[i]);

		if (streams[i][0] == '-' ? len > n && strcmp(name + len - n, streams[i]) == 0 : strncmp(name, streams[i], n) == 0)
			return "is a stream cipher without authentication: anyone on the path can change and probe it";
	}
	return NULL;
}

static void explain_method(const char *name, conf_place at, struct problems *p)
{
	struct nearest near = { .word = name };
	const char *reason = refused_method(name);
	const struct ss_method *m;
	char shown[MESSAGE_WORD];

	for (int i = 0; (m = ss_method_at(i)) != NULL; i++)
		nearest_offer(&near, m->name);
	if (near.best)
		problem_add(p, PROBLEM_ERROR, at, "unknown method \"%s\", did you mean \"%s\"?",
			    log_escape(name, strlen(name), shown, sizeof(shown)), near.best);
	else if (reason)
		problem_add(p, PROBLEM_ERROR, at, "method \"%s\" %s; not supported (`gatun ciphers` lists those that are)",
			    log_escape(name, strlen(name), shown, sizeof(shown)), reason);
	else /* not shown: it may be a password in the wrong place */
		problem_add(p, PROBLEM_ERROR, at, "unknown method (`gatun ciphers` lists those that are known)");
}

static bool check_method(const struct server_spec *s, struct config_server *out, struct problems *p)
{
	if (!s->method.text || !*s->method.text) {
		if (s->method.text || !s->method.at)
			problem_add(p, PROBLEM_ERROR, place_of(s->method.at, s), "no method: \"method\" is missing");
		return false;
	}
	out->method = ss_method_find(s->method.text);
	if (!out->method)
		explain_method(s->method.text, place_of(s->method.at, s), p);
	return out->method != NULL;
}

unsigned spec_password_bits(const char *password)
{
	/* 100 * log2 of the alphabet that these kinds make together */
	static const uint16_t bits[16] = { 0, 470, 470, 570, 332, 516, 516, 595, 504, 588, 588, 640, 542, 610, 610, 656 };
	size_t len = strlen(password);
	unsigned kinds = 0;

	for (size_t i = 0; i < len; i++) {
		char c = password[i];

		kinds |= c >= 'a' && c <= 'z' ? 1 : c >= 'A' && c <= 'Z' ? 2 : c >= '0' && c <= '9' ? 4 : 8;
	}
	return (unsigned)(len * bits[kinds] / 100);
}

/* The last key is the server's own, or the client's own user; those before it are the way. */
static bool read_keys(const char *password, struct config_server *out, char *err, size_t err_size)
{
	uint8_t keys[SS_IDENTITY_MAX + 1][SS_KEY_MAX];
	int n = ss_keys_from_password(out->method, password, keys, SS_IDENTITY_MAX + 1, err, err_size);

	if (n > 0) {
		out->n_identities = n - 1;
		memcpy(out->identity_keys, keys, sizeof(keys[0]) * (size_t)(n - 1));
		memcpy(out->key, keys[n - 1], sizeof(keys[0]));
	}
	sodium_memzero(keys, sizeof(keys));
	return n > 0;
}

static bool check_password(const struct server_spec *s, struct config_server *out, struct problems *p)
{
	const char *password = s->password.text;
	conf_place at = place_of(s->password.at, s);
	char err[256] = "";

	if (!password || !*password) {
		if (password || !s->password.at)
			problem_add(p, PROBLEM_ERROR, at, "no password: give \"password\", -k or $GATUN_PASSWORD");
		return false;
	}
	if (!out->method)
		return false;
	if (!read_keys(password, out, err, sizeof(err))) {
		problem_add(p, PROBLEM_ERROR, at, "password: %s", err);
		return false;
	}
	if (!out->method->sip022 && spec_password_bits(password) < STRONG_BITS)
		problem_add(p, PROBLEM_ADVICE, at,
			    "the password has at most %u bits of entropy, under %d: whoever records the traffic can guess it "
			    "offline (`gatun genkey %s` makes a strong one)",
			    spec_password_bits(password), STRONG_BITS, out->method->name);
	return true;
}

static void set_tag(const struct server_spec *s, struct config *c, struct config_server *out)
{
	char shown[TARGET_STRLEN];

	if (s->tag.text && *s->tag.text) {
		utf8_make_printable(s->tag.text);
		out->tag = config_keep_text(c, s->tag.text, strlen(s->tag.text));
	} else {
		target_format(&out->address, shown);
		out->tag = config_keep_text(c, shown, strlen(shown));
	}
	if (!out->tag)
		die(1, "out of memory");
}

/* In thousandths; what is not said is the whole. */
static uint32_t weight_of(const struct spec_number *w)
{
	return w->at ? w->number : 1000;
}

/* What the server says of its own sockets wins over what the config says of all. */
static void set_rules(const struct server_spec *s, const struct config *c, struct config_server *out)
{
	struct socket_rules *r = &out->outbound;

	*r = c->outbound;
	if (s->fwmark.at)
		r->fwmark = s->fwmark.number;
	if (s->fragments.at)
		r->no_fragments = !s->fragments.number;
	if (s->device[0])
		memcpy(r->device, s->device, sizeof(r->device));
	if (s->sources[0].family)
		r->source4 = s->sources[0];
	if (s->sources[1].family)
		r->source6 = s->sources[1];
}

const char *spec_keep_acl(const struct spec_text *acl, struct config *c)
{
	const char *copy;

	if (!acl->text || !*acl->text)
		return c->acl;
	copy = config_keep_text(c, acl->text, strlen(acl->text));
	if (!copy)
		die(1, "out of memory");
	return copy;
}

bool spec_check(const struct server_spec *s, struct config *c, struct config_server *out, struct problems *p)
{
	bool ok = true;

	*out = (struct config_server){ .mode = s->mode.number ? (enum config_mode)s->mode.number : MODE_TCP_AND_UDP };
	out->timeout = s->timeout.number;
	out->tcp_weight = weight_of(&s->tcp_weight);
	out->udp_weight = weight_of(&s->udp_weight);
	ok &= check_address(s, out, p);
	ok &= check_method(s, out, p);
	ok &= check_password(s, out, p);
	set_rules(s, c, out);
	out->acl = spec_keep_acl(&s->acl, c);
	if (out->method)
		ok &= server_users_check(s, c, out, p);
	ok &= hop_check(s, c, out, p);
	ok &= server_plugin_check(s, c, out, p);
	out->limits = limits_of(&s->limits);
	if (ok)
		set_tag(s, c, out);
	return ok;
}
