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
#include <stdlib.h>

#include "gate/iptables_text.h"
#include "gate/ruleset_text.h"

/* --- what every mode has ------------------------------------------------------------ */

static void write_marking_chain(const struct iptables *t, const char *name, const char *where, enum gate_mark which, bool remember)
{
	iptables_chain(t, "mangle", name);
	if (remember)
		iptables_set_ct_mark(t, where, "", which);
	iptables_set_mark(t, where, "", which);
	iptables_rule(t, where, "-j ACCEPT");
}

static void write_known_answers(const struct iptables *t)
{
	const char *where = "mangle GATUN_KNOWN";

	iptables_chain(t, "mangle", "GATUN_KNOWN");
	for (int i = 0; i < t->machine->n_listening; i++)
		iptables_rule(t, where, "-p tcp --sport %u -g GATUN_REPLY", t->machine->listening[i]);
	for (int i = 0; i < t->machine->n_serving; i++)
		iptables_rule(t, where, "-p udp --sport %u -g GATUN_REPLY", t->machine->serving[i]);
	if (t->machine->ephemeral_from)
		iptables_rule(t, where, "-p udp ! --sport %u:%u -g GATUN_REPLY", t->machine->ephemeral_from, t->machine->ephemeral_to);
	iptables_rule(t, where, "%s -g GATUN_REPLY",
	     t->family == AF_INET ? "-p icmp --icmp-type echo-reply" : "-p icmpv6 --icmpv6-type echo-reply");
	iptables_rule(t, where, "-m conntrack --ctstate DNAT -g GATUN_REPLY");
}

static void write_answers(const struct iptables *t)
{
	uint32_t bits = ruleset_ct_bits(t->plan);

	write_marking_chain(t, "GATUN_REPLY", "mangle GATUN_REPLY", GATE_MARK_REPLY, false);
	write_marking_chain(t, "GATUN_OWN", "mangle GATUN_OWN", GATE_MARK_OWN, false);
	write_marking_chain(t, "GATUN_LEAVE", "mangle GATUN_LEAVE", GATE_MARK_LEAVE, false);
	write_marking_chain(t, "GATUN_TAKE", "mangle GATUN_TAKE", GATE_MARK_TAKE, true);
	write_known_answers(t);
	iptables_chain(t, "mangle", "GATUN_ANSWERS");
	iptables_rule(t, "mangle GATUN_ANSWERS", "-m connmark --mark 0x%x/0x%x -j RETURN", iptables_mark(t, GATE_MARK_OWN), bits);
	iptables_rule(t, "mangle GATUN_ANSWERS", "-m connmark --mark 0x%x/0x%x -j RETURN", iptables_mark(t, GATE_MARK_TAKE), bits);
	iptables_rule(t, "mangle GATUN_ANSWERS", "-m connmark --mark 0x%x/0x%x -g GATUN_REPLY", iptables_mark(t, GATE_MARK_REPLY), bits);
	iptables_rule(t, "mangle GATUN_ANSWERS", "-m conntrack --ctdir REPLY -j GATUN_KNOWN");
	iptables_chain(t, "mangle", "GATUN_INBOUND");
	iptables_rule(t, "mangle GATUN_INBOUND", "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir REPLY -j DROP", iptables_mark(t, GATE_MARK_TAKE), bits);
	iptables_rule(t, "mangle GATUN_INBOUND", "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir REPLY -g GATUN_OWN", iptables_mark(t, GATE_MARK_OWN), bits);
	iptables_set_ct_mark(t, "mangle GATUN_INBOUND", "", GATE_MARK_REPLY);
	iptables_rule(t, "mangle GATUN_INBOUND", "-g GATUN_REPLY");
}

/* See ruleset.c. */
static void write_unasked(const struct iptables *t)
{
	iptables_chain(t, "mangle", "GATUN_UNHEARD");
	for (int i = 0; i < t->machine->n_serving; i++)
		iptables_rule(t, "mangle GATUN_UNHEARD", "-p udp --dport %u -j RETURN", t->machine->serving[i]);
	iptables_rule(t, "mangle GATUN_UNHEARD", "-m socket --nowildcard -j RETURN");
	iptables_rule(t, "mangle GATUN_UNHEARD", "-j DROP");
	iptables_chain(t, "mangle", "GATUN_UNASKED");
	iptables_rule(t, "mangle GATUN_UNASKED", "-p udp -m pkttype --pkt-type unicast -m conntrack --ctstate NEW -m connmark --mark 0x%x/0x%x -j GATUN_UNHEARD",
	     iptables_mark(t, GATE_MARK_REPLY), ruleset_ct_bits(t->plan));
}

