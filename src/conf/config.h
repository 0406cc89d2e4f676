/*
 * A checked configuration: what the options, a JSON file or an ss:// URL say,
 * with defaults filled in. conf/ makes it, the engine builds from it. Whoever
 * holds one holds secrets: config_free wipes them.
 */
#ifndef GATUN_CONF_CONFIG_H
#define GATUN_CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "io/socket_rules.h"
#include "proto/ss_identity.h"

#define CONFIG_KEY_MAX 64

enum config_mode { MODE_TCP_ONLY = 1, MODE_UDP_ONLY = 2, MODE_TCP_AND_UDP = 3 };
enum config_dns { DNS_FAKE, DNS_UPSTREAM, DNS_OFF };
/* Pings of addresses that are not the gateway's own. */
enum config_ping { PING_UNSET, PING_SILENT, PING_REPLY, PING_REFUSE };
enum config_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* What one client or user may take (flow/limits.h); 0 = no limit. */
struct config_limits {
	uint32_t client_bytes_per_s, client_flows_per_s, client_flows;
	uint32_t user_bytes_per_s, user_flows_per_s;
};

struct config_server_user {
	const char *name; /* free of control bytes; no two of a server are alike */
	uint8_t key[SS_KEY_MAX]; /* nor are these */
	uint32_t bytes_per_s, flows_per_s; /* his own limits; 0 = as everybody's */
	struct target next; /* of a relay's: where who has this key is passed on to */
};

/* A proxy on the way to a server. */
enum hop_kind { HOP_SHADOWSOCKS, HOP_SOCKS5, HOP_HTTP };
struct config_hop {
	enum hop_kind kind;
	struct target address;
	const char *user, *password;  /* of HOP_SOCKS5 and HOP_HTTP, or NULL */
	struct config_server *server; /* of HOP_SHADOWSOCKS; without hops of its own */
};

/* SIP003: the program that stands between us and the other end. */
struct config_plugin {
	const char *name;	  /* of the program, or its path; NULL: none */
	const char *options;	  /* as the plugin wants them: a secret; or NULL */
	const char *const *args;  /* NULL-terminated; or NULL */
	enum config_mode mode;	  /* what it carries of what the server does */
};

/* How a client's UDP travels: as it is, in TCP streams, or as works. */
enum udp_over_tcp { UDP_OVER_TCP_UNSET, UDP_OVER_TCP_NO, UDP_OVER_TCP_YES, UDP_OVER_TCP_AUTO };

struct config_server {
	struct target address;	     /* where it is (client), or where to listen (server) */
	const char *tag;	     /* "remarks", the URL's #tag, or host:port; free of control bytes */
	const struct ss_method *method; /* crypto/method.h */
	uint8_t key[CONFIG_KEY_MAX]; /* master key (SIP004) or PSK (SIP022): method->key_len bytes */
	uint8_t identity_keys[SS_IDENTITY_MAX][SS_KEY_MAX]; /* SIP023, client: those before it */
	int n_identities;
	struct config_server_user *users; /* SIP023, server: who may come; none: anyone with the key */
	int n_users;
	bool relay;  /* its users are destinations, and nobody is served here */
	enum config_mode mode;
	struct config_plugin plugin;
	bool online;		     /* client: it came from the network (SIP008) */
	uint32_t timeout;	     /* seconds; 0 = the config's */
	struct config_limits limits; /* server */
	const char *acl;	     /* server: its own file or the config's; NULL = none */

	/* client: among several, and what stands before it */
	uint32_t tcp_weight, udp_weight; /* thousandths; 0 = never chosen */
	struct config_hop *hops;     /* the first is the one that this machine connects to */
	int n_hops;
	struct socket_rules outbound; /* the config's, but for what the server says itself */

	/* client: conf/over_tcp.c */
	enum udp_over_tcp udp_over_tcp;
	bool true_connect; /* ask for the true result of a connect */
};

/* How a client chooses among several servers. */
enum balancer_policy { BALANCER_UNSET, BALANCER_FAILCOUNT, BALANCER_LATENCY, BALANCER_ORDER, BALANCER_STICKY };

