/* The nft tables of a gate: what the text says, and that the kernel takes it in every combination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "gate/ruleset.h"
#include "in_child.h"
#include "sys/nft.h"

static struct gate_prefix prefix(const char *text, uint8_t len)
{
	struct gate_prefix p = { .len = len };

	assert_int_equal(addr_parse_ip(text, 0, &p.at), 0);
	return p;
}

static struct gate_plan plan_for(enum gate_mode mode)
{
	struct gate_plan plan = { .mode = mode, .mark = GATE_MARK, .table = GATE_TABLE, .priority = GATE_PRIORITY, .device = "gatun0",
				  .port = 12345, .dns_port = 5353, .pick = GATE_EVERYBODY, .ipv6 = true, .dns = true, .dhcp = true };

	assert_int_equal(addr_parse_ip("198.18.0.1", 0, &plan.self4), 0);
	assert_int_equal(addr_parse_ip("fd00:6761::1", 0, &plan.self6), 0);
	return plan;
}

static char *text_of(const struct gate_plan *plan, const struct gate_near *near)
{
	char *text;

	assert_int_equal(gate_ruleset_up(plan, near, &text), 0);
	return text;
}

/* The part of the text from `from` to the closing brace of a chain or table. */
static char *part_of(const char *text, const char *from)
{
	const char *at = strstr(text, from), *end;

	assert_non_null(at);
	end = strstr(at, "\n\t}\n");
	assert_non_null(end);
	return strndup(at, (size_t)(end - at) + 1);
}

static void says(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no '%s' in:\n%s", line, text);
}

static void says_not(const char *text, const char *line)
{
	if (strstr(text, line))
		fail_msg("'%s' in:\n%s", line, text);
}

static void says_before(const char *text, const char *first, const char *second)
{
	says(text, first);
	says(text, second);
	if (strstr(text, first) > strstr(text, second))
		fail_msg("'%s' after '%s' in:\n%s", first, second, text);
}

static const struct gate_near nothing_near;

/* --- the text ------------------------------------------------------------------------ */

static void drops_prefixes_inside_others(void **state)
{
	struct gate_prefix prefixes[] = { prefix("10.1.2.0", 24), prefix("10.0.0.0", 8), prefix("10.0.0.0", 8), prefix("10.128.0.0", 9),
					  prefix("fd77:0:1::", 64), prefix("fd77::", 33), prefix("fd77:8000::", 33), prefix("192.0.2.1", 32) };
	struct gate_near near = { .prefixes = prefixes, .n = 8 };
	struct gate_plan plan = plan_for(GATE_TUN);
	char *text = text_of(&plan, &near);

	(void)state;
	says(text, "set near4 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.1/32 } }");
	says(text, "set near6 { type ipv6_addr; flags interval; elements = { fd77::/33, fd77:8000::/33 } }");
	free(text);
}

static void near_prefixes_are_replaced_alone(void **state)
{
	struct gate_prefix prefixes[] = { prefix("10.1.2.0", 24) };
	struct gate_near near = { .prefixes = prefixes, .n = 1 };
	struct gate_plan plan = plan_for(GATE_TPROXY);
	char *text;

	(void)state;
	assert_int_equal(gate_ruleset_near(&plan, &near, &text), 0);
	assert_string_equal(text, "flush set inet gatun near4\nadd element inet gatun near4 { 10.1.2.0/24 }\n"
				  "flush set inet gatun near6\n");
	free(text);
	plan.kill_switch = true;
	assert_int_equal(gate_ruleset_near(&plan, &near, &text), 0);
	says(text, "add element inet gatun_guard near4 { 10.1.2.0/24 }\nflush set inet gatun_guard near6\n");
	free(text);
}

static void a_plan_without_a_guard_takes_an_old_one_away(void **state)
{
	struct gate_plan plan = plan_for(GATE_TUN);
	char *text = text_of(&plan, &nothing_near);

	(void)state;
	says_before(text, "table inet gatun_guard\ndelete table inet gatun_guard\n", "table inet gatun {");
	says_not(text, "table inet gatun_guard {");
	free(text);
	plan.kill_switch = true;
	text = text_of(&plan, &nothing_near);
	says_before(text, "delete table inet gatun_guard\n", "table inet gatun_guard {");
	free(text);
}

