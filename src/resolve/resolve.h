/*
 * Names to addresses, by c-ares, with /etc/hosts, an optional hosts file of
 * our own, and a cache that keeps TTLs and negative answers. Simultaneous
 * askers of one name share one query. It does not know who asks.
 */
#ifndef GATUN_RESOLVE_RESOLVE_H
#define GATUN_RESOLVE_RESOLVE_H

#include "base/addr.h"
#include "io/socket_rules.h"

struct resolve_options {
	const char *hosts_file;	 /* "IP name [name...]" lines that win over DNS; or NULL */
	const char *servers;	 /* "1.1.1.1,[2606:4700::1]:53", or NULL for resolv.conf */
	bool captured; /* a resolver on this machine would ask us in the end: those that it asks are asked (system.h) */
	const struct socket_rules *rules; /* of the resolver's own sockets, or NULL; copied */
	uint32_t cache_max;	 /* names remembered; 0 = 4096 */
};

/* 0 or -errno; a hosts file that cannot be read or has a broken line is an
 * error whose text goes to `err` ("FILE:LINE: what"). Cheap: c-ares and
 * /etc/hosts are loaded by the first question that needs them. Both files are
 * read again when they change; a change with an error keeps the old content. */
int resolve_init(const struct resolve_options *, char *err, size_t err_size);
void resolve_free(void);

/* Others in place of those, in two steps. What may fail, the own hosts file read again: 0 or -errno, as
 * above, and nothing has changed. The options' texts are borrowed until the next change. */
int resolve_prepare(const struct resolve_options *, char *err, size_t err_size);
/* Answers from other name servers, or by another way, are forgotten, and what they are being asked is asked anew. */
void resolve_apply(void);
void resolve_withdraw(void);

#define RESOLVE_MAX 16
struct resolved {
	int n;		       /* 0: the name has no address */
	struct addr addrs[RESOLVE_MAX]; /* IPv6 and IPv4 interleaved as RFC 8305 section 4 asks; ports 0 */
};

struct resolve_query; /* opaque */
/* What is known of this name from DNS is doubted: the next question asks anew,
 * unless the answer is younger than a second. */
void resolve_doubt(const char *name, size_t len);
/* The machine is in another network, or may be: everything known from DNS is forgotten,
 * and what is being asked is asked again by the new way. */
void resolve_network_changed(void);
typedef void resolve_done(void *owner, const struct resolved *);

/* An answer from literal, hosts or cache, without waiting: true and fills out. */
bool resolve_cached(const char *name, size_t len, struct resolved *out);
/* Never answers synchronously. Exactly one call of `done`, unless cancelled
 * or resolve_free() comes first. NULL: out of memory. */
struct resolve_query *resolve_start(const char *name, size_t len, resolve_done *done, void *owner);
void resolve_cancel(struct resolve_query *);

/* Forgets all answers; names are asked for anew. Returns how many there were. */
uint32_t resolve_flush(void);

struct resolve_counters {
	uint64_t asked;	   /* resolve_start() and resolve_cached() */
	uint64_t hits;	   /* answered without a DNS query */
	uint64_t failures; /* no server answered */
	uint64_t refused;  /* too many questions at once */
	uint32_t cached;   /* names in the cache now */
};
const struct resolve_counters *resolve_counters(void);

#endif
