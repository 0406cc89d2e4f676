/*
 * DNS messages (RFC 1035, EDNS of RFC 6891) as far as a forwarder and a
 * fake-IP responder need them: read a query's one question, build an answer to
 * it, walk the records of a reply. Bytes in, bytes out: no socket, no clock.
 *
 * - Every length is checked before it is read. A compressed name may only
 *   point backwards, behind the header, so reading one always ends.
 * - A question's name has two forms: the wire bytes, echoed as they came
 *   (0x20 case games survive), and text in lower case without the last dot,
 *   which is what maps are keyed by. `plain` says whether the text is that
 *   name and no other (a label may hold a dot, or a NUL: then it is not).
 * - A reply never exceeds the room that its owner gives it: what does not fit
 *   makes it truncated (TC).
 */
#ifndef GATUN_PROTO_DNS_MESSAGE_H
#define GATUN_PROTO_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER_LEN 12
#define DNS_MESSAGE_MAX 65535
#define DNS_UDP_MIN 512	 /* what every client takes without EDNS */
#define DNS_UDP_MAX 1232 /* what we send at most in one datagram: no fragment on any path (DNS flag day 2020) */
#define DNS_NAME_TEXT_MAX 253

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_SVCB = 64,
	DNS_TYPE_HTTPS = 65,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_ANY = 255,
};

enum { DNS_CLASS_IN = 1, DNS_CLASS_ANY = 255 };

enum dns_rcode {
	DNS_RCODE_OK = 0,
	DNS_RCODE_FORMERR = 1,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5,
	DNS_RCODE_BADVERS = 16, /* needs EDNS */
};

struct dns_question {
	uint16_t id;
	uint8_t opcode;
	bool recursion_desired, checking_disabled;
	bool edns, dnssec_ok;
	uint8_t edns_version;
	uint16_t udp_size; /* what the client takes in one datagram: at least DNS_UDP_MIN */
	uint16_t type, class;
	size_t end; /* where the question ends in the query; DNS_HEADER_LEN: none was readable */
	bool plain;
	uint8_t name_len;
	char name[DNS_NAME_TEXT_MAX + 1];
};

/* Reads a query. 0; or the reason not to look it up, with *q good enough for
 * dns_reply_begin():
 *   -EBADMSG  not a query at all (shorter than a header, or a reply): drop it
 *   -EINVAL   broken: FORMERR
 *   -ENOTSUP  an opcode other than QUERY: NOTIMP
 *   -EPROTO   an EDNS version other than 0: BADVERS */
int dns_message_parse_query(const uint8_t *msg, size_t len, struct dns_question *q);
/* The rcode that answers such an error (not for -EBADMSG). */
enum dns_rcode dns_message_error_rcode(int err);

/* The name at `off` of a message as text in lower case; *next is where the
 * bytes after it stand. Returns the text's length (0: the root) or -EINVAL.
 * *plain, if wanted: see struct dns_question. text holds DNS_NAME_TEXT_MAX + 1. */
int dns_message_read_name(const uint8_t *msg, size_t len, size_t off, char *text, size_t *next, bool *plain);
/* Text (no escapes; a last dot is allowed) to wire. Returns its length or
 * -EINVAL. out holds 255. */
int dns_message_write_name(const char *text, size_t text_len, uint8_t *out);

/* ---- building the answer to a query ---- */

struct dns_reply {
	uint8_t *out;
	size_t room, len;
	const struct dns_question *q;
	unsigned rcode;
	bool truncated;
};

/* Starts an answer in out[room]: id, RD, CD and the question are echoed.
 * `query` are the bytes that q was parsed from. room >= DNS_UDP_MIN. */
void dns_reply_begin(struct dns_reply *r, uint8_t *out, size_t room, const uint8_t *query, const struct dns_question *q,
		     unsigned rcode);
/* Adds an answer record whose owner is the question's name. */
void dns_reply_add(struct dns_reply *r, uint16_t type, uint32_t ttl, const void *data, size_t len);
/* The same with a name as its data (PTR). An unwritable name is -EINVAL. */
int dns_reply_add_name(struct dns_reply *r, uint16_t type, uint32_t ttl, const char *text, size_t text_len);
/* Adds OPT if the query had it, fills in the flags; returns the length. */
size_t dns_reply_end(struct dns_reply *r);

/* ---- reading a reply ---- */

static inline uint16_t dns_message_id(const uint8_t *msg) { return (uint16_t)(msg[0] << 8 | msg[1]); }
void dns_message_set_id(uint8_t *msg, uint16_t id);
static inline unsigned dns_message_rcode(const uint8_t *msg) { return msg[3] & 15; }

/* True if `reply` is a reply to the question of `query` (id aside). Bytes of
 * the name compare without case. */
bool dns_message_answers(const uint8_t *reply, size_t reply_len, const uint8_t *query, size_t query_len);

struct dns_record {
	bool authority; /* else it is in the answer section */
	uint16_t type, class, len;
	uint32_t ttl;
	const uint8_t *data;
};

struct dns_records {
	const uint8_t *msg;
	size_t len, off;
	unsigned answers, authorities;
};

/* Walks the answer and authority sections. 0 or -EINVAL. */
int dns_records_begin(struct dns_records *it, const uint8_t *msg, size_t len);
/* 1 with *out filled, 0 at the end, -EINVAL where the bytes stop making sense. */
int dns_records_next(struct dns_records *it, struct dns_record *out);

#endif