static void others_bits_of_a_connections_mark_stay(void **state)
{
	struct gate_plan plan = plan_for(GATE_TUN);
	char *text = text_of(&plan, &nothing_near);

	(void)state;
	says(text, "meta mark $own ct state new ct mark set ct mark and 0xffff0000 or 0x6761");
	says(text, "ct direction reply ct mark and 0xffff != 0x6761 ct mark and 0xffff != 0x6763 jump known_answers");
	free(text);
	plan.mark = 0xfffd; /* the last of the four does not fit in 16 bits */
	text = text_of(&plan, &nothing_near);
	says(text, "ct state new ct mark set 0xfffd");
	says_not(text, "ct mark and");
	free(text);
}

static void decides_in_the_right_order(void **state)
{
	struct gate_prefix routes[] = { prefix("203.0.113.0", 24) };
	struct gate_range uids[] = { { 1000, 1000 }, { 2000, 2999 } };
	struct gate_plan plan = plan_for(GATE_TPROXY);
	char *text, *chain;

	(void)state;
	plan.routes = routes, plan.n_routes = 1, plan.uids = uids, plan.n_uids = 2, plan.pick = GATE_EXCEPT;
	plan.block_quic = plan.block_dot = true;
	text = text_of(&plan, &nothing_near);
	says(text, "define uids = { 1000-1000, 2000-2999 }");
	chain = part_of(text, "chain output {");
	says_before(chain, "meta mark { $own, $leave } accept", "jump answers");
	says_before(chain, "jump answers", "fib daddr type local goto unmarked");
	says_before(chain, "fib daddr type local goto unmarked", "meta skuid $uids meta mark set $leave accept");
	says_before(chain, "meta skuid $uids meta mark set $leave accept", "goto judge");
	free(chain);
	chain = part_of(text, "chain judge {");
	says_before(chain, "th dport 53 goto take", "ip daddr @near4 accept");
	says_before(chain, "ip daddr @near4 accept", "ip daddr != @routes4 accept");
	says_before(chain, "ip6 daddr != @routes6 accept", "tcp dport 853 reject with tcp reset");
	says_before(chain, "udp dport 443 reject with icmpx port-unreachable", "meta l4proto { tcp, udp } goto take");
	says_before(chain, "goto take", "reject with icmpx admin-prohibited");
	free(chain);
	free(text);
}

static void nobody_listening_is_a_drop(void **state)
{
	struct gate_plan plan = plan_for(GATE_TPROXY);
	char *text = text_of(&plan, &nothing_near), *chain = part_of(text, "chain deliver {");

	(void)state;
	says_before(chain, "tproxy ip to 127.0.0.1:12345 accept", "counter name unheard drop");
	says_before(chain, "tproxy ip6 to [::1]:12345 accept", "counter name unheard drop");
	free(chain);
	free(text);
}

static void what_went_on_before_the_gate_is_no_inbound_connection(void **state)
{
	const uint16_t kernels[] = { 51820 };
	struct gate_near near = { .serving = kernels, .n_serving = 1, .ephemeral_from = 32768, .ephemeral_to = 60999 };
	struct gate_plan plan = plan_for(GATE_TUN);
	char *text = text_of(&plan, &near), *chain = part_of(text, "chain from_before {");

	(void)state;
	says(chain, "tcp flags & (syn | ack) != syn tcp dport != @listening ct mark set");
	says_not(chain, "udp"); /* nobody says until when */
	free(chain);
	free(text);
	near.settled = 1795290000;
	text = text_of(&plan, &near);
	says(text, "set serving { type inet_service; elements = { 51820 } }");
	says(text, "udp dport 32768-60999 udp dport != @serving meta time < 1795290000 ct mark set");
	chain = part_of(text, "chain inbound {");
	says_before(chain, "or 0x6762", "jump from_before"); /* the later mark counts */
	free(chain);
	free(text);
}

static void names_are_left_alone_when_asked(void **state)
{
	struct gate_plan plan = plan_for(GATE_REDIRECT);
	char *text = text_of(&plan, &nothing_near);

	(void)state;
	says(text, "meta mark $take meta l4proto { tcp, udp } th dport 53 redirect to :5353");
	free(text);
	plan.dns_port = 0;
	text = text_of(&plan, &nothing_near);
	says_not(text, "dport 53 ");
	says(text, "meta mark $take meta l4proto tcp redirect to :12345");
	free(text);
}

