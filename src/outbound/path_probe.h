/*
 * Black holes towards a server: a path on which long packets vanish and no ICMP says so (RFC
 * 8899's subject). Looks how long packets may be, by datagrams that must not be fragmented, and
 * notes what it finds in io/path.h. docs/decisions/0010 says why it does so in this way.
 *
 * It looks when it is needed: at the first large datagram in a network, when a TCP connection
 * sends full packets and nothing is acknowledged, when a limit that is in use has become old.
 * A gateway that is idle sends nothing.
 */
#ifndef GATUN_OUTBOUND_PATH_PROBE_H
#define GATUN_OUTBOUND_PATH_PROBE_H

#include "outbound/outbound.h"
#include "outbound/path_watch.h"
#include "outbound/ss_udp.h"

struct path_probe_options {
	const char *name;	/* the server's, for the log; borrowed */
	struct target resolver; /* who answers; copied */
	/* As the server's own UDP has it; `server` is copied, the rest borrowed. */
	struct ss_udp_client_options udp;
};

struct path_probe;
struct path_probe *path_probe_new(const struct path_probe_options *); /* NULL: out of memory */
void path_probe_free(struct path_probe *);			      /* NULL is none */
/* For the client that carries the server's UDP. */
struct path_watch *path_probe_watch(struct path_probe *);

#endif