static void write_own(const struct iptables *t)
{
	char match[40];

	if (t->plan->plugin_uid)
		iptables_rule(t, "mangle GATUN_OUTPUT", "-m owner --uid-owner %u -j MARK --set-mark 0x%x", t->plan->plugin_uid, iptables_mark(t, GATE_MARK_OWN));
	snprintf(match, sizeof(match), "-m mark --mark 0x%x", iptables_mark(t, GATE_MARK_OWN));
	iptables_set_ct_mark(t, "mangle GATUN_OUTPUT", match, GATE_MARK_OWN);
	iptables_pass_mark(t, "mangle GATUN_OUTPUT", GATE_MARK_OWN);
	iptables_pass_mark(t, "mangle GATUN_OUTPUT", GATE_MARK_LEAVE);
}

static void write_answers_out(const struct iptables *t)
{
	iptables_rule(t, "mangle GATUN_OUTPUT", "-j GATUN_ANSWERS");
	for (int i = 0; i < t->machine->n_listening; i++) {
		char match[96];
		snprintf(match, sizeof(match), "-p tcp --sport %u ! --tcp-flags SYN,ACK SYN",
			 t->machine->listening[i]);
		iptables_set_ct_mark(t, "mangle GATUN_OUTPUT", match, GATE_MARK_REPLY);
		iptables_rule(t, "mangle GATUN_OUTPUT",
		     "-p tcp --sport %u ! --tcp-flags SYN,ACK SYN -m conntrack --ctstate NEW,INVALID,UNTRACKED -g GATUN_REPLY",
		     t->machine->listening[i]);
	}
}

static void write_taken_before(const struct iptables *t, const char *where, const char *target)
{
	iptables_rule(t, where, "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir ORIGINAL -g %s", iptables_mark(t, GATE_MARK_TAKE),
	     ruleset_ct_bits(t->plan), target);
}

static const char *is_own_address(const struct iptables *t)
{
	return t->family == AF_INET ? "-m addrtype --dst-type LOCAL" : "-m addrtype --dst-type LOCAL --limit-iface-in";
}

static void write_from_outside(const struct iptables *t)
{
	iptables_rule(t, "mangle GATUN_PREROUTING", "%s -g GATUN_INBOUND", is_own_address(t));
	iptables_rule(t, "mangle GATUN_PREROUTING", "-j GATUN_ANSWERS");
}

/* --- TUN ---------------------------------------------------------------------------- */

static void each_self(const struct iptables *t, const char *where, const char *match, const char *target)
{
	const struct addr *self = t->family == AF_INET ? &t->plan->self4 : &t->plan->self6;
	char text[INET6_ADDRSTRLEN];

	if (self->family)
		iptables_rule(t, where, "-s %s %s %s", inet_ntop(self->family, self->ip.bytes, text, sizeof(text)), match, target);
}

static void write_tun_output(const struct iptables *t)
{
	iptables_chain(t, "mangle", "GATUN_OUTPUT");
	write_own(t);
	if (t->plan->pick == GATE_EXCEPT)
		iptables_each_cgroup(t, "mangle GATUN_OUTPUT", "-g GATUN_LEAVE");
	each_self(t, "mangle GATUN_OUTPUT", "", "-j ACCEPT");
	write_answers_out(t);
	if (t->plan->pick == GATE_ONLY && t->plan->n_cgroups) {
		write_taken_before(t, "mangle GATUN_OUTPUT", "GATUN_TAKE");
		iptables_rule(t, "mangle GATUN_OUTPUT", "-m addrtype --dst-type LOCAL -j ACCEPT");
		iptables_each_cgroup(t, "mangle GATUN_OUTPUT", "-g GATUN_TAKE");
	}
}

static void write_tun_prerouting(const struct iptables *t)
{
	char match[40];

	iptables_chain(t, "mangle", "GATUN_PREROUTING");
	iptables_rule(t, "mangle GATUN_PREROUTING", "-i lo -j ACCEPT");
	snprintf(match, sizeof(match), "-i \"%s\"", t->plan->device);
	iptables_set_ct_mark(t, "mangle GATUN_PREROUTING", match, GATE_MARK_TAKE);
	if (t->plan->pick == GATE_ONLY && t->plan->n_cgroups)
		iptables_set_mark(t, "mangle GATUN_PREROUTING", match, GATE_MARK_TAKE);
	iptables_rule(t, "mangle GATUN_PREROUTING", "%s -j ACCEPT", match);
	write_from_outside(t);
}