static void strangers_do_not_reach_a_redirected_lans_resolver(void **state)
{
	const char *lans[] = { "lan0" };
	struct gate_plan plan = plan_for(GATE_REDIRECT);
	char *text = text_of(&plan, &nothing_near), *chain;

	(void)state;
	says_not(text, "chain strangers"); /* it listens on loopback */
	free(text);
	plan.lans = lans, plan.n_lans = 1;
	text = text_of(&plan, &nothing_near);
	chain = part_of(text, "chain strangers {");
	says_before(chain, "ct status dnat accept", "meta l4proto { tcp, udp } th dport 5353 counter name unheard drop");
	free(chain);
	free(text);
}

static void without_ipv6_it_is_refused_at_once(void **state)
{
	struct gate_plan plan = plan_for(GATE_TPROXY);
	char *text, *chain;

	(void)state;
	plan.ipv6 = false;
	text = text_of(&plan, &nothing_near);
	chain = part_of(text, "chain judge {");
	says_before(chain, "meta nfproto ipv6 goto no_ipv6", "th dport 53");
	free(chain);
	chain = part_of(text, "chain no_ipv6 {");
	says_before(chain, "th dport 53 reject with icmpv6 no-route", "ip6 daddr @near6 accept");
	says_before(chain, "tcp flags & (syn | ack) != syn reject with tcp reset", "\t\treject with icmpv6 no-route");
	free(chain);
	free(text);
}

static void the_guard_passes_its_list_and_no_more(void **state)
{
	struct gate_plan plan = plan_for(GATE_TUN);
	char *text, *chain;

	(void)state;
	plan.kill_switch = true;
	text = text_of(&plan, &nothing_near);
	chain = part_of(text, "chain leaving {");
	says(chain, "hook postrouting priority srcnat - 10;");
	says(chain, "oifname $tun accept");
	says(chain, "meta mark { $own, $reply, $leave } accept");
	says_not(chain, "established");
	free(chain);
	chain = part_of(text, "chain judge {"); /* the TUN's own table has none */
	says_before(chain, "th dport 53 counter name dropped drop", "ip daddr @near4 accept");
	says(chain, "udp sport 68 udp dport 67 accept");
	assert_non_null(strstr(chain, "accept\n\t\tcounter name dropped drop\n")); /* the last word */
	free(chain);
	free(text);
	plan.dhcp = false;
	text = text_of(&plan, &nothing_near);
	says_not(text, "udp dport 67");
	free(text);
}

static void names_that_nft_cannot_hold_are_refused(void **state)
{
	const char *lans[] = { "eth*" };
	const char *cgroups[] = { "a\"b" };
	struct gate_plan plan = plan_for(GATE_TUN);
	char *text;

	(void)state;
	plan.lans = lans, plan.n_lans = 1;
	assert_int_equal(gate_ruleset_up(&plan, &nothing_near, &text), -EINVAL);
	assert_null(text);
	plan.n_lans = 0, plan.cgroups = cgroups, plan.n_cgroups = 1;
	assert_int_equal(gate_ruleset_up(&plan, &nothing_near, &text), -EINVAL);
	cgroups[0] = "/";
	assert_int_equal(gate_ruleset_up(&plan, &nothing_near, &text), -EINVAL);
	cgroups[0] = "system.slice/a\\x2db.service";
	plan.pick = GATE_ONLY;
	text = text_of(&plan, &nothing_near);
	says(text, "socket cgroupv2 level 2 \"system.slice/a\\x2db.service\" goto take");
	free(text);
}

/* --- the kernel takes it -------------------------------------------------------------- */

static void die_saying(const char *what, const char *text)
{
	fprintf(stderr, "%s\n%s\n", what, text);
	_exit(1);
}

static void load(const char *text)
{
	char err[256];

	if (nft_run(text, err, sizeof(err)))
		die_saying(err, text);
}

/* A choice of one combination, bit by bit. */
static void vary(struct gate_plan *plan, unsigned bits, const struct gate_prefix *routes, const char *const *lans,
		 const struct gate_range *uids)
{
	static const enum gate_pick picks[] = { GATE_EVERYBODY, GATE_ONLY, GATE_EXCEPT, GATE_ONLY };

	plan->pick = picks[bits & 3];
	plan->uids = uids, plan->n_uids = bits & 3 ? 2 : 0;
	plan->routes = routes, plan->n_routes = bits & 4 ? 2 : 0;
	plan->lans = lans, plan->n_lans = bits & 8 ? 2 : 0;
	plan->kill_switch = bits & 16;
	plan->dns = bits & 32;
	plan->block_dot = plan->block_quic = bits & 64;
	plan->ipv6 = bits & 128;
	plan->plugin_uid = bits % 3 ? 977 : 0;
	plan->dhcp = !(bits & 16) || bits & 1;
}