enum local_protocol { LOCAL_NONE, LOCAL_SOCKS, LOCAL_HTTP, LOCAL_MIXED, LOCAL_TUNNEL, LOCAL_DNS, LOCAL_FAKE_DNS, LOCAL_REDIR, LOCAL_OTHER };
/* How the rules of others send traffic to LOCAL_REDIR. */
enum config_redir { REDIR_REDIRECT = 1, REDIR_TPROXY };

/* Who may use an inbound. An inbound without users asks for none. */
struct config_user {
	const char *name, *password;
};
struct config_users {
	struct config_user *items;
	int n;
};

/* An inbound of `gatun local`. */
struct config_local {
	enum local_protocol protocol;
	struct addr listen;
	struct addr listen_udp;
	struct addr udp_told; /* SOCKS5: BND.ADDR of UDP ASSOCIATE; port 0: listen_udp's; family 0: where the client reached us */
	struct target forward; /* LOCAL_TUNNEL */
	enum config_mode mode;
	struct config_users socks_users, http_users;
	const char *acl;	/* its own file or the config's; NULL = none */
	struct addr local_dns;	/* LOCAL_DNS: the resolver past the proxy, */
	struct target remote_dns; /* and the one through it */
	enum config_redir tcp_redir; /* LOCAL_REDIR; its UDP comes by TPROXY */
};

/* Who is taken by `up`, beside everybody. */
enum config_pick { PICK_EVERYBODY, PICK_ONLY, PICK_EXCEPT };
enum config_up_mode { UP_TUN = 1, UP_TPROXY, UP_REDIRECT };
struct config_prefix {
	struct addr at; /* port 0, no host bits */
	uint8_t len;
};
struct config_prefixes {
	struct config_prefix *items;
	int n;
};

/* `up`: this machine, or a LAN behind it (gate/gate.h says what each does). */
struct config_up {
	uint32_t mode;		     /* enum config_up_mode */
	char device[IFNAMSIZ];	     /* the TUN's name */
	struct config_prefix self4, self6; /* its addresses, host bits and all; family 0: the usual ones */
	uint32_t mark, table, priority;
	struct config_prefixes routes, excludes; /* sorted, none inside another of its kind */
	const char *const *lans;     /* NULL-terminated, or NULL */
	uint32_t pick;		     /* enum config_pick */
	struct config_uids {
		uint32_t from, to;
	} *uids;
	int n_uids;
	const char *const *cgroups;  /* paths below the mount; NULL-terminated, or NULL */
	bool no_ipv6, kill_switch, no_dhcp, block_dot, block_quic;
	uint32_t port, dns_port;     /* tproxy, redirect: where gatun listens; 0 = any that are free */
	bool detach;
	uint32_t print_rules;	     /* 0 = no, or 1 + enum gate_form: and nothing else */
};

struct config {
	struct config_server *servers;
	int n_servers;
	struct config_local *locals;
	int n_locals;

	/* tun (run) */
	int mtu;		  /* 0 = from the uplink less the method's UDP overhead, at least 1280 */
	bool no_mtu_probe;	  /* black holes are not looked for */
	enum config_dns dns;
	struct target dns_upstream; /* for DNS_UPSTREAM, and for MX, TXT, SRV in fake mode */
	const char *pcap_file;	  /* or NULL */
	uint32_t pcap_limit;	  /* bytes of its ring */
	uint32_t icmp_reply;	  /* enum config_ping */

	struct config_up up;

	/* how it runs */
	const char *user;	  /* whom to become, or NULL */
	const char *plugin_user;  /* `up` as root: whom plugins run as, or NULL: gatun-plugin */
	const char *pid_file;	  /* or NULL */
	uint32_t ready_fd;	  /* gets a line when all is open; 0 = none */

	/* names in fake mode, and what is kept of them */
	const char *fake_file;	  /* the map, crash-safe; NULL: in the state directory */
	uint32_t fake_expire;	  /* seconds that a name keeps its address after its last use */
	bool captured;		  /* by the engine, of `up`: port 53 of this whole machine is ours */
	struct config_prefix fake4, fake6; /* family 0: resolve/fakeip.h's, as fake4's default is */

