/*
 * The rules of ruleset_capture.c and ruleset_guard.c once more, as iptables and
 * ip6tables commands for those who keep their own. See there for what they mean.
 *
 * What differs, because iptables can reject in its filter table alone: what is
 * refused is marked `take` like what is carried, and GATUN_REFUSE, in INPUT, OUTPUT
 * and FORWARD, says no to it. One rule stands for each prefix (no ipset is needed),
 * and these do not follow the machine's links by themselves. Whether an IPv6 address
 * is the machine's own is asked for the interface that it came by, because the match
 * asks the policy rules, which send everything here; of what the machine sends itself
 * it cannot be asked, and prefixes on links have to do. A LAN's packets that nat is to
 * turn are known by their connection's mark, because nothing could take theirs off
 * again behind nat.
 *
 * The commands make chains of ours, fill them, and hook them in last; the end of the
 * text says how they go. Every chain's name begins with GATUN_.
 */
#include "gate/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gate/ruleset_text.h"

struct iptables {
	FILE *f;
	const struct gate_plan *plan;
	const struct gate_prefix *near; /* without those inside others */
	int n_near;
	const struct gate_near *machine;
	int family;
};

static const char *program(const struct iptables *t)
{
	return t->family == AF_INET ? "iptables" : "ip6tables";
}

/* A rule at the end of a chain: `chain` is "TABLE CHAIN". */
__attribute__((format(printf, 3, 4))) static void rule(const struct iptables *t, const char *chain, const char *fmt, ...)
{
	const char *name = strchr(chain, ' ') + 1;
	va_list args;

	fprintf(t->f, "%s -w -t %.*s -A %s ", program(t), (int)(name - chain - 1), chain, name);
	va_start(args, fmt);
	vfprintf(t->f, fmt, args);
	va_end(args);
	fputc('\n', t->f);
}

/* Made, or emptied where it is there. */
static void chain(const struct iptables *t, const char *table, const char *name)
{
	fprintf(t->f, "%s -w -t %s -N %s 2>/dev/null || %s -w -t %s -F %s\n", program(t), table, name, program(t), table, name);
}

static void hook(const struct iptables *t, const char *table, const char *where, const char *name)
{
	fprintf(t->f, "%s -w -t %s -C %s -j %s 2>/dev/null || %s -w -t %s -I %s -j %s\n", program(t), table, where, name, program(t), table,
		where, name);
}

/* --- words ------------------------------------------------------------------------ */

static uint32_t mark(const struct iptables *t, enum gate_mark which)
{
	return ruleset_mark(t->plan, which);
}

static void set_mark(const struct iptables *t, const char *where, const char *match, enum gate_mark which)
{
	rule(t, where, "%s -j MARK --set-mark 0x%x", match, mark(t, which));
}

static void set_ct_mark(const struct iptables *t, const char *where, const char *match, enum gate_mark which)
{
	rule(t, where, "%s -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x%x/0x%x", match, mark(t, which),
	     ruleset_ct_bits(t->plan));
}

static void pass_mark(const struct iptables *t, const char *where, enum gate_mark which)
{
	rule(t, where, "-m mark --mark 0x%x -j ACCEPT", mark(t, which));
}

static void each_prefix(const struct iptables *t, const char *where, const struct gate_prefix *prefixes, int n, const char *target)
{
	char text[INET6_ADDRSTRLEN];

	for (int i = 0; i < n; i++)
		if (prefixes[i].at.family == t->family)
			rule(t, where, "-d %s/%u %s", inet_ntop(t->family, prefixes[i].at.ip.bytes, text, sizeof(text)),
			     prefixes[i].len, target);
}

static void each_protocol(const struct iptables *t, const char *where, const char *rest)
{
	rule(t, where, "-p tcp %s", rest);
	rule(t, where, "-p udp %s", rest);
}

static void each_uid(const struct iptables *t, const char *where, const char *target)
{
	for (int i = 0; i < t->plan->n_uids; i++)
		rule(t, where, "-m owner --uid-owner %u-%u %s", t->plan->uids[i].from, t->plan->uids[i].to, target);
}

static void each_cgroup(const struct iptables *t, const char *where, const char *target)
{
	for (int i = 0; i < t->plan->n_cgroups; i++)
		rule(t, where, "-m cgroup --path \"%s\" %s", t->plan->cgroups[i] + strspn(t->plan->cgroups[i], "/"), target);
}

