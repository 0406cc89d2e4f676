/* A kernel TCP socket from within: tcp_socket.c owns it, the files beside it read
 * what they need. Nobody else includes it. */
#ifndef GATUN_IO_TCP_INTERNAL_H
#define GATUN_IO_TCP_INTERNAL_H

#include "io/connected.h"
#include "io/own_sockets.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"

enum tcp_state { CONNECTING, OPEN, CLOSING, DEAD };

struct tcp_socket {
	struct stream stream;
	struct loop_io io;
	struct loop_work work;
	struct connected connected; /* only of one that connected, */
	struct own_socket own;	    /* and so is this */
	struct slice_queue out, in; /* in: received, not yet taken by the owner */
	const struct tcp_connect_events *connect_events;
	struct loop_timer *closing_timer; /* only in CLOSING with bytes left */
	uint8_t state;
	bool want_data : 1, want_room : 1;
	bool readable : 1, writable : 1, hup : 1;
	bool shut : 1, shut_sent : 1;
	bool fin_seen : 1, fin_told : 1, told : 1;
	bool linger_reset : 1;
	bool bulk : 1; /* the last receive filled its buffer */
	bool kick : 1; /* deliver from the deferred pass */
	bool prompt : 1;
	int connect_err;
};

static inline struct tcp_socket *tcp_of(const struct stream *s)
{
	return (struct tcp_socket *)(uintptr_t)s;
}

#endif