static void write_refusals(const struct iptables *t)
{
	const char *unreachable = t->family == AF_INET ? "icmp-port-unreachable" : "icmp6-port-unreachable";

	if (t->plan->block_dot) {
		iptables_rule(t, "filter GATUN_REFUSE", "-p tcp --dport 853 -j REJECT --reject-with tcp-reset");
		iptables_rule(t, "filter GATUN_REFUSE", "-p udp --dport 853 -j REJECT --reject-with %s", unreachable);
	}
	if (t->plan->block_quic)
		iptables_rule(t, "filter GATUN_REFUSE", "-p udp --dport 443 -j REJECT --reject-with %s", unreachable);
}

static void write_tun_refuse(const struct iptables *t)
{
	iptables_chain(t, "filter", "GATUN_REFUSE");
	for (int which = 0; which < GATE_MARKS; which++)
		if (which != GATE_MARK_TAKE)
			iptables_rule(t, "filter GATUN_REFUSE", "-m mark --mark 0x%x -j RETURN", iptables_mark(t, which));
	if (t->plan->pick != GATE_ONLY || !t->plan->n_cgroups) /* else the device is not yet the one it goes by */
		iptables_rule(t, "filter GATUN_REFUSE", "! -o \"%s\" -j RETURN", t->plan->device);
	else
		iptables_rule(t, "filter GATUN_REFUSE", "! -o \"%s\" -m mark ! --mark 0x%x -j RETURN", t->plan->device, iptables_mark(t, GATE_MARK_TAKE));
	write_refusals(t);
	iptables_hook(t, "filter", "OUTPUT", "GATUN_REFUSE");
	iptables_hook(t, "filter", "FORWARD", "GATUN_REFUSE");
}

static void write_strays(const struct iptables *t)
{
	const char *where = "mangle GATUN_STRAYS";
	char match[40];

	iptables_chain(t, "mangle", "GATUN_STRAYS");
	snprintf(match, sizeof(match), "-o \"%s\"", t->plan->device);
	iptables_set_ct_mark(t, where, match, GATE_MARK_TAKE);
	iptables_rule(t, where, "%s -j ACCEPT", match);
	iptables_rule(t, where, "-o lo -j ACCEPT");
	iptables_pass_mark(t, where, GATE_MARK_OWN);
	iptables_pass_mark(t, where, GATE_MARK_LEAVE);
	each_self(t, where, "", "-j DROP");
	/* In POSTROUTING iptables knows no device that a packet came by; what the TUN sends is no error. */
	iptables_rule(t, where, "-m connmark --mark 0x%x/0x%x -m conntrack --ctstate RELATED --ctdir ORIGINAL -j DROP", iptables_mark(t, GATE_MARK_TAKE),
	     ruleset_ct_bits(t->plan));
	iptables_hook(t, "mangle", "POSTROUTING", "GATUN_STRAYS");
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
		iptables_chain(t, "nat", "GATUN_LEFT_OUT");
		snprintf(match, sizeof(match), "-m mark --mark 0x%x ! -o \"%s\"", iptables_mark(t, GATE_MARK_LEAVE), t->plan->device);
		each_self(t, "nat GATUN_LEFT_OUT", match, "-j MASQUERADE");
		iptables_hook(t, "nat", "POSTROUTING", "GATUN_LEFT_OUT");
	}
}

/* --- TPROXY and REDIRECT --------------------------------------------------------------- */

static void write_judge(const struct iptables *t, const char *name, const char *where, const char *target)
{
	char go[40];

	iptables_chain(t, "mangle", name);
	snprintf(go, sizeof(go), "-g %s", target);
	if (ruleset_takes_dns(t->plan)) {
		iptables_rule(t, where, "-p tcp --dport 53 %s", go);
		iptables_rule(t, where, "-p udp --dport 53 %s", go);
	}
	iptables_each_prefix(t, where, t->near, t->n_near, "-j ACCEPT");
	iptables_each_prefix(t, where, t->plan->routes, t->plan->n_routes, go);
	iptables_rule(t, where, "%s", t->plan->n_routes ? "-j ACCEPT" : go);
}