static bool has_table(const char *name)
{
	char *out, err[256], wanted[64];
	bool found;

	if (nft_ask("list tables", &out, err, sizeof(err)))
		die_saying(err, "list tables");
	snprintf(wanted, sizeof(wanted), "table inet %s\n", name);
	found = strstr(out, wanted);
	free(out);
	return found;
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void load_all(enum gate_mode mode)
{
	struct gate_prefix routes[] = { prefix("203.0.113.0", 24), prefix("2001:db8::", 32) };
	struct gate_prefix prefixes[] = { prefix("10.0.0.0", 8), prefix("10.1.0.0", 16), prefix("fe80::", 64) };
	const uint16_t listening[] = { 22, 80 };
	const struct gate_near near = { prefixes, 3, listening, 2, listening, 1, 32768, 60999, 2000000000 };
	const char *lans[] = { "lan0", "br-lan.7" };
	const struct gate_range uids[] = { { 0, 0 }, { 1000, 1999 } };
	struct gate_plan plan = plan_for(mode);
	int before = open_descriptors();

	for (unsigned bits = 0; bits < 256; bits += 5) { /* has each two of the choices in each way */
		char *text;

		vary(&plan, bits, routes, lans, uids);
		text = text_of(&plan, &near);
		load(text);
		free(text);
		if (bits % 3) /* each kind of plan is looked at more closely now and then: the kernel takes its time */
			continue;
		if (!has_table("gatun") || has_table("gatun_guard") != plan.kill_switch)
			die_saying("not the tables that were asked for", "");
		if (gate_ruleset_near(&plan, bits % 2 ? &near : &nothing_near, &text))
			die_saying("no text of near prefixes", "");
		load(text);
		free(text);
	}
	if (open_descriptors() != before)
		die_saying("descriptors were left open", "");
}

static void in_new_network(void)
{
	char err[256];

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		_exit(77);
	if (nft_run("add table inet probe\ndelete table inet probe", err, sizeof(err)))
		_exit(77);
}

static void load_tun(void)
{
	in_new_network();
	load_all(GATE_TUN);
	_exit(0);
}

static void load_tproxy(void)
{
	in_new_network();
	load_all(GATE_TPROXY);
	_exit(0);
}

static void load_redirect(void)
{
	in_new_network();
	load_all(GATE_REDIRECT);
	_exit(0);
}

static void removes_what_is_ours_alone(void)
{
	struct gate_plan plan = plan_for(GATE_TUN);
	char *text;

	in_new_network();
	plan.kill_switch = true;
	load("add table inet filter\nadd table inet gatunnel");
	for (int i = 0; i < 2; i++) { /* also where nothing is there */
		if (i == 0)
			load(text = text_of(&plan, &nothing_near)), free(text);
		if (gate_ruleset_down(false, &text))
			_exit(2);
		load(text), free(text);
		if (has_table("gatun") || has_table("gatun_guard") != (i == 0))
			_exit(3);
		if (gate_ruleset_down(true, &text))
			_exit(4);
		load(text), free(text);
		if (has_table("gatun_guard") || !has_table("filter") || !has_table("gatunnel"))
			_exit(5);
	}
	_exit(0);
}

static void load_cgroups(void)
{
	char name[64];
	const char *cgroups[] = { name };
	struct gate_plan plan;
	char *text;
	int result = 0;

	in_new_network();
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL) || chdir("/sys/fs/cgroup"))
		_exit(77);
	snprintf(name, sizeof(name), "gatun-test-%d", (int)getpid());
	if (mkdir(name, 0755))
		_exit(77);
	for (int i = 0; i < 6 && !result; i++) {
		char err[256];

		plan = plan_for(i % 3 + GATE_TUN);
		plan.pick = i < 3 ? GATE_ONLY : GATE_EXCEPT;
		plan.kill_switch = true;
		plan.cgroups = cgroups, plan.n_cgroups = 1;
		text = text_of(&plan, &nothing_near);
		result = nft_run(text, err, sizeof(err));
		if (result)
			fprintf(stderr, "%s\n%s\n", err, text);
		free(text);
	}
	rmdir(name);
	_exit(result ? 1 : 0);
}

