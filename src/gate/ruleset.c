/*
 * The nft tables of a gate, as text; ruleset.h has the contract.
 *
 *   inet gatun         sets near4/near6 (what is on links, and --exclude), routes4/routes6 (--route),
 *                      listening, serving (ports); chains that mark connections, and those that capture
 *   inet gatun_guard   the kill switch, which needs nothing of the other table (ruleset_guard.c)
 *
 * The marks of packets, from plan.mark on, decide by ip rules; the same four words
 * in a connection's mark remember whose it is:
 *
 *   own     a socket of ours opened it       what comes back is given `own` (for rp_filter)
 *   reply   it came from outside to us       what we answer is given `reply`, and goes by main
 *   take    it is captured, or came out of   nothing of it is an answer to outside, also where its
 *           the TUN                          first packet came to us (a UDP peer behind a full cone)
 *
 * A connection's mark is often shared with others (fwmark policies, docker, mwan3):
 * of the 32 bits only the low 16 are ours, and they are set only on a new
 * connection (all 32, if plan.mark does not fit in 16). Connections from before the
 * rules have no mark: what answers somebody there is known by its port (known_answers),
 * also a TCP packet of a connection that the kernel did not know. Nothing else that
 * stood before keeps its way (from_before).
 *
 * Invariants: the text is one transaction; it replaces, it never adds to what is
 * there; what cannot be told apart (untracked, invalid) is captured or dropped.
 *
 * It does not know routes and rules (gate/), nor how a text is run (sys/nft.h).
 */
#include "gate/ruleset.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate/ruleset_text.h"

/* --- words ------------------------------------------------------------------------ */

void ruleset_write_ct_is(FILE *f, const struct gate_plan *plan, const char *relation, enum gate_mark which)
{
	if (ruleset_ct_bits(plan) == 0xffffffff)
		fprintf(f, "ct mark %s 0x%x ", relation, ruleset_mark(plan, which));
	else
		fprintf(f, "ct mark and 0x%x %s 0x%x ", ruleset_ct_bits(plan), relation, ruleset_mark(plan, which));
}

void ruleset_write_ct_set(FILE *f, const struct gate_plan *plan, enum gate_mark which)
{
	if (ruleset_ct_bits(plan) == 0xffffffff)
		fprintf(f, "ct mark set 0x%x ", ruleset_mark(plan, which));
	else
		fprintf(f, "ct mark set ct mark and 0x%x or 0x%x ", ~ruleset_ct_bits(plan), ruleset_mark(plan, which));
}

static int depth_of(const char *path)
{
	int depth = 0;

	for (const char *at = path; *at; at++)
		depth += *at != '/' && (at == path || at[-1] == '/');
	return depth;
}

void ruleset_write_cgroups(FILE *f, const struct gate_plan *plan, const char *verdict)
{
	for (int i = 0; i < plan->n_cgroups; i++) {
		const char *path = plan->cgroups[i] + strspn(plan->cgroups[i], "/");

		fprintf(f, "\t\tsocket cgroupv2 level %d \"%s\" %s\n", depth_of(path), path, verdict);
	}
}

/* nft has no escape for what its quotes cannot hold; a '*' at the end would be a pattern. */
static bool is_quotable(const char *name)
{
	for (const char *at = name; *at; at++)
		if (*at == '"' || *at == '*' || iscntrl((unsigned char)*at))
			return false;
	return *name;
}

static bool names_are_quotable(const struct gate_plan *plan)
{
	bool good = plan->mode != GATE_TUN || is_quotable(plan->device);

	for (int i = 0; i < plan->n_lans; i++)
		good = good && is_quotable(plan->lans[i]);
	for (int i = 0; i < plan->n_cgroups; i++)
		good = good && is_quotable(plan->cgroups[i]) && depth_of(plan->cgroups[i]) > 0;
	return good;
}

static void write_uids(FILE *f, const struct gate_plan *plan)
{
	fputs("define uids = { ", f);
	for (int i = 0; i < plan->n_uids; i++)
		fprintf(f, "%s%u-%u", i ? ", " : "", plan->uids[i].from, plan->uids[i].to);
	fputs(" }\n", f);
}

static void write_lans(FILE *f, const struct gate_plan *plan)
{
	fputs("define lans = { ", f);
	for (int i = 0; i < plan->n_lans; i++)
		fprintf(f, "%s\"%s\"", i ? ", " : "", plan->lans[i]);
	fputs(" }\n", f);
}

