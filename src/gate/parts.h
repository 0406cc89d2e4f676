/*
 * Between the files of the gate. Each part says what it wants as a list and
 * makes the kernel's list equal to it: what is missing is added before what is
 * too much is taken out, so a gate that is built over another has no gap.
 */
#ifndef GATUN_GATE_PARTS_H
#define GATUN_GATE_PARTS_H

#include "gate/gate.h"
#include "gate/ruleset.h"
#include "sys/netlink.h"

#define GATE_LAST_METRIC 1000000 /* of the unreachable behind what is taken */

/* --- what is taken, and by which way (routes.c, near.c) --- */

struct route_list {
	struct netlink_route *at;
	int n;
	uint32_t room;
	bool no_memory;
};
void gate_route_put(struct route_list *, const struct netlink_route *);

/* What is on links and what is excluded, of both families, as the main table has it now. */
struct near_list {
	struct route_list routes;   /* in plan.table */
	struct gate_prefix *prefixes; /* the same for nft */
	int n, refused;		    /* refused: link prefixes too wide to be believed */
};
int gate_near_read(struct netlink *, const struct gate_plan *, struct near_list *);
void gate_near_free(struct near_list *);
/* Is this a prefix that a link may have? What DHCP says of its netmask is not believed blindly. */
bool gate_near_is_credible(const struct gate_plan *, const struct gate_prefix *);

#define GATE_LISTENING_MAX 1024
#define GATE_SERVING_MAX 64
#define GATE_SETTLE_S 180 /* longer than any NAT, and conntrack itself, remembers a silent UDP flow */

struct gate_ports {
	uint16_t listening[GATE_LISTENING_MAX], serving[GATE_SERVING_MAX];
};
/* All of the machine that the nft rules depend on; borrows the list and the ports. */
struct gate_near gate_near_of(const struct near_list *, struct gate_ports *);

/* The way of the main table to an address, in whatever state our rules are. Errors as netlink_find_way. */
int gate_find_by_main(struct netlink *, const struct gate_plan *, const struct addr *to, struct netlink_route *);
/* The address that the main table would send from; family 0: none now. */
struct addr gate_usual_source(struct netlink *, const struct gate_plan *, uint8_t family);
/* Everything of the plan's tables. near: from above. */
int gate_routes_want(struct netlink *, const struct gate_plan *, const struct near_list *, struct route_list *);
/* Adds what is missing; *put_back: how many. */
int gate_routes_add(struct netlink *, const struct route_list *, int *put_back, char *err, size_t size);
/* Takes out what carries our sign and is not in the list (NULL: everything). How many, or -errno. */
int gate_routes_sweep(struct netlink *, const struct route_list *, char *err, size_t size);

/* --- policy rules (rules.c) --- */

struct rule_list {
	struct netlink_rule *at;
	int n;
	uint32_t room;
	bool no_memory;
};
#define GATE_PRIORITIES 36 /* from plan.priority on */
int gate_rules_want(const struct gate_plan *, struct rule_list *);
int gate_rules_add(struct netlink *, const struct rule_list *, int *put_back, char *err, size_t size);
int gate_rules_sweep(struct netlink *, const struct rule_list *, char *err, size_t size);

/* --- sysctls (sysctls.c) --- */

struct sysctl {
	char path[96]; /* below /proc/sys */
	char old[32], set[32];
};
struct sysctl_list {
	struct sysctl *at;
	int n;
	uint32_t room;
	bool no_memory;
};
/* Adds what the plan needs and is not so; entries that are there keep their old values. */
int gate_sysctls_want(const struct gate_plan *, struct sysctl_list *);
int gate_sysctls_write(const struct sysctl_list *, char *err, size_t size);
/* The latest first; what somebody else has changed since stays his. */
void gate_sysctls_restore(const struct sysctl_list *);
void gate_sysctls_put(struct sysctl_list *, const char *path, const char *set);
/* Of our own device, which takes them with it when it goes. */
void gate_sysctls_device(const struct gate_plan *);
/* What that sets, to be printed: `old` is empty. -ENOMEM. */
int gate_sysctls_of_device(const struct gate_plan *, struct sysctl_list *);
/* Reads one; false where there is none. */
bool gate_sysctl_read(const char *path, char *text, size_t size);

/* --- what is kept beyond this process (state.c) --- */

struct gate_state {
	bool there;
	int pid; /* of the owner; 0: nobody any more */
	uint64_t start;
	struct sysctl_list sysctls;
};
/* One change at a time in this machine: held until it is given back. -errno with a sentence. */
int gate_state_lock(char *err, size_t size);
void gate_state_unlock(int lock);
int gate_state_read(struct gate_state *, char *err, size_t size);
int gate_state_write(const struct gate_state *, char *err, size_t size);
void gate_state_remove(void);
void gate_state_free(struct gate_state *);
/* Its owner, if he lives and is not this process; else 0. */
int gate_state_owner(const struct gate_state *);
/* This process becomes it. */
void gate_state_own(struct gate_state *);

/* --- words (words.c) --- */

#define GATE_WORDS 200
char *gate_rule_words(const struct netlink_rule *, char text[GATE_WORDS]);
char *gate_route_words(const struct netlink_route *, char text[GATE_WORDS]);
char *gate_prefix_words(const struct gate_prefix *, char text[GATE_WORDS]);

/* --- small things --- */

bool gate_kernel_has_ipv6(void);
/* What gate_check() leaves out: the device is there, or the ports are known. */
int gate_check_lists(const struct gate_plan *, char *err, size_t size);
int gate_check_ways_in(const struct gate_plan *, char *err, size_t size);
/* Does the prefix hold this address of the same family? */
bool gate_prefix_holds(const struct gate_prefix *, const struct addr *);

#endif
