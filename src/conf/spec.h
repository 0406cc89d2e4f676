/*
 * A server as somebody wrote it: host, port, method and password as texts, each
 * with its place. JSON, ss:// URLs and the command line all end here, and from
 * here comes the checked struct config_server, or the URL or JSON again.
 * A spec holds a password in clear: spec_free wipes it.
 */
#ifndef GATUN_CONF_SPEC_H
#define GATUN_CONF_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/config.h"
#include "conf/problem.h"

/* A place without a value: what was written there has been refused already,
 * so nobody complains that it is missing. */
struct spec_text {
	char *text; /* or NULL */
	conf_place at;
};

struct spec_number {
	uint32_t number;
	conf_place at;
};

/* The object "limits" (conf/limits.h). */
struct limits_spec {
	struct spec_number client_bytes_per_s, client_flows_per_s, client_flows;
	struct spec_number user_bytes_per_s, user_flows_per_s;
};

/* Of a server (SIP023). */
struct user_spec {
	struct spec_text name, password;
	struct limits_spec limits; /* of the user alone */
	struct spec_text host;	   /* of a destination: where it is */
	struct spec_number port;
	conf_place at;
};

struct server_spec {
	struct spec_text host, method, password, tag, plugin, plugin_opts, acl;
	struct spec_number port, mode, disabled, plugin_mode;
	const char *const *plugin_args; /* kept by the config, NULL-terminated; or NULL */
	struct spec_number timeout, tcp_weight, udp_weight;
	struct spec_text *hops; /* URLs of the proxies before it (hop.h) */
	int n_hops;
	bool hops_given; /* even if there are none */
	struct spec_number fwmark, fragments;
	struct spec_number udp_over_tcp, connect;
	char device[IFNAMSIZ];
	struct addr sources[2]; /* IPv4, IPv6 */
	struct limits_spec limits;
	struct user_spec *users;
	int n_users;
	struct spec_number relay; /* its place: the users are destinations */
	conf_place at; /* of the whole */
};

struct spec_list {
	struct server_spec *items;
	int n;
};

/* A new, empty spec at the end of the list; dies without memory. Pointers to
 * earlier ones are void after it. */
struct server_spec *spec_list_add(struct spec_list *);
void spec_list_free(struct spec_list *);

/* Marks what has no value as refused at `at`: for a URL that does not parse. */
void spec_refuse_rest(struct server_spec *, conf_place at);
/* Replaces a text by a copy of `len` bytes; the old one is wiped. */
void spec_set_text(struct spec_text *, const char *text, size_t len, conf_place at);
void spec_free(struct server_spec *);
/* A new, empty user at the end; dies without memory. Pointers to earlier ones
 * are void after it. */
struct user_spec *spec_add_user(struct server_spec *);
/* Copies all users of `from` to a server that has none. */
void spec_copy_users(struct server_spec *to, const struct server_spec *from);

/* 1..65535 in exactly `len` digits: 0, -EINVAL (no number) or -ERANGE. */
int spec_parse_port(const char *text, size_t len, uint32_t *port);

void spec_set_host(struct server_spec *, const char *host, size_t len, conf_place at);
/* Takes a port out of "HOST:PORT" or "[IPV6]:PORT" in `host` where one is.
 * Problems go to p with the place of `host`. */
void spec_set_address(struct server_spec *, const char *text, conf_place at, struct problems *p);

/* Checks a spec and derives its key into *out. False if it adds an error. */
bool spec_check(const struct server_spec *, struct config *, struct config_server *out, struct problems *p);

/* An entry's own ACL file, kept in the config, or the config's. */
const char *spec_keep_acl(const struct spec_text *acl, struct config *);

/* An estimate of a password's entropy in bits, from its length and the kinds of
 * characters in it: an upper bound, words of a dictionary have less. */
unsigned spec_password_bits(const char *password);

#endif
