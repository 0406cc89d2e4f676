/* A machine with one uplink, up0 (192.0.2.2/24, 2001:db8:5::2/64, default routes), in namespaces of
 * the test's own, and everything that a gate may change of it as one file to compare. */
#ifndef GATUN_TESTS_GATE_RIG_H
#define GATUN_TESTS_GATE_RIG_H

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "gate/gate.h"

#define EXPECT(code, condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(code); \
		} \
	} while (0)
/* The words are those of the last call that fills them. */
#define EXPECT_WORDS(code, words, part) \
	do { \
		if (!strstr(words, part)) { \
			fprintf(stderr, "%s:%d: \"%s\" says nothing of \"%s\"\n", __FILE__, __LINE__, words, part); \
			_exit(code); \
		} \
	} while (0)

static inline bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool put = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return put;
}

static inline int sh(const char *command)
{
	return system(command) == 0 ? 0 : -1;
}

static inline void enter_machine(void)
{
	unsigned uid = geteuid();
	char map[32], groups[32];

	snprintf(map, sizeof(map), "0 %u 1", uid);
	snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	if (unshare(CLONE_NEWNET | CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)) < 0)
		_exit(77);
	if (uid && (!put_file("/proc/self/uid_map", map) || !put_file("/proc/self/setgroups", "deny") ||
		    !put_file("/proc/self/gid_map", groups)))
		_exit(77);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("rig", "/run", "tmpfs", 0, "mode=0755") < 0)
		_exit(77);
	if (sh("command -v ip nft >/dev/null"))
		_exit(77);
	EXPECT(70, sh("ip link set lo up && ip link add up0 type veth peer name far && "
		      "ip link set up0 addrgenmode none && ip link set far addrgenmode none up && ip link set up0 up && "
		      "ip addr add 192.0.2.2/24 dev up0 && ip addr add 2001:db8:5::2/64 dev up0 nodad && "
		      "ip route add default via 192.0.2.1 && ip -6 route add default via 2001:db8:5::1") == 0);
	/* Until the kernel has noticed both ends: links, addresses and routes look different before. */
	EXPECT(73, sh("for i in $(seq 1000); do ip -o link show up type veth | grep -qv ' state UP ' || exit 0; sleep 0.02; done; exit 1") == 0);
}

/* /run is the rig's own. When a gate settles is another time for each. */
static inline void snapshot(const char *name)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "exec >/run/%s; for f in -4 -6; do ip -details $f rule; ip -details $f route show table all | sort; done; "
		 "nft list ruleset | sed 's/meta time < \"[^\"]*\"/meta time/'; ip addr; grep -rs '' /proc/sys/net | "
		 "grep -v -e conntrack_count -e '/neigh/' -e flush -e conntrack_max -e conntrack_buckets -e 'conf/gatun0/'; ls /run/gatun 2>/dev/null",
		 name);
	EXPECT(71, sh(command) == 0 || true);
}

static inline bool same_snapshots(const char *a, const char *b)
{
	char command[128];

	snprintf(command, sizeof(command), "diff /run/%s /run/%s >&2", a, b);
	return sh(command) == 0;
}

static inline struct gate_plan plan_of(enum gate_mode mode)
{
	struct gate_plan p = {
		.mode = mode, .mark = GATE_MARK, .table = GATE_TABLE, .priority = GATE_PRIORITY, .mtu = 1400,
		.self4_len = 30, .self6_len = 64, .ipv6 = true, .dns = true,
	};

	addr_parse_ip("10.255.77.1", 0, &p.self4);
	addr_parse_ip("fd00:6761::1", 0, &p.self6);
	if (mode == GATE_TUN)
		strcpy(p.device, "gatun0");
	else
		p.port = 7777, p.dns_port = 7753;
	return p;
}

static inline struct gate_prefix prefix_of(const char *ip, uint8_t len)
{
	struct gate_prefix p = { .len = len };

	addr_parse_ip(ip, 0, &p.at);
	return p;
}

#endif