static void each_lan(const struct iptables *t, const char *where, const char *direction, const char *rest)
{
	for (int i = 0; i < t->plan->n_lans; i++)
		rule(t, where, "%s \"%s\" %s", direction, t->plan->lans[i], rest);
}

static void pass_link_icmp6(const struct iptables *t, const char *where)
{
	static const int types[] = { 133, 134, 135, 136, 137, 130, 131, 132, 143 };

	for (size_t i = 0; t->family == AF_INET6 && i < sizeof(types) / sizeof(types[0]); i++)
		rule(t, where, "-p icmpv6 --icmpv6-type %d -j ACCEPT", types[i]);
}

static void pass_dhcp(const struct iptables *t, const char *where)
{
	if (t->plan->dhcp && t->family == AF_INET)
		rule(t, where, "-p udp --sport 68 --dport 67 -j ACCEPT");
	else if (t->plan->dhcp)
		rule(t, where, "-p udp --sport 546 --dport 547 -j ACCEPT");
}

/* --- what every mode has ------------------------------------------------------------ */

static void write_marking_chain(const struct iptables *t, const char *name, const char *where, enum gate_mark which, bool remember)
{
	chain(t, "mangle", name);
	if (remember)
		set_ct_mark(t, where, "", which);
	set_mark(t, where, "", which);
	rule(t, where, "-j ACCEPT");
}

static void write_known_answers(const struct iptables *t)
{
	const char *where = "mangle GATUN_KNOWN";

	chain(t, "mangle", "GATUN_KNOWN");
	for (int i = 0; i < t->machine->n_listening; i++)
		rule(t, where, "-p tcp --sport %u -g GATUN_REPLY", t->machine->listening[i]);
	for (int i = 0; i < t->machine->n_serving; i++)
		rule(t, where, "-p udp --sport %u -g GATUN_REPLY", t->machine->serving[i]);
	if (t->machine->ephemeral_from)
		rule(t, where, "-p udp ! --sport %u:%u -g GATUN_REPLY", t->machine->ephemeral_from, t->machine->ephemeral_to);
	rule(t, where, "%s -g GATUN_REPLY",
	     t->family == AF_INET ? "-p icmp --icmp-type echo-reply" : "-p icmpv6 --icmpv6-type echo-reply");
	rule(t, where, "-m conntrack --ctstate DNAT -g GATUN_REPLY");
}

static void write_answers(const struct iptables *t)
{
	uint32_t bits = ruleset_ct_bits(t->plan);

	write_marking_chain(t, "GATUN_REPLY", "mangle GATUN_REPLY", GATE_MARK_REPLY, false);
	write_marking_chain(t, "GATUN_OWN", "mangle GATUN_OWN", GATE_MARK_OWN, false);
	write_marking_chain(t, "GATUN_LEAVE", "mangle GATUN_LEAVE", GATE_MARK_LEAVE, false);
	write_marking_chain(t, "GATUN_TAKE", "mangle GATUN_TAKE", GATE_MARK_TAKE, true);
	write_known_answers(t);
	chain(t, "mangle", "GATUN_ANSWERS");
	rule(t, "mangle GATUN_ANSWERS", "-m connmark --mark 0x%x/0x%x -j RETURN", mark(t, GATE_MARK_OWN), bits);
	rule(t, "mangle GATUN_ANSWERS", "-m connmark --mark 0x%x/0x%x -j RETURN", mark(t, GATE_MARK_TAKE), bits);
	rule(t, "mangle GATUN_ANSWERS", "-m connmark --mark 0x%x/0x%x -g GATUN_REPLY", mark(t, GATE_MARK_REPLY), bits);
	rule(t, "mangle GATUN_ANSWERS", "-m conntrack --ctdir REPLY -j GATUN_KNOWN");
	chain(t, "mangle", "GATUN_INBOUND");
	rule(t, "mangle GATUN_INBOUND", "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir REPLY -j DROP", mark(t, GATE_MARK_TAKE), bits);
	rule(t, "mangle GATUN_INBOUND", "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir REPLY -g GATUN_OWN", mark(t, GATE_MARK_OWN), bits);
	set_ct_mark(t, "mangle GATUN_INBOUND", "", GATE_MARK_REPLY);
	rule(t, "mangle GATUN_INBOUND", "-g GATUN_REPLY");
}

