/*
 * See answer.h. In fake mode:
 *
 *	A, AAAA, ANY     the name's fake addresses, TTL 1
 *	HTTPS, SVCB      nothing: their hints would name real addresses
 *	PTR              of a fake or loopback address: its name
 *	localhost        loopback (RFC 6761), whatever the type says of the rest
 *	.local           NXDOMAIN (RFC 6762): multicast does not pass the tunnel
 *	a single label   NXDOMAIN for addresses: the resolver's search list has
 *	                 had its turn before the name came here without a domain
 *	AXFR, IXFR       REFUSED: a transfer is many messages, and we are no primary
 *	all else         upstream (MX, TXT, SRV, NS, CAA, DNSKEY, other classes...)
 *
 * In upstream mode only localhost is ours; everything else is asked. Where IPv6
 * is not carried no name has an AAAA, in either mode.
 *
 * A name that a SOCKS-style domain field cannot carry (a dot, a space or a NUL
 * inside a label) has no address here: NXDOMAIN.
 */
#include "dns/answer.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "dns/state.h"

#define FAKE_TTL 1u
#define LOOPBACK_TTL 3600u

/* ---- names ---- */

/* True for `tail` itself and for all below it. */
static bool is_under(const struct dns_question *q, const char *tail)
{
	size_t n = strlen(tail);

	if (q->name_len < n || memcmp(q->name + q->name_len - n, tail, n) != 0)
		return false;
	return q->name_len == n || q->name[q->name_len - n - 1] == '.';
}

static bool is_single_label(const struct dns_question *q)
{
	return !memchr(q->name, '.', q->name_len);
}

/* Reads "4.3.2.1.in-addr.arpa" and its IPv6 kin. */
static bool parse_arpa4(const struct dns_question *q, struct addr *out)
{
	static const char tail[] = "in-addr.arpa";
	const char *p = q->name;
	uint8_t ip[4];

	if (!is_under(q, tail))
		return false;
	for (int i = 3; i >= 0; i--) {
		unsigned v = 0, digits = 0;

		for (; *p >= '0' && *p <= '9' && digits < 3; p++, digits++)
			v = v * 10 + (unsigned)(*p - '0');
		if (!digits || v > 255 || *p++ != '.')
			return false;
		ip[i] = (uint8_t)v;
	}
	*out = addr_v4(ip, 0);
	return !strcmp(p, tail);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_arpa6(const struct dns_question *q, struct addr *out)
{
	static const char tail[] = "ip6.arpa";
	const char *p = q->name;
	uint8_t ip[16];

	if (q->name_len != 64 + sizeof(tail) - 1 || strcmp(p + 64, tail) != 0)
		return false;
	for (int i = 15; i >= 0; i--, p += 4) {
		int low = hex(p[0]), high = hex(p[2]);

		if (low < 0 || high < 0 || p[1] != '.' || p[3] != '.')
			return false;
		ip[i] = (uint8_t)(high << 4 | low);
	}
	*out = addr_v6(ip, 0);
	return true;
}

bool dns_answer_arpa(const struct dns_question *q, struct addr *out)
{
	return parse_arpa4(q, out) || parse_arpa6(q, out);
}

static bool is_loopback(const struct addr *a)
{
	if (a->family == AF_INET)
		return a->ip.bytes[0] == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->ip.v6);
}

/* ---- records ---- */

static bool wants(const struct dns_question *q, uint16_t type)
{
	return q->type == type || q->type == DNS_TYPE_ANY;
}

static size_t answer_localhost(const uint8_t *msg, const struct dns_question *q, uint8_t *out)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	struct dns_reply r;

	dns_reply_begin(&r, out, DNS_ANSWER_MAX, msg, q, DNS_RCODE_OK);
	if (wants(q, DNS_TYPE_A))
		dns_reply_add(&r, DNS_TYPE_A, LOOPBACK_TTL, v4, sizeof(v4));
	if (wants(q, DNS_TYPE_AAAA))
		dns_reply_add(&r, DNS_TYPE_AAAA, LOOPBACK_TTL, &in6addr_loopback, sizeof(in6addr_loopback));
	return dns_reply_end(&r);
}

static size_t answer_address(const uint8_t *msg, const struct dns_question *q, uint64_t now_ms, uint8_t *out)
{
	struct fakeip *fakes = dns_state.fakes;
	struct dns_reply r;
	uint32_t index;

	if (!q->plain || is_single_label(q))
		return dns_answer_rcode(msg, q, q->name_len ? DNS_RCODE_NXDOMAIN : DNS_RCODE_OK, out);
	if (fakeip_assign(fakes, q->name, q->name_len, now_ms, &index) < 0) {
		log_warn("no fake address is free: a name gets SERVFAIL mapped=%u", fakeip_count(fakes));
		return dns_answer_rcode(msg, q, DNS_RCODE_SERVFAIL, out);
	}
	struct addr v4 = fakeip_v4(fakes, index, 0), v6 = fakeip_v6(fakes, index, 0);
	dns_reply_begin(&r, out, DNS_ANSWER_MAX, msg, q, DNS_RCODE_OK);
	if (wants(q, DNS_TYPE_A))
		dns_reply_add(&r, DNS_TYPE_A, FAKE_TTL, v4.ip.bytes, 4);
	if (wants(q, DNS_TYPE_AAAA) && !dns_state.no_ipv6)
		dns_reply_add(&r, DNS_TYPE_AAAA, FAKE_TTL, v6.ip.bytes, 16);
	dns_state.counters.fake_answers++;
	return dns_reply_end(&r);
}

