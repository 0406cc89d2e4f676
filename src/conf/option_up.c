/*
 * The option table's part for `gatun up`: what is taken and how, how it runs,
 * and the map of fake addresses. Keys that shadowsocks-rust gives its tun and
 * fake-dns inbounds stand here too. See option.h.
 */
#include "conf/option_rows.h"

#define IN_UP(field) IN_CONFIG(up.field)
#define TUN_KEY (IN_TOP | IN_LOCAL) /* of the file, and of its tun inbound */

const struct option_row option_rows_up[] = {
	/* what is taken, and how */
	{ "up_mode", "mode", 0, "tun|tproxy|redirect", OPTION_WORD, IN_TOP | FOR_UP, UP_TUN, UP_REDIRECT, "tun|tproxy|redirect", IN_UP(mode), "tun",
	  "How traffic comes to gatun: by a TUN device; by TPROXY, with the kernel's own TCP in front; by REDIRECT, which carries TCP "
	  "alone." },
	{ "tun_routes", "route", 0, "CIDR", OPTION_PREFIXES, TUN_KEY | FOR_UP, 0, 0, NULL, IN_UP(routes), "from everything",
	  "Take only what goes there; may be given several times. The rest goes as ever." },
	{ "tun_exclude", "exclude", 0, "CIDR", OPTION_PREFIXES, TUN_KEY | FOR_UP, 0, 0, NULL, IN_UP(excludes), NULL,
	  "Leave what goes there to the machine's own routes; may be given several times." },
	{ "lan", "lan", 0, "IFACE", OPTION_DEVICES, TUN_KEY | FOR_UP, 0, 0, NULL, IN_UP(lans), NULL,
	  "Serve the machines behind this interface too: their gateway is this one. May be given several times." },
	{ "uids", "uid", 0, "USER", OPTION_UIDS, IN_TOP | FOR_UP, PICK_ONLY, 0, NULL, IN_UP(uids), NULL,
	  "Take only what processes of this user send: a name, a number or FROM-TO. May be given several times." },
	{ "not_uids", "not-uid", 0, "USER", OPTION_UIDS, IN_TOP | FOR_UP, PICK_EXCEPT, 0, NULL, IN_UP(uids), NULL,
	  "Take all but what processes of this user send. May be given several times." },
	{ "cgroups", "cgroup", 0, "PATH", OPTION_CGROUPS, IN_TOP | FOR_UP, PICK_ONLY, 0, NULL, IN_UP(cgroups), NULL,
	  "Take only what processes of this control group (version 2) send, below /sys/fs/cgroup. May be given several times." },
	{ "not_cgroups", "not-cgroup", 0, "PATH", OPTION_CGROUPS, IN_TOP | FOR_UP, PICK_EXCEPT, 0, NULL, IN_UP(cgroups), NULL,
	  "Take all but what processes of this control group send. May be given several times." },
	{ "kill_switch", "kill-switch", 0, NULL, OPTION_FLAG, TUN_KEY | FOR_UP, 0, 0, NULL, IN_UP(kill_switch), "false",
	  "Let nothing out beside the tunnel, whatever happens to gatun, until `gatun down` lifts it." },
	{ "no_dhcp", "no-dhcp", 0, NULL, OPTION_FLAG, IN_TOP | FOR_UP, 0, 0, NULL, IN_UP(no_dhcp), "false",
	  "The kill switch lets no DHCP out either." },
	{ "no_ipv6", "no-ipv6", 0, NULL, OPTION_FLAG, IN_TOP | FOR_UP, 0, 0, NULL, IN_UP(no_ipv6), "false",
	  "Do not carry IPv6: it is unreachable at once, so that programs take IPv4." },
	{ "block_dot", "block-dot", 0, NULL, OPTION_FLAG, IN_TOP | FOR_UP, 0, 0, NULL, IN_UP(block_dot), "false",
	  "Refuse DNS over TLS (TCP port 853), so that names are asked by port 53." },
	{ "block_quic", "block-quic", 0, NULL, OPTION_FLAG, IN_TOP | FOR_UP, 0, 0, NULL, IN_UP(block_quic), "false",
	  "Refuse QUIC (UDP port 443), so that browsers take TCP." },

	/* the names and numbers of it */
	{ "tun_interface_name", "device", 0, "NAME", OPTION_DEVICE, TUN_KEY | FOR_UP, 0, 0, NULL, IN_UP(device), "gatun0",
	  "The TUN's name." },
	{ "tun_interface_address", NULL, 0, NULL, OPTION_PREFIX, TUN_KEY, 0, 1, NULL, IN_UP(self4), "from gatun",
	  "The TUN's address and prefix, IPv4 or IPv6: 10.255.0.1/24." },
	{ "mark", "mark", 0, "N", OPTION_NUMBER, IN_TOP | FOR_UP, 1, 0xfffffffb, NULL, IN_UP(mark), "26465",
	  "The first of four marks: of gatun's own sockets, of answers to connections from outside, of what is taken, of what is left out." },
	{ "table", "table", 0, "N", OPTION_NUMBER, IN_TOP | FOR_UP, 1, 0xfffffffc, NULL, IN_UP(table), "26465", "The first of three routing tables." },
	{ "priority", "priority", 0, "N", OPTION_NUMBER, IN_TOP | FOR_UP, 1, 32700, NULL, IN_UP(priority), "6761", "Of the first policy rule." },
	{ "up_port", "port", 0, "N", OPTION_PORT, IN_TOP | FOR_UP, 1, 65535, NULL, IN_UP(port), "from the free ones",
	  "Modes tproxy and redirect: where gatun listens for what is captured." },
	{ "up_dns_port", "dns-port", 0, "N", OPTION_PORT, IN_TOP | FOR_UP, 1, 65535, NULL, IN_UP(dns_port), "from the free ones",
	  "Mode redirect: where gatun answers names." },
	{ NULL, "print-rules", 0, NULL, OPTION_WISH, FOR_UP, 1, 2, "nft|iptables", IN_UP(print_rules), NULL,
	  "Change nothing: print the commands that would make the rules, with nft or (--print-rules=iptables) iptables, for those "
	  "who keep their own. Needs no root." },
	{ NULL, "keep-guard", 0, NULL, OPTION_FLAG, FOR_DOWN, 0, 0, NULL, NOWHERE, NULL,
	  "Leave what keeps traffic in: the kill switch, and rules that lead nowhere. For a service's end." },
	INERT("tun_interface_destination", IN_LOCAL, "A TUN of gatun's has no peer."),

	/* the map of fake addresses */
	{ "fake_dns_ipv4_network", NULL, 0, NULL, OPTION_PREFIX, TUN_KEY, 4, 0, NULL, IN_CONFIG(fake4), "198.18.0.0/15",
	  "The range of fake IPv4 addresses, /8 to /28: nothing real may be in it." },
	{ "fake_dns_ipv6_network", NULL, 0, NULL, OPTION_PREFIX, TUN_KEY, 6, 0, NULL, IN_CONFIG(fake6), "from a random /64 of fd00::/8",
	  "The range of fake IPv6 addresses, /16 to /96." },
	{ "fake_dns_record_expire_duration", NULL, 0, NULL, OPTION_NUMBER, TUN_KEY, 1, 31536000, NULL, IN_CONFIG(fake_expire), "3600",
	  "Seconds that a name keeps its fake address after its last use; at least five minutes after it was asked for, where this is "
	  "not less. No other name gets it before." },
	{ "fake_dns_database_path", NULL, 0, NULL, OPTION_TEXT, TUN_KEY, 0, 0, NULL, IN_CONFIG(fake_file), "from the state directory",
	  "The file (or a directory for it) in which fake addresses are kept over a restart; without it, `gatun up` keeps them in "
	  "$STATE_DIRECTORY or /var/lib/gatun, and the others in memory." },

	/* how it runs */
	{ NULL, "detach", 0, NULL, OPTION_FLAG, FOR_UP | FOR_SERVER | FOR_LOCAL, 0, 0, NULL, IN_UP(detach), NULL,
	  "Go on in the background; the command returns when everything is open, or with the reason why not." },
	{ NULL, "ready-fd", 0, "N", OPTION_NUMBER, FOR_UP | FOR_SERVER | FOR_LOCAL, 1, 65535, NULL, IN_CONFIG(ready_fd), NULL,
	  "Write the line \"ready\" to this descriptor when everything is open, and close it." },
	{ NULL, "pid-file", 0, "FILE", OPTION_TEXT, FOR_UP | FOR_SERVER | FOR_LOCAL, 0, 0, NULL, IN_CONFIG(pid_file), NULL,
	  "Write the process's number there when everything is open; the file goes when it ends." },
	{ "user", "user", 0, "NAME", OPTION_TEXT, IN_TOP | FOR_UP | FOR_SERVER | FOR_LOCAL, 0, 0, NULL, IN_CONFIG(user), NULL,
	  "Whom to be, instead of root: a name or a number." },
	{ "plugin_user", "plugin-user", 0, "NAME", OPTION_TEXT, IN_TOP | FOR_UP, 0, 0, NULL, IN_CONFIG(plugin_user), NULL,
	  "As root, with a plugin and without \"user\": whom gatun and its plugins run as; gatun-plugin, if none is given. What this user sends goes past gatun, so nobody else may be it." },
	{ 0 },
};
