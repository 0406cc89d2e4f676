/*
 * The chains of `inet gatun` that differ by mode; see ruleset.c for the marks.
 *
 * TUN       ip rules and routes capture; nft keeps the ways of connections apart,
 *           picks cgroups, and refuses DoT and QUIC at the TUN's door.
 * TPROXY    what this machine sends is marked `take` in `output` and comes back by
 *           lo; there, and from LAN interfaces, `deliver` gives it to the listener.
 *           Where nobody listens it is dropped: never passed on.
 * REDIRECT  the same decision marks `take`; nat turns what is TCP (and port 53)
 *           round to us. A connection from before that nat does not look at any
 *           more is reset, not let go.
 *
 * The order of a decision, for this machine and for a LAN alike: what is ours or
 * was left out; answers to outside; local, multicast; picks; port 53; prefixes on
 * links and excludes; --route; then what is captured is refused (IPv6, DoT, QUIC,
 * what no proxy carries) or taken.
 */
#include "gate/ruleset_text.h"

/* An unmarked lookup calls every IPv6 address local where the rules send it by lo: asked with a mark
 * that goes by main instead. `verdict` is a chain to go to; the mark is taken off again if it is not local. */
static void write_local6(FILE *f, const char *condition, const char *verdict)
{
	fprintf(f,
		"\t\tmeta nfproto ipv6 %smeta mark set $reply fib daddr . mark type local goto %s\n"
		"\t\tmeta nfproto ipv6 %smeta mark $reply meta mark set 0x0\n",
		condition, verdict, condition);
}

/* What comes from outside to this machine's own addresses, and what is routed on to a prefix on
 * a link from somewhere that is not: main's way for both. */
