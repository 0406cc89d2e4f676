/*
 * What a query gets: an answer made here, or a trip to the upstream server.
 * Bytes in, bytes out; it knows neither where a query came from nor how the
 * upstream is reached.
 */
#ifndef GATUN_DNS_ANSWER_H
#define GATUN_DNS_ANSWER_H

#include "base/addr.h"
#include "conf/config.h"
#include "proto/dns_message.h"

enum dns_outcome {
	DNS_DROP,     /* not a query */
	DNS_ANSWERED, /* out[0..*out_len) is the answer */
	DNS_FORWARD,  /* upstream knows */
};

/* An answer made here fits in this, always (the longest name, its longest
 * record, OPT), and so in a datagram without EDNS. */
#define DNS_ANSWER_MAX DNS_UDP_MIN

/* Reads a query. DNS_FORWARD: it is one, for dns_answer_question(); DNS_ANSWERED: a broken one. */
enum dns_outcome dns_answer_read(const uint8_t *msg, size_t len, struct dns_question *q, uint8_t *out, size_t *out_len);
/* What is answered here depends on the mode, see the table in answer.c. */
enum dns_outcome dns_answer_question(enum config_dns mode, const uint8_t *msg, const struct dns_question *q, uint64_t now_ms, uint8_t *out,
				     size_t *out_len);
/* The answer without records. Returns its length. */
size_t dns_answer_rcode(const uint8_t *msg, const struct dns_question *q, unsigned rcode, uint8_t *out);
/* What upstream said, under the query's id, into out[limit]: whole if it fits,
 * else truncated (TC). reply_len 0: SERVFAIL. Returns its length. */
size_t dns_answer_upstream(const uint8_t *msg, const struct dns_question *q, const uint8_t *reply, size_t reply_len,
			   uint8_t *out, size_t limit);
/* Is the name one of reverse look-up (4.3.2.1.in-addr.arpa and its IPv6 kin)? Then of this address. */
bool dns_answer_arpa(const struct dns_question *q, struct addr *out);
/* How large a datagram to this client may be. */
size_t dns_answer_udp_limit(const struct dns_question *q);

#endif