/* PTR of an address of ours; 0: upstream knows better. */
static size_t answer_ptr(const uint8_t *msg, const struct dns_question *q, uint8_t *out)
{
	static const char localhost[] = "localhost";
	char name[TARGET_NAME_MAX + 1];
	struct dns_reply r;
	struct addr a;
	uint32_t index;
	uint8_t len;

	if (!dns_answer_arpa(q, &a))
		return 0;
	if (!is_loopback(&a) && !fakeip_is_fake(dns_state.fakes, &a))
		return 0;
	len = fakeip_find(dns_state.fakes, &a, name, &index);
	if (!len && !is_loopback(&a))
		return dns_answer_rcode(msg, q, DNS_RCODE_NXDOMAIN, out);
	dns_reply_begin(&r, out, DNS_ANSWER_MAX, msg, q, DNS_RCODE_OK);
	if (len && dns_reply_add_name(&r, DNS_TYPE_PTR, FAKE_TTL, name, len) < 0)
		return dns_answer_rcode(msg, q, DNS_RCODE_SERVFAIL, out);
	if (!len)
		dns_reply_add_name(&r, DNS_TYPE_PTR, LOOPBACK_TTL, localhost, sizeof(localhost) - 1);
	return dns_reply_end(&r);
}

static size_t answer_fake(const uint8_t *msg, const struct dns_question *q, uint64_t now_ms, uint8_t *out)
{
	if (is_under(q, "local"))
		return dns_answer_rcode(msg, q, DNS_RCODE_NXDOMAIN, out);
	switch (q->type) {
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA:
	case DNS_TYPE_ANY:
		return answer_address(msg, q, now_ms, out);
	case DNS_TYPE_HTTPS:
	case DNS_TYPE_SVCB:
		return dns_answer_rcode(msg, q, is_single_label(q) ? DNS_RCODE_NXDOMAIN : DNS_RCODE_OK, out);
	case DNS_TYPE_PTR:
		return answer_ptr(msg, q, out);
	default:
		return 0;
	}
}

/* ---- the decision ---- */

static size_t answer_here(enum config_dns mode, const uint8_t *msg, const struct dns_question *q, uint64_t now_ms, uint8_t *out)
{
	if (q->type == DNS_TYPE_AXFR || q->type == DNS_TYPE_IXFR)
		return dns_answer_rcode(msg, q, DNS_RCODE_REFUSED, out);
	if (q->class != DNS_CLASS_IN && q->class != DNS_CLASS_ANY)
		return 0;
	if (is_under(q, "localhost"))
		return answer_localhost(msg, q, out);
	if (q->type == DNS_TYPE_AAAA && dns_state.no_ipv6)
		return dns_answer_rcode(msg, q, DNS_RCODE_OK, out);
	return mode == DNS_FAKE ? answer_fake(msg, q, now_ms, out) : 0;
}

enum dns_outcome dns_answer_read(const uint8_t *msg, size_t len, struct dns_question *q, uint8_t *out, size_t *out_len)
{
	int ret = dns_message_parse_query(msg, len, q);

	if (ret == -EBADMSG)
		return DNS_DROP;
	dns_state.counters.queries++;
	if (ret == 0)
		return DNS_FORWARD;
	*out_len = dns_answer_rcode(msg, q, dns_message_error_rcode(ret), out);
	return DNS_ANSWERED;
}

enum dns_outcome dns_answer_question(enum config_dns mode, const uint8_t *msg, const struct dns_question *q, uint64_t now_ms, uint8_t *out,
				     size_t *out_len)
{
	*out_len = answer_here(mode, msg, q, now_ms, out);
	return *out_len ? DNS_ANSWERED : DNS_FORWARD;
}

size_t dns_answer_rcode(const uint8_t *msg, const struct dns_question *q, unsigned rcode, uint8_t *out)
{
	struct dns_reply r;

	dns_reply_begin(&r, out, DNS_ANSWER_MAX, msg, q, rcode);
	return dns_reply_end(&r);
}

size_t dns_answer_upstream(const uint8_t *msg, const struct dns_question *q, const uint8_t *reply, size_t reply_len,
			   uint8_t *out, size_t limit)
{
	struct dns_reply r;

	if (!reply_len)
		return dns_answer_rcode(msg, q, DNS_RCODE_SERVFAIL, out);
	if (reply_len <= limit) {
		memcpy(out, reply, reply_len);
		dns_message_set_id(out, q->id);
		return reply_len;
	}
	dns_reply_begin(&r, out, limit, msg, q, dns_message_rcode(reply));
	r.truncated = true;
	return dns_reply_end(&r);
}

size_t dns_answer_udp_limit(const struct dns_question *q)
{
	return q->udp_size < DNS_UDP_MAX ? q->udp_size : DNS_UDP_MAX;
}