static void write_not_carried(const struct iptables *t, const char *where, const char *local)
{
	if (local)
		iptables_rule(t, where, "%s -g %s", is_own_address(t), local);
	if (t->family == AF_INET) {
		iptables_rule(t, where, "-m addrtype --dst-type BROADCAST -j ACCEPT");
		iptables_rule(t, where, "-m addrtype --dst-type MULTICAST -j ACCEPT");
	} else {
		iptables_rule(t, where, "-d ::1 -j ACCEPT");
		iptables_rule(t, where, "-d ff00::/8 -j ACCEPT");
	}
	iptables_pass_link_icmp6(t, where);
	iptables_pass_dhcp(t, where);
}

static void write_picks(const struct iptables *t)
{
	const char *where = "mangle GATUN_OUTPUT";
	const char *target = t->plan->pick == GATE_ONLY ? "-g GATUN_JUDGE" : "-g GATUN_LEAVE";

	if (t->plan->pick == GATE_EVERYBODY)
		return;
	iptables_each_uid(t, where, target);
	iptables_each_cgroup(t, where, target);
	if (t->plan->pick == GATE_ONLY)
		iptables_rule(t, where, "-m owner --socket-exists -j ACCEPT");
}

static void write_output(const struct iptables *t)
{
	const char *where = "mangle GATUN_OUTPUT";

	iptables_chain(t, "mangle", "GATUN_OUTPUT");
	write_own(t);
	if (t->family == AF_INET)
		iptables_rule(t, where, "-m addrtype --dst-type LOCAL -j ACCEPT");
	iptables_rule(t, where, "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir REPLY -j ACCEPT", iptables_mark(t, GATE_MARK_TAKE), ruleset_ct_bits(t->plan));
	write_answers_out(t);
	write_taken_before(t, where, "GATUN_TAKE");
	write_not_carried(t, where, NULL);
	write_picks(t);
	iptables_rule(t, where, "-g GATUN_JUDGE");
}

static void write_lan(const struct iptables *t, const char *judge, const char *target)
{
	const char *where = "mangle GATUN_LAN";

	iptables_chain(t, "mangle", "GATUN_LAN");
	if (t->plan->mode == GATE_TPROXY)
		iptables_rule(t, where, "-p tcp -m socket --transparent --nowildcard -j ACCEPT");
	write_not_carried(t, where, "GATUN_INBOUND");
	write_taken_before(t, where, target);
	iptables_rule(t, where, "-j GATUN_ANSWERS");
	iptables_rule(t, where, "-g %s", judge);
}

/* What is to be refused goes on with its mark (see write_refuse); the rest from a LAN has none. */
static void write_deliver(const struct iptables *t)
{
	const char *where = "mangle GATUN_DELIVER";
	char target[64];

	iptables_chain(t, "mangle", "GATUN_DELIVER");
	if (t->family == AF_INET6 && !t->plan->ipv6)
		iptables_rule(t, where, "-g GATUN_TAKE");
	if (t->plan->block_dot)
		iptables_each_protocol(t, where, "--dport 853 -g GATUN_TAKE");
	if (t->plan->block_quic)
		iptables_rule(t, where, "-p udp --dport 443 -g GATUN_TAKE");
	iptables_set_ct_mark(t, where, "", GATE_MARK_TAKE);
	snprintf(target, sizeof(target), "-j TPROXY --on-ip %s --on-port %u", t->family == AF_INET ? "127.0.0.1" : "::1",
		 t->plan->port);
	iptables_each_protocol(t, where, target);
	iptables_rule(t, where, "-g GATUN_TAKE");
}

static void write_prerouting(const struct iptables *t)
{
	iptables_chain(t, "mangle", "GATUN_PREROUTING");
	if (t->plan->mode == GATE_TPROXY)
		iptables_rule(t, "mangle GATUN_PREROUTING", "-i lo -m mark --mark 0x%x -g GATUN_DELIVER", iptables_mark(t, GATE_MARK_TAKE));
	iptables_rule(t, "mangle GATUN_PREROUTING", "-i lo -m mark --mark 0x%x -j MARK --set-mark 0", iptables_mark(t, GATE_MARK_OWN));
	iptables_rule(t, "mangle GATUN_PREROUTING", "-i lo -j ACCEPT");
	iptables_each_lan(t, "mangle GATUN_PREROUTING", "-i", "-g GATUN_LAN");
	write_from_outside(t);
}

