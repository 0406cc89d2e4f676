/*
 * Which name an address was asked for by: where a question was answered with
 * real addresses (its name goes past the proxy, or names are asked through the
 * tunnel), a list's rules by name shall decide about the connection that
 * follows, of which only the address is seen.
 *
 * A fixed number of addresses, the latest name of each, for an hour. Processes
 * that fork() made after it share it without a lock. Forgetting costs no more
 * than that such a connection is decided by its address alone.
 */
#ifndef GATUN_DNS_SEEN_H
#define GATUN_DNS_SEEN_H

#include "base/addr.h"

#define DNS_SEEN_MS (60u * 60 * 1000)

struct dns_seen;
struct dns_seen *dns_seen_new(bool shared); /* NULL: no memory */
void dns_seen_free(struct dns_seen *);	    /* NULL is nothing */

/* `name`: lower case, without a last dot. */
void dns_seen_note(struct dns_seen *, const struct addr *, const char *name, size_t len, uint64_t now_ms);
/* True: *name is that name, with the address's port. Ports are not looked at. */
bool dns_seen_find(const struct dns_seen *, const struct addr *, uint64_t now_ms, struct target *name);

#endif
