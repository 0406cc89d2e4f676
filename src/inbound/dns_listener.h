/*
 * A dns inbound: queries that come to its address by UDP or TCP, answered by a
 * service (dns/service.h). What it listens on, and nothing else.
 */
#ifndef GATUN_INBOUND_DNS_LISTENER_H
#define GATUN_INBOUND_DNS_LISTENER_H

#include "dns/service.h"
#include "inbound/inbound.h"

struct dns_listener_options {
	struct addr listen, listen_udp;
	bool tcp, udp;
	struct dns_service *service; /* borrowed */
};

struct dns_listener;
/* Of the events, admit alone is asked, of TCP clients. NULL: *err is the errno of bind or listen. */
struct dns_listener *dns_listener_new(const struct dns_listener_options *, const struct inbound_events *, void *owner, int *err);
/* Its streams are ended by dns_serve_free(). */
void dns_listener_free(struct dns_listener *);

#endif
