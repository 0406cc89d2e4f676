/* A gate is built whole or not at all, over what another left, and taken back to the last byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "gate_rig.h"
#include "in_child.h"
#include "sys/netlink.h"
#include "sys/tundev.h"

static char words[512];
static int owner;

static int up(const struct gate_plan *p)
{
	words[0] = 0;
	return gate_up(p, words, sizeof(words));
}

static int down(bool keep)
{
	words[0] = 0;
	return gate_down(keep, &owner, words, sizeof(words));
}

static struct netlink_route way(const char *to, uint32_t mark, int *err)
{
	struct netlink_route r = { 0 };
	struct netlink n;
	struct addr a;

	addr_parse_ip(to, 0, &a);
	EXPECT(72, netlink_open(&n) == 0);
	*err = netlink_find_way(&n, &a, mark, &r);
	netlink_close(&n);
	return r;
}

/* --- up and down --- */

static void child_comes_and_goes(void)
{
	static const enum gate_mode modes[] = { GATE_TPROXY, GATE_REDIRECT };

	enter_machine();
	snapshot("before");
	for (int i = 0; i < 4; i++) {
		struct gate_plan p = plan_of(modes[i / 2]);
		p.kill_switch = i & 1;
		EXPECT(1, up(&p) == 0);
		snapshot("while");
		EXPECT(2, sh("! cmp -s /run/before /run/while") == 0);
		EXPECT(3, down(false) == 0);
		EXPECT_WORDS(4, words, "the nft tables");
		EXPECT(5, sh("rmdir /run/gatun") == 0);
		snapshot("after");
		EXPECT(6, same_snapshots("before", "after"));
	}
	EXPECT(7, down(false) == 0 && words[0] == 0);
	_exit(0);
}

static void is_taken_back_to_the_byte(void **state)
{
	(void)state;
	passes(child_comes_and_goes);
}

/* --- a TUN --- */

static int open_tun(const struct gate_plan *p)
{
	struct tun_features features;
	int fd = tundev_open(p->device, p->mtu, &features, words, sizeof(words));

	if (fd < 0)
		_exit(77);
	return fd;
}

static void child_tun(void)
{
	struct gate_plan p = plan_of(GATE_TUN);
	struct addr server;
	int fd, err, tun;

	enter_machine();
	snapshot("before");
	fd = open_tun(&p);
	EXPECT(1, up(&p) == 0);
	tun = (int)if_nametoindex("gatun0");
	EXPECT(2, way("198.51.100.9", 0, &err).oif == tun && !err);
	EXPECT(3, way("2001:db8:9::9", 0, &err).oif == tun && !err);
	EXPECT(4, way("198.51.100.9", GATE_MARK + GATE_MARK_OWN, &err).oif == (int)if_nametoindex("up0"));
	EXPECT(5, way("192.0.2.77", 0, &err).oif == (int)if_nametoindex("up0"));
	EXPECT(6, way("239.1.1.1", 0, &err).oif == 0 && err == -EHOSTUNREACH);
	/* It dies with its descriptor, and nothing leaves; what is near goes on. */
	close(fd);
	EXPECT(7, way("198.51.100.9", 0, &err).oif == 0 && err == -EHOSTUNREACH);
	EXPECT(8, way("2001:db8:9::9", 0, &err).oif <= 1 && err);
	EXPECT(9, way("192.0.2.77", 0, &err).oif == (int)if_nametoindex("up0"));
	/* Over what is left. */
	fd = open_tun(&p);
	EXPECT(10, up(&p) == 0 && way("198.51.100.9", 0, &err).oif == (int)if_nametoindex("gatun0"));
	addr_parse_ip("198.51.100.1", 8388, &server);
	EXPECT(11, gate_check_way(&p, &server, words, sizeof(words)) == 0);
	EXPECT(12, sh("ip rule del fwmark 0x6761 lookup main && ip rule del fwmark 0x6761 unreachable") == 0);
	EXPECT(13, gate_check_way(&p, &server, words, sizeof(words)) == -ELOOP);
	EXPECT_WORDS(14, words, "comes back");
	EXPECT(15, gate_follow(&p, words, sizeof(words)) == 0);
	EXPECT(16, gate_check_way(&p, &server, words, sizeof(words)) == 0);
	EXPECT(17, down(false) == 0);
	close(fd);
	EXPECT(18, sh("rmdir /run/gatun") == 0);
	snapshot("after");
	EXPECT(19, same_snapshots("before", "after"));
	_exit(0);
}

