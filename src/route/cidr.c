/*
 * Prefixes as a trie of 6 bits a step (a "poptrie"). A node is two bitmaps of
 * 64 slots: `full`, slots that lie whole in a prefix, and `deeper`, slots in
 * which longer prefixes begin; the nodes of the deeper slots stand side by
 * side from `base` on, so the one of slot i is found by counting the bits of
 * `deeper` below i. A node is 24 bytes: 100,000 prefixes are a few megabytes,
 * and one step touches one cache line.
 *
 * It is built once, from the sorted prefixes without those that another one
 * covers; then a slot is never both full and deeper. Prefixes that do not end
 * on a multiple of 6 fill a run of slots. No slot is ever added later, hence
 * cidr_seal().
 */
#include "route/cidr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define STRIDE 6
#define SLOTS (1u << STRIDE)
#define IP_BYTES 16

struct cidr_rule {
	uint8_t ip[IP_BYTES]; /* zero behind the prefix */
	uint8_t bits;
};

struct cidr_node {
	uint64_t full, deeper;
	uint32_t base;
};

unsigned cidr_bits_max(const struct addr *a)
{
	return (unsigned)addr_ip_len(a) * 8;
}

/* The 6 bits of ip from bit `at` on; zeros follow the last one. */
static unsigned slot_of(const uint8_t *ip, unsigned at)
{
	unsigned byte = at / 8, two = (unsigned)ip[byte] << 8 | (byte + 1 < IP_BYTES ? ip[byte + 1] : 0);

	return two >> (16 - STRIDE - at % 8) & (SLOTS - 1);
}

/* ---- filling ---- */

static void mask_rule(struct cidr_rule *r)
{
	unsigned whole = r->bits / 8;

	if (whole == IP_BYTES)
		return;
	r->ip[whole] &= (uint8_t)~(0xffu >> r->bits % 8);
	memset(r->ip + whole + 1, 0, IP_BYTES - whole - 1);
}

int cidr_add(struct cidr_set *s, const struct addr *a, unsigned bits)
{
	struct cidr_family *f = a->family == AF_INET6 ? &s->v6 : &s->v4;
	struct cidr_rule *r;

	if (!a->family || bits > cidr_bits_max(a))
		return -EINVAL;
	if (f->nodes)
		return -EBUSY;
	if (array_reserve(&f->rules, &f->rules_room, f->n_rules + 1, sizeof(*f->rules)) < 0)
		return -ENOMEM;
	r = &f->rules[f->n_rules++];
	memset(r->ip, 0, IP_BYTES);
	memcpy(r->ip, a->ip.bytes, addr_ip_len(a));
	r->bits = (uint8_t)bits;
	mask_rule(r);
	return 0;
}

/* ---- building ---- */

/* By address, the shorter prefix first: what covers stands before what it covers. */
static int compare(const void *a, const void *b)
{
	const struct cidr_rule *x = a, *y = b;
	int order = memcmp(x->ip, y->ip, IP_BYTES);

	return order ? order : (int)x->bits - (int)y->bits;
}

static bool covers(const struct cidr_rule *outer, const struct cidr_rule *inner)
{
	struct cidr_rule cut = *inner;

	if (inner->bits < outer->bits)
		return false;
	cut.bits = outer->bits;
	mask_rule(&cut);
	return memcmp(cut.ip, outer->ip, IP_BYTES) == 0;
}

static void drop_covered(struct cidr_family *f)
{
	uint32_t kept = 1;

	for (uint32_t i = 1; i < f->n_rules; i++)
		if (!covers(&f->rules[kept - 1], &f->rules[i]))
			f->rules[kept++] = f->rules[i];
	f->n_rules = kept;
}

/* The slots of a prefix that ends in the node of depth `at`. */
static uint64_t run_of(const struct cidr_rule *r, unsigned at)
{
	unsigned count = 1u << (at + STRIDE - r->bits);
	uint64_t ones = count == SLOTS ? ~0ull : (1ull << count) - 1;

	return ones << slot_of(r->ip, at);
}

/* The node of rules[from..to), which agree in their first `at` bits. */
static int build(struct cidr_family *f, uint32_t node, uint32_t from, uint32_t to, unsigned at)
{
	struct cidr_node n = { .base = f->n_nodes };
	uint32_t child;

	for (uint32_t i = from; i < to; i++) {
		if (f->rules[i].bits <= at + STRIDE)
			n.full |= run_of(&f->rules[i], at);
		else
			n.deeper |= 1ull << slot_of(f->rules[i].ip, at);
	}
	child = n.base;
	f->n_nodes += (uint32_t)__builtin_popcountll(n.deeper);
	if (array_reserve(&f->nodes, &f->nodes_room, f->n_nodes, sizeof(*f->nodes)) < 0)
		return -ENOMEM;
	f->nodes[node] = n;
	for (uint32_t i = from, end; i < to; i = end) {
		unsigned slot = slot_of(f->rules[i].ip, at);

		end = i + 1;
		if (f->rules[i].bits <= at + STRIDE)
			continue;
		while (end < to && slot_of(f->rules[end].ip, at) == slot)
			end++;
		if (build(f, child++, i, end, at + STRIDE) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int seal(struct cidr_family *f)
{
	int err;

	if (!f->n_rules || f->nodes)
		return 0;
	qsort(f->rules, f->n_rules, sizeof(*f->rules), compare);
	drop_covered(f);
	err = array_reserve(&f->nodes, &f->nodes_room, 1, sizeof(*f->nodes));
	f->n_nodes = 1;
	if (!err)
		err = build(f, 0, 0, f->n_rules, 0);
	free(f->rules);
	f->rules = NULL;
	return err;
}

int cidr_seal(struct cidr_set *s)
{
	int err = seal(&s->v4);

	return err ? err : seal(&s->v6);
}

/* ---- asking ---- */

bool cidr_contains(const struct cidr_set *s, const struct addr *a)
{
	const struct cidr_family *f = a->family == AF_INET6 ? &s->v6 : &s->v4;
	const struct cidr_node *n = f->nodes;

	if (!n || !a->family)
		return false;
	for (unsigned at = 0;; at += STRIDE) {
		uint64_t bit = 1ull << slot_of(a->ip.bytes, at);

		if (n->full & bit)
			return true;
		if (!(n->deeper & bit))
			return false;
		n = &f->nodes[n->base + (uint32_t)__builtin_popcountll(n->deeper & (bit - 1))];
	}
}

bool cidr_is_empty(const struct cidr_set *s)
{
	return !s->v4.n_rules && !s->v6.n_rules;
}

static void free_family(struct cidr_family *f)
{
	free(f->rules);
	free(f->nodes);
	*f = (struct cidr_family){ 0 };
}

void cidr_free(struct cidr_set *s)
{
	free_family(&s->v4);
	free_family(&s->v6);
}
