/* Rules, routes and prefixes as ip(8) spells them, so that a reader can type them. */
#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>

#include "gate/parts.h"

struct line {
	char *text;
	size_t len;
};

static void add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->text + l->len, GATE_WORDS - l->len, fmt, args);
	va_end(args);
	l->len += n > 0 ? (size_t)n : 0;
	if (l->len >= GATE_WORDS)
		l->len = GATE_WORDS - 1;
}

static void add_ip(struct line *l, const char *word, const struct addr *a)
{
	char text[INET6_ADDRSTRLEN];

	if (a->family && inet_ntop(a->family, a->ip.bytes, text, sizeof(text)))
		add(l, "%s%s", word, text);
}

static void add_prefix(struct line *l, const struct addr *at, uint8_t len)
{
	if (!len) {
		add(l, "default");
		return;
	}
	add_ip(l, "", at);
	if (len < 8 * addr_ip_len(at))
		add(l, "/%u", len);
}

static void add_table(struct line *l, const char *word, uint32_t table)
{
	if (table == RT_TABLE_MAIN)
		add(l, " %s main", word);
	else
		add(l, " %s %u", word, table);
}

char *gate_prefix_words(const struct gate_prefix *p, char text[GATE_WORDS])
{
	struct line l = { text, 0 };

	add_ip(&l, "", &p->at);
	add(&l, "/%u", p->len);
	return text;
}

char *gate_rule_words(const struct netlink_rule *r, char text[GATE_WORDS])
{
	struct line l = { text, 0 };

	add(&l, "priority %u", r->priority);
	if (r->inverted)
		add(&l, " not");
	if (r->mask == UINT32_MAX)
		add(&l, " fwmark 0x%x", r->mark);
	else if (r->mask)
		add(&l, " fwmark 0x%x/0x%x", r->mark, r->mask);
	if (r->iif[0])
		add(&l, " iif %s", r->iif);
	if (r->uids)
		add(&l, " uidrange %u-%u", r->uid_from, r->uid_to);
	if (r->ip_protocol)
		add(&l, r->ip_protocol == IPPROTO_TCP ? " ipproto tcp" : r->ip_protocol == IPPROTO_UDP ?
		    " ipproto udp" : " ipproto %u", r->ip_protocol);
	if (r->port_from)
		add(&l, r->port_to == r->port_from ? " dport %u" : " dport %u-%u", r->port_from, r->port_to);
	if (r->action == FR_ACT_TO_TBL)
		add_table(&l, "lookup", r->table);
	else
		add(&l, r->action == FR_ACT_UNREACHABLE ? " unreachable" : " action %u", r->action);
	if (r->not_default)
		add(&l, " suppress_prefixlength 0");
	if (r->protocol)
		add(&l, " protocol %u", r->protocol);
	return text;
}

static const char *type_word(uint8_t type)
{
	switch (type) {
	case RTN_LOCAL: return "local ";
	case RTN_UNREACHABLE: return "unreachable ";
	case RTN_BLACKHOLE: return "blackhole ";
	case RTN_PROHIBIT: return "prohibit ";
	case RTN_THROW: return "throw ";
	default: return "";
	}
}

char *gate_route_words(const struct netlink_route *r, char text[GATE_WORDS])
{
	struct line l = { text, 0 };
	char name[IFNAMSIZ];

	add(&l, "%s", type_word(r->type));
	add_prefix(&l, &r->dst, r->len);
	add_ip(&l, r->gateway.family == AF_INET6 && r->family == AF_INET ? " via inet6 " : " via ", &r->gateway);
	if (r->oif && if_indextoname((unsigned)r->oif, name))
		add(&l, " dev %s", name);
	add_ip(&l, " src ", &r->source);
	if (r->type == RTN_UNICAST && r->scope == RT_SCOPE_LINK && r->family == AF_INET)
		add(&l, " scope link");
	else if (r->type == RTN_UNICAST && r->scope == RT_SCOPE_UNIVERSE && r->family == AF_INET && !r->gateway.family)
		add(&l, " scope global"); /* ip(8) would take link */
	if (r->metric)
		add(&l, " metric %u", r->metric);
	add_table(&l, "table", r->table);
	add(&l, " proto %u", r->protocol);
	return text;
}