/* See ruleset.c. */
static void write_unasked(const struct iptables *t)
{
	chain(t, "mangle", "GATUN_UNHEARD");
	for (int i = 0; i < t->machine->n_serving; i++)
		rule(t, "mangle GATUN_UNHEARD", "-p udp --dport %u -j RETURN", t->machine->serving[i]);
	rule(t, "mangle GATUN_UNHEARD", "-m socket --nowildcard -j RETURN");
	rule(t, "mangle GATUN_UNHEARD", "-j DROP");
	chain(t, "mangle", "GATUN_UNASKED");
	rule(t, "mangle GATUN_UNASKED", "-p udp -m pkttype --pkt-type unicast -m conntrack --ctstate NEW -m connmark --mark 0x%x/0x%x -j GATUN_UNHEARD",
	     mark(t, GATE_MARK_REPLY), ruleset_ct_bits(t->plan));
}

static void write_own(const struct iptables *t)
{
	char match[40];

	if (t->plan->plugin_uid)
		rule(t, "mangle GATUN_OUTPUT", "-m owner --uid-owner %u -j MARK --set-mark 0x%x", t->plan->plugin_uid, mark(t, GATE_MARK_OWN));
	snprintf(match, sizeof(match), "-m mark --mark 0x%x", mark(t, GATE_MARK_OWN));
	set_ct_mark(t, "mangle GATUN_OUTPUT", match, GATE_MARK_OWN);
	pass_mark(t, "mangle GATUN_OUTPUT", GATE_MARK_OWN);
	pass_mark(t, "mangle GATUN_OUTPUT", GATE_MARK_LEAVE);
}

static void write_answers_out(const struct iptables *t)
{
	rule(t, "mangle GATUN_OUTPUT", "-j GATUN_ANSWERS");
	for (int i = 0; i < t->machine->n_listening; i++) {
		char match[96];
		snprintf(match, sizeof(match), "-p tcp --sport %u ! --tcp-flags SYN,ACK SYN",
			 t->machine->listening[i]);
		set_ct_mark(t, "mangle GATUN_OUTPUT", match, GATE_MARK_REPLY);
		rule(t, "mangle GATUN_OUTPUT",
		     "-p tcp --sport %u ! --tcp-flags SYN,ACK SYN -m conntrack --ctstate NEW,INVALID,UNTRACKED -g GATUN_REPLY",
		     t->machine->listening[i]);
	}
}

static void write_taken_before(const struct iptables *t, const char *where, const char *target)
{
	rule(t, where, "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir ORIGINAL -g %s", mark(t, GATE_MARK_TAKE),
	     ruleset_ct_bits(t->plan), target);
}

static const char *is_own_address(const struct iptables *t)
{
	return t->family == AF_INET ? "-m addrtype --dst-type LOCAL" : "-m addrtype --dst-type LOCAL --limit-iface-in";
}

static void write_from_outside(const struct iptables *t)
{
	rule(t, "mangle GATUN_PREROUTING", "%s -g GATUN_INBOUND", is_own_address(t));
	rule(t, "mangle GATUN_PREROUTING", "-j GATUN_ANSWERS");
}

/* --- TUN ---------------------------------------------------------------------------- */

static void each_self(const struct iptables *t, const char *where, const char *match, const char *target)
{
	const struct addr *self = t->family == AF_INET ? &t->plan->self4 : &t->plan->self6;
	char text[INET6_ADDRSTRLEN];

	if (self->family)
		rule(t, where, "-s %s %s %s", inet_ntop(self->family, self->ip.bytes, text, sizeof(text)), match, target);
}

static void write_tun_output(const struct iptables *t)
{
	chain(t, "mangle", "GATUN_OUTPUT");
	write_own(t);
	if (t->plan->pick == GATE_EXCEPT)
		each_cgroup(t, "mangle GATUN_OUTPUT", "-g GATUN_LEAVE");
	each_self(t, "mangle GATUN_OUTPUT", "", "-j ACCEPT");
	write_answers_out(t);
	if (t->plan->pick == GATE_ONLY && t->plan->n_cgroups) {
		write_taken_before(t, "mangle GATUN_OUTPUT", "GATUN_TAKE");
		rule(t, "mangle GATUN_OUTPUT", "-m addrtype --dst-type LOCAL -j ACCEPT");
		each_cgroup(t, "mangle GATUN_OUTPUT", "-g GATUN_TAKE");
	}
}

