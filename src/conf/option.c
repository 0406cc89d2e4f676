/*
 * The option table; see option.h. Order is the order of --help, of the man page
 * and of docs/configuration.md. Sections of the schema: shadowsocks-rust's, with
 * libev's names beside it, then gatun's own.
 */
#include "conf/option.h"

#include <string.h>

#include "base/err.h"
#include "conf/option_rows.h"

#define ROWS_MAX 512

static const struct option_row rows[] = {
	/* where the server is */
	{ NULL, "config", 'c', "FILE", OPTION_SOURCE, FOR_ALL, 0, 0, NULL, NOWHERE, NULL,
	  "Read a JSON config file; - is standard input." },
	{ NULL, "server", 's', "HOST:PORT", OPTION_ADDRESS, FOR_ALL, 0, 0, NULL, IN_SPEC(host), NULL,
	  "The server's address; for `server`, where to listen. An IPv6 address needs brackets: [::]:8388." },
	{ "server", NULL, 0, NULL, OPTION_SERVER, IN_TOP | IN_SERVER, 0, 0, NULL, IN_SPEC(host), NULL,
	  "The server's address or name, or a whole ss:// URL." },
	{ "address", NULL, 0, NULL, OPTION_SERVER, IN_SERVER, 0, 0, NULL, IN_SPEC(host), NULL, "Another name of \"server\"." },
	{ "server_port", NULL, 0, NULL, OPTION_PORT, IN_TOP | IN_SERVER, 1, 65535, NULL, IN_SPEC(port), NULL,
	  "The server's port." },
	{ "port", NULL, 0, NULL, OPTION_PORT, IN_SERVER, 1, 65535, NULL, IN_SPEC(port), NULL, "Another name of \"server_port\"." },
	{ "method", "method", 'm', "METHOD", OPTION_TEXT, IN_TOP | IN_SERVER | FOR_ALL, 0, 0, NULL, IN_SPEC(method), NULL,
	  "The cipher; `gatun ciphers` lists them." },
	{ "password", "password", 'k', "PASSWORD", OPTION_SECRET, IN_TOP | IN_SERVER | FOR_ALL, 0, 0, NULL, IN_SPEC(password),
	  NULL,
	  "The password, or the base64 key of a 2022 method. On the command line @FILE reads it from a file; without it "
	  "$GATUN_PASSWORD is used. In a file \"${NAME}\" is taken from the environment." },
	{ "servers", NULL, 0, NULL, OPTION_SERVERS, IN_TOP, 0, 0, NULL, NOWHERE, NULL,
	  "An array of servers, each an object with the keys of a server. `gatun server` listens on all, a client chooses among them." },
	{ "shadowsocks", NULL, 0, NULL, OPTION_SERVERS, IN_TOP, 0, 0, NULL, NOWHERE, NULL, "Another name of \"servers\"." },
	{ "disabled", NULL, 0, NULL, OPTION_FLAG, IN_SERVER | IN_LOCAL, 0, 0, NULL, IN_SPEC(disabled), "false",
	  "Leave this entry out." },
	{ "remarks", NULL, 0, NULL, OPTION_TEXT, IN_TOP | IN_SERVER, 0, 0, NULL, IN_SPEC(tag), NULL,
	  "The server's name in messages." },
	{ "name", NULL, 0, NULL, OPTION_TEXT, IN_SERVER, 0, 0, NULL, IN_SPEC(tag), NULL, "Another name of \"remarks\"." },
	{ "users", NULL, 0, NULL, OPTION_USERS, IN_TOP | IN_SERVER, 0, 0, NULL, NOWHERE, NULL,
	  "Users of a server (SIP023, the 2022 methods with AES): an array of objects with \"name\" and \"password\". Nobody else "
	  "is let in; a client's password is the server's and the user's with a colon between." },
	{ "destinations", NULL, 0, NULL, OPTION_USERS, IN_TOP | IN_SERVER, 1, 0, NULL, NOWHERE, NULL,
	  "Makes a server a relay (SIP023): an array of objects with \"name\", \"password\", \"server\" and \"server_port\". Who has the "
	  "relay's key and a destination's (KEY:KEY[:...]) is passed on to it, still sealed." },
	{ "mode", NULL, 0, NULL, OPTION_WORD, IN_TOP | IN_SERVER, 1, 3, "tcp_only|udp_only|tcp_and_udp", IN_SPEC(mode),
	  "tcp_and_udp", "What the server carries." },

	/* plugins (SIP003) */
	{ "plugin", "plugin", 0, "NAME", OPTION_TEXT, IN_TOP | IN_SERVER | FOR_ALL, 0, 0, NULL, IN_SPEC(plugin), NULL,
	  "A SIP003 plugin between client and server: a program in $PATH, or its path. Both ends need theirs." },
	{ "plugin_opts", "plugin-opts", 0, "OPTIONS", OPTION_SECRET, IN_TOP | IN_SERVER | FOR_ALL, 0, 0, NULL,
	  IN_SPEC(plugin_opts), NULL, "The plugin's options, as it wants them; on the command line @FILE reads them from a file." },
	{ "plugin_args", NULL, 0, NULL, OPTION_STRINGS, IN_TOP | IN_SERVER, 0, 0, NULL, IN_SPEC(plugin_args), NULL,
	  "Arguments of the plugin's command line, an array." },
	{ "plugin_mode", NULL, 0, NULL, OPTION_WORD, IN_TOP | IN_SERVER, 1, 3, "tcp_only|udp_only|tcp_and_udp",
	  IN_SPEC(plugin_mode), "tcp_only", "What goes through the plugin (SIP003u); the rest goes beside it." },

	{ "udp_over_tcp", "udp-over-tcp", 0, "true|false|auto", OPTION_SWITCH, IN_TOP | FOR_CLIENT, UDP_OVER_TCP_NO,
	  UDP_OVER_TCP_AUTO, "false|true|auto", IN_CONFIG(udp_over_tcp), "false",
	  "Carry UDP in TCP streams (sing-box's UDP over TCP, version 2; the server must know it). auto: while UDP gets no "
	  "answer though TCP does." },
	{ "udp_over_tcp", NULL, 0, NULL, OPTION_SWITCH, IN_SERVER, UDP_OVER_TCP_NO, UDP_OVER_TCP_AUTO, "false|true|auto",
	  IN_SPEC(udp_over_tcp), "false", "The same for one server." },
	{ "connect", "true-connect", 0, NULL, OPTION_FLAG, IN_TOP | FOR_CLIENT, 0, 0, NULL, IN_CONFIG(connect), "false",
	  "Ask the server how its own connect ended, and tell the application so: refused, unreachable, timed out. It costs a "
	  "round trip for each connection, and needs a gatun server and a 2022 method." },
	{ "connect", NULL, 0, NULL, OPTION_FLAG, IN_SERVER, 0, 0, NULL, IN_SPEC(connect), "false", "The same for one server." },

	/* several servers, and the way to them */
	{ "outbound_proxy", "outbound-proxy", 0, "URL", OPTION_HOPS, IN_TOP | IN_SERVER | FOR_CLIENT, 0, 0, NULL, NOWHERE,
	  NULL,
	  "A proxy on the way to the server: socks5://, http:// or ss://. Several make a chain, the nearest first: an array in "
	  "a file, the option repeated on the command line." },
	{ "tcp_weight", NULL, 0, NULL, OPTION_WEIGHT, IN_SERVER, 0, 0, NULL, IN_SPEC(tcp_weight), "1",
	  "Among several servers, from 0 to 1: policy latency divides the score of TCP by it; with 0 the server gets no TCP." },
	{ "udp_weight", NULL, 0, NULL, OPTION_WEIGHT, IN_SERVER, 0, 0, NULL, IN_SPEC(udp_weight), "1", "The same for UDP." },
	{ "balancer", NULL, 0, NULL, OPTION_OBJECT, IN_TOP, IN_BALANCER, 0, NULL, IN_CONFIG(balancer_given), NULL,
	  "How a client chooses among several servers: an object with the six keys that follow." },
	{ "policy", NULL, 0, NULL, OPTION_WORD, IN_BALANCER, BALANCER_FAILCOUNT, BALANCER_STICKY, "failcount|latency|order|sticky",
	  IN_CONFIG(balancer_policy), "from \"balancer\": latency where it is, else failcount",
	  "failcount: in order, mostly past those that failed; latency: the lowest score of what is measured; order: the first "
	  "that works; sticky: a client stays with its server." },
	{ "max_server_rtt", NULL, 0, NULL, OPTION_NUMBER, IN_BALANCER, 1, 3600, NULL, IN_CONFIG(balancer_max_rtt), "5",
	  "latency: seconds after which a probe has failed." },
	{ "check_interval", NULL, 0, NULL, OPTION_NUMBER, IN_BALANCER, 1, 86400, NULL, IN_CONFIG(balancer_interval), "10",
	  "latency: seconds between probes of a server." },
	{ "check_best_interval", NULL, 0, NULL, OPTION_NUMBER, IN_BALANCER, 1, 86400, NULL, IN_CONFIG(balancer_best_interval),
	  "from check_interval", "latency: the same for the server that is best now." },
	{ "probe_url", NULL, 0, NULL, OPTION_PROBE_URL, IN_BALANCER, 0, 0, NULL, NOWHERE, NULL,
	  "latency: http://HOST[:PORT][/PATH] that is fetched through each server; an answer of 2xx is a success. "
	  "Without it a probe is a TCP connect to the server alone." },
	{ "probe_dns", NULL, 0, NULL, OPTION_ENDPOINT, IN_BALANCER, 0, 0, NULL, IN_CONFIG(probe_dns), NULL,
	  "latency: a resolver that is asked through each server by UDP; any answer is a success. Without it UDP is not "
	  "probed." },

	/* servers from the network (SIP008) */
	{ "online_config", NULL, 0, NULL, OPTION_OBJECT, IN_TOP, IN_ONLINE, 0, NULL, IN_CONFIG(online_given), NULL,
	  "`run` and `local`: servers from a URL (SIP008): an object with the five keys that follow." },
	{ "config_url", NULL, 0, NULL, OPTION_SECRET, IN_ONLINE, 0, 0, NULL, IN_CONFIG(online_url), NULL,
	  "Where: https://, or http:// on this machine itself." },
	{ "update_interval", NULL, 0, NULL, OPTION_NUMBER, IN_ONLINE, 1, 2592000, NULL, IN_CONFIG(online_interval), "3600",
	  "Seconds between two looks." },
	{ "allowed_plugins", NULL, 0, NULL, OPTION_STRINGS, IN_ONLINE, 0, 0, NULL, IN_CONFIG(online_plugins), NULL,
	  "Plugins that its servers may have; a server with another one is left out." },
	{ "ca_file", NULL, 0, NULL, OPTION_TEXT, IN_ONLINE, 0, 0, NULL, IN_CONFIG(online_ca_file), "from the system",
	  "Whose certificates to believe: a PEM file." },
	{ "cache_file", NULL, 0, NULL, OPTION_TEXT, IN_ONLINE, 0, 0, NULL, IN_CONFIG(online_cache),
	  "from the state directory", "Where the last good answer is kept." },

	/* inbounds */
	{ "locals", NULL, 0, NULL, OPTION_LOCALS, IN_TOP, 0, 0, NULL, NOWHERE, NULL,
	  "An array of inbounds. `gatun local` opens those of protocol socks, http, mixed, tunnel, dns and redir; tun holds the keys of `run`." },
	{ "protocol", NULL, 0, NULL, OPTION_PROTOCOL, IN_TOP | IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(protocol), "socks",
	  "The inbound's kind: socks, http, mixed (both on one port), tunnel, dns, redir or tun." },
	{ "local_address", NULL, 0, NULL, OPTION_TEXT, IN_TOP | IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(address), "127.0.0.1",
	  "The IP address on which the inbound listens." },
	{ "local_port", NULL, 0, NULL, OPTION_PORT, IN_TOP | IN_LOCAL, 1, 65535, NULL, IN_LOCAL_SPEC(port), NULL,
	  "The port on which the inbound listens. At the top level it makes an inbound by itself." },
	{ "local_udp_address", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(udp_address), NULL,
	  "Where it takes UDP, if not at local_address." },
	{ "local_udp_port", NULL, 0, NULL, OPTION_PORT, IN_LOCAL, 1, 65535, NULL, IN_LOCAL_SPEC(udp_port), NULL,
	  "Where it takes UDP, if not at local_port." },
	{ "udp_associate_addr", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(udp_told), NULL,
	  "socks: the address, or IP:PORT, that clients are told to send their datagrams to, where they come through NAT or a "
	  "load balancer. Else it is the one by which they reached gatun." },
	{ "local_udp_associate_address", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(udp_told), NULL,
	  "Another name of \"udp_associate_addr\"." },
	{ "local_udp_associate_port", NULL, 0, NULL, OPTION_PORT, IN_LOCAL, 1, 65535, NULL, IN_LOCAL_SPEC(udp_told_port), NULL,
	  "Its port, if it names none." },
	{ "mode", NULL, 0, NULL, OPTION_WORD, IN_LOCAL, 1, 3, "tcp_only|udp_only|tcp_and_udp", IN_LOCAL_SPEC(mode),
	  "tcp_and_udp", "What the inbound carries." },
	{ "forward_address", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(forward), NULL,
	  "tunnel: the address or name that everything goes to." },
	{ "forward_port", NULL, 0, NULL, OPTION_PORT, IN_LOCAL, 1, 65535, NULL, IN_LOCAL_SPEC(forward_port), NULL,
	  "tunnel: the port that everything goes to." },
	{ "tunnel_address", NULL, 0, NULL, OPTION_TEXT, IN_TOP, 0, 0, NULL, IN_LOCAL_SPEC(tunnel), NULL,
	  "HOST:PORT that everything goes to; with local_port it makes a tunnel." },
	{ "local_dns_address", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(local_dns), NULL,
	  "dns: the IP address of the resolver that is asked, past the proxy, about names that are not proxied." },
	{ "local_dns_port", NULL, 0, NULL, OPTION_PORT, IN_LOCAL, 1, 65535, NULL, IN_LOCAL_SPEC(local_dns_port), "53", "dns: its port." },
	{ "remote_dns_address", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(remote_dns), NULL,
	  "dns: the resolver that is asked, through the proxy, about all others; as dns_upstream if it is not given." },
	{ "remote_dns_port", NULL, 0, NULL, OPTION_PORT, IN_LOCAL, 1, 65535, NULL, IN_LOCAL_SPEC(remote_dns_port), "53", "dns: its port." },
	{ "tcp_redir", NULL, 0, NULL, OPTION_WORD, IN_LOCAL, REDIR_REDIRECT, REDIR_TPROXY, "redirect|tproxy", IN_LOCAL_SPEC(tcp_redir), "redirect",
	  "redir: how the rules, which are yours, send TCP to it." },
	{ "udp_redir", NULL, 0, NULL, OPTION_WORD, IN_LOCAL, REDIR_REDIRECT, REDIR_TPROXY, "redirect|tproxy", IN_LOCAL_SPEC(udp_redir), "tproxy",
	  "redir: how they send UDP, which can only be tproxy." },
	{ "tcp_tproxy", NULL, 0, NULL, OPTION_FLAG, IN_TOP, 0, 0, NULL, IN_LOCAL_SPEC(tcp_tproxy), "false",
	  "ss-redir's: true makes the inbound of local_port a redir one, which takes TCP by TPROXY." },
	{ "socks5_auth_config_path", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(socks_users), NULL,
	  "A file with the users of a socks inbound: {\"password\":{\"users\":[{\"user_name\":\"u\",\"password\":\"p\"}]}}." },
	{ "http_auth_config_path", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(http_users), NULL,
	  "A file with the users of an http inbound: {\"basic\":{\"users\":[{\"user_name\":\"u\",\"password\":\"p\"}]}}." },
	{ NULL, "socks", 0, "ADDR:PORT", OPTION_LISTEN, FOR_CLIENT, LOCAL_SOCKS, 0, NULL, NOWHERE, NULL,
	  "Listen for SOCKS5, SOCKS4 and SOCKS4a." },
	{ NULL, "http", 0, "ADDR:PORT", OPTION_LISTEN, FOR_CLIENT, LOCAL_HTTP, 0, NULL, NOWHERE, NULL, "Be an HTTP proxy." },
	{ NULL, "mixed", 0, "ADDR:PORT", OPTION_LISTEN, FOR_CLIENT, LOCAL_MIXED, 0, NULL, NOWHERE, NULL,
	  "Both on one port: the first byte tells them apart." },
	{ NULL, "tunnel", 0, "ADDR:PORT=HOST:PORT", OPTION_LISTEN, FOR_CLIENT, LOCAL_TUNNEL, 0, NULL, NOWHERE, NULL,
	  "Carry all that comes to ADDR:PORT, TCP and UDP, to HOST:PORT." },
	{ NULL, "redir", 0, "ADDR:PORT", OPTION_LISTEN, FOR_LOCAL, LOCAL_REDIR, REDIR_REDIRECT, NULL, NOWHERE, NULL,
	  "Take TCP that redirect rules of yours (nft, iptables) send to ADDR:PORT." },
	{ NULL, "tproxy", 0, "ADDR:PORT", OPTION_LISTEN, FOR_LOCAL, LOCAL_REDIR, REDIR_TPROXY, NULL, NOWHERE, NULL,
	  "Take TCP and UDP that TPROXY rules of yours send to ADDR:PORT; needs CAP_NET_RAW." },

	/* the TUN of `run` and `up` */
	{ "dns_mode", "dns", 0, "fake|IP|off", OPTION_DNS_MODE, IN_TOP | IN_LOCAL | FOR_RUN | FOR_UP, 0, 0, NULL, NOWHERE, "fake",
	  "Port 53 behind the TUN. fake: answered with fake addresses, so that names travel in the tunnel; an address: queries "
	  "go through the tunnel to it; off: left alone." },
	{ "dns_upstream", NULL, 0, NULL, OPTION_ENDPOINT, IN_TOP | IN_LOCAL, 0, 0, NULL, IN_CONFIG(dns_upstream), "1.1.1.1",
	  "Where queries that have no fake answer (MX, TXT, SRV) go, through the tunnel." },
	{ "tun_mtu", "mtu", 0, "N", OPTION_NUMBER, IN_TOP | IN_LOCAL | FOR_RUN | FOR_UP, 1280, 65520, NULL, IN_CONFIG(mtu),
	  "from the path to the server", "The TUN's MTU." },
	{ "mtu_probe", NULL, 0, NULL, OPTION_FLAG, IN_TOP | IN_LOCAL, 1, 0, NULL, IN_CONFIG(no_mtu_probe), "true",
	  "Find out where long packets to the server vanish and no ICMP says so: by a few questions to dns_upstream, through the "
	  "tunnel, when large datagrams are first sent or a connection hangs. The tunnel keeps to the length that passes." },
	{ "icmp_reply", NULL, 0, NULL, OPTION_SWITCH, IN_TOP | IN_LOCAL, PING_SILENT, PING_REFUSE, "false|true|refuse",
	  IN_CONFIG(icmp_reply), "from the command: true in run, refuse in up",
	  "Ping of addresses behind the TUN: Shadowsocks carries none. true: answered in their place; refuse: with an error; "
	  "false: not at all. The gateway's own addresses answer in any case." },
	{ NULL, "pcap", 0, "FILE", OPTION_TEXT, FOR_RUN | FOR_UP, 0, 0, NULL, IN_CONFIG(pcap_file), NULL,
	  "Write what the TUN sees to FILE, in clear: for debugging." },
	{ NULL, "pcap-limit", 0, "MB", OPTION_MEGABYTES, FOR_RUN | FOR_UP, 1, 4000, NULL, IN_CONFIG(pcap_limit), "64",
	  "Start the --pcap file again when it has reached this size." },

	/* who goes where */
	{ "acl", "acl", 0, "FILE", OPTION_TEXT, IN_TOP | FOR_ALL, 0, 0, NULL, IN_CONFIG(acl), NULL,
	  "An access control list in the format of shadowsocks-libev or shadowsocks-rust: which targets are proxied, reached "
	  "past the proxy or refused; for a server, which clients may come and what they may reach." },
	{ "acl", NULL, 0, NULL, OPTION_TEXT, IN_SERVER, 0, 0, NULL, IN_SPEC(acl), NULL, "The same, of this server alone (`gatun server`)." },
	{ "acl", NULL, 0, NULL, OPTION_TEXT, IN_LOCAL, 0, 0, NULL, IN_LOCAL_SPEC(acl), NULL, "The same, of this inbound alone." },

	/* the server */
	{ "allow_local", "allow-local", 0, NULL, OPTION_FLAG, IN_TOP | FOR_SERVER, 0, 0, NULL, IN_CONFIG(allow_local), "false",
	  "Let clients reach the server's own loopback, link-local and metadata addresses." },
	{ "hosts", "hosts", 0, "FILE", OPTION_TEXT, IN_TOP | FOR_SERVER, 0, 0, NULL, IN_CONFIG(hosts_file), NULL,
	  "Names that only the server knows, as in /etc/hosts." },
	{ "port_password", NULL, 0, NULL, OPTION_PORTS, IN_TOP, 0, 0, NULL, NOWHERE, NULL,
	  "Several ports: an object of passwords by port, {\"8001\": \"...\"}. Each is a server with the top level's address, "
	  "method and mode." },
	{ "manager_address", "manager", 0, "ADDR:PORT|PATH", OPTION_TEXT, IN_TOP | FOR_SERVER, 0, 0, NULL, IN_CONFIG(manager.address), NULL,
	  "Take orders here in ss-manager's protocol: ports added, removed, counted. A loopback address, or the path of a unix "
	  "socket, which only this user may use." },
	{ "manager_port", NULL, 0, NULL, OPTION_PORT, IN_TOP, 1, 65535, NULL, IN_CONFIG(manager.port), NULL,
	  "The port, where \"manager_address\" is an address alone." },
	{ "manager_allow_remote", "manager-allow-remote", 0, NULL, OPTION_FLAG, IN_TOP | FOR_SERVER, 0, 0, NULL,
	  IN_CONFIG(manager.allow_remote), "false",
	  "Let the manager be reached from other machines. Its protocol has no password: who reaches it commands the server." },
	{ "nameserver", NULL, 0, NULL, OPTION_NAMESERVERS, IN_TOP, 0, 0, NULL, IN_CONFIG(nameserver), "from /etc/resolv.conf",
	  "Whom to ask for names: addresses, or IP:PORT, with commas between." },
	{ "dns", NULL, 0, NULL, OPTION_NAMESERVERS, IN_TOP, 0, 0, NULL, IN_CONFIG(nameserver), "system",
	  "As \"nameserver\", or system, google, cloudflare or quad9." },

	/* times and limits */
	{ "timeout", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 1, 86400, NULL, IN_CONFIG(timeout), "10",
	  "Seconds that a TCP connect and a handshake may take." },
	{ "timeout", NULL, 0, NULL, OPTION_NUMBER, IN_SERVER, 1, 86400, NULL, IN_SPEC(timeout), "from the top level",
	  "The same for a connect to this server." },
	{ "tcp_idle", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 31536000, NULL, IN_CONFIG(tcp_idle), "0",
	  "Seconds after which a TCP connection that is silent both ways is closed; 0 is never." },
	{ "half_close_idle", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 1, 31536000, NULL, IN_CONFIG(half_close_idle), "600",
	  "The same once one side has ended." },
	{ "udp_timeout", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 1, 86400, NULL, IN_CONFIG(udp_timeout), "300",
	  "Seconds that an idle UDP association lives; at least 60 for the 2022 methods, whose sessions need it." },
	{ "udp_max_associations", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 1000000, NULL, IN_CONFIG(udp_max_associations), "0",
	  "UDP associations at a time; 0 is from the limit of open files." },
	{ "workers", "workers", 0, "N|auto", OPTION_WORKERS, IN_TOP | FOR_UP | FOR_SERVER | FOR_LOCAL, 1, 64, NULL, IN_CONFIG(workers), "1",
	  "Processes that share the work, one on each processor; auto is as many as there are processors." },
	{ "runtime", NULL, 0, NULL, OPTION_OBJECT, IN_TOP, IN_RUNTIME, 0, NULL, IN_CONFIG(runtime_given), NULL,
	  "An object with \"worker_count\"." },
	{ "worker_count", NULL, 0, NULL, OPTION_WORKERS, IN_RUNTIME, 1, 64, NULL, IN_CONFIG(workers), NULL, "As \"workers\"." },
	INERT("mode", IN_RUNTIME, "Workers are processes of one thread each; \"workers\" says how many."),
	{ "limits", NULL, 0, NULL, OPTION_OBJECT, IN_TOP | IN_SERVER, IN_LIMITS, 0, NULL, IN_CONFIG(limits_given), NULL,
	  "What one client, or one user, may take of a server or of the inbounds of `gatun local`: an object with the keys that follow." },
	{ "limits", NULL, 0, NULL, OPTION_OBJECT, IN_USER, IN_USER_LIMITS, 0, NULL, IN_CONFIG(limits_given), NULL,
	  "A user's own limits: user_bytes_per_s and user_flows_per_s." },
	{ "client_bytes_per_s", NULL, 0, NULL, OPTION_NUMBER, IN_LIMITS, 0, UINT32_MAX, NULL, IN_SPEC(limits.client_bytes_per_s), "0",
	  "Bytes a second of one client, both directions, TCP and UDP together. A client is an IPv4 address or the /64 of an IPv6 "
	  "one; 0 is no limit." },
	{ "client_flows_per_s", NULL, 0, NULL, OPTION_NUMBER, IN_LIMITS, 0, 1000000, NULL, IN_SPEC(limits.client_flows_per_s), "0",
	  "New TCP flows and UDP associations a second of one client; five seconds' worth may come at once." },
	{ "client_flows", NULL, 0, NULL, OPTION_NUMBER, IN_LIMITS, 0, 1000000, NULL, IN_SPEC(limits.client_flows), "0",
	  "TCP flows and UDP associations of one client at a time." },
	{ "user_bytes_per_s", NULL, 0, NULL, OPTION_NUMBER, IN_LIMITS | IN_USER_LIMITS, 0, UINT32_MAX, NULL,
	  IN_SPEC(limits.user_bytes_per_s), "0",
	  "Bytes a second of one user, from wherever he comes; of the whole port where there are no users." },
	{ "user_flows_per_s", NULL, 0, NULL, OPTION_NUMBER, IN_LIMITS | IN_USER_LIMITS, 0, 1000000, NULL,
	  IN_SPEC(limits.user_flows_per_s), "0", "New TCP flows and UDP associations a second of one user." },
	{ "state_dir", NULL, 0, NULL, OPTION_TEXT, IN_TOP, 0, 0, NULL, IN_CONFIG(state_dir), "from $STATE_DIRECTORY",
	  "A directory where a server keeps the salts of SIP004 connections, so that a restart lets no recorded one in again. "
	  "Without it they are in memory." },
	{ "udp_amplification", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 1000000, NULL, IN_CONFIG(udp_amplification), "128",
	  "A server returns at most so many times the bytes of a client's datagrams, unless a TCP connection has proven the "
	  "client's address within the hour; 0 is no ceiling." },
	{ "nofile", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 1048576, NULL, IN_CONFIG(nofile), "0",
	  "The limit of open files; 0 is as many as the system allows." },

	/* sockets */
	{ "outbound_fwmark", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, UINT32_MAX, NULL, IN_CONFIG(outbound.fwmark), "0",
	  "SO_MARK of gatun's own sockets; needs root, or CAP_NET_RAW." },
	{ "outbound_fwmark", NULL, 0, NULL, OPTION_NUMBER, IN_SERVER, 0, UINT32_MAX, NULL, IN_SPEC(fwmark), NULL,
	  "The same for this server." },
	{ "outbound_bind_addr", NULL, 0, NULL, OPTION_SOURCES, IN_TOP, 0, 0, NULL, IN_CONFIG(outbound.source4), NULL,
	  "The IP address of this machine from which connections and datagrams leave." },
	{ "outbound_bind_addr", NULL, 0, NULL, OPTION_SOURCES, IN_SERVER, 0, 0, NULL, IN_SPEC(sources), NULL,
	  "The same for this server." },
	{ "local_ipv4_address", NULL, 0, NULL, OPTION_SOURCES, IN_TOP, 0, 0, NULL, IN_CONFIG(outbound.source4), NULL,
	  "As \"outbound_bind_addr\", for IPv4." },
	{ "local_ipv6_address", NULL, 0, NULL, OPTION_SOURCES, IN_TOP, 0, 0, NULL, IN_CONFIG(outbound.source4), NULL,
	  "As \"outbound_bind_addr\", for IPv6." },
	{ "outbound_bind_interface", NULL, 0, NULL, OPTION_DEVICE, IN_TOP, 0, 0, NULL, IN_CONFIG(outbound.device), NULL,
	  "The interface by which they leave (SO_BINDTODEVICE)." },
	{ "outbound_bind_interface", NULL, 0, NULL, OPTION_DEVICE, IN_SERVER, 0, 0, NULL, IN_SPEC(device), NULL,
	  "The same for this server." },
	{ "outbound_udp_allow_fragmentation", NULL, 0, NULL, OPTION_FLAG, IN_TOP, 1, 0, NULL, IN_CONFIG(outbound.no_fragments), "true",
	  "Fragment datagrams that are larger than the path; else they are dropped and counted." },
	{ "outbound_udp_allow_fragmentation", NULL, 0, NULL, OPTION_FLAG, IN_SERVER, 0, 0, NULL, IN_SPEC(fragments), NULL,
	  "The same for this server." },
	{ "keep_alive", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 32767, NULL, IN_CONFIG(outbound.keepalive_s), "0",
	  "Seconds of silence after which TCP asks whether the peer is still there; 0: only of those who come to us, after 60." },
	{ "mptcp", NULL, 0, NULL, OPTION_FLAG, IN_TOP, 0, 0, NULL, IN_CONFIG(outbound.mptcp), "false",
	  "Multipath TCP, where the kernel has it; else plain TCP." },
	{ "fast_open", NULL, 0, NULL, OPTION_FLAG, IN_TOP, 0, 0, NULL, IN_CONFIG(inbound.fast_open), "false",
	  "TCP Fast Open for those who connect to us. Gatun itself waits for the server's answer, so that the application "
	  "learns the truth." },
	{ "ipv6_only", NULL, 0, NULL, OPTION_FLAG, IN_TOP, 0, 0, NULL, IN_CONFIG(inbound.ipv6_only), "false",
	  "Listening on :: does not take IPv4." },
	{ "tcp_incoming_sndbuf", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 1 << 30, NULL, IN_CONFIG(inbound.send_buffer), "0",
	  "Bytes of the kernel's buffer for connections that come to us; 0: the kernel tunes it." },
	{ "tcp_incoming_rcvbuf", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 1 << 30, NULL, IN_CONFIG(inbound.receive_buffer), "0",
	  "The same for what they send." },
	{ "tcp_outgoing_sndbuf", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 1 << 30, NULL, IN_CONFIG(outbound.send_buffer), "0",
	  "Bytes of the kernel's buffer for connections that we make; 0: the kernel tunes it." },
	{ "tcp_outgoing_rcvbuf", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 0, 1 << 30, NULL, IN_CONFIG(outbound.receive_buffer), "0",
	  "The same for what we receive." },
	{ "dns_cache_size", NULL, 0, NULL, OPTION_NUMBER, IN_TOP, 1, 1000000, NULL, IN_CONFIG(dns_cache_size), "4096",
	  "Names whose addresses are remembered, each for as long as its TTL says." },

	/* messages */
	{ NULL, "verbose", 'v', NULL, OPTION_COUNT, FOR_ALL, 0, 0, NULL, IN_CONFIG(verbose), NULL,
	  "Say more; twice: say everything." },
	{ NULL, "quiet", 'q', NULL, OPTION_FLAG, FOR_ALL, 0, 0, NULL, IN_CONFIG(quiet), NULL, "Errors only." },
	{ NULL, "log-format", 0, "text|json", OPTION_WORD, FOR_ALL, 0, 1, "text|json", IN_CONFIG(log_format), "text",
	  "The form of log lines, which go to standard error." },

	/* status */
	{ "control", "control", 0, "PATH", OPTION_TEXT, IN_TOP | FOR_ALL | FOR_STATUS | FOR_RELOAD, 0, 0, NULL, IN_CONFIG(control),
	  "from /run/gatun (root) or $XDG_RUNTIME_DIR/gatun",
	  "The control socket, by which `gatun status` asks; off: none." },
	{ NULL, "qr", 0, NULL, OPTION_WISH, FOR_URL, 0, 1, "terminal|svg", NOWHERE, NULL,
	  "A QR code for each URL, on the terminal, or (--qr=svg >FILE) one as a picture." },
	{ NULL, "json", 0, NULL, OPTION_FLAG, FOR_STATUS, 0, 0, NULL, NOWHERE, NULL,
	  "One JSON document a line for each instance." },
	{ NULL, "prometheus", 0, NULL, OPTION_FLAG, FOR_STATUS, 0, 0, NULL, NOWHERE, NULL, "Metrics as Prometheus reads them." },
	{ NULL, "watch", 0, NULL, OPTION_FLAG, FOR_STATUS, 0, 0, NULL, NOWHERE, NULL,
	  "A screen that is redrawn once a second; q quits. Not on a terminal: a line a second." },
	{ NULL, "sort", 0, "rate|bytes|age", OPTION_TEXT, FOR_STATUS, 0, 0, NULL, NOWHERE, NULL,
	  "`status flows`: which come first; rate, if it is not given." },
	{ NULL, "limit", 0, "N", OPTION_TEXT, FOR_STATUS, 0, 0, NULL, NOWHERE, NULL,
	  "`status flows`: how many at most, up to 10000; 100, if it is not given." },

	/* known, without meaning for us */
	INERT("client_cache_size", IN_LOCAL, "A dns inbound asks everything over one connection."),
	INERT("version", IN_TOP, "The schema's version."),
	INERT("id", IN_SERVER, "The server's UUID."),
	INERT("no_delay", IN_TOP, "TCP_NODELAY is always on: gatun batches by itself."),
	INERT("ipv6_first", IN_TOP, "IPv6 is always tried first, and IPv4 at once when it is slow (RFC 8305)."),
	INERT("reuse_port", IN_TOP, "SO_REUSEPORT: gatun decides by itself."),
	INERT("use_syslog", IN_TOP, "Messages go to standard error."),

	/* known, not supported yet */
	LATER("tun_device_fd_from_path", IN_LOCAL, "A TUN handed over by a socket."),
	INERT("fast_open", IN_SERVER, "It belongs to listening sockets: write it at the top level."),
	INERT("mptcp", IN_SERVER, "Write it at the top level."),
	LATER("key", IN_TOP | IN_SERVER, "The master key itself, in base64; write \"password\"."),
	LATER("udp_mtu", IN_TOP, "Limit of UDP datagrams; gatun finds the path's MTU."),
	LATER("mtu", IN_TOP, "libev's MTU of the uplink; gatun finds the path's MTU."),
	LATER("security", IN_TOP, "Replay policy: gatun always detects replays."),
	LATER("log", IN_TOP, "Logging; use -v, -q and --log-format."),
	LATER("memory_limit", IN_TOP, "Bound of memory."),
	LATER("workdir", IN_TOP, "Working directory."),
	LATER("dscp", IN_TOP, "DSCP per port."),
	LATER("auth", IN_TOP, "One-time authentication: obsolete, the AEAD methods have it built in."),
	{ 0 },
};

