/*
 * An inbound of `gatun local` as somebody wrote it, in a config file or as
 * --socks, --http, --mixed, --tunnel, --redir, --tproxy; and the check that makes a struct
 * config_local of it. It holds no secret: users stand in files of their own,
 * which the check reads into the config.
 */
#ifndef GATUN_CONF_LOCAL_H
#define GATUN_CONF_LOCAL_H

#include <stdbool.h>

#include "conf/config.h"
#include "conf/spec.h"

struct local_spec {
	struct spec_number protocol; /* enum local_protocol */
	struct spec_text address, udp_address, udp_told;
	struct spec_number port, udp_port, udp_told_port, mode;
	struct spec_text forward, tunnel; /* a host; libev's HOST:PORT */
	struct spec_number forward_port;
	struct spec_text socks_users, http_users, acl; /* paths */
	struct spec_text local_dns, remote_dns; /* hosts, of dns */
	struct spec_number local_dns_port, remote_dns_port;
	struct spec_number tcp_redir, udp_redir; /* enum config_redir */
	struct spec_number tcp_tproxy; /* libev */
	conf_place at;
};

struct local_list {
	struct local_spec *items;
	int n;
};

/* A new, empty one at the end; dies without memory. Pointers to earlier ones are void after it. */
struct local_spec *local_list_add(struct local_list *);
void local_list_free(struct local_list *);
void local_free(struct local_spec *);

/* "ADDR:PORT", and "=HOST:PORT" behind it for a tunnel. False after it said what is wrong. */
bool local_parse(struct local_spec *, enum local_protocol, const char *text, const char *option, struct problems *);

/* Checks it, reads its users' files. False if it adds an error; what *out then
 * holds is freed with the config all the same. */
bool local_check(const struct local_spec *, struct config *, struct config_local *out, struct problems *);

/* "socks", ... */
const char *local_protocol_name(enum local_protocol);

#endif