static void write_tun_prerouting(const struct iptables *t)
{
	char match[40];

	chain(t, "mangle", "GATUN_PREROUTING");
	rule(t, "mangle GATUN_PREROUTING", "-i lo -j ACCEPT");
	snprintf(match, sizeof(match), "-i \"%s\"", t->plan->device);
	set_ct_mark(t, "mangle GATUN_PREROUTING", match, GATE_MARK_TAKE);
	if (t->plan->pick == GATE_ONLY && t->plan->n_cgroups)
		set_mark(t, "mangle GATUN_PREROUTING", match, GATE_MARK_TAKE);
	rule(t, "mangle GATUN_PREROUTING", "%s -j ACCEPT", match);
	write_from_outside(t);
}

static void write_refusals(const struct iptables *t)
{
	const char *unreachable = t->family == AF_INET ? "icmp-port-unreachable" : "icmp6-port-unreachable";

	if (t->plan->block_dot) {
		rule(t, "filter GATUN_REFUSE", "-p tcp --dport 853 -j REJECT --reject-with tcp-reset");
		rule(t, "filter GATUN_REFUSE", "-p udp --dport 853 -j REJECT --reject-with %s", unreachable);
	}
	if (t->plan->block_quic)
		rule(t, "filter GATUN_REFUSE", "-p udp --dport 443 -j REJECT --reject-with %s", unreachable);
}

static void write_tun_refuse(const struct iptables *t)
{
	chain(t, "filter", "GATUN_REFUSE");
	for (int which = 0; which < GATE_MARKS; which++)
		if (which != GATE_MARK_TAKE)
			rule(t, "filter GATUN_REFUSE", "-m mark --mark 0x%x -j RETURN", mark(t, which));
	if (t->plan->pick != GATE_ONLY || !t->plan->n_cgroups) /* else the device is not yet the one it goes by */
		rule(t, "filter GATUN_REFUSE", "! -o \"%s\" -j RETURN", t->plan->device);
	else
		rule(t, "filter GATUN_REFUSE", "! -o \"%s\" -m mark ! --mark 0x%x -j RETURN", t->plan->device, mark(t, GATE_MARK_TAKE));
	write_refusals(t);
	hook(t, "filter", "OUTPUT", "GATUN_REFUSE");
	hook(t, "filter", "FORWARD", "GATUN_REFUSE");
}

static void write_strays(const struct iptables *t)
{
	const char *where = "mangle GATUN_STRAYS";
	char match[40];

	chain(t, "mangle", "GATUN_STRAYS");
	snprintf(match, sizeof(match), "-o \"%s\"", t->plan->device);
	set_ct_mark(t, where, match, GATE_MARK_TAKE);
	rule(t, where, "%s -j ACCEPT", match);
	rule(t, where, "-o lo -j ACCEPT");
	pass_mark(t, where, GATE_MARK_OWN);
	pass_mark(t, where, GATE_MARK_LEAVE);
	each_self(t, where, "", "-j DROP");
	/* In POSTROUTING iptables knows no device that a packet came by; what the TUN sends is no error. */
	rule(t, where, "-m connmark --mark 0x%x/0x%x -m conntrack --ctstate RELATED --ctdir ORIGINAL -j DROP", mark(t, GATE_MARK_TAKE),
	     ruleset_ct_bits(t->plan));
	hook(t, "mangle", "POSTROUTING", "GATUN_STRAYS");
}

static void write_tun(const struct iptables *t)
{
	char match[64];

	write_tun_output(t);
	write_tun_prerouting(t);
	write_strays(t);
	if (t->plan->block_dot || t->plan->block_quic)
		write_tun_refuse(t);
	if (t->plan->pick == GATE_EXCEPT && t->plan->n_cgroups) {
		chain(t, "nat", "GATUN_LEFT_OUT");
		snprintf(match, sizeof(match), "-m mark --mark 0x%x ! -o \"%s\"", mark(t, GATE_MARK_LEAVE), t->plan->device);
		each_self(t, "nat GATUN_LEFT_OUT", match, "-j MASQUERADE");
		hook(t, "nat", "POSTROUTING", "GATUN_LEFT_OUT");
	}
}

/* --- TPROXY and REDIRECT --------------------------------------------------------------- */

