/*
 * One document by HTTPS, in the loop: libcurl's multi interface on our watches
 * and timers. Its sockets obey the rules of outbound ones (mark, device, address),
 * names are resolved by resolve/, certificates are verified, and what comes is
 * bounded in size and time. Proxies of the environment are not asked.
 */
#ifndef GATUN_CLIENT_FETCH_H
#define GATUN_CLIENT_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "io/socket_rules.h"

struct fetch_options {
	const char *url;	     /* a secret: never in what is told */
	const char *ca_file;	     /* PEM; NULL: the system's */
	const struct socket_rules *rules; /* borrowed for the fetch's life */
	uint32_t limit_ms;	     /* for all of it, names included */
	size_t max;		     /* bytes, decompressed */
};

struct fetch_result {
	const char *body; /* NULL: failed */
	size_t len;
	const char *why;  /* of a failure, printable */
};

struct fetch;
typedef void fetch_done(void *owner, const struct fetch_result *);
/* Exactly one call of `done`, never from inside this, unless cancelled. NULL: out of memory. */
struct fetch *fetch_start(const struct fetch_options *, fetch_done *done, void *owner);
void fetch_cancel(struct fetch *);

#endif