/* What was taken and must not be carried; and what was taken and nobody turned round. */
static void write_refuse(const struct iptables *t)
{
	const char *where = "filter GATUN_REFUSE";
	const char *prohibited = t->family == AF_INET ? "icmp-admin-prohibited" : "icmp6-adm-prohibited";

	iptables_chain(t, "filter", "GATUN_REFUSE");
	iptables_rule(t, where, "-m mark ! --mark 0x%x -j RETURN", iptables_mark(t, GATE_MARK_TAKE));
	iptables_rule(t, where, "-m conntrack --ctdir REPLY -j RETURN");
	if (t->family == AF_INET6 && !t->plan->ipv6) {
		iptables_rule(t, where, "-p tcp ! --syn -j REJECT --reject-with tcp-reset");
		iptables_rule(t, where, "-j REJECT --reject-with icmp6-no-route");
	}
	write_refusals(t);
	if (t->plan->mode == GATE_REDIRECT) {
		iptables_rule(t, where, "-m conntrack --ctstate DNAT -j RETURN");
		iptables_rule(t, where, "-p tcp -j REJECT --reject-with tcp-reset");
	} else {
		iptables_each_protocol(t, where, "-j RETURN");
	}
	iptables_rule(t, where, "-j REJECT --reject-with %s", prohibited);
	iptables_hook(t, "filter", "INPUT", "GATUN_REFUSE");
	iptables_hook(t, "filter", "OUTPUT", "GATUN_REFUSE");
	iptables_hook(t, "filter", "FORWARD", "GATUN_REFUSE");
}

static void write_turn(const struct iptables *t)
{
	const char *where = "nat GATUN_TURN";

	iptables_chain(t, "nat", "GATUN_TURN");
	iptables_rule(t, where, "-m connmark ! --mark 0x%x/0x%x -j RETURN", iptables_mark(t, GATE_MARK_TAKE), ruleset_ct_bits(t->plan));
	if (t->family == AF_INET6 && !t->plan->ipv6)
		iptables_rule(t, where, "-j RETURN");
	if (t->plan->block_dot)
		iptables_rule(t, where, "-p tcp --dport 853 -j RETURN");
	if (ruleset_takes_dns(t->plan)) {
		iptables_rule(t, where, "-p tcp --dport 53 -j REDIRECT --to-ports %u", t->plan->dns_port);
		iptables_rule(t, where, "-p udp --dport 53 -j REDIRECT --to-ports %u", t->plan->dns_port);
	}
	iptables_rule(t, where, "-p tcp -j REDIRECT --to-ports %u", t->plan->port);
	iptables_hook(t, "nat", "OUTPUT", "GATUN_TURN");
	if (t->plan->n_lans)
		iptables_hook(t, "nat", "PREROUTING", "GATUN_TURN");
}

static void write_strangers(const struct iptables *t)
{
	const char *where = "filter GATUN_STRANGERS", *from = "! -i lo -m conntrack ! --ctstate DNAT -m pkttype --pkt-type unicast";

	iptables_chain(t, "filter", "GATUN_STRANGERS");
	iptables_rule(t, where, "%s -p tcp --dport %u -j DROP", from, t->plan->port);
	if (ruleset_takes_dns(t->plan)) {
		iptables_rule(t, where, "%s -p tcp --dport %u -j DROP", from, t->plan->dns_port);
		iptables_rule(t, where, "%s -p udp --dport %u -j DROP", from, t->plan->dns_port);
	}
	iptables_hook(t, "filter", "INPUT", "GATUN_STRANGERS");
}

static void write_lan_redirect(const struct iptables *t)
{
	iptables_chain(t, "mangle", "GATUN_TAKE_LAN");
	iptables_set_ct_mark(t, "mangle GATUN_TAKE_LAN", "", GATE_MARK_TAKE);
	iptables_rule(t, "mangle GATUN_TAKE_LAN", "-j ACCEPT");
	write_judge(t, "GATUN_JUDGE_LAN", "mangle GATUN_JUDGE_LAN", "GATUN_TAKE_LAN");
	write_lan(t, "GATUN_JUDGE_LAN", "GATUN_TAKE_LAN");
	write_strangers(t);
}

static void write_lan_tproxy(const struct iptables *t)
{
	write_judge(t, "GATUN_JUDGE_LAN", "mangle GATUN_JUDGE_LAN", "GATUN_DELIVER");
	write_lan(t, "GATUN_JUDGE_LAN", "GATUN_DELIVER");
}