static void write_from_outside(FILE *f, const struct gate_plan *plan)
{
	fputs("\t\tmeta nfproto ipv4 fib daddr type local goto inbound\n", f);
	if (plan->mode == GATE_TUN)
		fputs("\t\tmeta nfproto ipv6 fib daddr type local goto inbound\n", f);
	else
		write_local6(f, "", "inbound");
	fputs("\t\tip daddr @near4 ip saddr != @near4 ct state new ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_REPLY);
	fputs("\n\t\tip6 daddr @near6 ip6 saddr != @near6 ct state new ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_REPLY);
	fputs("\n\t\tct state new jump from_before\n\t\tjump answers\n"
	      "\t\tip daddr @near4 ip saddr != @near4 meta mark set $reply\n"
	      "\t\tip6 daddr @near6 ip6 saddr != @near6 meta mark set $reply\n",
	      f);
}

/* --- what this machine sends --------------------------------------------------------- */

static void write_own(FILE *f, const struct gate_plan *plan)
{
	if (plan->plugin_uid)
		fputs("\t\tmeta skuid $plugin meta mark set $own\n", f);
	fputs("\t\tmeta mark $own ct state new ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_OWN);
	fputs("\n\t\tmeta mark { $own, $leave } accept\n", f);
}

/* A connection from before the gate that we are the first to speak on looks like one of ours. */
static void write_answers_out(FILE *f, const struct gate_plan *plan)
{
	fputs("\t\tjump answers\n\t\tct state new tcp flags & (syn | ack) != syn tcp sport @listening ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_REPLY);
	fputs("\n\t\ttcp flags & (syn | ack) != syn tcp sport @listening ", f);
	ruleset_write_ct_is(f, plan, "!=", GATE_MARK_OWN);
	ruleset_write_ct_is(f, plan, "!=", GATE_MARK_TAKE);
	fputs("meta mark set $reply accept", f);
	fputs("\n\t\tct state { invalid, untracked } tcp flags & (syn | ack) != syn tcp sport @listening meta mark set $reply accept\n",
	      f);
}

/* `take` is remembered, so that what a connection says when its socket is gone (and its user with it)
 * goes where the rest went. */
static void write_taken_before(FILE *f, const struct gate_plan *plan, const char *target)
{
	fputs("\t\tct direction original ", f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_TAKE);
	fprintf(f, "goto %s\n", target);
}

static void write_take(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain take {\n\t\tct state new ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_TAKE);
	fputs("\n\t\tmeta mark set $take accept\n\t}\n", f);
}

static void write_left_out(FILE *f, const struct gate_plan *plan)
{
	if (plan->n_uids)
		fputs("\t\tmeta skuid $uids meta mark set $leave accept\n", f);
	ruleset_write_cgroups(f, plan, "meta mark set $leave accept");
}

static void write_picks(FILE *f, const struct gate_plan *plan)
{
	if (plan->pick == GATE_EXCEPT)
		write_left_out(f, plan);
	if (plan->pick != GATE_ONLY)
		return;
	/* What has no socket any more has no user either; it is taken, not let go. */
	if (plan->n_uids)
		fputs("\t\tmeta skuid $uids goto judge\n", f);
	ruleset_write_cgroups(f, plan, "goto judge");
	fputs("\t\tmeta skuid >= 0 accept\n", f);
}

/* --- TUN ---------------------------------------------------------------------------- */

static bool picks_cgroups(const struct gate_plan *plan, enum gate_pick pick)
{
	return plan->pick == pick && plan->n_cgroups;
}

/* Then what is taken is told by its connection: the kernel's RST is root's, once the socket is gone. */
static bool picks_anybody(const struct gate_plan *plan)
{
	return picks_cgroups(plan, GATE_ONLY) || (plan->pick != GATE_EVERYBODY && plan->n_uids);
}

void ruleset_write_self(FILE *f, const struct gate_plan *plan, const char *condition, const char *verdict)
{
	if (plan->self4.family)
		fprintf(f, "\t\t%sip saddr $self4 %s\n", condition, verdict);
	if (plan->self6.family)
		fprintf(f, "\t\t%sip6 saddr $self6 %s\n", condition, verdict);
}

static void write_tun_output(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain output {\n\t\ttype route hook output priority mangle; policy accept;\n", f);
	write_own(f, plan);
	if (picks_cgroups(plan, GATE_EXCEPT))
		ruleset_write_cgroups(f, plan, "meta mark set $leave accept");
	/* The TUN's own addresses never answer anybody outside, whatever a connection's mark says. */
	ruleset_write_self(f, plan, "", "accept");
	write_answers_out(f, plan);
	if (picks_anybody(plan)) {
		write_taken_before(f, plan, "take");
	}
	if (picks_cgroups(plan, GATE_ONLY)) {
		fputs("\t\tfib daddr type local accept\n", f);
		ruleset_write_cgroups(f, plan, "goto take");
	}
	fputs("\t}\n", f);
}

static void write_tun_prerouting(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain prerouting {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n"
	      "\t\tiifname \"lo\" accept\n\t\tiifname $tun ct state new ",
	      f);
	ruleset_write_ct_set(f, plan, GATE_MARK_TAKE);
	/* With a mark for those who are picked alone, rp_filter has to ask with it. */
	fprintf(f, "\n\t\tiifname $tun %saccept\n", picks_anybody(plan) ? "meta mark set $take " : "");
	write_from_outside(f, plan);
	fputs("\t}\n", f);
}

static void write_refusals(FILE *f, const struct gate_plan *plan)
{
	if (plan->block_dot)
		fputs("\t\ttcp dport 853 reject with tcp reset\n"
		      "\t\tudp dport 853 reject with icmpx port-unreachable\n",
		      f);
	if (plan->block_quic)
		fputs("\t\tudp dport 443 reject with icmpx port-unreachable\n", f);
}

static void write_tun_blocks(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain blocks {\n", f);
	write_refusals(f, plan);
	/* The device that `output` knows is the one before a mark changed the way. */
	fputs("\t}\n"
	      "\tchain blocks_output {\n\t\ttype filter hook output priority filter; policy accept;\n"
	      "\t\tmeta mark $take goto blocks\n"
	      "\t\toifname $tun meta mark != { $own, $reply, $leave } goto blocks\n\t}\n"
	      "\tchain blocks_forward {\n\t\ttype filter hook forward priority filter; policy accept;\n"
	      "\t\toifname $tun goto blocks\n\t}\n",
	      f);
}

/* Who is left out by a mark chose his source address for the TUN. */
static void write_tun_masquerade(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain left_out {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n", f);
	ruleset_write_self(f, plan, "meta mark $leave oifname != $tun ", "masquerade");
	fputs("\t}\n", f);
}

/* What answers a captured connection never goes to its real peer, though that one may be near: the
 * kernel's own port unreachable and RST to a late answer, and a LAN client's. (What we tell a client,
 * that its datagram is too large, is of the other direction.) */
static void write_strays(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain strays {\n\t\ttype filter hook postrouting priority srcnat - 10; policy accept;\n\t\toifname $tun ct state new ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_TAKE);
	fputs("\n\t\toifname { \"lo\", $tun } accept\n\t\tiifname $tun accept\n\t\tmeta mark { $own, $leave } accept\n", f);
	ruleset_write_self(f, plan, "", "drop");
	fputs("\t\tct state related ct direction original ", f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_TAKE);
	fputs("drop\n\t}\n", f);
}

void ruleset_write_tun(FILE *f, const struct gate_plan *plan)
{
	if (picks_anybody(plan))
		write_take(f, plan);
	write_tun_output(f, plan);
	write_tun_prerouting(f, plan);
	write_strays(f, plan);
	if (plan->block_dot || plan->block_quic)
		write_tun_blocks(f, plan);
	if (picks_cgroups(plan, GATE_EXCEPT))
		write_tun_masquerade(f, plan);
}

/* --- TPROXY and REDIRECT: what is decided for each packet --------------------------- */

static void write_judge(FILE *f, const struct gate_plan *plan, const char *suffix, const char *target)
{
	fprintf(f, "\tchain judge%s {\n", suffix);
	if (!plan->ipv6)
		fputs("\t\tmeta nfproto ipv6 goto no_ipv6\n", f);
	if (ruleset_takes_dns(plan))
		fprintf(f, "\t\tmeta l4proto { tcp, udp } th dport 53 goto %s\n", target);
	fputs("\t\tip daddr @near4 accept\n\t\tip6 daddr @near6 accept\n", f);
	if (plan->n_routes)
		fputs("\t\tip daddr != @routes4 accept\n\t\tip6 daddr != @routes6 accept\n", f);
	write_refusals(f, plan);
	fprintf(f, "\t\tmeta l4proto %s goto %s\n", plan->mode == GATE_TPROXY ? "{ tcp, udp }" : "tcp", target);
	fputs("\t\treject with icmpx admin-prohibited\n\t}\n", f);
}

/* A connection that begins hears that there is no way, and tries IPv4; one that stood is ended. */
static void write_no_ipv6(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain no_ipv6 {\n", f);
	if (ruleset_takes_dns(plan))
		fputs("\t\tmeta l4proto { tcp, udp } th dport 53 reject with icmpv6 no-route\n", f);
	fputs("\t\tip6 daddr @near6 accept\n", f);
	if (plan->n_routes)
		fputs("\t\tip6 daddr != @routes6 accept\n", f);
	fputs("\t\ttcp flags & (syn | ack) != syn reject with tcp reset\n"
	      "\t\treject with icmpv6 no-route\n\t}\n",
	      f);
}

/* Not what a proxy carries: the machine's own addresses (also by lo), groups, the link's business. */
static void write_not_carried(FILE *f, const struct gate_plan *plan, const char *local)
{
	fprintf(f, "\t\tmeta nfproto ipv4 fib daddr type local goto %s\n", local);
	fputs("\t\tmeta nfproto ipv4 fib daddr type { broadcast, anycast, multicast } accept\n"
	      "\t\tip6 daddr { ::1, ff00::/8 } accept\n",
	      f);
	fputs("\t\t" RULESET_LINK_ICMP6 "accept\n", f);
	if (plan->dhcp)
		fputs("\t\tudp sport 68 udp dport 67 accept\n\t\tudp sport 546 udp dport 547 accept\n", f);
}

/* A connection from before the gate was first seen here by what its peer sent (from_before). Where the kernel gives
 * its own answers the mark of what they answer (fwmark_reflect), its RST to what comes late would have the mark of
 * answers to outside, which that packet needed for rp_filter. */
static void write_no_late_answers(FILE *f, const struct gate_plan *plan)
{
	fputs("\t\tmeta mark $reply ct direction reply ", f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_TAKE);
	fputs("counter name unheard drop\n", f);
}

static void write_output(FILE *f, const struct gate_plan *plan)
{
	/* Also for REDIRECT: answers to outside are on their way to lo before they get their mark. */
	fputs("\tchain output {\n\t\ttype route hook output priority mangle; policy accept;\n", f);
	write_own(f, plan);
	write_no_late_answers(f, plan);
	/* Our own answers to those who were captured. TPROXY's datagrams bear our mark: what looks like one and does
	 * not is of a flow from before, whose first packet was its peer's (from_before). */
	fprintf(f, "\t\t%sct direction reply ", plan->mode == GATE_TPROXY ? "meta l4proto tcp " : "");
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_TAKE);
	fputs("accept\n", f);
	write_answers_out(f, plan);
	write_taken_before(f, plan, "take");
	write_not_carried(f, plan, "unmarked");
	write_local6(f, "oifname \"lo\" ", "unmarked");
	write_picks(f, plan);
	fputs("\t\tgoto judge\n\t}\n", f);
}

static void write_lan(FILE *f, const struct gate_plan *plan, const char *suffix, const char *target)
{
	fputs("\tchain lan {\n", f);
	if (plan->mode == GATE_TPROXY)
		fputs("\t\tmeta l4proto tcp socket transparent 1 socket wildcard 0 accept\n", f);
	write_not_carried(f, plan, "inbound");
	write_local6(f, "", "inbound");
	write_taken_before(f, plan, target);
	fprintf(f, "\t\tjump answers\n\t\tgoto judge%s\n\t}\n", suffix);
}

/* What we answer an application in a peer's name. It comes to it without our mark: with fwmark_reflect the
 * kernel's RST to what comes late would have it, too, and leave by the main table. */
static void write_loopback(FILE *f)
{
	fputs("\t\tiifname \"lo\" meta mark $own meta mark set 0x0\n\t\tiifname \"lo\" accept\n", f);
}

/* Chains that both have, and that others go to. nft wants a chain before those who go to it. */
static void write_common(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain unmarked {\n\t\tmeta nfproto ipv6 meta mark $reply meta mark set 0x0\n\t\taccept\n\t}\n", f);
	write_take(f, plan);
	if (!plan->ipv6)
		write_no_ipv6(f, plan);
	write_judge(f, plan, "", "take");
	write_output(f, plan);
}

/* What is said in a peer's name goes to this machine, to a LAN, or nowhere: while a LAN's link is down, or when this
 * machine has lost the address that an application had, the main table knows a way for it, which is the uplink. Whose
 * connection it is conntrack may have forgotten: then it is a new one, or what no connection is known for (ICMP).
 * IPv6's lookup wants the mark, see write_local6. */
static void write_homeward(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain homeward {\n\t\ttype filter hook postrouting priority srcnat - 10; policy accept;\n"
	      "\t\toifname \"lo\" accept\n",
	      f);
	if (plan->n_lans)
		fputs("\t\toifname $lans accept\n", f);
	fputs("\t\tct direction reply ", f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_TAKE);
	fputs("drop\n\t\tmeta mark $own ct state { new, invalid, untracked } fib saddr . mark type != local drop\n\t}\n", f);
}

/* --- TPROXY ------------------------------------------------------------------------- */

/* What comes from a LAN keeps no mark: rp_filter, if it asks with it, would be told that all that is
 * taken comes by lo. The unmarked way of what is to be taken is the same. */
static void write_deliver(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain deliver {\n\t\tct state new ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_TAKE);
	fprintf(f,
		"\n\t\tmeta nfproto ipv4 meta l4proto { tcp, udp } tproxy ip to 127.0.0.1:%u accept\n"
		"\t\tmeta nfproto ipv6 meta l4proto { tcp, udp } tproxy ip6 to [::1]:%u accept\n"
		"\t\tcounter name unheard drop\n\t}\n",
		plan->port, plan->port);
}

void ruleset_write_tproxy(FILE *f, const struct gate_plan *plan)
{
	write_common(f, plan);
	write_deliver(f, plan);
	if (plan->n_lans) {
		write_judge(f, plan, "_lan", "deliver");
		write_lan(f, plan, "_lan", "deliver");
	}
	write_homeward(f, plan);
	fputs("\tchain prerouting {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n"
	      "\t\tiifname \"lo\" meta mark $take goto deliver\n",
	      f);
	write_loopback(f);
	if (plan->n_lans)
		fputs("\t\tiifname $lans goto lan\n", f);
	write_from_outside(f, plan);
	fputs("\t}\n", f);
}

/* --- REDIRECT ----------------------------------------------------------------------- */

static void write_turn(FILE *f, const struct gate_plan *plan, const char *name, const char *priority)
{
	fprintf(f, "\tchain redirect_%s {\n\t\ttype nat hook %s priority %s; policy accept;\n", name, name, priority);
	if (ruleset_takes_dns(plan))
		fprintf(f, "\t\tmeta mark $take meta l4proto { tcp, udp } th dport 53 redirect to :%u\n", plan->dns_port);
	fprintf(f, "\t\tmeta mark $take meta l4proto tcp redirect to :%u\n\t}\n", plan->port);
}

/* Taken, but nat has not turned it: it stood before the gate. As for `turned`, see write_deliver. */
static void write_unturned(FILE *f, const char *hook, const char *turned)
{
	fprintf(f,
		"\tchain unturned_%s {\n\t\ttype filter hook %s priority -90; policy accept;\n"
		"\t\tmeta mark != $take accept\n\t\tct status dnat %s\n"
		"\t\tmeta l4proto tcp reject with tcp reset\n\t\tcounter name unheard drop\n\t}\n",
		hook, hook, turned);
}

/* For a LAN we listen on every address, and UDP does not tell us where a query was meant to go:
 * who was not turned round to us is a stranger. */
static void write_strangers(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain strangers {\n\t\ttype filter hook input priority filter; policy accept;\n"
	      "\t\tiifname \"lo\" accept\n\t\tct status dnat accept\n",
	      f);
	fprintf(f, "\t\tmeta pkttype host tcp dport %u counter name unheard drop\n", plan->port);
	if (ruleset_takes_dns(plan))
		fprintf(f, "\t\tmeta pkttype host meta l4proto { tcp, udp } th dport %u counter name unheard drop\n", plan->dns_port);
	fputs("\t}\n", f);
}

void ruleset_write_redirect(FILE *f, const struct gate_plan *plan)
{
	write_common(f, plan);
	if (plan->n_lans) {
		write_lan(f, plan, "", "take");
		write_homeward(f, plan);
	}
	write_turn(f, plan, "output", "-100");
	write_unturned(f, "output", "accept");
	fputs("\tchain prerouting {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n", f);
	write_loopback(f);
	if (plan->n_lans)
		fputs("\t\tiifname $lans goto lan\n", f);
	write_from_outside(f, plan);
	fputs("\t}\n", f);
	if (plan->n_lans) {
		write_turn(f, plan, "prerouting", "dstnat");
		write_unturned(f, "prerouting", "meta mark set 0x0 accept");
		write_strangers(f, plan);
	}
}