/* The shell's first failing command ends it. */
static int run_commands(const struct gate_plan *plan, const struct gate_near *near)
{
	FILE *sh = popen("sh -e", "w");

	if (!sh || gate_ruleset_iptables(plan, near, sh))
		return -1;
	return pclose(sh);
}

static void load_iptables(void)
{
	struct gate_prefix routes[] = { prefix("203.0.113.0", 24), prefix("2001:db8::", 32) };
	struct gate_prefix prefixes[] = { prefix("10.0.0.0", 8), prefix("fe80::", 64) };
	const uint16_t listening[] = { 22 };
	const struct gate_near near = { .prefixes = prefixes, .n = 2, .listening = listening, .n_listening = 1 };
	const char *lans[] = { "lan0", "br-lan.7" };
	const char *cgroups[] = { "/" };
	const struct gate_range uids[] = { { 0, 0 }, { 1000, 1999 } };
	struct gate_plan plan;

	in_new_network();
	if (system("iptables -w -t mangle -L -n >/dev/null 2>&1 && ip6tables -w -t mangle -L -n >/dev/null 2>&1"))
		_exit(77);
	for (unsigned i = 0; i < 3; i++) {
		plan = plan_for(i % 3 + GATE_TUN);
		vary(&plan, 0xfd + (i & 1), routes, lans, uids);
		plan.n_uids = plan.pick == GATE_EVERYBODY ? 0 : 2;
		plan.cgroups = cgroups, plan.n_cgroups = plan.n_uids ? 1 : 0;
		if (run_commands(&plan, &near))
			_exit(10 + (int)i);
	}
	/* What is printed as the way back leaves nothing of ours. */
	if (system("for t in iptables ip6tables; do $t-save | grep -v GATUN_ | $t-restore -w; done; ! nft list ruleset | grep GATUN"))
		_exit(9);
	_exit(0);
}

static void iptables_take_theirs(void **state)
{
	(void)state;
	passes(load_iptables);
}

static void all_of_it_holds_or_nothing(void)
{
	char err[256];

	in_new_network();
	if (nft_run("add table inet one\nadd chain inet two c", err, sizeof(err)) != -ENOENT)
		_exit(2);
	if (strncmp(err, "nft: ", 5) || !strstr(err, "No such file or directory") || strchr(err, '\n'))
		die_saying("another sentence", err);
	_exit(has_table("one") ? 3 : 0);
}

static void kernel_takes_tun(void **state)
{
	(void)state;
	passes(load_tun);
}

static void kernel_takes_tproxy(void **state)
{
	(void)state;
	passes(load_tproxy);
}

static void kernel_takes_redirect(void **state)
{
	(void)state;
	passes(load_redirect);
}

static void kernel_takes_cgroups(void **state)
{
	(void)state;
	passes(load_cgroups);
}

static void down_leaves_others_alone(void **state)
{
	(void)state;
	passes(removes_what_is_ours_alone);
}

static void a_text_is_one_transaction(void **state)
{
	(void)state;
	passes(all_of_it_holds_or_nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_prefixes_inside_others),
		cmocka_unit_test(near_prefixes_are_replaced_alone),
		cmocka_unit_test(a_plan_without_a_guard_takes_an_old_one_away),
		cmocka_unit_test(others_bits_of_a_connections_mark_stay),
		cmocka_unit_test(decides_in_the_right_order),
		cmocka_unit_test(nobody_listening_is_a_drop),
		cmocka_unit_test(what_went_on_before_the_gate_is_no_inbound_connection),
		cmocka_unit_test(names_are_left_alone_when_asked),
		cmocka_unit_test(strangers_do_not_reach_a_redirected_lans_resolver),
		cmocka_unit_test(without_ipv6_it_is_refused_at_once),
		cmocka_unit_test(the_guard_passes_its_list_and_no_more),
		cmocka_unit_test(names_that_nft_cannot_hold_are_refused),
		cmocka_unit_test(kernel_takes_tun),
		cmocka_unit_test(kernel_takes_tproxy),
		cmocka_unit_test(kernel_takes_redirect),
		cmocka_unit_test(kernel_takes_cgroups),
		cmocka_unit_test(iptables_take_theirs),
		cmocka_unit_test(down_leaves_others_alone),
		cmocka_unit_test(a_text_is_one_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
