/*
 * Who answers the queries that an inbound takes: what is answered here depends
 * on the mode (answer.h), everything else is asked of somebody. The queries of
 * a TUN have one, each dns inbound has its own.
 */
#ifndef GATUN_DNS_SERVICE_H
#define GATUN_DNS_SERVICE_H

#include "dns/answer.h"
#include "dns/upstream.h"
#include "io/stream.h"

struct dns_service;

struct dns_service_ops {
	/* The mode for this question. NULL: the service's own. */
	enum config_dns (*mode)(struct dns_service *, const struct dns_question *);
	/* What a question is refused with instead of being asked, or DNS_RCODE_OK.
	 * NULL: none is. */
	unsigned (*refuse)(struct dns_service *, const struct dns_question *);
	/* As dns_upstream_ask(). NULL: it cannot be asked now. */
	void *(*ask)(struct dns_service *, const struct dns_question *, const uint8_t *query, size_t len, dns_upstream_done *done,
		     void *owner);
	void (*cancel)(struct dns_service *, void *request);
};

struct dns_service {
	const struct dns_service_ops *ops;
	enum config_dns mode;
};

/* What answer.h has for it, and then refuse(). */
enum dns_outcome dns_service_answer(struct dns_service *, const uint8_t *msg, size_t len, uint64_t now_ms, struct dns_question *q,
				    uint8_t *out, size_t *out_len);

/* Takes the stream (accepts it, answers queries with 2-byte lengths, ends it). */
void dns_service_serve(struct dns_service *, struct stream *);
/* Ends every stream that this service has. */
void dns_service_end(struct dns_service *);

#endif