static void write_judge(const struct iptables *t, const char *name, const char *where, const char *target)
{
	char go[40];

	chain(t, "mangle", name);
	snprintf(go, sizeof(go), "-g %s", target);
	if (ruleset_takes_dns(t->plan)) {
		rule(t, where, "-p tcp --dport 53 %s", go);
		rule(t, where, "-p udp --dport 53 %s", go);
	}
	each_prefix(t, where, t->near, t->n_near, "-j ACCEPT");
	each_prefix(t, where, t->plan->routes, t->plan->n_routes, go);
	rule(t, where, "%s", t->plan->n_routes ? "-j ACCEPT" : go);
}

static void write_not_carried(const struct iptables *t, const char *where, const char *local)
{
	if (local)
		rule(t, where, "%s -g %s", is_own_address(t), local);
	if (t->family == AF_INET) {
		rule(t, where, "-m addrtype --dst-type BROADCAST -j ACCEPT");
		rule(t, where, "-m addrtype --dst-type MULTICAST -j ACCEPT");
	} else {
		rule(t, where, "-d ::1 -j ACCEPT");
		rule(t, where, "-d ff00::/8 -j ACCEPT");
	}
	pass_link_icmp6(t, where);
	pass_dhcp(t, where);
}

static void write_picks(const struct iptables *t)
{
	const char *where = "mangle GATUN_OUTPUT";
	const char *target = t->plan->pick == GATE_ONLY ? "-g GATUN_JUDGE" : "-g GATUN_LEAVE";

	if (t->plan->pick == GATE_EVERYBODY)
		return;
	each_uid(t, where, target);
	each_cgroup(t, where, target);
	if (t->plan->pick == GATE_ONLY)
		rule(t, where, "-m owner --socket-exists -j ACCEPT");
}

static void write_output(const struct iptables *t)
{
	const char *where = "mangle GATUN_OUTPUT";

	chain(t, "mangle", "GATUN_OUTPUT");
	write_own(t);
	if (t->family == AF_INET)
		rule(t, where, "-m addrtype --dst-type LOCAL -j ACCEPT");
	rule(t, where, "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir REPLY -j ACCEPT", mark(t, GATE_MARK_TAKE), ruleset_ct_bits(t->plan));
	write_answers_out(t);
	write_taken_before(t, where, "GATUN_TAKE");
	write_not_carried(t, where, NULL);
	write_picks(t);
	rule(t, where, "-g GATUN_JUDGE");
}

static void write_lan(const struct iptables *t, const char *judge, const char *target)
{
	const char *where = "mangle GATUN_LAN";

	chain(t, "mangle", "GATUN_LAN");
	if (t->plan->mode == GATE_TPROXY)
		rule(t, where, "-p tcp -m socket --transparent --nowildcard -j ACCEPT");
	write_not_carried(t, where, "GATUN_INBOUND");
	write_taken_before(t, where, target);
	rule(t, where, "-j GATUN_ANSWERS");
	rule(t, where, "-g %s", judge);
}

/* What is to be refused goes on with its mark (see write_refuse); the rest from a LAN has none. */
static void write_deliver(const struct iptables *t)
{
	const char *where = "mangle GATUN_DELIVER";
	char target[64];

	chain(t, "mangle", "GATUN_DELIVER");
	if (t->family == AF_INET6 && !t->plan->ipv6)
		rule(t, where, "-g GATUN_TAKE");
	if (t->plan->block_dot)
		each_protocol(t, where, "--dport 853 -g GATUN_TAKE");
	if (t->plan->block_quic)
		rule(t, where, "-p udp --dport 443 -g GATUN_TAKE");
	set_ct_mark(t, where, "", GATE_MARK_TAKE);
	snprintf(target, sizeof(target), "-j TPROXY --on-ip %s --on-port %u", t->family == AF_INET ? "127.0.0.1" : "::1",
		 t->plan->port);
	each_protocol(t, where, target);
	rule(t, where, "-g GATUN_TAKE");
}

static void write_prerouting(const struct iptables *t)
{
	chain(t, "mangle", "GATUN_PREROUTING");
	if (t->plan->mode == GATE_TPROXY)
		rule(t, "mangle GATUN_PREROUTING", "-i lo -m mark --mark 0x%x -g GATUN_DELIVER", mark(t, GATE_MARK_TAKE));
	rule(t, "mangle GATUN_PREROUTING", "-i lo -m mark --mark 0x%x -j MARK --set-mark 0", mark(t, GATE_MARK_OWN));
	rule(t, "mangle GATUN_PREROUTING", "-i lo -j ACCEPT");
	each_lan(t, "mangle GATUN_PREROUTING", "-i", "-g GATUN_LAN");
	write_from_outside(t);
}