/* As the nft form's homeward. */
static void write_homeward(const struct iptables *t)
{
	const char *where = "mangle GATUN_HOMEWARD";

	iptables_chain(t, "mangle", "GATUN_HOMEWARD");
	iptables_rule(t, where, "-o lo -j RETURN");
	iptables_each_lan(t, where, "-o", "-j RETURN");
	iptables_rule(t, where, "-m connmark --mark 0x%x/0x%x -m conntrack --ctdir REPLY -j DROP", iptables_mark(t, GATE_MARK_TAKE),
		      ruleset_ct_bits(t->plan));
	iptables_rule(t, where, "-m mark --mark 0x%x -m conntrack --ctstate NEW,INVALID,UNTRACKED -m addrtype ! --src-type LOCAL -j DROP",
		      iptables_mark(t, GATE_MARK_OWN));
	iptables_hook(t, "mangle", "POSTROUTING", "GATUN_HOMEWARD");
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
	if (t->plan->n_lans || t->plan->mode == GATE_TPROXY)
		write_homeward(t);
	write_prerouting(t);
	write_refuse(t);
	if (t->plan->mode == GATE_REDIRECT)
		write_turn(t);
}

/* --- the guard ------------------------------------------------------------------------ */

static void write_guard_judge(const struct iptables *t)
{
	const char *where = "mangle GATUN_GUARD_JUDGE";

	iptables_chain(t, "mangle", "GATUN_GUARD_JUDGE");
	if (ruleset_takes_dns(t->plan))
		iptables_each_protocol(t, where, "--dport 53 -j DROP");
	if (t->plan->mode == GATE_TUN)
		each_self(t, where, "", "-j DROP");
	iptables_each_prefix(t, where, t->near, t->n_near, "-j ACCEPT");
	iptables_pass_link_icmp6(t, where);
	iptables_pass_dhcp(t, where);
	iptables_each_prefix(t, where, t->plan->routes, t->plan->n_routes, "-j DROP");
	iptables_rule(t, where, "-j %s", t->plan->n_routes ? "ACCEPT" : "DROP");
}

static void write_guard_picks(const struct iptables *t)
{
	const char *where = "mangle GATUN_GUARD";
	const char *target = t->plan->pick == GATE_ONLY ? "-g GATUN_GUARD_JUDGE" : "-j ACCEPT";

	if (t->plan->plugin_uid)
		iptables_rule(t, where, "-m owner --uid-owner %u -j ACCEPT", t->plan->plugin_uid);
	if (t->plan->pick == GATE_EVERYBODY)
		return;
	iptables_each_uid(t, where, target);
	iptables_each_cgroup(t, where, target);
	if (t->plan->pick == GATE_ONLY) {
		iptables_rule(t, where, "-m mark --mark 0x%x -g GATUN_GUARD_JUDGE", iptables_mark(t, GATE_MARK_TAKE));
		iptables_rule(t, where, "-m owner --socket-exists -j ACCEPT");
	}
}

static void write_guard(const struct iptables *t)
{
	const char *where = "mangle GATUN_GUARD";
	char match[96];

	write_guard_judge(t);
	iptables_chain(t, "mangle", "GATUN_GUARD");
	iptables_rule(t, where, "-o lo -j ACCEPT");
	if (t->plan->mode == GATE_TUN)
		iptables_rule(t, where, "-o \"%s\" -j ACCEPT", t->plan->device);
	iptables_pass_mark(t, where, GATE_MARK_OWN);
	iptables_pass_mark(t, where, GATE_MARK_REPLY);
	iptables_pass_mark(t, where, GATE_MARK_LEAVE);
	snprintf(match, sizeof(match), "-m conntrack --ctdir REPLY -m connmark --mark 0x%x/0x%x -j ACCEPT", iptables_mark(t, GATE_MARK_TAKE),
		 ruleset_ct_bits(t->plan));
	iptables_each_lan(t, where, "-o", match);
	write_guard_picks(t);
	iptables_rule(t, where, "-g GATUN_GUARD_JUDGE");
	iptables_hook(t, "mangle", "POSTROUTING", "GATUN_GUARD");
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
	iptables_hook(t, "mangle", "PREROUTING", "GATUN_PREROUTING");
	iptables_hook(t, "mangle", "INPUT", "GATUN_UNASKED");
	iptables_hook(t, "mangle", "OUTPUT", "GATUN_OUTPUT");
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