static void a_tun_fails_closed(void **state)
{
	(void)state;
	passes(child_tun);
}

/* --- what is near --- */

static void child_near(void)
{
	struct gate_plan p = plan_of(GATE_TUN);
	const struct gate_prefix excludes[] = {
		prefix_of("203.0.113.0", 24), prefix_of("100.100.0.0", 16), prefix_of("2001:db8:77::", 48),
	};
	int fd, err, up0;

	enter_machine();
	up0 = (int)if_nametoindex("up0");
	p.excludes = excludes;
	p.n_excludes = 3;
	p.fakes[0] = prefix_of("198.18.0.0", 15);
	/* What option 121 plants, what a lease's netmask says, and a way inside of what is excluded. */
	EXPECT(1, sh("ip route add 0.0.0.0/1 via 192.0.2.6 && ip route add 198.51.100.0/24 via 192.0.2.6 && "
		     "ip -6 route add 2001:db8:9::/48 via 2001:db8:5::6 && "
		     "ip addr add 64.0.0.5/2 dev up0 && ip addr add 198.18.7.1/24 dev up0 && ip -6 addr add 2400::5/12 dev up0 nodad && "
		     "ip route add 203.0.113.128/25 via 192.0.2.7 && ip route add unreachable 100.100.0.0/16") == 0);
	fd = open_tun(&p);
	EXPECT(2, up(&p) == 0);
	EXPECT(3, way("198.51.100.9", 0, &err).oif == (int)if_nametoindex("gatun0"));
	EXPECT(4, way("9.9.9.9", 0, &err).oif == (int)if_nametoindex("gatun0"));
	EXPECT(5, way("64.1.1.1", 0, &err).oif == (int)if_nametoindex("gatun0"));
	EXPECT(21, way("198.18.7.9", 0, &err).oif == (int)if_nametoindex("gatun0"));
	EXPECT(6, way("2001:db8:9::1", 0, &err).oif == (int)if_nametoindex("gatun0"));
	EXPECT(7, way("2401::1", 0, &err).oif == (int)if_nametoindex("gatun0"));
	EXPECT(8, way("203.0.113.200", 0, &err).gateway.ip.bytes[3] == 7);
	EXPECT(9, way("203.0.113.1", 0, &err).gateway.ip.bytes[3] == 1);
	EXPECT(10, way("100.100.1.1", 0, &err).oif == 0 && err == -EHOSTUNREACH);
	EXPECT(20, way("2001:db8:77::1", 0, &err).oif == up0);
	/* A link that comes is near, and gone when it goes; so is the way of an exclude. */
	EXPECT(11, sh("ip link add lan0 type veth peer name lan1 && ip link set lan1 up && ip addr add 10.5.0.1/16 dev lan0 && "
		      "ip link set lan0 up && ip route replace default via 192.0.2.8") == 0);
	EXPECT(12, gate_follow(&p, words, sizeof(words)) == 0);
	EXPECT(13, way("10.5.9.9", 0, &err).oif == (int)if_nametoindex("lan0"));
	EXPECT(14, sh("nft list set inet gatun near4 | grep -q 10.5.0.0/16") == 0);
	EXPECT(15, sh("ip link del lan0") == 0 && gate_follow(&p, words, sizeof(words)) == 0);
	EXPECT(16, way("10.5.9.9", 0, &err).oif == (int)if_nametoindex("gatun0"));
	EXPECT(17, sh("! nft list set inet gatun near4 | grep -q 10.5.0.0/16") == 0);
	EXPECT(18, way("192.0.2.9", 0, &err).oif == up0);
	EXPECT(19, down(false) == 0);
	close(fd);
	_exit(0);
}

static void only_what_is_near_goes_past(void **state)
{
	(void)state;
	passes(child_near);
}

/* --- who is its owner --- */

