/*
 * The kill switch, `inet gatun_guard`: what may leave while it stands, whatever
 * becomes of routes, rules, the capture and of gatun itself. Lifted by `gatun down`
 * alone.
 *
 * It looks in postrouting, where the device is the one by which a packet really
 * leaves, whoever changed its way before (the device that `output` sees is the one
 * from before a mark or a nat), and for forwarded packets as well; and at a priority
 * after all marks and before any source is masqueraded. A cgroup can be asked in
 * `output` alone: there the guard gives marks of its own, so that it needs nothing of
 * the capture.
 *
 * Passed: lo and the TUN; our mark, answers to outside, what is left out; what picks
 * or --route leave to the main table; prefixes on links and --exclude, but not port 53
 * where names are ours; a LAN's captured clients; neighbour discovery; DHCP unless
 * refused. A connection that merely stands (established, unmarked) is not a reason.
 * All else is counted and dropped; the sender hears EPERM at once.
 */
#include "gate/ruleset_text.h"

static void write_cgroup_marks(FILE *f, const struct gate_plan *plan)
{
	if (plan->pick == GATE_EVERYBODY || !plan->n_cgroups)
		return;
	fputs("\tchain output {\n\t\ttype filter hook output priority filter + 50; policy accept;\n"
	      "\t\tmeta mark { $own, $reply, $take, $leave } accept\n",
	      f);
	ruleset_write_cgroups(f, plan, plan->pick == GATE_ONLY ? "meta mark set $take accept" : "meta mark set $leave accept");
	fputs("\t}\n", f);
}

static void write_people(FILE *f, const struct gate_plan *plan)
{
	if (plan->plugin_uid)
		fputs("\t\tmeta skuid $plugin accept\n", f);
	if (plan->pick == GATE_EXCEPT && plan->n_uids)
		fputs("\t\tmeta skuid $uids accept\n", f);
}

static void write_near(FILE *f, const struct gate_plan *plan)
{
	if (ruleset_takes_dns(plan))
		fputs("\t\tmeta l4proto { tcp, udp } th dport 53 counter name " GATE_NFT_DROPPED " drop\n", f);
	if (plan->mode == GATE_TUN)
		ruleset_write_self(f, plan, "", "counter name " GATE_NFT_DROPPED " drop");
	fputs("\t\tip daddr @near4 accept\n\t\tip6 daddr @near6 accept\n", f);
	if (plan->n_routes)
		fputs("\t\tip daddr != @routes4 accept\n\t\tip6 daddr != @routes6 accept\n", f);
}

static void write_judge(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain judge {\n", f);
	write_near(f, plan);
	fputs("\t\t" RULESET_LINK_ICMP6 "accept\n", f);
	if (plan->dhcp)
		fputs("\t\tudp sport 68 udp dport 67 accept\n\t\tudp sport 546 udp dport 547 accept\n", f);
	fputs("\t\tcounter name " GATE_NFT_DROPPED " drop\n\t}\n", f);
}

/* Who is not picked is nobody's business here; what has no socket any more might be anybody's. */
static void write_only(FILE *f, const struct gate_plan *plan)
{
	if (plan->pick != GATE_ONLY)
		return;
	if (plan->n_uids)
		fputs("\t\tmeta skuid $uids goto judge\n", f);
	fputs("\t\tmeta mark $take goto judge\n", f);
	if (plan->n_lans)
		fputs("\t\tiifname $lans goto judge\n", f);
	fputs("\t\tiifname != \"lo\" accept\n\t\tmeta skuid >= 0 accept\n", f); /* forwarded; of this machine */
}

void ruleset_write_guard(FILE *f, const struct gate_plan *plan)
{
	write_cgroup_marks(f, plan);
	write_judge(f, plan);
	fputs("\tchain leaving {\n\t\ttype filter hook postrouting priority srcnat - 10; policy accept;\n"
	      "\t\toifname \"lo\" accept\n",
	      f);
	if (plan->mode == GATE_TUN)
		fputs("\t\toifname $tun accept\n\t\tiifname $tun accept\n", f);
	fputs("\t\tmeta mark { $own, $reply, $leave } accept\n", f);
	if (plan->n_lans && plan->mode != GATE_TUN) {
		fputs("\t\toifname $lans ct direction reply ", f);
		ruleset_write_ct_is(f, plan, "==", GATE_MARK_TAKE);
		fputs("accept\n", f);
	}
	write_people(f, plan);
	write_only(f, plan);
	fputs("\t\tgoto judge\n\t}\n", f);
}