static void write_self(FILE *f, const char *name, const struct addr *self)
{
	char text[INET6_ADDRSTRLEN];

	if (self->family)
		fprintf(f, "define %s = %s\n", name, inet_ntop(self->family, self->ip.bytes, text, sizeof(text)));
}

static void write_definitions(FILE *f, const struct gate_plan *plan)
{
	fprintf(f, "define own = 0x%x\ndefine reply = 0x%x\ndefine take = 0x%x\ndefine leave = 0x%x\n",
		ruleset_mark(plan, GATE_MARK_OWN), ruleset_mark(plan, GATE_MARK_REPLY),
		ruleset_mark(plan, GATE_MARK_TAKE), ruleset_mark(plan, GATE_MARK_LEAVE));
	if (plan->mode == GATE_TUN) {
		fprintf(f, "define tun = \"%s\"\n", plan->device);
		write_self(f, "self4", &plan->self4);
		write_self(f, "self6", &plan->self6);
	}
	if (plan->n_lans)
		write_lans(f, plan);
	if (plan->n_uids)
		write_uids(f, plan);
	if (plan->plugin_uid)
		fprintf(f, "define plugin = %u\n", plan->plugin_uid);
}

/* --- sets ------------------------------------------------------------------------- */

static int compare_prefixes(const void *a, const void *b)
{
	const struct gate_prefix *x = a, *y = b;
	int order = (int)x->at.family - (int)y->at.family;

	if (!order)
		order = memcmp(x->at.ip.bytes, y->at.ip.bytes, sizeof(x->at.ip.bytes));
	return order ? order : (int)x->len - (int)y->len;
}