	/* server */
	bool allow_local;
	const char *hosts_file; /* or NULL */
	const char *nameserver; /* or NULL: resolv.conf */
	uint32_t dns_cache_size;

	/* the server's manager: who adds and removes ports while it runs */
	struct config_manager {
		const char *address;	/* as written, or NULL: none */
		uint32_t port;		/* beside the address; 0 = in it */
		bool allow_remote;
		const char *path;	/* checked: a unix socket's, or NULL: */
		struct addr listen;
		struct addr *hosts;	/* where added ports listen (their port is 0); at least one */
		int n_hosts;
		const struct ss_method *method; /* of added ports that do not say theirs, or NULL: they must */
		enum config_mode mode;
	} manager;

	/* choice among several servers ("balancer"); seconds */
	bool balancer_given;
	uint32_t balancer_policy;	/* enum balancer_policy */
	uint32_t balancer_max_rtt, balancer_interval;
	uint32_t balancer_best_interval; /* 0 = like the others */
	struct target probe_host;	/* port 0 = TCP is probed by a connect alone */
	const char *probe_path;
	struct target probe_dns;	/* port 0 = UDP is not probed */

	/* what is proxied, what goes past it, who may come (route/acl.h); NULL = no file */
	const char *acl;

	/* client: servers from the network (SIP008, "online_config") */
	bool online_given;
	const char *online_url;		  /* a secret, as a rule; NULL: none */
	uint32_t online_interval;	  /* seconds */
	const char *const *online_plugins; /* that its servers may have, NULL-terminated; or NULL */
	const char *const *online_hops;	  /* "outbound_proxy" of the top level, before each of them: secrets; or NULL */
	const char *online_ca_file;	  /* or NULL: the system's */
	const char *online_cache;	  /* or NULL: in the state directory */

	/* processes */
	uint32_t workers;    /* 1 = this one alone, and under `up` one; 0 = one for each processor */
	bool runtime_given; /* "runtime", whose keys stand above */

	/* limits and times, seconds */
	uint32_t timeout;	   /* TCP connect and handshake: 10 */
	uint32_t tcp_idle;	   /* both directions silent: 0 = never */
	uint32_t half_close_idle;  /* after one side ended: 600 */
	uint32_t udp_timeout;	   /* 300; never under 60 for SIP022 sessions */
	uint32_t udp_max_associations; /* 0 = from RLIMIT_NOFILE */
	uint32_t nofile;	   /* 0 = raise to the hard limit */

	/* how much one client may take: of `gatun local`; a server has its own */
	bool limits_given;
	struct config_limits limits;

	/* server: where something outlives it, or NULL */
	const char *state_dir;

	/* server: bytes returned per byte received, to an address that may be forged; 0 = no ceiling */
	uint32_t udp_amplification;

	/* sockets */
	struct socket_rules outbound, inbound; /* of those that connect and send; of those that listen */

	/* client: of servers that do not say it themselves */
	uint32_t udp_over_tcp;	   /* enum udp_over_tcp */
	bool connect;

	/* messages; cli/args applies them with log_setup before it returns */
	uint32_t verbose;	   /* how many -v */
	bool quiet;
	uint32_t log_format;	   /* enum config_log_format */

	/* status */
	const char *control;	   /* path of the control socket; "off"; NULL: a directory of the user's */

	char **texts;		   /* what the pointers above point into: config_keep_text */
	int n_texts;
};

/* As a file says it: "tcp_only", ... */
const char *config_mode_name(enum config_mode);
/* Sets every default; the servers are none. */
void config_init(struct config *);
/* Copies `len` bytes and a NUL; the copy lives until config_free. NULL: out of memory. */
const char *config_keep_text(struct config *, const char *text, size_t len);
/* Do all proxies before it carry UDP? An HTTP proxy does not. */
bool config_server_hops_carry_udp(const struct config_server *);
/* The same for `n` texts that are kept already: NULL-terminated. */
const char *const *config_keep_list(struct config *, const char *const *texts, size_t n);
/* Wipes a server's keys and frees its users; its texts are the config's. */
void config_server_free(struct config_server *);
/* Wipes the keys and frees everything. Safe on a config_init'ed or freed config. */
void config_free(struct config *);

#endif