/* What was taken and must not be carried; and what was taken and nobody turned round. */
static void write_refuse(const struct iptables *t)
{
	const char *where = "filter GATUN_REFUSE";
	const char *prohibited = t->family == AF_INET ? "icmp-admin-prohibited" : "icmp6-adm-prohibited";

	chain(t, "filter", "GATUN_REFUSE");
	rule(t, where, "-m mark ! --mark 0x%x -j RETURN", mark(t, GATE_MARK_TAKE));
	rule(t, where, "-m conntrack --ctdir REPLY -j RETURN");
	if (t->family == AF_INET6 && !t->plan->ipv6) {
		rule(t, where, "-p tcp ! --syn -j REJECT --reject-with tcp-reset");
		rule(t, where, "-j REJECT --reject-with icmp6-no-route");
	}
	write_refusals(t);
	if (t->plan->mode == GATE_REDIRECT) {
		rule(t, where, "-m conntrack --ctstate DNAT -j RETURN");
		rule(t, where, "-p tcp -j REJECT --reject-with tcp-reset");
	} else {
		each_protocol(t, where, "-j RETURN");
	}
	rule(t, where, "-j REJECT --reject-with %s", prohibited);
	hook(t, "filter", "INPUT", "GATUN_REFUSE");
	hook(t, "filter", "OUTPUT", "GATUN_REFUSE");
	hook(t, "filter", "FORWARD", "GATUN_REFUSE");
}

static void write_turn(const struct iptables *t)
{
	const char *where = "nat GATUN_TURN";

	chain(t, "nat", "GATUN_TURN");
	rule(t, where, "-m connmark ! --mark 0x%x/0x%x -j RETURN", mark(t, GATE_MARK_TAKE), ruleset_ct_bits(t->plan));
	if (t->family == AF_INET6 && !t->plan->ipv6)
		rule(t, where, "-j RETURN");
	if (t->plan->block_dot)
		rule(t, where, "-p tcp --dport 853 -j RETURN");
	if (ruleset_takes_dns(t->plan)) {
		rule(t, where, "-p tcp --dport 53 -j REDIRECT --to-ports %u", t->plan->dns_port);
		rule(t, where, "-p udp --dport 53 -j REDIRECT --to-ports %u", t->plan->dns_port);
	}
	rule(t, where, "-p tcp -j REDIRECT --to-ports %u", t->plan->port);
	hook(t, "nat", "OUTPUT", "GATUN_TURN");
	if (t->plan->n_lans)
		hook(t, "nat", "PREROUTING", "GATUN_TURN");
}

static void write_strangers(const struct iptables *t)
{
	const char *where = "filter GATUN_STRANGERS", *from = "! -i lo -m conntrack ! --ctstate DNAT -m pkttype --pkt-type unicast";

	chain(t, "filter", "GATUN_STRANGERS");
	rule(t, where, "%s -p tcp --dport %u -j DROP", from, t->plan->port);
	if (ruleset_takes_dns(t->plan)) {
		rule(t, where, "%s -p tcp --dport %u -j DROP", from, t->plan->dns_port);
		rule(t, where, "%s -p udp --dport %u -j DROP", from, t->plan->dns_port);
	}
	hook(t, "filter", "INPUT", "GATUN_STRANGERS");
}

static void write_lan_redirect(const struct iptables *t)
{
	chain(t, "mangle", "GATUN_TAKE_LAN");
	set_ct_mark(t, "mangle GATUN_TAKE_LAN", "", GATE_MARK_TAKE);
	rule(t, "mangle GATUN_TAKE_LAN", "-j ACCEPT");
	write_judge(t, "GATUN_JUDGE_LAN", "mangle GATUN_JUDGE_LAN", "GATUN_TAKE_LAN");
	write_lan(t, "GATUN_JUDGE_LAN", "GATUN_TAKE_LAN");
	write_strangers(t);
}

static void write_lan_tproxy(const struct iptables *t)
{
	write_judge(t, "GATUN_JUDGE_LAN", "mangle GATUN_JUDGE_LAN", "GATUN_DELIVER");
	write_lan(t, "GATUN_JUDGE_LAN", "GATUN_DELIVER");
}