/* The tables joined, since whoever walks them wants one. */
const struct option_row *option_table(void)
{
	static const struct option_row *const parts[] = { rows, option_rows_up };
	static struct option_row all[ROWS_MAX];
	size_t n = 0;

	if (all[0].where)
		return all;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		for (const struct option_row *r = parts[i]; r->key || r->flag; r++) {
			if (n == ROWS_MAX - 1)
				die(1, "more options than ROWS_MAX");
			all[n++] = *r;
		}
	}
	return all;
}

const struct option_row *option_find_key(const char *key, uint32_t where)
{
	for (const struct option_row *r = option_table(); r->key || r->flag; r++)
		if (r->key && (r->where & where) && strcmp(r->key, key) == 0)
			return r;
	return NULL;
}

const struct option_row *option_find_flag(const char *flag, size_t len, uint32_t where)
{
	for (const struct option_row *r = option_table(); r->key || r->flag; r++)
		if (r->flag && (r->where & where) && strlen(r->flag) == len && memcmp(r->flag, flag, len) == 0)
			return r;
	return NULL;
}

const struct option_row *option_find_letter(char letter, uint32_t where)
{
	for (const struct option_row *r = option_table(); r->key || r->flag; r++)
		if (r->letter == letter && (r->where & where))
			return r;
	return NULL;
}
