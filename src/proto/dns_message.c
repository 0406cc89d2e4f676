/*
 * See dns_message.h. The only state is the caller's.
 *
 * Sources: RFC 1035 section 4 (message), 4.1.4 (compression), RFC 6891 (OPT),
 * RFC 2181 section 8 (a TTL with the top bit set is 0), RFC 4343 (case).
 *
 * A question cannot be compressed (nothing but the header stands before it),
 * so its bytes can be echoed into the answer at the same offset, and an answer
 * record names its owner by a pointer to offset 12.
 */
#include "proto/dns_message.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

enum { FLAG_QR = 0x80, FLAG_TC = 0x02, FLAG_RD = 0x01, FLAG_RA = 0x80, FLAG_CD = 0x10 };
enum { OPT_LEN = 11, RECORD_FIXED = 10 };
#define EDNS_DO 0x8000u
#define LABEL_MAX 63
#define WIRE_NAME_MAX 255

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

/* Bytes that text can carry without an escape and that no log or resolver
 * takes for something else. */
static bool plain_byte(uint8_t c) { return c > ' ' && c != '.' && c != '\\' && c != 0x7f; }

/* Appends one label to text; false if the name grows too long. */
static bool append_label(char *text, size_t *n, const uint8_t *label, size_t len, bool *plain)
{
	if (*n + (*n != 0) + len > DNS_NAME_TEXT_MAX)
		return false;
	if (*n)
		text[(*n)++] = '.';
	for (size_t i = 0; i < len; i++) {
		*plain &= plain_byte(label[i]);
		text[(*n)++] = (char)lower(label[i]);
	}
	return true;
}

int dns_message_read_name(const uint8_t *msg, size_t len, size_t off, char *text, size_t *next, bool *plain)
{
	size_t n = 0, limit = off;
	bool jumped = false, is_plain = true;

	for (;;) {
		if (off >= len)
			return -EINVAL;
		uint8_t c = msg[off];
		if (c == 0)
			break;
		if (c <= LABEL_MAX) {
			if (len - off < 1u + c || !append_label(text, &n, msg + off + 1, c, &is_plain))
				return -EINVAL;
			off += 1u + c;
			continue;
		}
		if ((c & 0xc0) != 0xc0 || len - off < 2)
			return -EINVAL;
		size_t to = (size_t)(c & 0x3f) << 8 | msg[off + 1];
		if (!jumped)
			*next = off + 2;
		jumped = true;
		/* Strictly before every byte read so far: it ends, whatever the bytes are. */
		if (to < DNS_HEADER_LEN || to >= limit)
			return -EINVAL;
		limit = off = to;
	}
	if (!jumped)
		*next = off + 1;
	text[n] = 0;
	if (plain)
		*plain = is_plain;
	return (int)n;
}

int dns_message_write_name(const char *text, size_t text_len, uint8_t *out)
{
	size_t n = 0;

	if (text_len && text[text_len - 1] == '.')
		text_len--;
	while (text_len) {
		const char *dot = memchr(text, '.', text_len);
		size_t label = dot ? (size_t)(dot - text) : text_len;
		if (label == 0 || label > LABEL_MAX || n + 1 + label + 1 > WIRE_NAME_MAX)
			return -EINVAL;
		out[n++] = (uint8_t)label;
		memcpy(out + n, text, label);
		n += label;
		text += label;
		text_len -= label;
		if (dot) {
			text++;
			if (--text_len == 0)
				return -EINVAL;
		}
	}
	out[n++] = 0;
	return (int)n;
}

/* ---- queries ---- */

/* One resource record at *off; moves *off behind it. */
static int read_record(const uint8_t *msg, size_t len, size_t *off, struct dns_record *out)
{
	char owner[DNS_NAME_TEXT_MAX + 1];
	size_t at;

	if (dns_message_read_name(msg, len, *off, owner, &at, NULL) < 0 || len - at < RECORD_FIXED)
		return -EINVAL;
	const uint8_t *p = msg + at;
	out->type = get16(p);
	out->class = get16(p + 2);
	out->ttl = get32(p + 4);
	out->len = get16(p + 8);
	out->data = p + RECORD_FIXED;
	if (len - at - RECORD_FIXED < out->len)
		return -EINVAL;
	*off = at + RECORD_FIXED + out->len;
	return 0;
}

/* The records behind a query's question: OPT matters, TSIG and others do not. */
static int read_additional(const uint8_t *msg, size_t len, unsigned count, struct dns_question *q)
{
	size_t off = q->end;
	struct dns_record r;

	while (count--) {
		if (read_record(msg, len, &off, &r) < 0)
			return -EINVAL;
		if (r.type != DNS_TYPE_OPT)
			continue;
		if (q->edns) /* RFC 6891 section 6.1.1: at most one */
			return -EINVAL;
		q->edns = true;
		q->edns_version = (uint8_t)(r.ttl >> 16);
		q->dnssec_ok = r.ttl & EDNS_DO;
		if (r.class > DNS_UDP_MIN)
			q->udp_size = r.class;
	}
	return q->edns && q->edns_version != 0 ? -EPROTO : 0;
}

static int read_question(const uint8_t *msg, size_t len, struct dns_question *q)
{
	size_t at = 0;
	int n = dns_message_read_name(msg, len, DNS_HEADER_LEN, q->name, &at, &q->plain);

	if (n < 0 || len - at < 4)
		return -EINVAL;
	q->name_len = (uint8_t)n;
	q->type = get16(msg + at);
	q->class = get16(msg + at + 2);
	q->end = at + 4;
	return 0;
}