static void write_ports(const struct iptables *t)
{
	write_judge(t, "GATUN_JUDGE", "mangle GATUN_JUDGE", "GATUN_TAKE");
	write_output(t);
	if (t->plan->mode == GATE_TPROXY)
		write_deliver(t);
	if (t->plan->n_lans && t->plan->mode == GATE_TPROXY)
		write_lan_tproxy(t);
	else if (t->plan->n_lans)
		write_lan_redirect(t);
	write_prerouting(t);
	write_refuse(t);
	if (t->plan->mode == GATE_REDIRECT)
		write_turn(t);
}

/* --- the guard ------------------------------------------------------------------------ */

static void write_guard_judge(const struct iptables *t)
{
	const char *where = "mangle GATUN_GUARD_JUDGE";

	chain(t, "mangle", "GATUN_GUARD_JUDGE");
	if (ruleset_takes_dns(t->plan))
		each_protocol(t, where, "--dport 53 -j DROP");
	if (t->plan->mode == GATE_TUN)
		each_self(t, where, "", "-j DROP");
	each_prefix(t, where, t->near, t->n_near, "-j ACCEPT");
	pass_link_icmp6(t, where);
	pass_dhcp(t, where);
	each_prefix(t, where, t->plan->routes, t->plan->n_routes, "-j DROP");
	rule(t, where, "-j %s", t->plan->n_routes ? "ACCEPT" : "DROP");
}

static void write_guard_picks(const struct iptables *t)
{
	const char *where = "mangle GATUN_GUARD";
	const char *target = t->plan->pick == GATE_ONLY ? "-g GATUN_GUARD_JUDGE" : "-j ACCEPT";

	if (t->plan->plugin_uid)
		rule(t, where, "-m owner --uid-owner %u -j ACCEPT", t->plan->plugin_uid);
	if (t->plan->pick == GATE_EVERYBODY)
		return;
	each_uid(t, where, target);
	each_cgroup(t, where, target);
	if (t->plan->pick == GATE_ONLY) {
		rule(t, where, "-m mark --mark 0x%x -g GATUN_GUARD_JUDGE", mark(t, GATE_MARK_TAKE));
		rule(t, where, "-m owner --socket-exists -j ACCEPT");
	}
}

static void write_guard(const struct iptables *t)
{
	const char *where = "mangle GATUN_GUARD";
	char match[96];

	write_guard_judge(t);
	chain(t, "mangle", "GATUN_GUARD");
	rule(t, where, "-o lo -j ACCEPT");
	if (t->plan->mode == GATE_TUN)
		rule(t, where, "-o \"%s\" -j ACCEPT", t->plan->device);
	pass_mark(t, where, GATE_MARK_OWN);
	pass_mark(t, where, GATE_MARK_REPLY);
	pass_mark(t, where, GATE_MARK_LEAVE);
	snprintf(match, sizeof(match), "-m conntrack --ctdir REPLY -m connmark --mark 0x%x/0x%x -j ACCEPT", mark(t, GATE_MARK_TAKE),
		 ruleset_ct_bits(t->plan));
	each_lan(t, where, "-o", match);
	write_guard_picks(t);
	rule(t, where, "-g GATUN_GUARD_JUDGE");
	hook(t, "mangle", "POSTROUTING", "GATUN_GUARD");
}

/* --- the whole -------------------------------------------------------------------------- */

static void write_family(const struct iptables *t)
{
	write_answers(t);
	write_unasked(t);
	if (t->plan->mode == GATE_TUN)
		write_tun(t);
	else
		write_ports(t);
	if (t->plan->kill_switch)
		write_guard(t);
	hook(t, "mangle", "PREROUTING", "GATUN_PREROUTING");
	hook(t, "mangle", "INPUT", "GATUN_UNASKED");
	hook(t, "mangle", "OUTPUT", "GATUN_OUTPUT");
}

static void write_end(FILE *f)
{
	fputs("# To take it back:\n"
	      "#   for t in iptables ip6tables; do $t-save | grep -v GATUN_ | $t-restore -w; done\n",
	      f);
}

int gate_ruleset_iptables(const struct gate_plan *plan, const struct gate_near *near, FILE *f)
{
	struct iptables t = { .f = f, .plan = plan, .machine = near };
	struct gate_prefix *own = ruleset_own_prefixes(near->prefixes, near->n, &t.n_near);

	if (!own)
		return -ENOMEM;
	t.near = own;
	t.family = AF_INET;
	write_family(&t);
	t.family = AF_INET6;
	write_family(&t);
	write_end(f);
	free(own);
	return ferror(f) ? -EIO : 0;
}