/* A gate of another process, which waits; its pid. */
static pid_t another(const struct gate_plan *p)
{
	int ready[2];
	char byte;
	pid_t pid;

	EXPECT(73, pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		EXPECT(74, up(p) == 0);
		EXPECT(75, write(ready[1], "r", 1) == 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	EXPECT(76, read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

static void child_owners(void)
{
	struct gate_plan p = plan_of(GATE_TPROXY), q = plan_of(GATE_REDIRECT);
	char pid_words[32];
	pid_t pid;

	enter_machine();
	snapshot("before");
	pid = another(&p);
	snapshot("while");
	snprintf(pid_words, sizeof(pid_words), "(pid %d)", pid);
	EXPECT(1, gate_check(&q, words, sizeof(words)) == -EEXIST);
	EXPECT_WORDS(2, words, pid_words);
	EXPECT(3, up(&q) == -EEXIST);
	EXPECT(4, down(false) == -EBUSY && owner == pid);
	snapshot("still");
	EXPECT(5, same_snapshots("while", "still"));
	/* The same number, but another process: not he. */
	EXPECT(12, sh("sed -i.kept 's/\"start\": [0-9]*/\"start\": 1/' /run/gatun/up-*.json") == 0);
	EXPECT(13, gate_check(&q, words, sizeof(words)) == 0);
	EXPECT(14, sh("mv /run/gatun/*.kept $(ls /run/gatun/up-*.json)") == 0);
	EXPECT(15, gate_check(&q, words, sizeof(words)) == -EEXIST);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	snapshot("dead");
	EXPECT(6, same_snapshots("while", "dead"));
	/* Another mode over it, other numbers, and nothing of the first is left. */
	q.priority = 500, q.table = 900, q.mark = 0x40;
	EXPECT(7, up(&q) == 0);
	EXPECT(8, sh("! ip rule | grep -q 26465") == 0 && sh("! ip route show table all | grep -q 26465") == 0);
	EXPECT(9, down(false) == 0);
	EXPECT(10, sh("rmdir /run/gatun") == 0);
	snapshot("after");
	EXPECT(11, same_snapshots("before", "after"));
	_exit(0);
}

static void has_one_owner(void **state)
{
	(void)state;
	passes(child_owners);
}

static void child_keeps(void)
{
	struct gate_plan p = plan_of(GATE_REDIRECT);
	int err;

	enter_machine();
	snapshot("before");
	p.kill_switch = true;
	EXPECT(1, down(true) == 0 && words[0] == 0);
	EXPECT(2, up(&p) == 0 && down(true) == 0);
	EXPECT(3, way("198.51.100.9", 0, &err).type == RTN_LOCAL); /* to lo, where nobody listens */
	EXPECT(4, sh("nft list table inet gatun_guard >/dev/null") == 0);
	EXPECT(5, down(true) == 0 && down(false) == 0);
	EXPECT(6, sh("rmdir /run/gatun") == 0);
	snapshot("after");
	EXPECT(7, same_snapshots("before", "after"));
	_exit(0);
}

static void a_guard_stays_until_it_is_lifted(void **state)
{
	(void)state;
	passes(child_keeps);
}

/* --- what is in the way --- */

/* Refused with these words, and everything is as it was. */
static void refused(int code, const struct gate_plan *p, int err, const char *part)
{
	snapshot("before");
	EXPECT(code, up(p) == err);
	EXPECT_WORDS(code, words, part);
	rmdir("/run/gatun");
	snapshot("after");
	EXPECT(code, same_snapshots("before", "after"));
}

/* what: for ip(8), with %s where the verb is. */
static void foreign(int code, const struct gate_plan *p, const char *what, const char *part)
{
	char command[256];

	snprintf(command, sizeof(command), "ip $(printf -- '%s' add)", what);
	EXPECT(code, sh(command) == 0);
	refused(code, p, -EBUSY, part);
	snprintf(command, sizeof(command), "ip $(printf -- '%s' del)", what);
	EXPECT(code, sh(command) == 0);
}

static void child_refuses(void)
{
	const char *const lans[] = { "eth7" }, *const self[] = { "lo" }, *const cgroups[] = { "no/such" };
	const struct gate_prefix twice[] = { prefix_of("10.0.0.0", 8), prefix_of("10.0.0.0", 8) };
	const struct gate_prefix inside[] = { prefix_of("10.0.0.0", 8), prefix_of("10.9.0.0", 16) };
	struct gate_plan p = plan_of(GATE_TPROXY), q;

	enter_machine();
	foreign(1, &p, "rule %s from 192.0.2.99 lookup 77 priority 6770", "--priority");
	foreign(2, &p, "-6 rule %s from 2001:db8::9 lookup 77 priority 6761", "--priority");
	foreign(3, &p, "rule %s fwmark 0x61/0xff lookup 77 priority 9000", "--mark");
	foreign(4, &p, "rule %s from 192.0.2.99 lookup 26466 priority 9000", "--table");
	foreign(5, &p, "route %s 198.18.0.0/15 via 192.0.2.3 table 26465", "--table");
	foreign(6, &p, "-6 route %s 2001:db8:7::/48 via 2001:db8:5::3 table 26466", "--table");
	foreign(7, &p, "rule %s lookup main priority 50", "takes everything");
	q = p, q.lans = lans, q.n_lans = 1;
	refused(8, &q, -ENODEV, "there are: ");
	q = p, q.lans = self, q.n_lans = 1;
	refused(9, &q, -EINVAL, "lo");
	q = p, q.routes = twice, q.n_routes = 2;
	refused(10, &q, -EINVAL, "given twice");
	q = p, q.routes = inside, q.n_routes = 2;
	refused(11, &q, -EINVAL, "10.9.0.0/16 lies in 10.0.0.0/8");
	q = p, q.routes = twice, q.n_routes = 1, q.excludes = twice, q.n_excludes = 1;
	refused(12, &q, -EINVAL, "both taken and excluded");
	q = p, q.cgroups = cgroups, q.n_cgroups = 1, q.pick = GATE_EXCEPT;
	refused(13, &q, -ENOENT, "cgroup");
	q = plan_of(GATE_TUN);
	refused(14, &q, -ENODEV, "gatun0");
	q = p, q.table = RT_TABLE_MAIN;
	refused(15, &q, -EINVAL, "kernel");
	/* Rules of others that are not in the way. */
	EXPECT(16, sh("ip rule add fwmark 0x80000/0xff0000 lookup main priority 5210 && "
		      "ip rule add lookup 52 priority 5270 && ip route add 100.64.0.0/10 dev up0 table 52") == 0);
	EXPECT(17, up(&p) == 0 && down(false) == 0);
	_exit(0);
}

static void says_what_is_in_the_way(void **state)
{
	(void)state;
	passes(child_refuses);
}

/* --- a failure half-way --- */

static void child_fails(void)
{
	const char *const lans[] = { "a\"b" };
	struct gate_plan p = plan_of(GATE_TPROXY), q = plan_of(GATE_TUN);
	int fd;

	enter_machine();
	/* nft, after sysctls and routes */
	EXPECT(1, sh("ip link add 'a\"b' type veth peer name ab") == 0);
	p.lans = lans, p.n_lans = 1;
	refused(2, &p, -EINVAL, "");
	p.n_lans = 0;
	/* the device, after the sysctls */
	fd = open_tun(&q);
	q.mtu = 70000;
	refused(3, &q, -EINVAL, "gatun0");
	close(fd);
	/* the state file */
	EXPECT(4, sh("mkdir -m 0777 /run/gatun && chmod 0777 /run/gatun") == 0);
	refused(5, &p, -EPERM, "/run/gatun");
	rmdir("/run/gatun");
	/* the sysctls; over what stands, it goes on keeping traffic in */
	EXPECT(6, mount("/proc/sys", "/proc/sys", NULL, MS_BIND | MS_REC, NULL) == 0);
	if (mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		_exit(77);
	refused(7, &p, -EROFS, "read-only");
	_exit(0);
}

static void fails_whole(void **state)
{
	(void)state;
	passes(child_fails);
}

static void child_fails_over(void)
{
	struct gate_plan p = plan_of(GATE_TUN);
	int err, fd;

	enter_machine();
	fd = open_tun(&p);
	EXPECT(1, up(&p) == 0);
	close(fd);
	fd = open_tun(&p);
	p.mtu = 70000;
	EXPECT(2, up(&p) == -EINVAL);
	close(fd);
	EXPECT(3, way("198.51.100.9", 0, &err).oif == 0 && err == -EHOSTUNREACH);
	EXPECT(4, down(false) == 0 && way("198.51.100.9", 0, &err).oif == (int)if_nametoindex("up0"));
	_exit(0);
}

static void over_another_it_fails_closed(void **state)
{
	(void)state;
	passes(child_fails_over);
}

/* --- rights --- */

static void child_without_rights(void)
{
	struct gate_plan p = plan_of(GATE_TPROXY);

	enter_machine();
	if (geteuid() != 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(77);
	EXPECT(1, gate_check(&p, words, sizeof(words)) == -EPERM);
	EXPECT_WORDS(2, words, "CAP_NET_ADMIN");
	_exit(0);
}

static void needs_a_right(void **state)
{
	(void)state;
	passes(child_without_rights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_taken_back_to_the_byte),
		cmocka_unit_test(a_tun_fails_closed),
		cmocka_unit_test(only_what_is_near_goes_past),
		cmocka_unit_test(has_one_owner),
		cmocka_unit_test(a_guard_stays_until_it_is_lifted),
		cmocka_unit_test(says_what_is_in_the_way),
		cmocka_unit_test(fails_whole),
		cmocka_unit_test(over_another_it_fails_closed),
		cmocka_unit_test(needs_a_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