static bool lies_in(const struct gate_prefix *inner, const struct gate_prefix *outer)
{
	int whole = outer->len / 8, rest = outer->len % 8;
	const uint8_t *a = inner->at.ip.bytes, *b = outer->at.ip.bytes;

	if (inner->at.family != outer->at.family || inner->len < outer->len || memcmp(a, b, (size_t)whole))
		return false;
	return !rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* An interval set takes no overlap, and two prefixes overlap only when one holds the other. */
struct gate_prefix *ruleset_own_prefixes(const struct gate_prefix *from, int n, int *n_out)
{
	struct gate_prefix *own = calloc((size_t)n + 1, sizeof(*own));

	*n_out = 0;
	if (!own)
		return NULL;
	if (n)
		memcpy(own, from, (size_t)n * sizeof(*own));
	qsort(own, (size_t)n, sizeof(*own), compare_prefixes);
	for (int i = 0; i < n; i++)
		if (!*n_out || !lies_in(&own[i], &own[*n_out - 1]))
			own[(*n_out)++] = own[i];
	return own;
}

static int write_elements(FILE *f, const struct gate_prefix *prefixes, int n, int family)
{
	int written = 0;
	char text[INET6_ADDRSTRLEN];

	for (int i = 0; i < n; i++) {
		if (prefixes[i].at.family != family)
			continue;
		inet_ntop(family, prefixes[i].at.ip.bytes, text, sizeof(text));
		fprintf(f, "%s%s/%u", written++ ? ", " : "", text, prefixes[i].len);
	}
	return written;
}

static void write_set(FILE *f, const char *name, const struct gate_prefix *prefixes, int n, int family)
{
	char *text = NULL;
	size_t size;
	FILE *elements = open_memstream(&text, &size);

	fprintf(f, "\tset %s { type %s; flags interval; ", name, family == AF_INET ? "ipv4_addr" : "ipv6_addr");
	if (elements) {
		int written = write_elements(elements, prefixes, n, family);

		fclose(elements);
		if (written)
			fprintf(f, "elements = { %s } ", text);
	}
	free(text);
	fputs("}\n", f);
}

static int write_sets(FILE *f, const char *name4, const char *name6, const struct gate_prefix *prefixes, int n)
{
	int n_own;
	struct gate_prefix *own = ruleset_own_prefixes(prefixes, n, &n_own);

	if (!own)
		return -ENOMEM;
	write_set(f, name4, own, n_own, AF_INET);
	write_set(f, name6, own, n_own, AF_INET6);
	free(own);
	return 0;
}

static int write_all_sets(FILE *f, const struct gate_plan *plan, const struct gate_near *near)
{
	int result = write_sets(f, "near4", "near6", near->prefixes, near->n);

	if (!result && plan->n_routes)
		result = write_sets(f, "routes4", "routes6", plan->routes, plan->n_routes);
	return result;
}

static void write_ports(FILE *f, const char *name, const uint16_t *ports, int n)
{
	fprintf(f, "\tset %s { type inet_service; ", name);
	for (int i = 0; i < n; i++)
		fprintf(f, "%s%u", i ? ", " : "elements = { ", ports[i]);
	fputs(n ? " } }\n" : "}\n", f);
}

/* --- the chains that all modes have ------------------------------------------------ */

/* Connections that have no mark: the kernel knew them before these rules did, if only for the moment in which
 * it began to track and the rules were not there yet; and then its first packet may have been any. So the direction
 * alone is not believed: what answers has a port that is served, or came by a DNAT. */
static void write_known_answers(FILE *f, const struct gate_near *near)
{
	fputs("\tchain known_answers {\n"
	      "\t\ttcp sport @listening meta mark set $reply accept\n"
	      "\t\tudp sport @serving meta mark set $reply accept\n",
	      f);
	if (near->ephemeral_from)
		fprintf(f, "\t\tudp sport != %u-%u meta mark set $reply accept\n", near->ephemeral_from, near->ephemeral_to);
	fputs("\t\ticmp type echo-reply meta mark set $reply accept\n"
	      "\t\ticmpv6 type echo-reply meta mark set $reply accept\n"
	      "\t\tct status dnat meta mark set $reply accept\n\t}\n",
	      f);
}

/* What answers a connection from outside leaves by the way it came. `take` and `own` in a
 * connection's mark say that its first packet only seems to have come from outside. */
static void write_answers(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain answers {\n\t\t", f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_REPLY);
	fputs("meta mark set $reply accept\n\t\tct direction reply ", f);
	ruleset_write_ct_is(f, plan, "!=", GATE_MARK_OWN);
	ruleset_write_ct_is(f, plan, "!=", GATE_MARK_TAKE);
	fputs("jump known_answers\n\t}\n", f);
}

/* What comes from outside and is new to the kernel may go on with what began here before the gate, when
 * nobody kept account of connections yet; then its answers are not let out. TCP goes on without a SYN, to
 * no port that is listened on. UDP tells nothing: to a port that clients have, and that the kernel itself
 * does not serve (WireGuard), for as long as such a flow may live. */
static void write_from_before(FILE *f, const struct gate_plan *plan, const struct gate_near *near)
{
	fputs("\tchain from_before {\n\t\ttcp flags & (syn | ack) != syn tcp dport != @listening ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_TAKE);
	if (near->settled && near->ephemeral_from) {
		fprintf(f, "\n\t\tudp dport %u-%u udp dport != @serving meta time < %lld ", near->ephemeral_from, near->ephemeral_to,
			(long long)near->settled);
		ruleset_write_ct_set(f, plan, GATE_MARK_TAKE);
	}
	fputs("\n\t}\n", f);
}

/* What comes from outside to this machine (or to what it publishes: before any DNAT). The mark makes
 * rp_filter (with src_valid_mark) ask for the way that the answer will take. What was taken is answered by
 * us: who answers it from outside has forged his source. */
static void write_inbound(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain inbound {\n\t\tct direction reply ", f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_TAKE);
	fputs("drop\n\t\tct direction reply ", f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_OWN);
	fputs("meta mark set $own accept\n\t\tct state new ", f);
	ruleset_write_ct_set(f, plan, GATE_MARK_REPLY);
	fputs("\n\t\tct state new jump from_before\n\t\tmeta mark set $reply accept\n\t}\n", f);
}

/* A datagram that nobody waits for, let in, would be remembered as a connection from outside: a program that
 * opened its port next, and had to do with the source that was forged, would be taken to answer it, and go
 * by the main table. Dropped here, after any DNAT and IPVS, it is not remembered. TCP needs no such thing: the
 * kernel's reset ends it. */
static void write_unasked(FILE *f, const struct gate_plan *plan)
{
	fputs("\tchain unasked {\n\t\ttype filter hook input priority 110; policy accept;\n"
	      "\t\tmeta l4proto != udp accept\n\t\tct state != new accept\n\t\tmeta pkttype != host accept\n\t\tudp dport @serving accept\n"
	      "\t\tsocket transparent { 0, 1 } accept\n\t\t",
	      f);
	ruleset_write_ct_is(f, plan, "==", GATE_MARK_REPLY);
	fputs("counter name unheard drop\n\t}\n", f);
}

static int write_table(FILE *f, const struct gate_plan *plan, const struct gate_near *near)
{
	int result;

	fputs("table inet " GATE_NFT_TABLE " {\n\tcounter unheard { }\n", f);
	result = write_all_sets(f, plan, near);
	write_ports(f, "listening", near->listening, near->n_listening);
	write_ports(f, "serving", near->serving, near->n_serving);
	write_known_answers(f, near);
	write_answers(f, plan);
	write_from_before(f, plan, near);
	write_inbound(f, plan);
	if (plan->mode == GATE_TUN)
		ruleset_write_tun(f, plan);
	else if (plan->mode == GATE_TPROXY)
		ruleset_write_tproxy(f, plan);
	else
		ruleset_write_redirect(f, plan);
	write_unasked(f, plan);
	fputs("}\n", f);
	return result;
}

static int write_guard(FILE *f, const struct gate_plan *plan, const struct gate_near *near)
{
	int result;

	fputs("table inet " GATE_NFT_GUARD " {\n\tcounter " GATE_NFT_DROPPED " { }\n", f);
	result = write_all_sets(f, plan, near);
	ruleset_write_guard(f, plan);
	fputs("}\n", f);
	return result;
}

/* Made first, so that it is there to be deleted: `destroy` is too new a word. */
static void write_removal(FILE *f, const char *table)
{
	fprintf(f, "table inet %s\ndelete table inet %s\n", table, table);
}

static void write_replacement(FILE *f, const char *table, const char *set, const struct gate_prefix *own, int n, int family)
{
	fprintf(f, "flush set inet %s %s\n", table, set);
	for (int i = 0; i < n; i++)
		if (own[i].at.family == family) {
			fprintf(f, "add element inet %s %s { ", table, set);
			write_elements(f, own, n, family);
			fputs(" }\n", f);
			break;
		}
}

/* --- the room's functions ----------------------------------------------------------- */

static FILE *open_text(char **text, size_t *size)
{
	*text = NULL;
	return open_memstream(text, size);
}

/* Takes the text back where something failed on the way. */
static int close_text(FILE *f, char **text, int result)
{
	if (ferror(f))
		result = -ENOMEM;
	if (fclose(f) && !result)
		result = -ENOMEM;
	if (result) {
		free(*text);
		*text = NULL;
	}
	return result;
}

int gate_ruleset_up(const struct gate_plan *plan, const struct gate_near *near, char **text)
{
	size_t size;
	int result;
	FILE *f = open_text(text, &size);

	if (!f)
		return -ENOMEM;
	write_definitions(f, plan);
	write_removal(f, GATE_NFT_TABLE);
	write_removal(f, GATE_NFT_GUARD);
	result = names_are_quotable(plan) ? write_table(f, plan, near) : -EINVAL;
	if (!result && plan->kill_switch)
		result = write_guard(f, plan, near);
	return close_text(f, text, result);
}

int gate_ruleset_near(const struct gate_plan *plan, const struct gate_near *near, char **text)
{
	size_t size;
	int n;
	struct gate_prefix *own = ruleset_own_prefixes(near->prefixes, near->n, &n);
	FILE *f = open_text(text, &size);

	if (own && f) {
		write_replacement(f, GATE_NFT_TABLE, "near4", own, n, AF_INET);
		write_replacement(f, GATE_NFT_TABLE, "near6", own, n, AF_INET6);
	}
	if (own && f && plan->kill_switch) {
		write_replacement(f, GATE_NFT_GUARD, "near4", own, n, AF_INET);
		write_replacement(f, GATE_NFT_GUARD, "near6", own, n, AF_INET6);
	}
	free(own);
	return f ? close_text(f, text, own ? 0 : -ENOMEM) : -ENOMEM;
}

int gate_ruleset_down(bool guard_too, char **text)
{
	size_t size;
	FILE *f = open_text(text, &size);

	if (!f)
		return -ENOMEM;
	write_removal(f, GATE_NFT_TABLE);
	if (guard_too)
		write_removal(f, GATE_NFT_GUARD);
	return close_text(f, text, 0);
}