int dns_message_parse_query(const uint8_t *msg, size_t len, struct dns_question *q)
{
	*q = (struct dns_question){ .end = DNS_HEADER_LEN, .udp_size = DNS_UDP_MIN };
	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX || (msg[2] & FLAG_QR))
		return -EBADMSG;
	q->id = get16(msg);
	q->opcode = msg[2] >> 3 & 15;
	q->recursion_desired = msg[2] & FLAG_RD;
	q->checking_disabled = msg[3] & FLAG_CD;
	if (q->opcode != 0)
		return -ENOTSUP;
	if (get16(msg + 4) != 1 || read_question(msg, len, q) < 0)
		return -EINVAL;
	return read_additional(msg, len, (unsigned)get16(msg + 6) + get16(msg + 8) + get16(msg + 10), q);
}

enum dns_rcode dns_message_error_rcode(int err)
{
	switch (err) {
	case -ENOTSUP:
		return DNS_RCODE_NOTIMP;
	case -EPROTO:
		return DNS_RCODE_BADVERS;
	default:
		return DNS_RCODE_FORMERR;
	}
}

/* ---- answers ---- */

void dns_reply_begin(struct dns_reply *r, uint8_t *out, size_t room, const uint8_t *query, const struct dns_question *q,
		     unsigned rcode)
{
	bool question = q->end > DNS_HEADER_LEN;

	*r = (struct dns_reply){ .out = out, .room = room - (q->edns ? OPT_LEN : 0), .q = q, .rcode = rcode };
	memset(out, 0, DNS_HEADER_LEN);
	put16(out, q->id);
	out[2] = (uint8_t)(FLAG_QR | q->opcode << 3 | (q->recursion_desired ? FLAG_RD : 0));
	out[3] = (uint8_t)(FLAG_RA | (q->checking_disabled ? FLAG_CD : 0) | (rcode & 15));
	if (question)
		memcpy(out + DNS_HEADER_LEN, query + DNS_HEADER_LEN, q->end - DNS_HEADER_LEN);
	put16(out + 4, question);
	r->len = q->end;
}

void dns_reply_add(struct dns_reply *r, uint16_t type, uint32_t ttl, const void *data, size_t len)
{
	uint8_t *p = r->out + r->len;

	if (r->truncated || r->len + 2 + RECORD_FIXED + len > r->room) {
		r->truncated = true;
		return;
	}
	put16(p, 0xc000 | DNS_HEADER_LEN);
	put16(p + 2, type);
	put16(p + 4, DNS_CLASS_IN);
	put32(p + 6, ttl);
	put16(p + 10, (unsigned)len);
	memcpy(p + 2 + RECORD_FIXED, data, len);
	r->len += 2 + RECORD_FIXED + len;
	put16(r->out + 6, get16(r->out + 6) + 1u);
}

int dns_reply_add_name(struct dns_reply *r, uint16_t type, uint32_t ttl, const char *text, size_t text_len)
{
	uint8_t wire[WIRE_NAME_MAX];
	int n = dns_message_write_name(text, text_len, wire);

	if (n < 0)
		return n;
	dns_reply_add(r, type, ttl, wire, (size_t)n);
	return 0;
}

static void add_opt(struct dns_reply *r)
{
	uint8_t *p = r->out + r->len;

	p[0] = 0;
	put16(p + 1, DNS_TYPE_OPT);
	put16(p + 3, DNS_UDP_MAX);
	put32(p + 5, (uint32_t)(r->rcode >> 4) << 24 | (r->q->dnssec_ok ? EDNS_DO : 0));
	put16(p + 9, 0);
	r->len += OPT_LEN;
	put16(r->out + 10, 1);
}

size_t dns_reply_end(struct dns_reply *r)
{
	if (r->truncated)
		r->out[2] |= FLAG_TC;
	if (r->q->edns)
		add_opt(r);
	return r->len;
}

/* ---- replies ---- */

void dns_message_set_id(uint8_t *msg, uint16_t id) { put16(msg, id); }

static bool same_question(const struct dns_question *a, const struct dns_question *b)
{
	return a->type == b->type && a->class == b->class && a->name_len == b->name_len &&
	       !memcmp(a->name, b->name, a->name_len);
}

bool dns_message_answers(const uint8_t *reply, size_t reply_len, const uint8_t *query, size_t query_len)
{
	struct dns_question a, b;

	if (reply_len < DNS_HEADER_LEN || query_len < DNS_HEADER_LEN || !(reply[2] & FLAG_QR))
		return false;
	/* An error may come without the question (RFC 1035 asks for no echo in FORMERR). */
	if (get16(reply + 4) == 0)
		return dns_message_rcode(reply) != DNS_RCODE_OK;
	if (get16(reply + 4) != 1 || read_question(reply, reply_len, &a) < 0 || read_question(query, query_len, &b) < 0)
		return false;
	return same_question(&a, &b);
}

int dns_records_begin(struct dns_records *it, const uint8_t *msg, size_t len)
{
	char name[DNS_NAME_TEXT_MAX + 1];
	size_t off = DNS_HEADER_LEN;

	if (len < DNS_HEADER_LEN)
		return -EINVAL;
	for (unsigned n = get16(msg + 4); n; n--) {
		size_t at;
		if (dns_message_read_name(msg, len, off, name, &at, NULL) < 0 || len - at < 4)
			return -EINVAL;
		off = at + 4;
	}
	*it = (struct dns_records){ msg, len, off, get16(msg + 6), get16(msg + 8) };
	return 0;
}

int dns_records_next(struct dns_records *it, struct dns_record *out)
{
	if (!it->answers && !it->authorities)
		return 0;
	out->authority = !it->answers;
	if (read_record(it->msg, it->len, &it->off, out) < 0)
		return -EINVAL;
	if (out->ttl & 0x80000000u)
		out->ttl = 0;
	if (out->authority)
		it->authorities--;
	else
		it->answers--;
	return 1;
}
