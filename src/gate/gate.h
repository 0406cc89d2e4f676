/*
 * The gate: what the kernel is told so that traffic comes to us and nothing goes
 * round us (routes, policy rules, nft tables, a few sysctls), and how all of it
 * is taken back. docs/gateway.md draws it.
 *
 * Everything carries a sign of ours (routes and rules the protocol number, nft
 * the tables' names, sysctls a line in the state file), so that whoever comes
 * later, `down` or the next `up`, finds and removes exactly that, also when the
 * one who made it was killed. One gate per network namespace.
 *
 * It does not know what becomes of the traffic, nor who listens.
 */
#ifndef GATUN_GATE_GATE_H
#define GATUN_GATE_GATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"

#define GATE_PROTOCOL 103	 /* of routes and rules ("g"); rt_protos(5) knows it under no name */
#define GATE_MARK 0x6761	 /* default of plan.mark */
#define GATE_TABLE 26465	 /* default of plan.table */
#define GATE_TABLES 3		 /* from plan.table on */
#define GATE_PRIORITY 6761	 /* default of plan.priority */
#define GATE_NFT_TABLE "gatun"	 /* inet: what captures, and the marks of connections */
#define GATE_NFT_GUARD "gatun_guard" /* inet: the kill switch */

/* The marks, from plan.mark on. */
enum gate_mark {
	GATE_MARK_OWN,	  /* sockets of ours: by the main table */
	GATE_MARK_REPLY,  /* answers of connections that came from outside: by the main table */
	GATE_MARK_TAKE,	  /* to be taken: TPROXY's way by lo; a cgroup's under GATE_ONLY */
	GATE_MARK_LEAVE,  /* left out: a cgroup's under GATE_EXCEPT; by the main table */
	GATE_MARKS
};

enum gate_mode { GATE_TUN = 1, GATE_TPROXY, GATE_REDIRECT };
/* What uids and cgroups of the plan mean. */
enum gate_pick { GATE_EVERYBODY, GATE_ONLY, GATE_EXCEPT };

struct gate_prefix {
	struct addr at; /* port 0, host bits 0 */
	uint8_t len;
};
struct gate_range {
	uint32_t from, to; /* both included */
};

/* All pointers are borrowed while a call lasts. */
struct gate_plan {
	enum gate_mode mode;
	uint32_t mark, table, priority; /* the first of GATE_MARKS marks, of GATE_TABLES tables, of the rules */

	char device[IFNAMSIZ];	     /* GATE_TUN: it is there, and down */
	struct addr self4, self6;    /* GATE_TUN: its addresses */
	uint8_t self4_len, self6_len;
	int mtu;

	uint16_t port;		     /* TPROXY, REDIRECT: where we listen, TCP (and UDP), 127.0.0.1, ::1 or any */
	uint16_t dns_port;	     /* REDIRECT: where queries are answered (UDP and TCP); 0: names are not touched */

	const struct gate_prefix *routes;   /* what is taken; none: everything */
	int n_routes;
	const struct gate_prefix *excludes; /* what goes by the main table */
	int n_excludes;
	struct gate_prefix fakes[2];	    /* addresses that stand for names: on no link, whatever it says; family 0: none */
	const char *const *lans;	    /* interfaces whose forwarded clients are served too */
	int n_lans;
	enum gate_pick pick;
	const struct gate_range *uids;
	int n_uids;
	const char *const *cgroups;	    /* version 2, paths below the mount */
	int n_cgroups;
	uint32_t plugin_uid;	     /* whose sockets count as ours; 0: nobody */

	bool ipv6;		     /* carried; else unreachable at once */
	bool dns;		     /* port 53 is taken whatever its address */
	bool block_dot, block_quic;  /* TCP 853; UDP 443: refused at once */
	bool kill_switch;
	bool dhcp;		     /* the guard passes DHCP */
};

/* Would it work? Everything that can be known before anything is changed, the device and the ports
 * of the plan included, which need not be there yet: rights, interfaces,
 * who else uses the marks, tables, priorities, names. 0, or -errno with a sentence that says
 * what is in the way and how to mend it. -EEXIST: a gatun is up here (its pid in the sentence). */
int gate_check(const struct gate_plan *, char *err, size_t size);

/*
 * Builds it, whatever an earlier gatun left being replaced so that there is no moment at which
 * traffic that is to be taken finds another way. For as long as this process lives it is the
 * gate's owner. Fails whole: -errno with a sentence, and all is as it was before.
 */
int gate_up(const struct gate_plan *, char *err, size_t size);

/* Links, addresses or routes have changed: the prefixes that are on links, and the ways of
 * the excludes, are read again. Cheap where nothing differs. 0 or -errno. */
int gate_follow(const struct gate_plan *, char *err, size_t size);

/*
 * The owner's gate becomes another: what is taken, left out, refused and guarded may differ; mode, numbers, device,
 * addresses, ports and ipv6 do not. In the order of gate_up(): at no moment is anything let out that both
 * would keep in. Fails whole: -errno with a sentence, and `now` stands.
 */
int gate_change(const struct gate_plan *now, const struct gate_plan *fresh, char *err, size_t size);

/* Has somebody removed nft tables of ours (`nft flush ruleset` begins many a firewall's reload)? No
 * word of the kernel's to those who watch routes says so. gate_follow() puts them back. */
bool gate_nft_is_gone(const struct gate_plan *);

/* Is our own way still ours? Asks the kernel for the route of a marked packet to `server`:
 * -ELOOP where it would come back to us. */
int gate_check_way(const struct gate_plan *, const struct addr *server, char *err, size_t size);

/*
 * Takes back everything that carries our sign, after an orderly end as after a crash: byte for
 * byte as before. keep_guard: what keeps traffic in (the kill switch; what captures by TPROXY or
 * REDIRECT; the unreachable default) stays. 0, also where there is nothing; -EBUSY: its owner
 * lives (pid in *owner).
 */
int gate_down(bool keep_guard, int *owner, char *err, size_t size);

/* Do rules of ours stand in this network namespace, somebody's or nobody's? Needs no rights. */
bool gate_stands(void);

/* What the guard has dropped so far, packets; 0 where there is none. */
uint64_t gate_guard_drops(void);

enum gate_form { GATE_FORM_NFT, GATE_FORM_IPTABLES };
/* What gate_up would do, as commands that a reader can run: ip rule, ip route, sysctl, and nft or
 * iptables. Needs no rights; what only the kernel knows (link prefixes) is read where it may be. */
int gate_print(const struct gate_plan *, enum gate_form, FILE *);

#endif
